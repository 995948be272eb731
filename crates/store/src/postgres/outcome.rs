//! What became of a commit whose answer was lost: asked of the database, never guessed.

use std::time::Duration;

use super::Shared;
use super::activity::Standing;
use super::sql::{column, failed, no_connection};
use crate::error::StoreError;

const PAUSE: Duration = Duration::from_millis(200);

impl Shared {
    /// Whether a transaction was committed; asks until the database says so one way or the other.
    pub(super) async fn was_committed(&self, transaction: String) -> Result<bool, StoreError> {
        loop {
            match self.status(&transaction).await {
                Ok(Some(committed)) => {
                    tracing::info!(transaction, committed, "the outcome of a commit is known");
                    return Ok(committed);
                }
                // Its server has not noticed that the connection is gone.
                Ok(None) => {}
                Err(e) if matches!(self.turn.standing(), Standing::Over | Standing::Closed) => return Err(e),
                Err(e) => tracing::debug!(error = %e, "the outcome of a commit is not known yet"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn status(&self, transaction: &str) -> Result<Option<bool>, StoreError> {
        let client = self.pool.get().await.map_err(no_connection)?;
        // A server that never heard of it, as it took over from one that did not get so far, has not committed it.
        let statement = "SELECT CASE WHEN $1::text::xid8 < pg_snapshot_xmax(pg_current_snapshot())
               THEN pg_xact_status($1::text::xid8) ELSE 'aborted' END";
        let row = client.query_one(statement, &[&transaction]).await.map_err(failed)?;
        Ok(match column::<Option<&str>>(&row, 0)? {
            Some("committed") => Some(true),
            Some("aborted") => Some(false),
            Some(_) => None,
            None => return Err(StoreError::Corrupt("the outcome of a commit is forgotten".to_owned())),
        })
    }
}
