//! What is too rare for the writer: a function in a transaction of its own.

use deadpool_postgres::Transaction;
use futures_util::future::BoxFuture;
use longhaul_model::Timestamp;

use super::Shared;
use super::audit;
use super::sql::{column, failed, no_connection};
use super::turn::OPENING;
use crate::audit::Audit;
use crate::error::StoreError;

/// The place of errands in the totals, of all nodes.
pub(super) const ERRANDS: i16 = 1;

/// Runs a function in a transaction, with a note of it.
pub(super) async fn run<T, F>(shared: &Shared, note: Option<Audit>, work: F) -> Result<T, StoreError>
where
    F: for<'a> FnOnce(&'a Transaction<'a>, Timestamp) -> BoxFuture<'a, Result<T, StoreError>>,
{
    shared.check()?;
    // One at a time: they are rare, and leave their rows in one place.
    let _turn = shared.errands.lock().await;
    let now = shared.env.now();
    let mut client = shared.pool.get().await.map_err(no_connection)?;
    let transaction = client.transaction().await.map_err(failed)?;
    let rows = transaction.query(OPENING, &[&shared.turn.number]).await.map_err(failed)?;
    shared.opened(&rows)?;
    let place = shared.turn.errand_place();
    let number = mark(&transaction, place).await?;
    let done = work(&transaction, now).await?;
    if let Some(note) = note {
        audit::write(&transaction, ERRANDS, &note, now).await?;
    }
    match transaction.commit().await {
        Ok(()) => Ok(done),
        Err(e) if super::sql::is_broken(&e) => {
            if shared.was_committed(place, number).await? {
                Ok(done)
            } else {
                Err(failed(e))
            }
        }
        Err(e) => Err(failed(e)),
    }
}

/// Leaves the row by which the transaction's outcome can be found out.
async fn mark(db: &Transaction<'_>, place: i16) -> Result<i64, StoreError> {
    let leave = "INSERT INTO tallies (place, number, cells, notes)
         SELECT $1::smallint, coalesce(max(number), 0) + 1, '[]', 0 FROM tallies WHERE place = $1::smallint RETURNING number";
    let number: i64 = column(&db.query_one(leave, &[&place]).await.map_err(failed)?, 0)?;
    let before = "DELETE FROM tallies WHERE place = $1 AND number < $2";
    db.execute(before, &[&place, &number]).await.map_err(failed)?;
    Ok(number)
}
