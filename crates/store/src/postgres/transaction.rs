//! Transactions of the writer: each runs on its own connection, against a deadline, up to its commit.

use std::time::Duration;

use deadpool_postgres::Client;
use tokio::time::{Instant, timeout};

use super::Shared;
use super::batch::{Batch, Written};
use super::connect::ATTENTIVE;
use super::job::Job;
use super::own::Own;
use super::patience::Patience;
use super::sql::{failed, late, no_connection, query};
use super::tally::Tally;
use super::timeline;
use super::turn::{GLANCE, Standing};
use super::writer::Writer;
use crate::cache::Cache;
use crate::error::StoreError;

/// Maximum duration of a transaction until its commit is sent.
const WRITE: Duration = Duration::from_secs(10);
/// Maximum wait for a second connection while the first one commits.
const SECOND: Duration = Duration::from_millis(50);
/// Time for which a single connection must do when no second one was available.
const ONE: Duration = Duration::from_secs(1);

/// Session settings of the writer's connection, which looks rows up by key only. By default the planner takes
/// the hot table, of few live rows, for small and scans all of it, including dead versions, of which there
/// are many more under load.
const BY_KEY: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
     SET plan_cache_mode = force_generic_plan; SET jit = off";
/// Statement timeout of the writer's connection. `turn::CLOSING` exempts the commit: one cancelled while it
/// waits for a standby would be committed without the standby.
const STATEMENT: &str = "SET statement_timeout = '8s'";

impl Writer {
    /// Runs the jobs in a transaction and leaves it to be committed. Retries on conflicts and cut
    /// connections: nothing of it can have happened yet.
    pub(super) async fn written(&mut self, jobs: &[Job]) -> Result<(Client, Written), StoreError> {
        let mut patience = Patience::default();
        loop {
            match self.attempt(jobs).await {
                Err(e) if patience.allows(&self.shared, &e).await => {}
                done => return done,
            }
        }
    }

    /// Makes one attempt, within its deadline and no longer than the node's session lasts.
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

    /// Returns an idle connection or a new one; if connecting takes longer than the batch in flight, reuses
    /// the connection of that batch.
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

    /// Forgets everything that another server of the database may not have.
    async fn forget(&mut self) {
        self.settle().await;
        (self.cache, self.tally, self.forgotten) = (Cache::default(), None, self.shared.forgotten());
    }

    /// Reads the newest row of the counters. A database that lacks what it confirmed to this node is an
    /// outdated copy, such as an asynchronous standby that was promoted. Everything that this node remembers
    /// is then invalid, and its session is over.
    async fn read_tally(&self, client: &Client) -> Result<Tally, StoreError> {
        let tally = Tally::read(client, self.shared.turn.writer_place()).await?;
        if tally.mark().1 >= self.committed {
            return Ok(tally);
        }
        // A node that took over from this one may have counted its rows already.
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
    // Other sessions wait for the locks of the writer's transactions.
    client.batch_execute(&format!("{ATTENTIVE}; {BY_KEY}; {STATEMENT}")).await.map_err(failed)?;
    shared.on_timeline(timeline::read(&client).await);
    Ok(client)
}
