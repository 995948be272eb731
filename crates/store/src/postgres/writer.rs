//! Writer of a node: its only Tokio task that writes. It drains its queue, runs every waiting job in one
//! transaction, commits once, then answers all of them: many changes share a few round trips and one fsync.
//! While one transaction commits, the next is run on a second connection; it commits only after its
//! predecessor, whose counts it continues. Every transaction has a deadline, and failed changes that no
//! caller waits for are retried alongside new ones, never ahead of them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Client;
use longhaul_model::{Command, TaskId};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::Shared;
use super::again::{Again, Fault, Group};
use super::batch::Written;
use super::claims::Left;
use super::commit::{Outcome, UnderWay, commit};
use super::held::Loaded;
use super::job::{Finished, Job};
use super::own::Own;
use super::sql::{column, is_late, late, query};
use super::tally::Tally;
use super::turn::Standing;
use crate::cache::Cache;
use crate::error::StoreError;
use crate::health::SetAside;

/// Maximum number of jobs in one transaction.
const LARGEST_BATCH: usize = 512;
/// Interval between probes while writing fails and no job is due.
const PROBE: Duration = Duration::from_secs(1);
/// Maximum time to write accepted changes once the store closes.
const CLOSING: Duration = Duration::from_secs(5);
/// Maximum time to find out which tasks are locked by other sessions.
const LOOK: Duration = Duration::from_secs(3);

