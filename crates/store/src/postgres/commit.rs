//! Commit of a writer's transaction.

use std::sync::Arc;
use std::time::Instant;

use deadpool_postgres::{Client, Object};
use tokio::task::JoinHandle;
use tokio::try_join;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::Shared;
use super::batch::Written;
use super::job::Job;
use super::sql::{failed, is_broken, late};
use super::turn::{CLOSING, Standing};
use crate::error::StoreError;

/// A batch that commits.
pub(super) struct UnderWay {
    pub(super) jobs: Vec<Job>,
    pub(super) written: Written,
    pub(super) outcome: JoinHandle<Outcome>,
}

/// Outcome of a commit: committed, with the connection if that lives; or nothing of it happened.
pub(super) type Outcome = Result<Option<Client>, StoreError>;

impl UnderWay {
    /// Waits for the outcome of the commit in flight, and returns it once; never returns without one.
    pub(super) async fn outcome(under_way: &mut Option<UnderWay>) -> Outcome {
        let Some(batch) = under_way else { return std::future::pending().await };
        (&mut batch.outcome).await.unwrap_or_else(|e| match e.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(StoreError::Unavailable("the server is stopping".to_owned())),
        })
    }
}

/// Commits a batch of so many jobs, whatever happens to the connection meanwhile: a lost outcome is found
/// out.
pub(super) async fn commit(
    shared: Arc<Shared>,
    client: Client,
    (place, number): (i16, i64),
    jobs: usize,
) -> Outcome {
    let begun = Instant::now();
    let closed = tokio::select! {
        biased;
        closed = close(&shared, &client) => closed,
        () = shared.turn.ended() => {
            drop(Object::take(client));
            return Err(late("the node's turn ended, and what became of a commit is not known"));
        }
    };
    let e = match closed {
        Ok(()) => {
            shared.meters.committed(jobs, begun.elapsed());
            return Ok(Some(client));
        }
        Err(e) => e,
    };
    drop(Object::take(client));
    if e.code() == Some(&SqlState::DIVISION_BY_ZERO) {
        shared.turn.set(Standing::Over);
        return Err(shared.check().err().unwrap_or_else(|| failed(e)));
    }
    if !is_broken(&e) {
        return Err(failed(e));
    }
    tracing::warn!(error = %e, "a commit was interrupted: its outcome is looked up");
    if shared.was_committed(place, number).await? {
        shared.meters.committed(jobs, begun.elapsed());
        Ok(None)
    } else {
        Err(failed(e))
    }
}

/// Sends fence and commit in one round trip: if the session is over, the first one fails, and the second one
/// has nothing to commit.
async fn close(shared: &Shared, client: &Client) -> Result<(), Error> {
    let closing = client.prepare_cached(CLOSING).await?;
    let turn = [&shared.turn.number as &(dyn ToSql + Sync)];
    try_join!(biased; client.query(&closing, &turn), async { client.batch_execute("COMMIT").await }).map(drop)
}
