//! Outcome of a commit whose answer was lost: asked of the database, never guessed. Each transaction leaves a
//! row in `tallies`, under a number that no other one before it has. The database's own number of the
//! transaction would not do: a standby that was promoted before it heard of one gives that number to another.

use std::time::Duration;

use deadpool_postgres::{Client, Object};
use tokio::time::timeout;

use super::Shared;
use super::sql::{failed, no_connection};
use super::turn::{OPENING, Standing};
use crate::error::StoreError;

const PAUSE: Duration = Duration::from_millis(200);
/// Longest time of one look, which waits for a transaction that is still under way.
const PATIENCE: Duration = Duration::from_secs(5);

impl Shared {
    /// Returns true if the transaction of that place and number was committed; asks until the database says
    /// so one way or the other.
    pub(super) async fn was_committed(&self, place: i16, number: i64) -> Result<bool, StoreError> {
        loop {
            match self.is_there(place, number).await {
                Ok(committed) => {
                    tracing::info!(place, number, committed, "the outcome of a commit is known");
                    return Ok(committed);
                }
                Err(e) if matches!(self.turn.standing(), Standing::Over | Standing::Closed) => return Err(e),
                Err(e) => tracing::debug!(error = %e, "the outcome of a commit is not known yet"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn is_there(&self, place: i16, number: i64) -> Result<bool, StoreError> {
        let mut client = self.pool.get().await.map_err(no_connection)?;
        if let Ok(known) = timeout(PATIENCE, self.look(&mut client, place, number)).await {
            return known;
        }
        // The connection is not returned to the pool: its statement still waits.
        drop(Object::take(client));
        Err(StoreError::Unavailable("its server has not noticed that the connection is gone".to_owned()))
    }

    /// Tries to write the same row: that waits for a transaction that is writing it, and finds nothing to do
    /// if it is there.
    async fn look(&self, client: &mut Client, place: i16, number: i64) -> Result<bool, StoreError> {
        let transaction = client.transaction().await.map_err(failed)?;
        let rows = transaction.query(OPENING, &[&self.turn.number]).await.map_err(failed)?;
        self.opened(&rows)?;
        let statement = "INSERT INTO tallies (place, number, cells, notes) VALUES ($1, $2, '[]', 0) ON CONFLICT DO NOTHING";
        let missing = transaction.execute(statement, &[&place, &number]).await.map_err(failed)? > 0;
        transaction.rollback().await.map_err(failed)?;
        Ok(!missing)
    }
}
