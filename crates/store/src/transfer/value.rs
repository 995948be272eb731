//! Value of a row, as both engines have it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Value on its way from one store to the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Value {
    Null,
    Flag(bool),
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    Id(Uuid),
}

/// Type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Flag,
    Int,
    Text,
    Bytes,
    Id,
}

impl Value {
    /// Returns the approximate size in bytes: pages are bounded by it.
    pub(crate) fn size(&self) -> usize {
        match self {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            _ => 8,
        }
    }

    pub(crate) fn text(&self) -> &str {
        if let Value::Text(text) = self { text } else { "" }
    }

    pub(crate) fn int(&self) -> Option<i64> {
        if let Value::Int(number) = self { Some(*number) } else { None }
    }

    pub(crate) fn id(&self) -> Uuid {
        if let Value::Id(id) = self { *id } else { Uuid::nil() }
    }
}

mod in_sqlite {
    use rusqlite::Result;
    use rusqlite::types::{FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
    use uuid::Uuid;

    use super::{Kind, Value};

    impl ToSql for Value {
        fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
            Ok(ToSqlOutput::Borrowed(match self {
                Value::Null => ValueRef::Null,
                Value::Flag(flag) => ValueRef::Integer(i64::from(*flag)),
                Value::Int(number) => ValueRef::Integer(*number),
                Value::Text(text) => ValueRef::Text(text.as_bytes()),
                Value::Bytes(bytes) => ValueRef::Blob(bytes),
                Value::Id(id) => ValueRef::Blob(id.as_bytes()),
            }))
        }
    }

    impl Value {
        /// Converts a column of SQLite, which knows fewer types. NUL, which PostgreSQL cannot have, is
        /// replaced there, too.
        pub(crate) fn from_sqlite(kind: Kind, given: ValueRef<'_>) -> FromSqlResult<Value> {
            Ok(match (kind, given) {
                (_, ValueRef::Null) => Value::Null,
                (Kind::Flag, ValueRef::Integer(number)) => Value::Flag(number != 0),
                (Kind::Int, ValueRef::Integer(number)) => Value::Int(number),
                (Kind::Text, ValueRef::Text(_)) => Value::Text(given.as_str()?.replace('\0', "\u{fffd}")),
                (Kind::Bytes, ValueRef::Blob(bytes)) => Value::Bytes(bytes.to_vec()),
                (Kind::Id, ValueRef::Blob(bytes)) => {
                    Value::Id(Uuid::from_slice(bytes).map_err(FromSqlError::other)?)
                }
                _ => return Err(FromSqlError::InvalidType),
            })
        }
    }
}

mod in_postgres {
    use std::error::Error;

    use bytes::BytesMut;
    use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

    use super::Value;

    type Failure = Box<dyn Error + Sync + Send>;

    /// Writes a value by the type that the engine gives for its column: integers come in three widths.
    impl ToSql for Value {
        fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
            match self {
                Value::Null => Ok(IsNull::Yes),
                Value::Flag(flag) => flag.to_sql(ty, out),
                Value::Int(number) if *ty == Type::INT2 => i16::try_from(*number)?.to_sql(ty, out),
                Value::Int(number) if *ty == Type::INT4 => i32::try_from(*number)?.to_sql(ty, out),
                Value::Int(number) => number.to_sql(ty, out),
                Value::Text(text) => text.to_sql(ty, out),
                Value::Bytes(bytes) => bytes.to_sql(ty, out),
                Value::Id(id) => id.to_sql(ty, out),
            }
        }

        fn accepts(ty: &Type) -> bool {
            <Value as FromSql>::accepts(ty)
        }

        to_sql_checked!();
    }

    impl<'a> FromSql<'a> for Value {
        fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
            Ok(match *ty {
                Type::BOOL => Value::Flag(FromSql::from_sql(ty, raw)?),
                Type::INT2 => Value::Int(<i16 as FromSql>::from_sql(ty, raw)?.into()),
                Type::INT4 => Value::Int(<i32 as FromSql>::from_sql(ty, raw)?.into()),
                Type::INT8 => Value::Int(FromSql::from_sql(ty, raw)?),
                Type::BYTEA => Value::Bytes(FromSql::from_sql(ty, raw)?),
                Type::UUID => Value::Id(FromSql::from_sql(ty, raw)?),
                _ => Value::Text(FromSql::from_sql(ty, raw)?),
            })
        }

        fn from_sql_null(_: &Type) -> Result<Self, Failure> {
            Ok(Value::Null)
        }

        fn accepts(ty: &Type) -> bool {
            let known = [Type::BOOL, Type::INT2, Type::INT4, Type::INT8, Type::BYTEA, Type::UUID, Type::TEXT];
            known.contains(ty)
        }
    }
}