/// The writer's own state.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) jobs: mpsc::Receiver<Job>,
    /// Channel over which finished batches go, for their callers to be answered.
    pub(super) told: mpsc::UnboundedSender<Finished>,
    pub(super) cache: Cache<Loaded>,
    /// Idle connections.
    pub(super) connections: Vec<Client>,
    /// The batch that commits.
    pub(super) under_way: Option<UnderWay>,
    /// Posted commands of batches that failed.
    pub(super) again: Again<Job>,
    /// True if new jobs have been run since the last retry.
    pub(super) new_had_its_turn: bool,
    /// Time of the last probe.
    pub(super) probed: Instant,
    /// Tasks whose claims were granted, and that could not be told in the same transaction.
    pub(super) granted: Vec<TaskId>,
    /// Claims left for the next transaction to look at.
    pub(super) left: Left,
    /// Time until which no second connection is asked for, as none was available.
    pub(super) one_until: Instant,
    /// Counters as the database will have them once the batch in flight is committed. They are read again
    /// after a failure and at each new connection: another server may answer there.
    pub(super) tally: Option<Tally>,
    /// Number of the newest row of the counters that is known to be committed.
    pub(super) committed: i64,
    /// Value of [`Shared::forgotten`] when the cache was begun.
    pub(super) forgotten: u64,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        jobs: mpsc::Receiver<Job>,
        told: mpsc::UnboundedSender<Finished>,
    ) -> Writer {
        Writer {
            shared,
            jobs,
            told,
            cache: Cache::default(),
            connections: Vec::new(),
            under_way: None,
            again: Again::default(),
            new_had_its_turn: true,
            probed: Instant::now(),
            granted: Vec::new(),
            left: Left::default(),
            one_until: Instant::now(),
            tally: None,
            committed: 0,
            forgotten: 0,
        }
    }

    /// Runs until the store closes or no caller is left.
    pub(super) async fn run(mut self) {
        while let Some(round) = self.next().await {
            match round {
                Round::New(jobs) => self.batch(jobs).await,
                Round::Again(group) => self.repeat(group).await,
            }
        }
        self.end().await;
    }

    /// Returns the next round: new jobs and retries alternate.
    async fn next(&mut self) -> Option<Round> {
        loop {
            if !self.granted.is_empty() || !self.left.is_empty() {
                let told =
                    self.granted.drain(..).map(|id| Job::Command(id, Box::new(Command::Acquired), None));
                let mut jobs: Vec<Job> = told.collect();
                if !self.left.is_empty() {
                    jobs.push(Job::Settle(std::mem::take(&mut self.left)));
                }
                // New jobs join the batch: a long series of claim slices keeps none of them waiting.
                let mut new = Vec::new();
                while new.len() < LARGEST_BATCH
                    && let Ok(job) = self.jobs.try_recv()
                {
                    new.push(job);
                }
                jobs.extend(self.admitted(new));
                return Some(Round::New(jobs));
            }
            if (self.new_had_its_turn || self.jobs.is_empty())
                && let Some(group) = self.again.take(Instant::now())
            {
                self.new_had_its_turn = false;
                return Some(Round::Again(group));
            }
            let repeat = self.again.due();
            // While there is trouble, the database is probed even if there is nothing to write.
            let probed =
                self.under_way.is_none() && (self.again.len() > 0 || self.shared.vitals.is_troubled());
            let mut jobs = Vec::with_capacity(64);
            tokio::select! {
                biased;
                () = self.shared.closing.notified() => return None,
                outcome = UnderWay::outcome(&mut self.under_way) => drop(self.settled(outcome)),
                count = self.jobs.recv_many(&mut jobs, LARGEST_BATCH) => {
                    if count == 0 {
                        return None;
                    }
                    self.new_had_its_turn = true;
                    let jobs = self.admitted(jobs);
                    if !jobs.is_empty() {
                        return Some(Round::New(jobs));
                    }
                }
                () = tokio::time::sleep_until(repeat.unwrap_or_else(Instant::now)), if repeat.is_some() => {
                    self.new_had_its_turn = true;
                }
                () = tokio::time::sleep_until(self.probed + PROBE), if probed => {
                    self.probed = Instant::now();
                    return Some(Round::New(vec![Job::Probe]));
                }
            }
        }
    }

    /// Returns the new jobs to be written now. Drops those whose callers gave up during trouble, and holds
    /// back changes of tasks that are being retried by themselves.
    fn admitted(&mut self, mut jobs: Vec<Job>) -> Vec<Job> {
        if self.shared.vitals.is_troubled() {
            jobs.retain(|job| !job.is_forsaken());
        }
        if self.again.len() == 0 {
            return jobs;
        }
        let mut admitted = Vec::with_capacity(jobs.len());
        for job in jobs {
            let Job::Command(id, command, asked) = &job else {
                admitted.push(job);
                continue;
            };
            match (self.again.of(*id, Job::posted), asked) {
                (Some((_, true)), Some(_)) => {
                    job.answer(Err(late("somebody keeps the task locked in the database")));
                }
                (Some((waiting, _)), None) => {
                    let same = |other: &Job| {
                        matches!((other, &**command), (Job::Command(_, before, _), Command::Due)
                            if matches!(**before, Command::Due))
                    };
                    if !waiting.iter().any(same) {
                        waiting.push(job);
                    }
                }
                _ => admitted.push(job),
            }
        }
        admitted
    }

    /// Writes jobs in one transaction, or in several where some of them make it fail.
    async fn batch(&mut self, mut jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        let e = match self.begun(jobs).await {
            Ok(()) => return,
            Err((back, e)) => {
                jobs = back;
                e
            }
        };
        if matches!(e, StoreError::Corrupt(_)) && jobs.len() > 1 {
            tracing::warn!(error = %e, "a batch of changes could not be written: each is tried for itself");
            for job in jobs {
                Box::pin(self.batch(vec![job])).await;
            }
            return;
        }
        if is_late(&e)
            && let Some(locked) = self.locked_by_others(&jobs).await
            && !locked.is_empty()
        {
            tracing::warn!(
                tasks = locked.len(),
                "somebody keeps tasks locked in the database: they are passed over"
            );
            let in_the_way = |job: &Job| job.tasks().iter().any(|id| locked.contains(id));
            let (held_up, free) = jobs.into_iter().partition(in_the_way);
            self.fail(held_up, &e);
            return Box::pin(self.batch(free)).await;
        }
        tracing::warn!(error = %e, "a batch of changes could not be written");
        if !matches!(e, StoreError::Corrupt(_)) {
            self.shared.vitals.failed(&e);
        }
        self.fail(jobs, &e);
    }

    /// Retries changes that failed to be written.
    async fn repeat(&mut self, mut group: Group<Job>) {
        // As long as the tasks are locked, the lock is only checked, not waited for.
        if group.is_locked() {
            let e = late("somebody keeps the task locked in the database");
            match self.locked_by_others(&group.jobs).await {
                Some(locked) if locked.is_empty() => {}
                Some(_) => return self.failed_again(group, &e),
                None => {
                    self.shared.vitals.failed(&e);
                    return self.failed_again(group, &e);
                }
            }
        }
        let jobs = std::mem::take(&mut group.jobs);
        let Err((jobs, e)) = self.begun(jobs).await else { return self.tell_of_repeats() };
        if self.is_over() {
            return;
        }
        group.jobs = jobs;
        if fault(&e) == Fault::General || matches!(e, StoreError::Full) {
            self.shared.vitals.failed(&e);
        }
        self.failed_again(group, &e);
    }

    fn failed_again(&mut self, group: Group<Job>, e: &StoreError) {
        let task = group.jobs.first().and_then(Job::posted);
        if self.again.failed(group, fault(e), &e.to_string(), Instant::now()) {
            let id = task.map(|id| id.to_string());
            tracing::error!(task.id = id, error = %e, "a change cannot be written though others can: it is set aside, and tried now and then");
        }
        self.tell_of_repeats();
    }

    /// Runs jobs in a transaction and starts its commit; on failure returns the jobs with the error.
    async fn begun(&mut self, jobs: Vec<Job>) -> Result<(), (Vec<Job>, StoreError)> {
        self.shared.vitals.busy();
        match self.written(&jobs).await {
            Ok((client, written)) => {
                self.tally = Some(written.tally.clone());
                let commit = commit(self.shared.clone(), client, written.tally.mark(), jobs.len());
                let outcome = tokio::spawn(commit);
                self.under_way = Some(UnderWay { jobs, written, outcome });
                // The previous commit may have ended meanwhile, and cleared the mark.
                self.shared.vitals.busy();
                Ok(())
            }
            Err(e) => {
                if self.under_way.is_none() {
                    self.shared.vitals.idle();
                }
                Err((jobs, e))
            }
        }
    }

    /// Returns the tasks of some jobs that are locked by a session other than this writer's; `None` if that
    /// cannot be determined.
    async fn locked_by_others(&mut self, jobs: &[Job]) -> Option<HashSet<TaskId>> {
        let ids: Vec<uuid::Uuid> = jobs.iter().flat_map(Job::tasks).map(|id| id.0).collect();
        let statement = "WITH free AS (SELECT id FROM hot WHERE id = ANY($1) FOR UPDATE SKIP LOCKED)
             SELECT id FROM hot WHERE id = ANY($1) AND id NOT IN (SELECT id FROM free)";
        let look = async {
            self.settle().await;
            let client = Own::of(&self.shared.pool).await?;
            let rows = query(&*client, statement, &[&ids]).await?;
            drop(client.free());
            rows.iter().map(|row| column(row, 0).map(TaskId)).collect::<Result<HashSet<_>, StoreError>>()
        };
        timeout(LOOK, look).await.ok().and_then(Result::ok)
    }

    /// Writes accepted changes as far as possible without trouble and in time, and answers the rest.
    async fn end(&mut self) {
        let until = Instant::now() + CLOSING;
        let rest = async {
            while self.settle().await && !self.is_over() {
                let mut jobs = self.again.drain();
                while jobs.len() < LARGEST_BATCH
                    && let Ok(job) = self.jobs.try_recv()
                {
                    jobs.push(job);
                }
                if jobs.is_empty() {
                    break;
                }
                if let Err((jobs, e)) = self.begun(jobs).await {
                    self.fail(jobs, &e);
                    break;
                }
            }
        };
        if tokio::time::timeout_at(until, rest).await.is_err() {
            tracing::warn!("the store closes though not all that was accepted could be written");
        }
        self.jobs.close();
        while let Ok(job) = self.jobs.try_recv() {
            job.answer(Err(StoreError::Unavailable("the server is stopping".to_owned())));
        }
    }

    /// Waits until the batch in flight is committed, and answers; returns false if it failed.
    pub(super) async fn settle(&mut self) -> bool {
        if self.under_way.is_none() {
            return true;
        }
        let outcome = UnderWay::outcome(&mut self.under_way).await;
        self.settled(outcome)
    }

    fn settled(&mut self, outcome: Outcome) -> bool {
        let Some(UnderWay { jobs, written, .. }) = self.under_way.take() else { return true };
        match outcome {
            Ok(connection) => {
                self.connections.extend(connection);
                self.committed = written.tally.mark().1;
                let healed = self.shared.vitals.written();
                self.again.written(healed, Instant::now());
                if healed {
                    tracing::info!("changes are written again");
                }
                self.finish(jobs, written);
                self.tell_of_repeats();
                true
            }
            Err(e) => {
                tracing::warn!(error = %e, "a batch of changes could not be committed");
                self.tally = None;
                self.shared.vitals.idle();
                self.shared.vitals.failed(&e);
                self.fail(jobs, &e);
                false
            }
        }
    }

    fn finish(&mut self, jobs: Vec<Job>, written: Written) {
        let Written { commits, changed, done, kept, granted, left, .. } = written;
        self.granted.extend(granted);
        self.left.add(&left);
        for (id, loaded) in kept {
            self.cache.keep(id, loaded);
        }
        self.cache.settle();
        let answers = jobs.into_iter().zip(done.into_iter().map(Ok)).collect();
        self.hand_over(Finished { commits, changed, answers });
    }

    /// Fails a batch of which nothing happened: callers who wait are told so; changes that nobody waits for
    /// are repeated.
    fn fail(&mut self, jobs: Vec<Job>, e: &StoreError) {
        let over = self.is_over();
        let (again, told): (Vec<Job>, Vec<Job>) =
            jobs.into_iter().partition(|job| !over && job.posted().is_some());
        let answers = told.into_iter().map(|job| (job, Err(e.copy()))).collect();
        self.hand_over(Finished { commits: Vec::new(), changed: false, answers });
        self.again.keep(again, fault(e), &e.to_string(), Instant::now());
        self.tell_of_repeats();
    }

    fn is_over(&self) -> bool {
        matches!(self.shared.turn.standing(), Standing::Over | Standing::Closed)
    }

    fn tell_of_repeats(&self) {
        let aside = |(job, reason, tries): (&Job, &str, u32)| {
            job.posted().map(|task| SetAside { task, reason: reason.to_owned(), tries })
        };
        let set_aside = self.again.set_aside().filter_map(aside).collect();
        self.shared.vitals.repeats(self.again.len(), self.again.oldest(), set_aside);
    }

    fn hand_over(&self, finished: Finished) {
        if let Err(unsent) = self.told.send(finished) {
            unsent.0.tell(&self.shared);
        }
    }
}

/// Next step of the writer.
enum Round {
    /// New jobs.
    New(Vec<Job>),
    /// Changes that failed to be written before.
    Again(Group<Job>),
}

/// Classifies an error by its meaning for the changes that it hit.
fn fault(e: &StoreError) -> Fault {
    match e {
        e if is_late(e) => Fault::Locked,
        StoreError::Full | StoreError::Corrupt(_) => Fault::Particular,
        _ => Fault::General,
    }
}
