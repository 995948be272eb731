//! Writer: the one thread that writes. It drains its queue, runs every waiting job in one transaction,
//! commits once, then answers all of them: many changes share one fsync, and commands on one task have an
//! order.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use longhaul_model::workflow::Definition;
use longhaul_model::{Command, Env, Refused, TaskId, Timestamp};
use parking_lot::RwLock;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::answers::refuse;
use super::batch::{Batch, Verdict};
use super::change::Loaded;
use super::changes;
use super::checkpoint::Signals;
use super::condition::Condition;
use super::counters;
use super::errand::Errand;
use super::failed::sql;
use super::need::Need;
use super::queue::{Entry, Queue};
use super::repeats::{Posted, Repeats};
use super::reserve::Reserve;
use super::space::LOOK;
use super::transaction::PATIENCE;
use crate::audit::Audit;
use crate::cache::Cache;
use crate::changes::Pending;
use crate::counters::Counters;
use crate::error::StoreError;
use crate::known::Workflows;
use crate::meters::Meters;
use crate::store::{CommitSink, Submission, Work};
use crate::stored::{Submitted, Worked, WorkflowPut};

/// Maximum number of jobs in one transaction.
const LARGEST_BATCH: usize = 512;

pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// Caller who waits for a command, and the entry for the audit log.
pub(super) type Asked = (Answer<()>, Option<Box<Audit>>);

/// Request to the writer.
pub(super) enum Job {
    Submit(Submission, Answer<Submitted>),
    Command(TaskId, Command, Option<Asked>),
    Work(Work, Answer<Worked>),
    PutWorkflow(Box<Definition>, Option<Audit>, Answer<WorkflowPut>),
    DeleteWorkflow(String, Option<Audit>, Answer<()>),
    /// Rare work, given as a function.
    Errand(Errand, Need),
}

/// State that the writer shares with the rest of the store.
pub(super) struct Shared {
    pub(super) queue: Queue,
    pub(super) condition: Condition,
    pub(super) workflows: Workflows,
    pub(super) sink: RwLock<Option<Arc<dyn CommitSink>>>,
    pub(super) signals: Arc<Signals>,
    /// Tasks that commands found damaged: the sweep skips them.
    pub(super) damaged: crate::known::Damages,
    pub(super) meters: Meters,
}

/// The writer's own state.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) shared: Arc<Shared>,
    pub(super) env: Env,
    pub(super) cache: Cache<Loaded>,
    pub(super) counters: Counters,
    pub(super) changes: Pending,
    /// End of the log of changes, as it is committed.
    pub(super) changes_end: changes::End,
    pub(super) next_seq: i64,
    /// Resting tasks that are hot still, oldest first.
    pub(super) resting: VecDeque<i64>,
    /// Tasks that the current batch moves out of `hot`.
    pub(super) sealing: Vec<i64>,
    /// Time of the last slice sealed.
    pub(super) sealed: Instant,
    /// Tasks that were active when the store was opened and have not recovered since.
    pub(super) unrecovered: HashSet<i64>,
    /// Tasks recovered in the current batch.
    pub(super) recovering: Vec<i64>,
    pub(super) repeats: Repeats,
    /// Jobs not reached by a failed batch: they go first.
    pub(super) left: VecDeque<Entry>,
    pub(super) reserve: Reserve,
    /// Time of the last check of storage and space.
    pub(super) looked: Instant,
    /// True if parts of deleted tasks may be left; the next slice may be deleted from `cleared` on.
    pub(super) has_doomed: bool,
    pub(super) cleared: Instant,
    /// Last time at which a full disk had space again.
    pub(super) regained: Instant,
    /// Current wait for another process that writes.
    pub(super) patience: Duration,
    /// Channel over which finished batches go, for their callers to be answered.
    pub(super) told: mpsc::UnboundedSender<Finished>,
}

