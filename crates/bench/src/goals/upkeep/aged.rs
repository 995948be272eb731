//! Stores made older than they are, behind the back of the server, which is stopped meanwhile.

use std::path::Path;

use anyhow::{Context, Result};
use longhaul_testbed::Cluster;
use rusqlite::Connection;

/// Time by which tasks are made older, in milliseconds: 400 days, more than they are kept.
const BY: i64 = 400 * 86_400_000;

/// Statements that make all tasks of history older, and move the totals of their buckets with them.
fn older() -> String {
    format!(
        "UPDATE history SET completed_at = completed_at - {BY} WHERE completed_at IS NOT NULL;
         UPDATE completions SET bucket = bucket - {BY} / width;"
    )
}

/// An instant behind the tasks that were made older and before all others, in milliseconds since 1970.
pub(super) fn border() -> i64 {
    longhaul_model::Env::real().now().0 - BY / 2
}

/// Makes the tasks of a data directory older.
pub(super) fn files(data: &Path) -> Result<()> {
    open(data)?.execute_batch(&older()).context("making tasks older")
}

/// Makes the tasks of a database older.
pub(super) fn database(cluster: &Cluster, name: &str) -> Result<()> {
    cluster.sql(name, &older())?;
    Ok(())
}

/// Takes a migration of a data directory back, the one that has the most to do; the next start runs it again.
pub(super) fn schema(data: &Path) -> Result<()> {
    let statements = "DROP TRIGGER places_taken; DROP TRIGGER places_changed; DROP TRIGGER places_left;
         DROP TABLE places; DROP INDEX claims_alone; DROP INDEX claims_behind; DROP INDEX claims_ready;
         DROP INDEX claims_held; DROP INDEX claims_near; ALTER TABLE claims DROP COLUMN clear;
         DELETE FROM schema_migrations WHERE number = 7";
    open(data)?.execute_batch(statements).context("taking the migration 7 back")
}

fn open(data: &Path) -> Result<Connection> {
    Connection::open(data.join("longhaul.db")).context("opening the store that is made older")
}
