//! SQLite as the store's SQL sees it.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};

use super::super::Error;
use super::super::sql::schema::steps_after;
use super::super::sql::{Cell, Db, Row, Value};
use crate::clock::Clock;
use crate::domain::Timestamp;

/// Statements that stay prepared: as many as there are, and some.
pub(crate) const STATEMENTS_MAX: usize = 256;

/// A connection, inside of a transaction where something is written.
pub(crate) struct Database<'a> {
    connection: &'a Connection,
    clock: &'a Clock,
}

impl<'a> Database<'a> {
    pub(crate) fn new(connection: &'a Connection, clock: &'a Clock) -> Self {
        Self { connection, clock }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn cell(field: ValueRef<'_>) -> Result<Cell, Error> {
    Ok(match field {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        ValueRef::Text(text) => {
            Cell::Text(String::from_utf8(text.to_vec()).map_err(|error| Error::Row(error.to_string()))?)
        }
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
        ValueRef::Real(_) => return Err(Error::Row("a number with a fraction".to_owned())),
    })
}

impl Db for Database<'_> {
    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Error> {
        let changed = self.connection.prepare_cached(sql)?.execute(params_from_iter(values))?;
        Ok(changed as u64)
    }

    fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(values))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let cells = (0..columns).map(|column| cell(row.get_ref(column)?));
            found.push(Row(cells.collect::<Result<_, _>>()?));
        }
        Ok(found)
    }

    fn now(&self) -> Result<Timestamp, Error> {
        Ok(self.clock.now())
    }

    fn bytes(&self) -> Result<u64, Error> {
        let sql = "SELECT (page_count - freelist_count) * page_size
                   FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";
        let held = (self as &dyn Db).first(sql, &[], |row| row.get(0))?;
        Ok(held.unwrap_or_default())
    }

    /// Nobody else has it open, or shares the process and looks by itself.
    fn call(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// Brings the schema of a file up to date; `user_version` says how many steps it has taken.
pub(crate) fn migrate(connection: &mut Connection, path: &str) -> Result<(), Error> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (version, step) in steps_after(found, path)? {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}
