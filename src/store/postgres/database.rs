//! PostgreSQL as the store's SQL sees it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use postgres::types::private::BytesMut;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Statement};

use super::super::Error;
use super::super::sql::retention::held_bytes;
use super::super::sql::{Cell, Db, Row, Value};
use super::connection::meaning;
use super::listener::CHANNEL;
use crate::domain::Timestamp;

/// A connection and the statements it has prepared.
pub(super) struct Database {
    client: RefCell<Client>,
    statements: RefCell<BTreeMap<String, Statement>>,
    place: String,
}

impl Database {
    pub(super) fn new(client: Client, place: String) -> Self {
        Self {
            client: RefCell::new(client),
            statements: RefCell::new(BTreeMap::new()),
            place,
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.client.borrow().is_closed()
    }

    pub(super) fn run_script(&self, sql: &str) -> Result<(), Error> {
        self.client.borrow_mut().batch_execute(sql).map_err(self.meaning())
    }

    /// Runs `item` in a transaction.
    pub(super) fn transact(&self, item: impl FnOnce(&Self) -> Result<(), Error>) -> Result<(), Error> {
        self.run_script("BEGIN")?;
        match item(self) {
            Ok(()) => self.run_script("COMMIT"),
            Err(error) => {
                // A connection that cannot even do this is broken, and nothing of the transaction holds.
                let _ = self.run_script("ROLLBACK");
                Err(error)
            }
        }
    }

    fn meaning(&self) -> impl Fn(postgres::Error) -> Error {
        |error| meaning(&self.place, &error)
    }

    fn prepared(&self, sql: &str) -> Result<Statement, Error> {
        if let Some(known) = self.statements.borrow().get(sql) {
            return Ok(known.clone());
        }
        let made = self
            .client
            .borrow_mut()
            .prepare(&numbered(sql))
            .map_err(self.meaning())?;
        self.statements.borrow_mut().insert(sql.to_owned(), made.clone());
        Ok(made)
    }
}

/// `?1` as PostgreSQL writes it: `$1`.
fn numbered(sql: &str) -> String {
    sql.replace('?', "$")
}

impl Db for Database {
    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Error> {
        let statement = self.prepared(sql)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let changed = self.client.borrow_mut().execute(&statement, &values);
        changed.map_err(self.meaning())
    }

    fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        let statement = self.prepared(sql)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let rows = self.client.borrow_mut().query(&statement, &values);
        rows.map_err(self.meaning())?.iter().map(row).collect()
    }

    fn now(&self) -> Result<Timestamp, Error> {
        let sql = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";
        let at: Option<i64> = (self as &dyn Db).first(sql, &[], |row| row.get(0))?;
        Ok(Timestamp::from_millis(at.unwrap_or_default()))
    }

    fn bytes(&self) -> Result<u64, Error> {
        held_bytes(self)
    }

    fn call(&self) -> Result<(), Error> {
        self.execute(&format!("NOTIFY {CHANNEL}"), &[]).map(drop)
    }
}

fn row(row: &postgres::Row) -> Result<Row, Error> {
    let unreadable = |error: postgres::Error| Error::Row(error.to_string());
    let cells = row.columns().iter().enumerate().map(|(column, about)| {
        Ok(match *about.type_() {
            Type::INT8 => row
                .try_get::<_, Option<i64>>(column)
                .map_err(unreadable)?
                .map(Cell::Int),
            Type::INT4 => {
                let number = row.try_get::<_, Option<i32>>(column).map_err(unreadable)?;
                number.map(|number| Cell::Int(i64::from(number)))
            }
            Type::BYTEA => row
                .try_get::<_, Option<Vec<u8>>>(column)
                .map_err(unreadable)?
                .map(Cell::Bytes),
            _ => row
                .try_get::<_, Option<String>>(column)
                .map_err(unreadable)?
                .map(Cell::Text),
        }
        .unwrap_or(Cell::Null))
    });
    Ok(Row(cells.collect::<Result<_, Error>>()?))
}

type Written = Result<IsNull, Box<dyn std::error::Error + Sync + Send>>;

impl ToSql for Value<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Written {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(number) if *kind == Type::INT4 => i32::try_from(*number)?.to_sql(kind, out),
            Value::Int(number) => number.to_sql(kind, out),
            // PostgreSQL's text has no zero byte.
            Value::Text(text) if text.contains('\0') => text.replace('\0', "\u{fffd}").to_sql(kind, out),
            Value::Text(text) => text.to_sql(kind, out),
            Value::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(
            *kind,
            Type::INT8 | Type::INT4 | Type::TEXT | Type::VARCHAR | Type::BYTEA
        )
    }

    to_sql_checked!();
}
