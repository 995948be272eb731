//! Batch of the writer: each job runs inside the transaction, and its answer waits for the commit.

use longhaul_model::{Change, Command, Effect, Launch, NodeId, Refused, Task, TaskId, TaskStatus, Timestamp};

use super::answers::Told;
use super::change::{Before, Loaded};
use super::errand::Turn;
use super::failed::sql;
use super::need::Need;
use super::queue::Entry;
use super::repeats::Posted;
use super::rows::{self, Counting, Place};
use super::writer::{Job, Writer, refused};
use super::{audit, claims, keys, seal, workflows};
use crate::audit::Audit;
use crate::error::StoreError;
use crate::known::Workflows;
use crate::store::{Commit, CommitSink, SinkRoom, Submission};
use crate::stored::{Grant, Stored, Submitted};

/// Failure of the current job that affects more than its answer.
pub(super) enum Verdict {
    /// The job failed for a reason of its own: its changes are undone, the other jobs go on.
    Spoilt(StoreError),
    /// The storage failed during the job: the batch is over.
    Failed(StoreError),
}

/// Jobs of one transaction.
pub(super) struct Batch {
    now: Timestamp,
    commits: Vec<Commit>,
    told: Vec<Told>,
    /// Posted commands, to be repeated if the commit fails.
    posted: Vec<Posted>,
    /// Posted commands that failed for reasons of their own.
    spoilt: Vec<(Posted, StoreError)>,
    /// Claims that were released: the tasks that wait for them are looked at once the job is done.
    pub(super) claims: claims::Open,
    verdict: Option<Verdict>,
}

impl Batch {
    pub(super) fn new(now: Timestamp) -> Self {
        Batch {
            now,
            commits: Vec::new(),
            told: Vec::new(),
            posted: Vec::new(),
            spoilt: Vec::new(),
            claims: claims::Open::new(),
            verdict: None,
        }
    }

