//! What is too rare for the writer: a function in a transaction of its own.

use deadpool_postgres::Transaction;
use futures_util::future::BoxFuture;
use longhaul_model::Timestamp;

use super::Shared;
use super::audit;
use super::sql::{column, failed, no_connection};
use crate::audit::Audit;
use crate::error::StoreError;

/// The place of errands in the totals.
pub(super) const ERRANDS: i16 = 1;

/// Runs a function in a transaction, with a note of it.
pub(super) async fn run<T, F>(shared: &Shared, note: Option<Audit>, work: F) -> Result<T, StoreError>
where
    F: for<'a> FnOnce(&'a Transaction<'a>, Timestamp) -> BoxFuture<'a, Result<T, StoreError>>,
{
    shared.check()?;
    // One at a time: they are rare, and share their place in the totals.
    let _turn = shared.errands.lock().await;
    let now = shared.env.now();
    let mut client = shared.pool.get().await.map_err(no_connection)?;
    let transaction = client.transaction().await.map_err(failed)?;
    let row = transaction.query_one(OPENING, &[]).await.map_err(failed)?;
    let transaction_id = shared.opening(&row)?;
    let done = work(&transaction, now).await?;
    if let Some(note) = note {
        audit::write(&transaction, ERRANDS, &note, now).await?;
    }
    match transaction.commit().await {
        Ok(()) => Ok(done),
        Err(e) if super::sql::is_broken(&e) => {
            if shared.was_committed(transaction_id).await? {
                Ok(done)
            } else {
                Err(failed(e))
            }
        }
        Err(e) => Err(failed(e)),
    }
}

/// The first statement of each transaction that writes: keeps the turn from ending before it does, and gives the transaction's
/// number, by which its outcome can be found out.
pub(super) const OPENING: &str = "SELECT turn, pg_current_xact_id()::text FROM activity FOR SHARE";

impl Shared {
    /// Refuses unless the turn is this node's; gives the transaction's number.
    pub(super) fn opening(&self, row: &tokio_postgres::Row) -> Result<String, StoreError> {
        if column::<i64>(row, 0)? != self.turn.number {
            self.turn.set(super::activity::Standing::Over);
            return Err(StoreError::Unavailable("another node is active".to_owned()));
        }
        column(row, 1)
    }
}
