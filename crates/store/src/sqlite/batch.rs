//! One batch at work: each job runs inside the transaction, its answer waits for the commit.

use longhaul_model::{
    Change, Command, Effect, Launch, NodeId, Refused, Task, TaskId, TaskStatus, Timestamp, Unread,
};
use rusqlite::{OptionalExtension, params};

use super::change::{Before, Loaded};
use super::errand::Turn;
use super::rows::{self, Counting, Place, sql};
use super::writer::{Job, Writer, refused};
use super::{audit, claims, seal, workflows};
use crate::audit::Audit;
use crate::error::StoreError;
use crate::known::Workflows;
use crate::store::{Commit, CommitSink, SinkRoom, Submission};
use crate::stored::{Damaged, Grant, IdempotencyKey, Stored, Submitted};

/// How long an idempotency key is remembered at least, in milliseconds.
const KEY_LIFE: i64 = 48 * 3_600_000;

type Told = Box<dyn FnOnce(Result<(), &StoreError>, &Workflows) + Send>;

/// The jobs of one transaction.
pub(super) struct Batch {
    now: Timestamp,
    commits: Vec<Commit>,
    /// Answers that depend on the commit.
    told: Vec<Told>,
    /// Posted commands, to be repeated if the commit fails.
    posted: Vec<(TaskId, Command)>,
    /// Claims that somebody let go of: who waits for them is looked at once the job is done.
    pub(super) claims: claims::Open,
    /// The storage failed under a job: the batch is over.
    pub(super) failure: Option<StoreError>,
}

impl Batch {
    pub(super) fn new(now: Timestamp) -> Self {
        Batch {
            now,
            commits: Vec::new(),
            told: Vec::new(),
            posted: Vec::new(),
            claims: claims::Open::new(),
            failure: None,
        }
    }

    /// Runs one job inside the transaction.
    pub(super) fn run(&mut self, writer: &mut Writer, job: Job) {
        match job {
            Job::Submit(submission, answer) => {
                let done = self.submit(writer, submission);
                self.tell(done, answer, |_, _| {});
            }
            Job::Command(id, command, Some((answer, audit))) => {
                let done = self.command(writer, id, command).and_then(|()| {
                    let Some(mut audit) = audit else { return Ok(()) };
                    audit.target.get_or_insert_with(|| id.to_string());
                    audit::write(&writer.connection, &audit, self.now)
                });
                self.tell(done, answer, |_, _| {});
            }
            Job::Command(id, command, None) => {
                self.posted.push((id, command.clone()));
                match self.command(writer, id, command) {
                    Ok(()) | Err(StoreError::Refused(_) | StoreError::NotFound) => {}
                    Err(e @ StoreError::Corrupt(_)) => {
                        tracing::error!(task.id = %id, error = %e, "a task cannot be read and is left as it is");
                    }
                    Err(e) => self.failure = Some(e),
                }
            }
            Job::Work(work, answer) => {
                let done = self.work(writer, work);
                self.tell(done, answer, |_, _| {});
            }
            Job::PutWorkflow(definition, audit, answer) => {
                let done =
                    workflows::put(&writer.connection, &writer.shared.workflows, *definition, self.now);
                let done = done.and_then(|(wid, put)| {
                    // The same again changes nothing.
                    self.noted(writer, audit.filter(|_| put.created))?;
                    Ok((wid, put))
                });
                let (wid, done) = match done {
                    Ok((wid, put)) => (wid, Ok(put)),
                    Err(e) => (0, Err(e)),
                };
                self.tell(done, answer, move |put, known| known.committed(wid, &put.workflow));
            }
            Job::DeleteWorkflow(name, audit, answer) => {
                let done = workflows::hide(&writer.connection, &name);
                let done = done.and_then(|()| self.noted(writer, audit));
                self.tell(done, answer, move |(), known| known.removed(&name));
            }
            Job::Errand(errand) => errand(Turn::Run(self, writer)),
            // Taken out by the writer before the batch.
            Job::Close => {}
        }
        if let Err(e) = self.hand_on(writer) {
            self.failure = Some(e);
        }
    }

