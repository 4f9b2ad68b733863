//! Going through a table newest first, along an index and only so far, for what fits a filter.
//!
//! A filter that little fits would otherwise read the whole table for one page. A walk looks at so many rows, and says where
//! the next one begins; so a page is short rather than slow.

use super::super::Error;
use super::{Cell, Db, Row, Value};

/// A place in a list's order: the values of its key.
pub(super) type Place = Vec<Cell>;

/// A column or an expression, and what it must be.
pub(super) type Asked<'a> = (&'static str, &'a str);

/// A way through a table.
pub(super) struct Walk<'a> {
    pub(super) table: &'static str,
    pub(super) columns: &'static str,
    /// What the rows are ordered by; no two have the same.
    pub(super) key: &'static [&'static str],
    /// Begin with the newest below this place; with the newest of all unless given.
    pub(super) below: Option<Place>,
    /// Go no further than to this place.
    pub(super) down_to: Option<Place>,
    /// The one column that leads along an index, and what it must be.
    pub(super) along: Option<Asked<'a>>,
    /// A condition that only that index's rows can meet; databases find out by its being there word by word.
    pub(super) only: Option<&'static str>,
    /// What rows on the way are asked besides: a column, or an expression, that must be the same as this.
    pub(super) asked: Vec<Asked<'a>>,
    /// Rows looked at, where any are asked something.
    pub(super) looked_max: usize,
}

/// What a walk found.
pub(super) struct Found<T> {
    pub(super) items: Vec<T>,
    /// Where it stopped looking, if there are older rows.
    pub(super) floor: Option<Place>,
}

/// Conditions of a statement, with their values.
#[derive(Default)]
struct Conditions<'a> {
    texts: Vec<String>,
    values: Vec<Value<'a>>,
}

impl<'a> Conditions<'a> {
    fn equal(&mut self, what: &str, value: &'a str) {
        self.values.push(Value::Text(value));
        self.texts.push(format!("{what} = ?{}", self.values.len()));
    }

    fn place(&mut self, key: &[&str], relation: &str, place: &'a [Cell]) {
        let first = self.values.len() + 1;
        self.values.extend(place.iter().map(super::ToValue::to_value));
        let marks: Vec<String> = (first..=self.values.len()).map(|number| format!("?{number}")).collect();
        self.texts
            .push(format!("({}) {relation} ({})", key.join(", "), marks.join(", ")));
    }

    fn text(&self) -> String {
        match self.texts.as_slice() {
            [] => String::new(),
            texts => format!("WHERE {}", texts.join(" AND ")),
        }
    }
}

impl Walk<'_> {
    /// The first `limit` rows that fit. Where the walk ends is found out before, so that rows which come or go meanwhile are
    /// neither skipped nor told twice.
    pub(super) fn find<T>(
        &self,
        db: &dyn Db,
        limit: usize,
        read: impl FnMut(&Row) -> Result<T, Error>,
    ) -> Result<Found<T>, Error> {
        let floor = if self.asked.is_empty() { None } else { self.floor(db)? };
        let mut conditions = self.way(floor.as_ref().or(self.down_to.as_ref()));
        for (what, value) in &self.asked {
            // Inside of a function a column leads along no index of its own.
            conditions.equal(&format!("coalesce({what}, '')"), value);
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        conditions.values.push(Value::Int(limit));
        let sql = format!(
            "SELECT {} FROM {} {} ORDER BY {} LIMIT ?{}",
            self.columns,
            self.table,
            conditions.text(),
            self.order(),
            conditions.values.len()
        );
        Ok(Found {
            items: db.all(&sql, &conditions.values, read)?,
            floor,
        })
    }

    /// The last row that is looked at, if there are rows behind it.
    fn floor(&self, db: &dyn Db) -> Result<Option<Place>, Error> {
        let conditions = self.way(self.down_to.as_ref());
        let sql = format!(
            "SELECT {} FROM {} {} ORDER BY {} LIMIT 2 OFFSET {}",
            self.key.join(", "),
            self.table,
            conditions.text(),
            self.order(),
            self.looked_max.saturating_sub(1)
        );
        let mut rows = db.rows(&sql, &conditions.values)?.into_iter();
        let last = rows.next();
        Ok(rows.next().and(last).map(|row| row.0))
    }

    fn way<'b>(&'b self, down_to: Option<&'b Place>) -> Conditions<'b> {
        let mut conditions = Conditions::default();
        if let Some((column, value)) = self.along {
            conditions.equal(column, value);
        }
        conditions.texts.extend(self.only.map(str::to_owned));
        if let Some(below) = &self.below {
            conditions.place(self.key, "<", below);
        }
        if let Some(down_to) = down_to {
            conditions.place(self.key, ">=", down_to);
        }
        conditions
    }

    fn order(&self) -> String {
        let columns: Vec<String> = self.key.iter().map(|column| format!("{column} DESC")).collect();
        columns.join(", ")
    }
}

/// Splits what a filter says into the word that leads along an index, the first that is said, and those that are asked on
/// the way.
pub(super) fn split<'a, const N: usize>(
    words: [(&'static str, Option<&'a str>); N],
) -> (Option<Asked<'a>>, Vec<Asked<'a>>) {
    let mut said = words.into_iter().filter_map(|(column, word)| Some((column, word?)));
    let along = said.next();
    (along, said.collect())
}
