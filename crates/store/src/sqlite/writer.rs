//! The one thread that writes. It drains its queue, runs every waiting job in one transaction, commits once, then
//! answers all of them: many changes share one fsync, and commands on one task have an order.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use longhaul_model::workflow::Definition;
use longhaul_model::{Command, Env, Refused, TaskId};
use parking_lot::RwLock;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::batch::Batch;
use super::change::Loaded;
use super::checkpoint::{self, Signals};
use super::errand::Errand;
use super::{counters, seal};
use crate::audit::Audit;
use crate::cache::Cache;
use crate::counters::Counters;
use crate::error::StoreError;
use crate::known::Workflows;
use crate::store::{CommitSink, Submission, Work};
use crate::stored::{Submitted, Worked, WorkflowPut};

/// Jobs in one transaction, at the most.
const LARGEST_BATCH: usize = 512;
/// Resting tasks that wait to be sealed before sealing begins; few enough to be scanned by every list.
const UNSEALED: usize = 512;
/// Tasks sealed in one go, beside a batch. Many at once: the indexes' pages, and the segment that the index of names makes
/// each time, are then written for all of them together.
const SLICE: usize = 512;
/// How long the writer pauses before it repeats what could not be written.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// Who waits for a command, and what is noted of it.
pub(super) type Asked = (Answer<()>, Option<Box<Audit>>);

/// What the writer is asked to do.
pub(super) enum Job {
    Submit(Submission, Answer<Submitted>),
    Command(TaskId, Command, Option<Asked>),
    Work(Work, Answer<Worked>),
    PutWorkflow(Box<Definition>, Option<Audit>, Answer<WorkflowPut>),
    DeleteWorkflow(String, Option<Audit>, Answer<()>),
    /// Anything rare.
    Errand(Errand),
    Close,
}

/// What the writer shares with the rest of the store.
pub(super) struct Shared {
    pub(super) workflows: Workflows,
    pub(super) sink: RwLock<Option<Arc<dyn CommitSink>>>,
    pub(super) signals: Arc<Signals>,
    /// The storage failed in a way that must not be repeated as if nothing had been: nothing is written any more.
    pub(super) broken: AtomicBool,
    /// Tasks that commands found damaged: the sweep passes over them.
    pub(super) damaged: crate::known::Damages,
}

/// The writer's own state.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) shared: Arc<Shared>,
    pub(super) env: Env,
    pub(super) cache: Cache<Loaded>,
    pub(super) counters: Counters,
    pub(super) next_seq: i64,
    /// Resting tasks that are hot still, oldest first.
    pub(super) resting: std::collections::VecDeque<i64>,
    /// Those that the batch at work takes out of there.
    pub(super) sealing: Vec<i64>,
    /// Tasks that were active when the store was opened and have not recovered since.
    pub(super) unrecovered: HashSet<i64>,
    /// Those that recovered in the batch at work.
    pub(super) recovering: Vec<i64>,
    pub(super) jobs: mpsc::Receiver<Job>,
    /// Where finished batches go to be told of.
    pub(super) told: mpsc::UnboundedSender<Finished>,
}

impl Writer {
    /// Runs until it is closed or nobody is left to ask.
    pub(super) fn run(mut self) {
        let mut jobs = Vec::with_capacity(LARGEST_BATCH);
        loop {
            // What was to be repeated goes first; otherwise all that waits, or the first that comes.
            if jobs.is_empty() && self.jobs.blocking_recv_many(&mut jobs, LARGEST_BATCH) == 0 {
                break;
            }
            let close = jobs.iter().position(|job| matches!(job, Job::Close));
            if let Some(at) = close {
                jobs.truncate(at);
            }
            let again = self.batch(std::mem::take(&mut jobs));
            if close.is_some() {
                break;
            }
            if !again.is_empty() {
                std::thread::sleep(PAUSE);
                jobs = again;
            }
            if self.shared.signals.finish.swap(false, Ordering::Relaxed)
                && let Err(e) = checkpoint::passive(&self.connection)
            {
                tracing::warn!(error = %e, "a checkpoint failed; it will be repeated");
            }
        }
        self.close();
    }

