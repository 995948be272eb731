//! Timeline of a database. A standby that is promoted begins a new one, and may not have all that was
//! confirmed on the one before: anything remembered of that one is worth nothing.

use tokio_postgres::Client;

use super::sql::column;

/// Reads the number of the timeline, which only rises; `None` if the server does not tell.
pub(super) async fn read(db: &Client) -> Option<i64> {
    // The first eight digits of the name of a log file, by which every server knows its timeline at once.
    let statement = "SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint";
    match db.query_one(statement, &[]).await {
        Ok(row) => column(&row, 0).ok(),
        Err(e) => {
            tracing::debug!(error = %e, "the database does not tell its timeline");
            None
        }
    }
}
