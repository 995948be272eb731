//! Settings that are kept with the tasks.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::failed::sql;
use crate::doc;
use crate::error::StoreError;
use crate::merge::merged;

pub(super) fn get(connection: &Connection, name: &str) -> Result<Option<Value>, StoreError> {
    let text: Option<String> = connection
        .prepare_cached("SELECT doc FROM settings WHERE name = ?")
        .and_then(|mut s| s.query_row([name], |row| row.get(0)).optional())
        .map_err(|e| in_row(name, sql(e)))?;
    text.map(|text| doc::parse(&text).map_err(|e| in_row(name, e))).transpose()
}

/// Adds the affected row to an error about damage.
fn in_row(name: &str, e: StoreError) -> StoreError {
    match e {
        StoreError::Corrupt(why) => StoreError::Corrupt(format!("the row `{name}` of settings: {why}")),
        other => other,
    }
}

pub(super) fn put(connection: &Connection, name: &str, value: &Value) -> Result<(), StoreError> {
    let text = doc::text(value)?;
    connection
        .prepare_cached(
            "INSERT INTO settings (name, doc) VALUES (?, ?) ON CONFLICT DO UPDATE SET doc = excluded.doc",
        )
        .and_then(|mut s| s.execute(params![name, text]))
        .map(|_| ())
        .map_err(sql)
}

/// Changes a setting in what the patch names, and returns all of it.
pub(super) fn merge(connection: &Connection, name: &str, patch: Value) -> Result<Value, StoreError> {
    let all = merged(get(connection, name)?.unwrap_or_default(), patch);
    put(connection, name, &all)?;
    Ok(all)
}
