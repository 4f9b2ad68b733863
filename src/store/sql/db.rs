//! The little of a database that the SQL here needs: statements with values in, rows with cells out.

use super::super::Error;
use crate::domain::Timestamp;

/// A database inside of a transaction.
pub(crate) trait Db {
    /// Runs a statement; how many rows it changed.
    ///
    /// # Errors
    /// When the database does not run it.
    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Error>;

    /// Runs a question.
    ///
    /// # Errors
    /// When the database does not answer it.
    fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Error>;

    /// The time that leases are measured by: the database's own where several agents share one, so that no agent's clock
    /// matters.
    ///
    /// # Errors
    /// When the database does not answer.
    fn now(&self) -> Result<Timestamp, Error>;

    /// What it holds, in bytes, without what is free inside of it.
    ///
    /// # Errors
    /// When the database does not answer.
    fn bytes(&self) -> Result<u64, Error>;

    /// Tells others that have the database open that there is news, once the transaction holds.
    ///
    /// # Errors
    /// When the database does not do it.
    fn call(&self) -> Result<(), Error>;
}

impl dyn Db + '_ {
    /// The first row of an answer, read by `read`.
    pub(crate) fn first<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.rows(sql, values)?.first().map(read).transpose()
    }

    /// Every row of an answer, read by `read`.
    pub(crate) fn all<C: FromIterator<T>, T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnMut(&Row) -> Result<T, Error>,
    ) -> Result<C, Error> {
        self.rows(sql, values)?.iter().map(read).collect()
    }
}

/// A value that a statement is given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// What can be given to a statement.
pub(crate) trait ToValue {
    fn to_value(&self) -> Value<'_>;
}

/// The values of a statement, in the order of its placeholders.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::store::sql::ToValue::to_value(&$value)),*] };
}
pub(crate) use values;

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value<'_> {
        (**self).to_value()
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

macro_rules! numbers {
    ($($number:ty),+) => {
        $(impl ToValue for $number {
            fn to_value(&self) -> Value<'_> {
                Value::Int(i64::from(*self))
            }
        })+
    };
}
numbers!(i64, u32, u16, bool);

macro_rules! texts {
    ($($text:ty),+) => {
        $(impl ToValue for $text {
            fn to_value(&self) -> Value<'_> {
                Value::Text(self)
            }
        })+
    };
}
texts!(str, String);

macro_rules! blobs {
    ($($bytes:ty),+) => {
        $(impl ToValue for $bytes {
            fn to_value(&self) -> Value<'_> {
                Value::Bytes(self)
            }
        })+
    };
}
blobs!([u8], Vec<u8>, [u8; 32]);

impl ToValue for Cell {
    fn to_value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::Text(text),
            Self::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

/// A row of an answer.
#[derive(Debug)]
pub(crate) struct Row(pub(crate) Vec<Cell>);

/// One field of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Row {
    /// The field at `column`, from 0.
    ///
    /// # Errors
    /// When there is none, or it holds something else.
    pub(crate) fn get<T: FromCell>(&self, column: usize) -> Result<T, Error> {
        let cell = self.0.get(column).unwrap_or(&Cell::Null);
        T::from_cell(cell).ok_or_else(|| Error::Row(format!("column {column} holds {}", cell.kind())))
    }
}

impl Cell {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Int(_) => "another number",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
        }
    }
}

/// What can be read from a field; `None` if it holds something else.
pub(crate) trait FromCell: Sized {
    fn from_cell(cell: &Cell) -> Option<Self>;
}

impl<T: FromCell> FromCell for Option<T> {
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            other => T::from_cell(other).map(Some),
        }
    }
}

impl FromCell for i64 {
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Int(number) => Some(*number),
            _ => None,
        }
    }
}

impl FromCell for u32 {
    fn from_cell(cell: &Cell) -> Option<Self> {
        i64::from_cell(cell).and_then(|number| Self::try_from(number).ok())
    }
}

impl FromCell for u16 {
    fn from_cell(cell: &Cell) -> Option<Self> {
        i64::from_cell(cell).and_then(|number| Self::try_from(number).ok())
    }
}

impl FromCell for u64 {
    fn from_cell(cell: &Cell) -> Option<Self> {
        i64::from_cell(cell).map(super::unsigned)
    }
}

impl FromCell for bool {
    fn from_cell(cell: &Cell) -> Option<Self> {
        i64::from_cell(cell).map(|number| number != 0)
    }
}

impl FromCell for Timestamp {
    fn from_cell(cell: &Cell) -> Option<Self> {
        i64::from_cell(cell).map(Self::from_millis)
    }
}

impl FromCell for String {
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl FromCell for Vec<u8> {
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Bytes(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }
}