    /// Changes a task by a command, with the room for attempts that there is now.
    pub(super) fn apply(
        &self,
        writer: &Writer,
        task: &mut Task,
        command: Command,
    ) -> Result<Change, StoreError> {
        let room = SinkRoom(&writer.shared.sink);
        task.apply_in(NodeId::default(), &room, command, self.now).map_err(refused)
    }

    /// When the batch began.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    fn noted(&self, writer: &Writer, audit: Option<Audit>) -> Result<(), StoreError> {
        audit.map_or(Ok(()), |audit| audit::write(&writer.connection, &audit, self.now))
    }

    /// Keeps an answer until the commit. A refusal is an answer like any other; a failure ends the batch.
    pub(super) fn tell<T: Send + 'static>(
        &mut self,
        done: Result<T, StoreError>,
        answer: super::writer::Answer<T>,
        on_success: impl FnOnce(&T, &Workflows) + Send + 'static,
    ) {
        let done = match done {
            Err(e @ (StoreError::Unavailable(_) | StoreError::Full)) => {
                self.failure = Some(e.copy());
                Err(e)
            }
            other => other,
        };
        self.told.push(Box::new(move |commit, known| {
            let result = match (done, commit) {
                (Ok(value), Ok(())) => {
                    on_success(&value, known);
                    Ok(value)
                }
                (Err(refusal), _) => Err(refusal),
                (Ok(_), Err(e)) => Err(e.copy()),
            };
            // Whoever asked may have gone; what was done is done.
            let _ = answer.send(result);
        }));
    }

    fn submit(&mut self, writer: &mut Writer, submission: Submission) -> Result<Submitted, StoreError> {
        let Submission { mut task, key, audit, newest: _ } = submission;
        if let Some(key) = &key
            && let Some(replayed) = self.replay(writer, key)?
        {
            return Ok(replayed);
        }
        let (wid, _) = {
            let workflow = &task.record().workflow;
            let Writer { connection, shared, .. } = writer;
            shared.workflows.find(connection, &workflow.definition.name, Some(workflow.version))?
        };
        let mut change = self.apply(writer, &mut task, Command::Begin)?;
        if change.claims && task.record().conflicts_at_once() {
            claims::check(&writer.connection, task.record())?;
        }
        let seq = writer.next_seq;
        writer.next_seq += 1;
        let id = task.id();
        self.settle_claims(writer, seq, &mut task, &mut change)?;
        let loaded = Loaded::new(seq, wid, task);
        loaded.insert(&writer.connection, &change, &mut writer.counters)?;
        if let Some(mut audit) = audit {
            audit.target.get_or_insert_with(|| id.to_string());
            audit::write(&writer.connection, &audit, self.now)?;
        }
        if let Some(key) = key {
            self.remember_key(writer, &key, seq)?;
        }
        let stored = Stored::Own(Box::new(loaded.task.record().clone()));
        self.keep(writer, id, loaded, change.effects);
        Ok(Submitted { task: stored, replayed: false })
    }

    /// The task that a key made before.
    fn replay(&self, writer: &Writer, key: &IdempotencyKey) -> Result<Option<Submitted>, StoreError> {
        let connection = &writer.connection;
        let found: Option<(Vec<u8>, i64)> = connection
            .prepare_cached("SELECT fingerprint, seq FROM keys WHERE principal = ? AND key = ?")
            .and_then(|mut s| {
                s.query_row(params![key.principal, key.key], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(sql)?;
        let Some((fingerprint, seq)) = found else { return Ok(None) };
        if fingerprint != key.fingerprint {
            return Err(StoreError::KeyReused);
        }
        let id = connection
            .prepare_cached(
                "SELECT id FROM hot WHERE seq = ?1 UNION ALL SELECT id FROM history WHERE seq = ?1",
            )
            .and_then(|mut s| s.query_row([seq], |row| row.get(0).map(TaskId::from_bytes)).optional())
            .map_err(sql)?;
        // Deleted since: the key is free again.
        let Some(row) = id.map(|id| rows::find(connection, id)).transpose()?.flatten() else {
            return Ok(None);
        };
        let task = row.stored(connection, &writer.shared.workflows)?;
        Ok(Some(Submitted { task, replayed: true }))
    }

    fn remember_key(&self, writer: &Writer, key: &IdempotencyKey, seq: i64) -> Result<(), StoreError> {
        let connection = &writer.connection;
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO keys (principal, key, fingerprint, seq, created_at) VALUES (?, ?, ?, ?, ?)",
            )
            .and_then(|mut s| {
                s.execute(params![key.principal, key.key, &key.fingerprint[..], seq, self.now.0])
            })
            .map_err(sql)?;
        // Two old ones go for each new one: the table stays small without a sweep.
        connection
            .prepare_cached(
                "DELETE FROM keys WHERE (principal, key) IN
                 (SELECT principal, key FROM keys WHERE created_at < ? ORDER BY created_at LIMIT 2)",
            )
            .and_then(|mut s| s.execute([writer.env.lived().0 - KEY_LIFE]))
            .map(|_| ())
            .map_err(sql)
    }

    fn command(&mut self, writer: &mut Writer, id: TaskId, command: Command) -> Result<(), StoreError> {
        self.change(writer, id, command).map(drop)
    }

    /// Applies a command to a task and writes what it changed; gives what it leased.
    pub(super) fn change(
        &mut self,
        writer: &mut Writer,
        id: TaskId,
        command: Command,
    ) -> Result<Vec<Grant>, StoreError> {
        let (loaded, place) = match writer.cache.take(id) {
            Some(loaded) => (loaded, Place::Hot),
            None => match load(writer, id) {
                Ok(loaded) => loaded,
                Err(StoreError::Corrupt(why)) => {
                    return self.change_unread(writer, id, &command, why).map(|()| Vec::new());
                }
                Err(e) => return Err(e),
            },
        };
        let recovers = matches!(command, Command::Recover { .. });
        if !writer.unrecovered.remove(&loaded.seq) {
            if !recovers {
                return self.change_loaded(writer, loaded, place, command);
            }
            // Nothing of it is of an earlier process: what runs is not lost.
            put_back(writer, loaded, place);
            return Err(refused(Refused::Nothing));
        }
        // What an earlier process left is dealt with before anything else happens to the task.
        writer.recovering.push(loaded.seq);
        match self.change_loaded(writer, loaded, place, Command::Recover { node: None }) {
            done if recovers => done,
            Ok(_) | Err(StoreError::Refused(_)) => self.change(writer, id, command),
            Err(e) => Err(e),
        }
    }

    fn change_loaded(
        &mut self,
        writer: &mut Writer,
        mut loaded: Loaded,
        place: Place,
        command: Command,
    ) -> Result<Vec<Grant>, StoreError> {
        let id = loaded.task.id();
        let before = Before::of(loaded.task.record());
        let mut change = match self.apply(writer, &mut loaded.task, command) {
            Ok(change) => change,
            Err(e) => {
                put_back(writer, loaded, place);
                return Err(e);
            }
        };
        self.settle_claims(writer, loaded.seq, &mut loaded.task, &mut change)?;
        match place {
            Place::Hot => loaded.update(&writer.connection, &change, before, &mut writer.counters)?,
            Place::History | Place::Imported => {
                seal::unseal(&writer.connection, loaded.seq)?;
                loaded.insert_row(&writer.connection)?;
                loaded.write_parts(&writer.connection, &change)?;
                loaded.recount(before, &mut writer.counters);
            }
        }
        let record = loaded.task.record();
        let granted = |launch: Launch| Grant {
            id,
            name: record.name.clone(),
            workflow: record.workflow.clone(),
            sub_task: record.sub_task_name(launch.sub_task).to_owned(),
            launch,
        };
        let grants = change.grants.into_iter().map(granted).collect();
        self.keep(writer, id, loaded, change.effects);
        Ok(grants)
    }

    /// What a command comes to that needs nothing of a task but its row, whose document cannot be read.
    fn change_unread(
        &mut self,
        writer: &mut Writer,
        id: TaskId,
        command: &Command,
        why: String,
    ) -> Result<(), StoreError> {
        let Writer { connection, counters, shared, resting, .. } = writer;
        let row = rows::find(connection, id)?.ok_or(StoreError::NotFound)?;
        let (seq, hot) = (row.seq, row.place == Place::Hot);
        let Damaged { status, completed_at, .. } = rows::damaged(connection, (hot, seq), id, String::new())?;
        let holds = claims::holds(connection, seq)?;
        let Some(decided) = Unread { status, completed_at, holds }.apply(command, self.now) else {
            shared.damaged.found(id, &why);
            return Err(StoreError::Corrupt(why));
        };
        let after = decided.map_err(refused)?;
        let counted = rows::counting(connection, hot, seq)?;
        rows::end_unread(connection, (hot, seq), after)?;
        if let (Some(before), Some(status)) = (counted, after.status) {
            counters.remove(before.counted());
            counters.add(Counting { status, completed_at: after.completed_at, ..before }.counted());
        }
        self.claims.free(claims::release(connection, seq)?);
        if hot && !resting.contains(&seq) {
            resting.push_back(seq);
        }
        let effects = after.status.map(Effect::Ended).into_iter().collect();
        self.commits.push(Commit { id, effects, at_rest: None });
        Ok(())
    }

    /// A running task stays at hand; one that rests waits to be sealed, and goes with its effects, which also gives it back
    /// to memory where that keeps nobody waiting.
    fn keep(&mut self, writer: &mut Writer, id: TaskId, loaded: Loaded, effects: Vec<Effect>) {
        let at_rest = if loaded.task.record().state.status == TaskStatus::InProgress {
            writer.cache.keep(id, loaded);
            None
        } else {
            writer.resting.push_back(loaded.seq);
            Some(loaded.task.at_rest())
        };
        if !effects.is_empty() || at_rest.is_some() {
            self.commits.push(Commit { id, effects, at_rest });
        }
    }

    /// The batch is durable: effects go out, then everybody is answered.
    pub(super) fn succeed(self, known: &Workflows, sink: Option<&dyn CommitSink>) {
        if let Some(sink) = sink
            && !self.commits.is_empty()
        {
            sink.committed(self.commits);
        }
        for told in self.told {
            told(Ok(()), known);
        }
    }

    /// The posted commands, to be repeated: nothing of the batch happened.
    pub(super) fn posted_jobs(&mut self) -> Vec<Job> {
        std::mem::take(&mut self.posted)
            .into_iter()
            .map(|(id, command)| Job::Command(id, command, None))
            .collect()
    }

    /// Nothing of the batch happened: everybody who waits is told so.
    pub(super) fn fail(self, e: &StoreError) {
        let nothing = Workflows::default();
        for told in self.told {
            told(Err(e), &nothing);
        }
    }

    /// The batch fails before it came to these: posted ones are repeated with the others.
    pub(super) fn leave_out(&mut self, jobs: impl Iterator<Item = Job>, e: &StoreError) {
        for job in jobs {
            match job {
                Job::Command(id, command, None) => self.posted.push((id, command)),
                other => Batch::refuse(vec![other], &e.to_string()),
            }
        }
    }

    /// Answers jobs that will not be run.
    pub(super) fn refuse(jobs: Vec<Job>, why: &str) {
        let e = || StoreError::Unavailable(why.to_owned());
        for job in jobs {
            // Whoever asked may have gone.
            match job {
                Job::Submit(_, answer) => drop(answer.send(Err(e()))),
                Job::Command(_, _, Some((answer, _))) | Job::DeleteWorkflow(_, _, answer) => {
                    drop(answer.send(Err(e())))
                }
                Job::PutWorkflow(_, _, answer) => drop(answer.send(Err(e()))),
                Job::Work(_, answer) => drop(answer.send(Err(e()))),
                Job::Errand(errand) => errand(Turn::Refuse(why)),
                Job::Command(_, _, None) | Job::Close => {}
            }
        }
    }
}

/// A task that did not change stays at hand if it moves.
fn put_back(writer: &mut Writer, loaded: Loaded, place: Place) {
    if place == Place::Hot && !loaded.task.record().state.status.is_ended() {
        writer.cache.keep(loaded.task.id(), loaded);
    }
}

fn load(writer: &Writer, id: TaskId) -> Result<(Loaded, Place), StoreError> {
    let row = rows::find(&writer.connection, id)?.ok_or(StoreError::NotFound)?;
    let (seq, place) = (row.seq, row.place);
    match row.task(&writer.connection, &writer.shared.workflows)? {
        Some((wid, task)) => Ok((Loaded::new(seq, wid, Box::new(task)), place)),
        None => Err(StoreError::NotFound),
    }
}
