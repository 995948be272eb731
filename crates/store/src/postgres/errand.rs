//! Errands: functions in a transaction of their own, for work that is too rare for the writer.

use std::time::Duration;

use deadpool_postgres::{Client, PoolError, Transaction};
use futures_util::future::BoxFuture;
use longhaul_model::Timestamp;
use tokio::time::timeout;

use super::Shared;
use super::audit;
use super::own::Own;
use super::patience::Patience;
use super::sql::{column, failed, is_broken, late, no_connection};
use super::turn::OPENING;
use crate::audit::Audit;
use crate::error::StoreError;

/// Maximum wait of an errand for those before it.
const TURN: Duration = Duration::from_secs(10);
/// Maximum duration of an errand: an import may be large. Waits for locks are bounded by the connection's
/// lock timeout.
const WORK: Duration = Duration::from_secs(60);
/// Partition of the counters for errands, of all nodes.
pub(super) const ERRANDS: i16 = 1;

/// Runs a function with its arguments in a transaction, with an audit entry; again after a conflict with
/// others, or if the connection was cut before the commit.
pub(super) async fn run<C, T, F>(
    shared: &Shared,
    note: Option<Audit>,
    given: C,
    work: F,
) -> Result<T, StoreError>
where
    C: Clone,
    F: for<'a> Fn(&'a Transaction<'a>, C, Timestamp) -> BoxFuture<'a, Result<T, StoreError>>,
{
    shared.check()?;
    // One errand at a time: errands are rare, and leave their rows in one place.
    let turn = timeout(TURN, shared.errands.lock()).await;
    let _turn = turn.map_err(|_| late("what is to be done before it takes too long"))?;
    let mut patience = Patience::default();
    loop {
        match attempt(shared, note.as_ref(), given.clone(), &work).await {
            Err(e) if patience.allows(shared, &e).await => {}
            Err(e) => return Err(e),
            Ok(done) => return done,
        }
    }
}

/// Runs it once. An error means that nothing of it has happened, and that it may be run again; any other
/// failure is an outcome.
async fn attempt<C, T, F>(
    shared: &Shared,
    note: Option<&Audit>,
    given: C,
    work: &F,
) -> Result<Result<T, StoreError>, StoreError>
where
    F: for<'a> Fn(&'a Transaction<'a>, C, Timestamp) -> BoxFuture<'a, Result<T, StoreError>>,
{
    let client = match shared.pool.get().await {
        Ok(client) => client,
        // The retry budget is spent, and others wait.
        Err(e @ PoolError::Timeout(_)) => return Ok(Err(no_connection(e))),
        Err(e) => return Err(no_connection(e)),
    };
    let mut client = Own::new(client);
    let done = tokio::select! {
        biased;
        done = timeout(WORK, on(&mut client, shared, note, given, work)) => done.ok(),
        () = shared.turn.ended() => None,
    };
    match done {
        Some(done) => {
            drop(client.free());
            done
        }
        None => Ok(Err(late("the database has not answered; whether the change was made is not known"))),
    }
}

async fn on<C, T, F>(
    client: &mut Client,
    shared: &Shared,
    note: Option<&Audit>,
    given: C,
    work: &F,
) -> Result<Result<T, StoreError>, StoreError>
where
    F: for<'a> Fn(&'a Transaction<'a>, C, Timestamp) -> BoxFuture<'a, Result<T, StoreError>>,
{
    let now = shared.env.now();
    let transaction = client.transaction().await.map_err(failed)?;
    let rows = transaction.query(OPENING, &[&shared.turn.number]).await.map_err(failed)?;
    shared.opened(&rows)?;
    let place = shared.turn.errand_place();
    let number = mark(&transaction, place).await?;
    let done = work(&transaction, given, now).await?;
    if let Some(note) = note {
        audit::write(&transaction, ERRANDS, note, now).await?;
    }
    let committed = transaction.commit().await;
    shared.turn.agenda.changed();
    shared.tasks_changed();
    let Err(e) = committed else { return Ok(Ok(done)) };
    if !is_broken(&e) {
        return Err(failed(e));
    }
    match shared.was_committed(place, number).await {
        Ok(true) => Ok(Ok(done)),
        Ok(false) => Err(failed(e)),
        Err(unknown) => Ok(Err(unknown)),
    }
}

/// Writes the row by which the transaction's outcome can be found out.
async fn mark(db: &Transaction<'_>, place: i16) -> Result<i64, StoreError> {
    let leave = "INSERT INTO tallies (place, number, cells, notes)
         SELECT $1::smallint, coalesce(max(number), 0) + 1, '[]', 0 FROM tallies WHERE place = $1::smallint RETURNING number";
    let number: i64 = column(&db.query_one(leave, &[&place]).await.map_err(failed)?, 0)?;
    let before = "DELETE FROM tallies WHERE place = $1 AND number < $2";
    db.execute(before, &[&place, &number]).await.map_err(failed)?;
    Ok(number)
}