impl Writer {
    /// Runs until the queue is closed.
    pub(super) fn run(mut self) {
        let shared = self.shared.clone();
        self.shared.condition.has_reserve(self.reserve.restore());
        loop {
            let mut entries: Vec<Entry> = self.left.drain(..).collect();
            let wake = if entries.is_empty() { self.wake() } else { Some(Instant::now()) };
            let mut taken = Vec::new();
            let closing = shared.queue.take(&mut taken, LARGEST_BATCH.saturating_sub(entries.len()), wake);
            let now = Instant::now();
            let oldest = entries.iter().chain(&taken).map(|entry| entry.since).min();
            shared.condition.begins(oldest.unwrap_or(now));
            self.look(now);
            // Repeated changes are older than waiting jobs, and leave half of the batch to them.
            entries.extend(self.repeats.due(now, LARGEST_BATCH / 2).into_iter().map(Posted::into));
            entries.extend(taken);
            if closing.is_some_and(|until| now >= until || !shared.condition.is_sound()) {
                refuse(entries, &stopping());
                break;
            }
            self.batch(entries);
            if shared.condition.is_sound()
                && let Some((posted, tries)) = self.repeats.lone(now)
            {
                self.alone(posted, tries);
            }
            if self.has_doomed && now >= self.cleared && shared.condition.is_sound() {
                self.clear();
            }
            let (repeated, oldest, set_aside) = self.repeats.told();
            shared.condition.waits(repeated, oldest, set_aside);
            shared.signals.between_batches(&self.connection);
            shared.condition.rests();
            if closing.is_some() && shared.queue.is_empty() && self.left.is_empty() && self.repeats.is_empty()
            {
                break;
            }
        }
        self.close();
    }

    /// Returns the time to wake up even if no job arrives.
    fn wake(&self) -> Option<Instant> {
        let condition = &self.shared.condition;
        let waits_for_space = !self.reserve.is_there() || condition.is_full() || condition.is_failing();
        let look = (waits_for_space && !condition.is_broken()).then(|| self.looked + LOOK);
        let clear = (self.has_doomed && condition.is_sound()).then_some(self.cleared);
        look.into_iter().chain(clear).chain(self.repeats.wake(condition.is_sound())).min()
    }

    /// Runs one transaction. A job that fails by itself is undone alone; after a failure of the storage,
    /// posted commands are repeated.
    fn batch(&mut self, entries: Vec<Entry>) {
        let entries = self.admitted(entries);
        if entries.is_empty() {
            return;
        }
        if self.shared.condition.is_broken() {
            let e = StoreError::Unavailable(
                "the storage failed earlier; restart the server once it is sound".to_owned(),
            );
            return refuse(entries, &e);
        }
        let mut batch = Batch::new(self.env.now());
        let count = entries.len();
        let mut entries = entries.into_iter();
        if let Err(e) = self.begin() {
            let (posted, asked) = Entry::apart(entries);
            refuse(asked, &e);
            return self.failed(batch, posted, &e);
        }
        let (mut culprit, before) = (None, self.changes_end);
        let outcome = (|| {
            for entry in entries.by_ref() {
                self.job(&mut batch, entry, &mut culprit)?;
            }
            self.seal_some()?;
            self.finish(batch.now(), count)
        })();
        for (posted, why) in batch.spoilt() {
            self.spoilt(posted, 0, &why);
        }
        match outcome {
            Ok(()) => {
                self.cache.settle();
                self.sealing.clear();
                self.recovering.clear();
                self.wrote();
                self.hand_over(batch, Ok(self.changes_end != before));
            }
            Err(e) => {
                let (mut posted, asked) = Entry::apart(entries);
                // The batch did not reach these jobs: they may succeed in the next.
                self.left.extend(asked);
                match culprit {
                    // A command that keeps others from being written is set aside, and the others are tried
                    // without it.
                    Some(culprit) if matches!(e, StoreError::Unavailable(_)) => {
                        self.repeats.set_aside(culprit, 0, &e);
                    }
                    culprit => posted.splice(0..0, culprit).for_each(drop),
                }
                self.failed(batch, posted, &e);
            }
        }
    }

    /// Writes what was collected over the batch of so many jobs, and commits.
    fn finish(&mut self, now: Timestamp, jobs: usize) -> Result<(), StoreError> {
        counters::write(&mut self.counters, &self.connection)?;
        let end = changes::write(&self.connection, self.changes_end, &mut self.changes, now)?;
        let begun = Instant::now();
        self.commit()?;
        self.shared.meters.committed(jobs, begun.elapsed());
        self.changes_end = end;
        Ok(())
    }

    /// Replaces or sets aside a change that failed by itself.
    fn spoilt(&mut self, posted: Posted, tries: u32, why: &StoreError) {
        let id = posted.id;
        if self.repeats.spoilt(posted, tries, why) {
            // Only the task in memory was unusable: its rows are not damaged.
            self.shared.damaged.forget(id);
        }
    }

