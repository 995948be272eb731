//! The writer's transactions: each runs on a connection of its own, in time, up to its commit.

use std::time::Duration;

use deadpool_postgres::Client;
use tokio::time::{Instant, timeout};

use super::Shared;
use super::batch::{Batch, Written};
use super::job::Job;
use super::keeper::ATTENTIVE;
use super::own::Own;
use super::patience::Patience;
use super::rows::query;
use super::sql::{failed, late, no_connection};
use super::tally::Tally;
use super::timeline;
use super::turn::{GLANCE, Standing};
use super::writer::Writer;
use crate::cache::Cache;
use crate::error::StoreError;

/// How long a transaction may take until its commit is sent.
const WRITE: Duration = Duration::from_secs(10);
/// How long a second connection is waited for, while the first one commits.
const SECOND: Duration = Duration::from_millis(50);
/// How long one must do when no second one was to be had.
const ONE: Duration = Duration::from_secs(1);

/// For the writer's connection, which asks for rows by their keys and for nothing else. Left to itself, the planner takes the
/// few rows of the hot table for a small table and reads all of it, dead versions too, which are many more under load.
const BY_KEY: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
     SET plan_cache_mode = force_generic_plan; SET jit = off";
/// How long one of its statements may take. The commit is not bound by it: one that is cancelled while it
/// waits for a standby would be committed without it. `turn::CLOSING` sees to that.
const STATEMENT: &str = "SET statement_timeout = '8s'";

impl Writer {
    /// Runs the jobs in a transaction, and leaves it to be committed; again where others were at work on the same, or the connection
    /// was cut: nothing of it can have happened yet.
    pub(super) async fn written(&mut self, jobs: &[Job]) -> Result<(Client, Written), StoreError> {
        let mut patience = Patience::default();
        loop {
            match self.attempt(jobs).await {
                Err(e) if patience.allows(&self.shared, &e).await => {}
                done => return done,
            }
        }
    }

    /// The same once, in time, and no longer than the node's turn lasts.
    async fn attempt(&mut self, jobs: &[Job]) -> Result<(Client, Written), StoreError> {
        let shared = self.shared.clone();
        shared.check()?;
        tokio::select! {
            biased;
            done = timeout(WRITE, self.once(jobs)) => {
                done.unwrap_or_else(|_| Err(late("the database does not answer")))
            }
            () = shared.turn.ended() => {
                Err(shared.check().err().unwrap_or_else(|| late("the turn of this node is over")))
            }
        }
    }

    async fn once(&mut self, jobs: &[Job]) -> Result<(Client, Written), StoreError> {
        let client = Own::new(self.connection().await?);
        if self.forgotten != self.shared.forgotten() {
            self.forget().await;
        }
        let done = match self.tally.clone() {
            Some(tally) => Ok(tally),
            None => self.read_tally(&client).await,
        };
        let done = match done {
            Ok(tally) => Batch::run(&client, &self.shared, &mut self.cache, tally, jobs).await,
            Err(e) => Err(e),
        };
        let done = match done {
            Ok(_) if !self.settle().await => {
                Err(StoreError::Conflict("the transaction before it failed".to_owned()))
            }
            done => done,
        };
        match done {
            Ok(written) => {
                client.free().map(|client| (client, written)).ok_or_else(|| late("its connection is gone"))
            }
            Err(e) => {
                let sound =
                    matches!(e, StoreError::Conflict(_)) && client.batch_execute("ROLLBACK").await.is_ok();
                if sound {
                    self.connections.extend(client.free());
                }
                Err(e)
            }
        }
    }

    /// A connection at rest; or a new one, unless that takes longer than the batch under way, whose connection does as well.
    async fn connection(&mut self) -> Result<Client, StoreError> {
        self.connections.retain(|client| !client.is_closed());
        if let Some(client) = self.connections.pop() {
            return Ok(client);
        }
        if self.under_way.is_some() {
            if self.one_until <= Instant::now() {
                if let Ok(Ok(client)) = timeout(SECOND, new_connection(&self.shared)).await {
                    return Ok(client);
                }
                self.one_until = Instant::now() + ONE;
            }
            self.settle().await;
            if let Some(client) = self.connections.pop() {
                return Ok(client);
            }
        }
        self.tally = None;
        new_connection(&self.shared).await
    }

    /// Forgets what another server of the database may not have.
    async fn forget(&mut self) {
        self.settle().await;
        (self.cache, self.tally, self.forgotten) = (Cache::default(), None, self.shared.forgotten());
    }

    /// Reads it; a database that does not have what it confirmed to this node is one of before, such as an asynchronous standby that was
    /// promoted. Then nothing that this node remembers is worth anything: its turn is over.
    async fn read_tally(&self, client: &Client) -> Result<Tally, StoreError> {
        let tally = Tally::read(client, self.shared.turn.writer_place()).await?;
        if tally.mark().1 >= self.committed {
            return Ok(tally);
        }
        // Whoever took over from this node may have counted its rows already.
        self.shared.opened(&query(client, GLANCE, &[&self.shared.turn.number]).await?)?;
        tracing::error!(
            committed = self.committed,
            found = tally.mark().1,
            "the database has lost what it had confirmed: was a standby promoted that was behind?"
        );
        self.shared.turn.set(Standing::Over);
        Err(self
            .shared
            .check()
            .err()
            .unwrap_or_else(|| StoreError::Unavailable("others took over".to_owned())))
    }
}

async fn new_connection(shared: &Shared) -> Result<Client, StoreError> {
    let client = shared.pool.get().await.map_err(no_connection)?;
    // Its transactions hold what others wait for.
    client.batch_execute(&format!("{ATTENTIVE}; {BY_KEY}; {STATEMENT}")).await.map_err(failed)?;
    shared.on_timeline(timeline::read(&client).await);
    Ok(client)
}
