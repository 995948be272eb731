//! Settings that are kept with the tasks.

use deadpool_postgres::GenericClient;
use serde_json::Value;

use super::shared;
use super::sql::{clean, column, execute, query};
use crate::doc;
use crate::error::StoreError;
use crate::merge::merged;
use crate::peers::Rare;

/// Reads the identity of the database: that of its cluster, and its number there. A restored dump has another
/// one.
pub(super) const STORAGE_ID: &str = "SELECT system_identifier || '/' ||
    (SELECT oid FROM pg_database WHERE datname = current_database()) FROM pg_control_system()";

pub(super) async fn get(db: &impl GenericClient, name: &str) -> Result<Option<Value>, StoreError> {
    let rows = query(db, "SELECT doc FROM settings WHERE name = $1", &[&clean(name)]).await?;
    let read = |row: &tokio_postgres::Row| {
        doc::parse(column(row, 0)?).map_err(|e| match e {
            StoreError::Corrupt(why) => StoreError::Corrupt(format!("the row `{name}` of settings: {why}")),
            other => other,
        })
    };
    rows.first().map(read).transpose()
}

pub(super) async fn put(db: &impl GenericClient, name: &str, value: &Value) -> Result<(), StoreError> {
    let statement = "INSERT INTO settings (name, doc) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET doc = excluded.doc";
    execute(db, statement, &[&clean(name), &doc::text(value)?]).await?;
    shared::changed(db, Rare::Settings).await
}

/// Changes a setting in what the patch names, and returns all of it.
pub(super) async fn merge(db: &impl GenericClient, name: &str, patch: Value) -> Result<Value, StoreError> {
    // The row is there before it is locked: two nodes that both find none would each write the first.
    let statement = "INSERT INTO settings (name, doc) VALUES ($1, 'null') ON CONFLICT (name) DO NOTHING";
    execute(db, statement, &[&clean(name)]).await?;
    let rows = query(db, "SELECT doc FROM settings WHERE name = $1 FOR UPDATE", &[&clean(name)]).await?;
    let old = rows.first().map(|row| doc::parse(column(row, 0)?)).transpose()?.unwrap_or_default();
    let all = merged(old, patch);
    put(db, name, &all).await?;
    Ok(all)
}