    /// One transaction. Gives back the posted commands that must be repeated.
    fn batch(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        if jobs.is_empty() {
            return Vec::new();
        }
        if self.shared.broken.load(Ordering::Relaxed) {
            Batch::refuse(jobs, "the storage failed earlier; restart the server once it is sound");
            return Vec::new();
        }
        let now = self.env.now();
        let mut batch = Batch::new(now);
        let outcome = self.begin().and_then(|()| {
            let mut jobs = jobs.into_iter();
            while let Some(job) = jobs.next() {
                batch.run(self, job);
                if let Some(e) = batch.failure.take() {
                    batch.leave_out(jobs, &e);
                    return Err(e);
                }
            }
            self.seal_some()?;
            counters::write(&mut self.counters, &self.connection)?;
            self.commit()
        });
        match outcome {
            Ok(()) => {
                self.cache.settle();
                self.sealing.clear();
                self.recovering.clear();
                self.hand_over(batch, Ok(()));
                Vec::new()
            }
            Err(e) => {
                tracing::warn!(error = %e, "a batch of changes could not be written");
                self.roll_back();
                let again = batch.posted_jobs();
                self.hand_over(batch, Err(e));
                again
            }
        }
    }

    /// Telling wakes many tasks: that is done on the runtime's own threads, while the next batch is written.
    fn hand_over(&self, batch: Batch, outcome: Result<(), StoreError>) {
        if let Err(unsent) = self.told.send(Finished { batch, outcome }) {
            unsent.0.tell(&self.shared);
        }
    }

    fn begin(&self) -> Result<(), StoreError> {
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(super::rows::sql)
    }

    fn commit(&self) -> Result<(), StoreError> {
        self.connection.execute_batch("COMMIT").map_err(|e| {
            // After a failed fsync nobody knows what is on disk: writing on as if nothing had been would lie.
            if e.sqlite_error_code() == Some(rusqlite::ErrorCode::SystemIoFailure) {
                tracing::error!(error = %e, "a commit could not be made durable: writing stops until the server is restarted");
                self.shared.broken.store(true, Ordering::Relaxed);
            }
            super::rows::sql(e)
        })
    }

    fn roll_back(&mut self) {
        if !self.connection.is_autocommit()
            && let Err(e) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(error = %e, "a rollback failed: writing stops until the server is restarted");
            self.shared.broken.store(true, Ordering::Relaxed);
        }
        self.counters.clear();
        self.cache.forget_touched();
        self.unrecovered.extend(self.recovering.drain(..));
        for seq in self.sealing.drain(..).rev() {
            self.resting.push_front(seq);
        }
    }

    /// Seals a slice once a whole one is there; a larger one the more resting tasks are hot, so that it keeps up.
    fn seal_some(&mut self) -> Result<(), StoreError> {
        let excess = self.resting.len().saturating_sub(UNSEALED);
        if excess >= SLICE {
            let slice = excess.min(SLICE + excess / 8);
            self.sealing.extend(self.resting.drain(..slice));
            seal::seal(&self.connection, &self.sealing)?;
        }
        Ok(())
    }

    fn close(mut self) {
        self.jobs.close();
        while let Ok(job) = self.jobs.try_recv() {
            Batch::refuse(vec![job], "the server is stopping");
        }
        if let Err(e) = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::warn!(error = %e, "the last checkpoint failed; the next start does without");
        }
    }
}

/// A batch whose outcome is certain.
pub(super) struct Finished {
    batch: Batch,
    outcome: Result<(), StoreError>,
}

impl Finished {
    /// Takes out the keys of claims that are left to be looked at; of a batch that failed none are, as what it did is repeated or found
    /// by the sweep.
    pub(super) fn take_left(&mut self) -> std::collections::BTreeSet<String> {
        if self.outcome.is_ok() { self.batch.claims.take_left() } else { Default::default() }
    }

    /// Effects go out, then everybody is answered.
    pub(super) fn tell(self, shared: &Shared) {
        match self.outcome {
            Ok(()) => {
                let sink = shared.sink.read().clone();
                self.batch.succeed(&shared.workflows, sink.as_deref());
            }
            Err(e) => self.batch.fail(&e),
        }
    }
}

/// A refusal in the store's words.
pub(super) fn refused(refused: Refused) -> StoreError {
    StoreError::Refused(refused)
}
