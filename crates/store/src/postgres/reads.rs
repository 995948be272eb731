//! Reads beside the writer, for callers that block on them.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Client, Transaction};
use futures_util::future::BoxFuture;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::timeout;
use tokio_postgres::IsolationLevel;

use super::own::Own;
use super::sql::failed;
use super::{Postgres, Shared};
use crate::error::StoreError;
use crate::known::Workflows;

/// Largest count of reads that wait for the database.
pub(super) const WAITING: usize = 256;
/// Longest time of a read, with the wait for a connection.
const PATIENCE: Duration = Duration::from_secs(20);

impl Postgres {
    /// Runs a read of one statement.
    pub(super) fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a Client, &'a Workflows) -> BoxFuture<'a, Result<T, StoreError>> + Send + 'static,
    {
        let shared = self.shared.clone();
        self.wait(async move {
            let client = Own::of(&shared.pool).await?;
            let done = work(&client, &shared.workflows).await;
            drop(client.free());
            done
        })
    }

    /// Runs a read of many statements, all of one moment.
    pub(super) fn snapshot<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a Transaction<'a>, &'a Workflows) -> BoxFuture<'a, Result<T, StoreError>>
            + Send
            + 'static,
    {
        let shared = self.shared.clone();
        self.wait(async move { in_snapshot(&shared, work).await })
    }

    /// Blocks on the store's own threads. On a worker of a runtime, other workers take over its tasks
    /// meanwhile.
    fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        // Each read holds a thread: when the database hangs, later callers are refused at once.
        let Ok(_place) = self.shared.waiting.try_acquire() else {
            return Err(StoreError::Unavailable("too many wait for the database".to_owned()));
        };
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        self.handle.spawn(async move {
            let late = || StoreError::Unavailable("the database does not answer".to_owned());
            let done = timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(late()));
            // The caller waits, or its thread is gone.
            let _ = answer.send(done);
        });
        let receive = move || {
            answered
                .recv()
                .unwrap_or_else(|_| Err(StoreError::Unavailable("the server is stopping".to_owned())))
        };
        match Handle::try_current() {
            Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => {
                tokio::task::block_in_place(receive)
            }
            _ => receive(),
        }
    }
}

async fn in_snapshot<T, F>(shared: &Arc<Shared>, work: F) -> Result<T, StoreError>
where
    F: for<'a> FnOnce(&'a Transaction<'a>, &'a Workflows) -> BoxFuture<'a, Result<T, StoreError>>,
{
    let mut client = Own::of(&shared.pool).await?;
    let done = async {
        let transaction = client
            .build_transaction()
            .read_only(true)
            .isolation_level(IsolationLevel::RepeatableRead)
            .start()
            .await
            .map_err(failed)?;
        let done = work(&transaction, &shared.workflows).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(done)
    };
    let done = done.await;
    drop(client.free());
    done
}
