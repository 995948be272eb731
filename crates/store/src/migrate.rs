//! Schema migrations: numbered SQL files, each run once and in order, each in a transaction of its own.

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use crate::error::StoreError;

/// Step of the schema's migration.
pub(crate) struct Migration {
    pub(crate) number: u32,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// Migrates a database to the newest schema this program knows; refuses one it does not know.
pub(crate) fn run(connection: &mut Connection, migrations: &[Migration], now: i64) -> Result<(), StoreError> {
    let failed = |e: rusqlite::Error| {
        StoreError::Open(format!("the database schema could not be brought up to date: {e}"))
    };
    connection
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS schema_migrations (
               number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL)",
        )
        .map_err(failed)?;
    let newest: u32 = connection
        .query_row("SELECT coalesce(max(number), 0) FROM schema_migrations", [], |row| row.get(0))
        .map_err(failed)?;
    let known = migrations.last().map_or(0, |migration| migration.number);
    if newest > known {
        return Err(StoreError::Open(format!(
            "the database has schema {newest}, this version of Longhaul knows up to {known}: use a newer version"
        )));
    }
    for migration in migrations {
        let checksum = checksum(migration.sql);
        let applied: Option<String> = connection
            .query_row("SELECT checksum FROM schema_migrations WHERE number = ?", [migration.number], |row| {
                row.get(0)
            })
            .optional()
            .map_err(failed)?;
        match applied {
            Some(found) if found == checksum => {}
            Some(_) => {
                return Err(StoreError::Open(format!(
                    "schema {} ({}) of the database is not the one this version of Longhaul made",
                    migration.number, migration.name
                )));
            }
            None => {
                let transaction = connection.transaction().map_err(failed)?;
                transaction.execute_batch(migration.sql).map_err(failed)?;
                transaction
                    .execute(
                        "INSERT INTO schema_migrations VALUES (?, ?, ?, ?)",
                        params![migration.number, migration.name, checksum, now],
                    )
                    .map_err(failed)?;
                transaction.commit().map_err(failed)?;
            }
        }
    }
    Ok(())
}

pub(crate) fn checksum(sql: &str) -> String {
    Sha256::digest(sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