    /// Runs one job inside the transaction. The caller must act on a verdict before the next job.
    pub(super) fn run(&mut self, writer: &mut Writer, entry: Entry) -> Option<Verdict> {
        let Entry { job, since, until } = entry;
        match job {
            Job::Submit(submission, answer) => {
                let done = self.submit(writer, submission);
                self.tell(done, answer, |_, _| {});
            }
            Job::Command(id, command, Some(asked)) if Need::of_command(&command) == Need::WayOut => {
                let again = command.clone();
                let done = self.asked(writer, id, command, asked.1.as_deref().cloned());
                self.judge(&done);
                let entry = Box::new(Entry { job: Job::Command(id, again, Some(asked)), since, until });
                self.told.push(Told::WayOut { entry, done });
            }
            Job::Command(id, command, Some((answer, audit))) => {
                let done = self.asked(writer, id, command, audit.map(|audit| *audit));
                self.tell(done, answer, |_, _| {});
            }
            Job::Command(id, command, None) => {
                self.posted.push(Posted { id, command: command.clone(), since });
                match self.command(writer, id, command) {
                    Err(StoreError::Refused(_) | StoreError::NotFound) => {}
                    done => self.judge(&done),
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
                    // The same definition again changes nothing.
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
            Job::Errand(errand, _) => errand(Turn::Run(self, writer)),
        }
        if self.verdict.is_none() {
            let done = self.hand_on(writer);
            self.judge(&done);
        }
        self.verdict.take()
    }

    /// Decides whether a failure affects only the job or the whole batch.
    fn judge<T>(&mut self, done: &Result<T, StoreError>) {
        match done {
            Err(e @ (StoreError::Unavailable(_) | StoreError::Full)) => {
                self.verdict = Some(Verdict::Failed(e.copy()));
            }
            Err(e @ (StoreError::Corrupt(_) | StoreError::Conflict(_))) => {
                self.verdict = Some(Verdict::Spoilt(e.copy()));
            }
            _ => {}
        }
    }

    /// Returns the state of the batch, to return to if the next job is spoilt.
    pub(super) fn mark(&self) -> Mark {
        Mark { commits: self.commits.len(), posted: self.posted.len(), claims: self.claims.clone() }
    }

    /// Undoes the job since the mark; its caller is still answered. A posted command is added to those that
    /// failed by themselves.
    pub(super) fn take_back(&mut self, mark: Mark, why: &StoreError) {
        self.commits.truncate(mark.commits);
        self.claims = mark.claims;
        if self.posted.len() > mark.posted {
            self.spoilt.extend(self.posted.pop().map(|posted| (posted, why.copy())));
        }
    }

    /// Takes out the posted command under which the batch failed, if there was one; the rest of the batch may
    /// succeed without it.
    pub(super) fn culprit(&mut self, mark: Mark) -> Option<Posted> {
        if self.posted.len() > mark.posted { self.posted.pop() } else { None }
    }

    /// Runs a part of a job that may fail for a reason of its own without failing the rest: nothing of the
    /// part is then written.
    pub(super) fn apart<T>(
        &mut self,
        writer: &mut Writer,
        part: impl FnOnce(&mut Batch, &mut Writer) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        writer.connection.prepare_cached("SAVEPOINT part").and_then(|mut s| s.execute([])).map_err(sql)?;
        let (mark, place) = (self.mark(), writer.place());
        let done = part(self, writer);
        match &done {
            Err(StoreError::Corrupt(_) | StoreError::Conflict(_)) => {
                writer.back_to("part", place)?;
                self.commits.truncate(mark.commits);
                self.claims = mark.claims;
            }
            Err(StoreError::Unavailable(_) | StoreError::Full) => {}
            _ => writer.release("part")?,
        }
        done
    }

    fn asked(
        &mut self,
        writer: &mut Writer,
        id: TaskId,
        command: Command,
        audit: Option<Audit>,
    ) -> Result<(), StoreError> {
        self.command(writer, id, command)?;
        let Some(mut audit) = audit else { return Ok(()) };
        audit.target.get_or_insert_with(|| id.to_string());
        audit::write(&writer.connection, &audit, self.now)
    }

    /// Applies a command to a task, with the permits for attempts currently available.
    pub(super) fn apply(
        &self,
        writer: &Writer,
        task: &mut Task,
        command: Command,
    ) -> Result<Change, StoreError> {
        let room = SinkRoom(&writer.shared.sink);
        task.apply_in(NodeId::default(), &room, command, self.now).map_err(refused)
    }

    /// Time at which the batch began.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    fn noted(&self, writer: &Writer, audit: Option<Audit>) -> Result<(), StoreError> {
        audit.map_or(Ok(()), |audit| audit::write(&writer.connection, &audit, self.now))
    }

    /// Keeps an answer until the commit. A refusal is an ordinary answer; a failure ends the batch, or at
    /// least the job.
    pub(super) fn tell<T: Send + 'static>(
        &mut self,
        done: Result<T, StoreError>,
        answer: super::writer::Answer<T>,
        on_success: impl FnOnce(&T, &Workflows) + Send + 'static,
    ) {
        self.judge(&done);
        self.told.push(Told::Answer(Box::new(move |commit, known| {
            let result = match (done, commit) {
                (Ok(value), Ok(())) => {
                    on_success(&value, known);
                    Ok(value)
                }
                (Err(refusal), _) => Err(refusal),
                (Ok(_), Err(e)) => Err(e.copy()),
            };
            // The caller may have gone; the change stays.
            let _ = answer.send(result);
        })));
    }

