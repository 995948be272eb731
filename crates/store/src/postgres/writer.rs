//! The one task of a node that writes. It drains its queue, runs every waiting job in one transaction, commits once, then
//! answers all of them: many changes share a few round trips and one fsync. While one transaction commits, the next is run on a
//! second connection; it commits only after the one before it did, as it counts on from there.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Client, Object};
use longhaul_model::{Command, TaskId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::Shared;
use super::batch::{Batch, Written};
use super::commit::{Outcome, UnderWay, commit};
use super::held::Loaded;
use super::keeper::ATTENTIVE;
use super::patience::Patience;
use super::rows::query;
use super::sql::{failed, no_connection};
use super::tally::Tally;
use super::timeline;
use super::turn::{GLANCE, Standing};
use crate::audit::Audit;
use crate::cache::Cache;
use crate::error::StoreError;
use crate::logs::LogLine;
use crate::store::{Commit, Submission, Work};
use crate::stored::{Submitted, Worked};

/// Jobs in one transaction, at the most.
const LARGEST_BATCH: usize = 512;
/// How long the writer pauses before it repeats what could not be written.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a second connection is waited for, while the first one commits.
const SECOND: Duration = Duration::from_millis(50);
/// How long one must do when no second one was to be had.
const ONE: Duration = Duration::from_secs(1);

/// For the writer's connection, which asks for rows by their keys and for nothing else. Left to itself, the planner takes the
/// few rows of the hot table for a small table and reads all of it, dead versions too, which are many more under load.
const BY_KEY: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
     SET plan_cache_mode = force_generic_plan; SET jit = off";

pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// Who waits for a command, and what is noted of it.
pub(super) type Asked = (Answer<()>, Option<Box<Audit>>);

/// Lines for a log.
pub(super) struct Log {
    pub(super) id: TaskId,
    pub(super) sub_task: u32,
    pub(super) attempt: u32,
    pub(super) lines: Vec<LogLine>,
}

/// What the writer is asked to do.
pub(super) enum Job {
    Submit(Box<Submission>, Answer<Submitted>),
    Command(TaskId, Box<Command>, Option<Asked>),
    Work(Work, Answer<Worked>),
    Log(Log, Answer<()>),
    Flush(Answer<()>),
    Close,
}

impl Job {
    /// The tasks that it is about, but for a new one.
    pub(super) fn tasks(&self) -> Vec<TaskId> {
        match self {
            Job::Command(id, ..) => vec![*id],
            Job::Log(log, _) => vec![log.id],
            Job::Work(work, _) => {
                let reported = work.reports.iter().map(|(id, _)| *id);
                reported.chain(work.leases.iter().map(|(id, _)| *id)).collect()
            }
            Job::Submit(..) | Job::Flush(_) | Job::Close => Vec::new(),
        }
    }

    /// Answers it; whoever asked may have gone.
    fn answer(self, done: Result<Done, StoreError>) {
        match (self, done) {
            (Job::Submit(_, answer), Ok(Done::Submitted(done))) => drop(answer.send(done)),
            (Job::Work(_, answer), Ok(Done::Work(done))) => drop(answer.send(done)),
            (
                Job::Command(_, _, Some((answer, _))) | Job::Log(_, answer) | Job::Flush(answer),
                Ok(Done::Command(done)),
            ) => drop(answer.send(done)),
            (Job::Submit(_, answer), Err(e)) => drop(answer.send(Err(e))),
            (Job::Work(_, answer), Err(e)) => drop(answer.send(Err(e))),
            (Job::Command(_, _, Some((answer, _))) | Job::Log(_, answer) | Job::Flush(answer), Err(e)) => {
                drop(answer.send(Err(e)));
            }
            // Nobody waits, or the kinds do not fit, which the batch rules out.
            _ => {}
        }
    }
}

/// What a job came to.
pub(super) enum Done {
    Submitted(Result<Submitted, StoreError>),
    Command(Result<(), StoreError>),
    Work(Result<Worked, StoreError>),
}

/// A batch whose outcome is certain: its effects go out, then everybody is answered.
pub(super) struct Finished {
    commits: Vec<Commit>,
    answers: Vec<(Job, Result<Done, StoreError>)>,
}

impl Finished {
    /// Tells; on the runtime of those who wait, while the next batch is written.
    pub(super) fn tell(self, shared: &Shared) {
        shared.carry_out(self.commits);
        for (job, done) in self.answers {
            job.answer(done);
        }
    }
}

/// The writer's own state.
pub(super) struct Writer {
    shared: Arc<Shared>,
    jobs: mpsc::Receiver<Job>,
    /// Where finished batches go to be told of.
    told: mpsc::UnboundedSender<Finished>,
    cache: Cache<Loaded>,
    /// Connections at rest.
    connections: Vec<Client>,
    /// The batch that commits.
    under_way: Option<UnderWay>,
    /// Posted commands of batches that failed.
    again: Vec<Job>,
    /// Tasks that were given what they claim, and could not be told in the same transaction.
    granted: Vec<TaskId>,
    /// Until then no second connection is asked for, as none was to be had.
    one_until: Instant,
    /// As it will be in the database once the batch under way is committed; read anew where one failed, and from each new connection:
    /// another server may answer there.
    tally: Option<Tally>,
    /// The number of the newest row of it that is known to be committed.
    committed: i64,
    /// How often everything was forgotten when the cache was begun.
    forgotten: u64,
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
            again: Vec::new(),
            granted: Vec::new(),
            one_until: Instant::now(),
            tally: None,
            committed: 0,
            forgotten: 0,
        }
    }

    /// Runs until it is closed or nobody is left to ask.
    pub(super) async fn run(mut self) {
        while let Some(mut jobs) = self.next().await {
            let close = jobs.iter().position(|job| matches!(job, Job::Close));
            if let Some(at) = close {
                jobs.truncate(at);
            }
            self.batch(jobs).await;
            if close.is_some() {
                break;
            }
        }
        self.settle().await;
        self.jobs.close();
        while let Ok(job) = self.jobs.try_recv() {
            job.answer(Err(StoreError::Unavailable("the server is stopping".to_owned())));
        }
    }

    /// What was to be repeated goes first; otherwise all that waits, or the first that comes.
    async fn next(&mut self) -> Option<Vec<Job>> {
        loop {
            let told = self.granted.drain(..).map(|id| Job::Command(id, Box::new(Command::Acquired), None));
            let mut jobs: Vec<Job> = told.collect();
            if !self.again.is_empty() {
                tokio::time::sleep(PAUSE).await;
                jobs.append(&mut self.again);
            }
            if !jobs.is_empty() {
                return Some(jobs);
            }
            jobs.reserve(64);
            tokio::select! {
                count = self.jobs.recv_many(&mut jobs, LARGEST_BATCH) => return (count > 0).then_some(jobs),
                outcome = UnderWay::outcome(&mut self.under_way) => drop(self.settled(outcome)),
            }
        }
    }

    /// One transaction, or one for each job where one of them spoils it for the others.
    async fn batch(&mut self, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        let e = match self.written(&jobs).await {
            Ok((client, written)) => {
                self.tally = Some(written.tally.clone());
                let outcome = tokio::spawn(commit(self.shared.clone(), client, written.tally.mark()));
                self.under_way = Some(UnderWay { jobs, written, outcome });
                return;
            }
            Err(e) => e,
        };
        if matches!(e, StoreError::Corrupt(_)) && jobs.len() > 1 {
            tracing::warn!(error = %e, "a batch of changes could not be written: each is tried for itself");
            for job in jobs {
                Box::pin(self.batch(vec![job])).await;
            }
            return;
        }
        tracing::warn!(error = %e, "a batch of changes could not be written");
        self.fail(jobs, &e);
    }

    /// Waits until the batch under way is committed, and tells; false if it failed.
    async fn settle(&mut self) -> bool {
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
                self.finish(jobs, written);
                true
            }
            Err(e) => {
                tracing::warn!(error = %e, "a batch of changes could not be committed");
                self.tally = None;
                self.fail(jobs, &e);
                false
            }
        }
    }

    fn finish(&mut self, jobs: Vec<Job>, written: Written) {
        let Written { commits, done, kept, granted, .. } = written;
        self.granted.extend(granted);
        for (id, loaded) in kept {
            self.cache.keep(id, loaded);
        }
        self.cache.settle();
        let answers = jobs.into_iter().zip(done.into_iter().map(Ok)).collect();
        self.hand_over(Finished { commits, answers });
    }

    /// Nothing of the batch happened: everybody who waits is told so; what nobody waits for is repeated.
    fn fail(&mut self, jobs: Vec<Job>, e: &StoreError) {
        let over = matches!(self.shared.turn.standing(), Standing::Over | Standing::Closed)
            || matches!(e, StoreError::Corrupt(_));
        let (again, told): (Vec<Job>, Vec<Job>) =
            jobs.into_iter().partition(|job| !over && matches!(job, Job::Command(_, _, None)));
        let answers = told.into_iter().map(|job| (job, Err(e.copy()))).collect();
        self.hand_over(Finished { commits: Vec::new(), answers });
        self.again.extend(again);
    }

    fn hand_over(&self, finished: Finished) {
        if let Err(unsent) = self.told.send(finished) {
            unsent.0.tell(&self.shared);
        }
    }

    /// Runs the jobs in a transaction, and leaves it to be committed; again where others were at work on the same, or the connection
    /// was cut: nothing of it can have happened yet.
    async fn written(&mut self, jobs: &[Job]) -> Result<(Client, Written), StoreError> {
        let mut patience = Patience::default();
        loop {
            match self.attempt(jobs).await {
                Err(e) if patience.allows(&self.shared, &e).await => {}
                done => return done,
            }
        }
    }

    async fn attempt(&mut self, jobs: &[Job]) -> Result<(Client, Written), StoreError> {
        self.shared.check()?;
        let client = self.connection().await?;
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
            Ok(written) => Ok((client, written)),
            Err(e) => {
                let sound =
                    matches!(e, StoreError::Conflict(_)) && client.batch_execute("ROLLBACK").await.is_ok();
                if sound {
                    self.connections.push(client);
                } else {
                    // Not given back: nobody knows what it has in its hands.
                    drop(Object::take(client));
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
    client.batch_execute(&format!("{ATTENTIVE}; {BY_KEY}")).await.map_err(failed)?;
    shared.on_timeline(timeline::read(&client).await);
    Ok(client)
}