    /// Runs one job in a savepoint of its own. `culprit` is the posted command under which the storage
    /// failed.
    fn job(
        &mut self,
        batch: &mut Batch,
        entry: Entry,
        culprit: &mut Option<Posted>,
    ) -> Result<(), StoreError> {
        if entry.until.is_some_and(|until| Instant::now() > until) {
            let e = StoreError::Unavailable("the storage did not come to it in time".to_owned());
            refuse([entry], &e);
            return Ok(());
        }
        if let Job::Command(id, command, None) = &entry.job
            && self.repeats.holds(*id, command)
        {
            return Ok(());
        }
        self.connection.prepare_cached("SAVEPOINT job").and_then(|mut s| s.execute([])).map_err(sql)?;
        let (mark, place) = (batch.mark(), self.place());
        match batch.run(self, entry) {
            None => {
                self.counters.settle();
                self.release("job")
            }
            Some(Verdict::Spoilt(why)) => {
                self.back_to("job", place)?;
                batch.take_back(mark, &why);
                Ok(())
            }
            Some(Verdict::Failed(e)) => {
                *culprit = batch.culprit(mark);
                Err(e)
            }
        }
    }

    /// Retries a change set aside, in a transaction of its own.
    fn alone(&mut self, posted: Posted, tries: u32) {
        let mut batch = Batch::new(self.env.now());
        let (mut culprit, before) = (None, self.changes_end);
        let (kept, entry) = (posted.again(), Entry::from(posted));
        let outcome = self.begin().and_then(|()| {
            self.job(&mut batch, entry, &mut culprit)?;
            self.finish(batch.now(), 1)
        });
        let spoilt = batch.spoilt().pop();
        match (outcome, spoilt) {
            (Ok(()), spoilt) => {
                self.cache.settle();
                self.recovering.clear();
                if let Some((posted, why)) = spoilt {
                    self.spoilt(posted, tries, &why);
                } else {
                    tracing::info!(task.id = %kept.id, "a change of a task that was set aside is done with");
                }
                self.hand_over(batch, Ok(self.changes_end != before));
            }
            (Err(e), _) => {
                self.roll_back();
                self.repeats.set_aside(kept, tries, &e);
                if matches!(e, StoreError::Full) {
                    self.fills();
                }
            }
        }
    }

    /// Handles a failed batch: nothing of it happened; its posted commands, also those not reached, are
    /// repeated.
    fn failed(&mut self, mut batch: Batch, rest: Vec<Posted>, e: &StoreError) {
        tracing::warn!(error = %e, "a batch of changes could not be written");
        self.roll_back();
        self.shared.condition.failed(e);
        let made_room = matches!(e, StoreError::Full) && self.fills();
        if made_room {
            for entry in batch.ways_out().into_iter().rev() {
                self.left.push_front(entry);
            }
        }
        let mut posted = batch.posted();
        posted.extend(rest);
        self.repeats.failed(posted, made_room);
        self.hand_over(batch, Err(e.copy()));
    }

    /// Notes a successful write: the storage is sound.
    pub(super) fn wrote(&mut self) {
        self.shared.condition.wrote();
        self.repeats.healed();
        self.be_patient(PATIENCE);
    }

    /// Hands over a finished batch: answering wakes many tasks, so the runtime's threads do that while the
    /// next batch is written.
    fn hand_over(&self, batch: Batch, outcome: Result<bool, StoreError>) {
        if let Err(unsent) = self.told.send(Finished { batch, outcome }) {
            unsent.0.tell(&self.shared);
        }
    }

    fn close(mut self) {
        refuse(self.left.drain(..), &stopping());
        let mut waiting = Vec::new();
        self.shared.queue.take(&mut waiting, usize::MAX, None);
        refuse(waiting, &stopping());
        if self.shared.condition.is_sound()
            && let Err(e) = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        {
            tracing::warn!(error = %e, "the last checkpoint failed; the next start does without");
        }
    }
}

/// Error for callers after the store began to close.
pub(super) fn stopping() -> StoreError {
    StoreError::Unavailable("the server is stopping".to_owned())
}

/// Batch whose outcome is certain.
pub(super) struct Finished {
    batch: Batch,
    /// True if tasks changed.
    outcome: Result<bool, StoreError>,
}

impl Finished {
    /// Takes out the keys of claims left to be settled; none of a failed batch, as its changes are repeated
    /// or found by the sweep.
    pub(super) fn take_left(&mut self) -> std::collections::BTreeSet<String> {
        if self.outcome.is_ok() { self.batch.claims.take_left() } else { Default::default() }
    }

    /// Carries out the effects, then answers everybody.
    pub(super) fn tell(self, shared: &Shared) {
        match self.outcome {
            Ok(changed) => {
                let sink = shared.sink.read().clone();
                if let Some(sink) = sink.as_ref().filter(|_| changed) {
                    sink.changed();
                }
                self.batch.succeed(&shared.workflows, sink.as_deref());
            }
            Err(e) => self.batch.fail(&e),
        }
    }
}

/// Converts a refusal into a store's error.
pub(super) fn refused(refused: Refused) -> StoreError {
    refused.into()
}