    fn submit(&mut self, writer: &mut Writer, submission: Submission) -> Result<Submitted, StoreError> {
        let Submission { mut task, key, audit, newest: _ } = submission;
        if let Some(key) = &key
            && let Some(replayed) = keys::replay(writer, key)?
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
            keys::remember(writer, &key, seq, self.now)?;
        }
        let stored = Stored::Own(Box::new(loaded.task.record().clone()));
        self.keep(writer, id, loaded, change.effects);
        Ok(Submitted { task: stored, replayed: false })
    }

    fn command(&mut self, writer: &mut Writer, id: TaskId, command: Command) -> Result<(), StoreError> {
        self.change(writer, id, command).map(drop)
    }

    /// Applies a command to a task and writes its changes; returns the leases that it made.
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
            // Nothing of the task is left from an earlier process: running attempts are not lost.
            put_back(writer, loaded, place);
            return Err(refused(Refused::Nothing));
        }
        // The attempts of an earlier process are recovered before anything else happens to the task.
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
        let way_out = (Need::of_command(&command) == Need::WayOut).then(|| command.clone());
        let mut change = match self.apply(writer, &mut loaded.task, command) {
            Ok(change) => change,
            // The task in memory is unusable; the rows are as they were.
            Err(StoreError::Corrupt(why)) => {
                writer.shared.damaged.found(id, &why);
                let Some(command) = way_out else { return Err(StoreError::Corrupt(why)) };
                return self.change_unread(writer, id, &command, why).map(|()| Vec::new());
            }
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

    /// Applies a command that needs only the row of a task, whose document cannot be read.
    fn change_unread(
        &mut self,
        writer: &mut Writer,
        id: TaskId,
        command: &Command,
        why: String,
    ) -> Result<(), StoreError> {
        let Writer { connection, counters, changes, shared, resting, .. } = writer;
        let row = rows::find(connection, id)?.ok_or(StoreError::NotFound)?;
        let (seq, hot) = (row.seq, row.place == Place::Hot);
        let damaged = rows::damaged(connection, (hot, seq), id, String::new())?;
        let before = damaged.unread(claims::holds(connection, seq)?);
        let Some(decided) = before.apply(command, self.now) else {
            shared.damaged.found(id, &why);
            return Err(StoreError::Corrupt(why));
        };
        let after = decided.map_err(refused)?;
        let counting = rows::counting(connection, hot, seq)?;
        rows::end_unread(connection, (hot, seq), after)?;
        if let (Some(counted), Some(status)) = (counting, after.status) {
            counters.remove(counted.counted());
            counters.add(Counting { status, completed_at: after.completed_at, ..counted }.counted());
        }
        self.claims.free(claims::release(connection, seq)?);
        if hot && !resting.contains(&seq) {
            resting.push_back(seq);
        }
        let effects = after.effects(before);
        changes.add(id);
        self.commits.push(Commit { id, revision: 0, effects, at_rest: None });
        Ok(())
    }

    /// Keeps a running task in the cache; a task that has ended or waits for its start is to be sealed, and
    /// goes with its effects, which also frees its memory where that keeps nobody waiting.
    fn keep(&mut self, writer: &mut Writer, id: TaskId, loaded: Loaded, effects: Vec<Effect>) {
        writer.changes.add(id);
        let revision = loaded.task.record().state.revision;
        let at_rest = if loaded.task.record().state.status == TaskStatus::InProgress {
            writer.cache.keep(id, loaded);
            None
        } else {
            writer.resting.push_back(loaded.seq);
            Some(loaded.task.at_rest())
        };
        if !effects.is_empty() || at_rest.is_some() {
            self.commits.push(Commit { id, revision, effects, at_rest });
        }
    }

    /// Carries out the effects of a durable batch, then answers everybody.
    pub(super) fn succeed(self, known: &Workflows, sink: Option<&dyn CommitSink>) {
        if let Some(sink) = sink
            && !self.commits.is_empty()
        {
            sink.committed(self.commits);
        }
        for told in self.told {
            told.answer(Ok(()), known);
        }
    }

    /// Takes out the posted commands that failed for reasons of their own.
    pub(super) fn spoilt(&mut self) -> Vec<(Posted, StoreError)> {
        std::mem::take(&mut self.spoilt)
    }

    /// Takes out the posted commands, to be repeated: nothing of the batch happened.
    pub(super) fn posted(&mut self) -> Vec<Posted> {
        std::mem::take(&mut self.posted)
    }

    /// Takes out the way-out commands, to be run again now that there is space: nothing of the batch
    /// happened.
    pub(super) fn ways_out(&mut self) -> Vec<Entry> {
        let mut ways_out = Vec::new();
        for told in std::mem::take(&mut self.told) {
            match told {
                Told::WayOut { entry, done: Ok(()) | Err(StoreError::Full) } => ways_out.push(*entry),
                other => self.told.push(other),
            }
        }
        ways_out
    }

    /// Fails a batch of which nothing happened: all callers are told so.
    pub(super) fn fail(self, e: &StoreError) {
        let nothing = Workflows::default();
        for told in self.told {
            told.answer(Err(e), &nothing);
        }
    }
}

/// State of a batch between two jobs.
pub(super) struct Mark {
    commits: usize,
    posted: usize,
    claims: claims::Open,
}

/// Returns an unchanged task to the cache if it is hot and has not ended.
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
