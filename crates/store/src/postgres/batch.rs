//! One transaction at work: the tasks of its jobs are locked in the order of their ids and loaded in one round trip, the
//! jobs run in memory, and what they changed is written in one more.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use longhaul_model::{Change, Command, Launch, Task, TaskId, Timestamp};
use tokio::try_join;
use uuid::Uuid;

use super::held::{Held, Loaded, Was, Writes};
use super::keys::Keys;
use super::logs::Logs;
use super::rows::{self, HISTORY, Place, Row, execute, query};
use super::sql::failed;
use super::tally::Tally;
use super::turn::GLANCE;
use super::writer::{Done, Job};
use super::{Shared, claims, workflows};
use crate::audit::Audit;
use crate::cache::Cache;
use crate::counters::Counters;
use crate::error::StoreError;
use crate::postgres::audit::Notes;
use crate::store::{Commit, Submission, Work};
use crate::stored::{Grant, IdempotencyKey, Stored, Submitted, Worked};

/// How often tasks that were neither here nor there are looked for once more.
const LOOKS: usize = 3;

/// The jobs of one transaction.
pub(super) struct Batch<'a> {
    db: &'a deadpool_postgres::Client,
    shared: &'a Shared,
    cache: &'a mut Cache<Loaded>,
    now: Timestamp,
    tasks: HashMap<TaskId, Held>,
    /// Looked for in vain.
    missing: HashSet<TaskId>,
    /// What cannot be read, and why.
    damaged: HashMap<TaskId, String>,
    keys: Keys,
    logs: Logs,
    notes: Notes,
    counters: Counters,
    tally: Tally,
    commits: Vec<Commit>,
    /// Claims that somebody let go of: who waits for them is looked at once the job is done.
    freed: Vec<String>,
    /// Tasks that have what they claim, and are told in a transaction of their own.
    granted: Vec<TaskId>,
}

/// A transaction before its commit.
pub(super) struct Written {
    pub(super) commits: Vec<Commit>,
    pub(super) done: Vec<Done>,
    pub(super) kept: Vec<(TaskId, Loaded)>,
    /// What was counted, with it.
    pub(super) tally: Tally,
    /// Tasks that have what they claim, and are to be told.
    pub(super) granted: Vec<TaskId>,
}

impl<'a> Batch<'a> {
    /// Begins a transaction, runs the jobs and writes what they changed; the commit is the caller's.
    pub(super) async fn run(
        db: &'a deadpool_postgres::Client,
        shared: &'a Shared,
        cache: &'a mut Cache<Loaded>,
        tally: Tally,
        jobs: &[Job],
    ) -> Result<Written, StoreError> {
        let now = shared.env.now();
        let mut batch = Batch {
            db,
            shared,
            cache,
            now,
            tasks: HashMap::new(),
            missing: HashSet::new(),
            damaged: HashMap::new(),
            keys: Keys::default(),
            logs: Logs::default(),
            notes: Notes::default(),
            counters: Counters::default(),
            tally,
            commits: Vec::new(),
            freed: Vec::new(),
            granted: Vec::new(),
        };
        let opening = db.prepare_cached(GLANCE).await.map_err(failed)?;
        let open = async {
            let begin = async { db.batch_execute("BEGIN").await };
            let turn = [&shared.turn.number as &(dyn tokio_postgres::types::ToSql + Sync)];
            let (_, rows) = try_join!(begin, db.query(&opening, &turn)).map_err(failed)?;
            shared.opened(&rows)
        };
        let ids: BTreeSet<TaskId> = jobs.iter().flat_map(Job::tasks).collect();
        // Sent in this order, without waiting in between.
        try_join!(open, batch.load(ids))?;
        batch.keys.take(db, jobs, now).await?;
        let mut done = Vec::with_capacity(jobs.len());
        for job in jobs {
            done.push(batch.job(job).await?);
            batch.hand_on().await?;
        }
        batch.write().await?;
        let Batch { tasks, mut commits, tally, granted, .. } = batch;
        let last: HashMap<TaskId, usize> =
            commits.iter().enumerate().map(|(n, commit)| (commit.id, n)).collect();
        let mut kept = Vec::with_capacity(tasks.len());
        for (id, held) in tasks {
            match held.into_loaded() {
                Ok(loaded) => kept.push((id, loaded)),
                Err(at_rest) => {
                    if let Some(n) = last.get(&id) {
                        commits[*n].at_rest = Some(at_rest);
                    }
                }
            }
        }
        Ok(Written { commits, done, kept, tally, granted })
    }

    async fn job(&mut self, job: &Job) -> Result<Done, StoreError> {
        Ok(match job {
            Job::Submit(submission, _) => Done::Submitted(answer(self.submit(submission).await)?),
            Job::Command(id, command, asked) => {
                let done = answer(self.change(*id, (**command).clone()).await)?;
                if matches!(**command, Command::Acquired) {
                    claims::told(self.db, *id, true).await?;
                }
                match (&done, asked) {
                    (Ok(_), Some((_, Some(audit)))) => self.note(audit, *id),
                    (Err(e @ StoreError::Corrupt(_)), None) => {
                        tracing::error!(task.id = %id, error = %e, "a task cannot be read and is left as it is");
                    }
                    _ => {}
                }
                Done::Command(done.map(drop))
            }
            Job::Work(work, _) => Done::Work(answer(self.work(work).await)?),
            Job::Log(log, _) => Done::Command(answer(self.log(log).await)?),
            Job::Flush(_) | Job::Close => Done::Command(Ok(())),
        })
    }

    fn note(&mut self, audit: &Audit, id: TaskId) {
        let mut audit = audit.clone();
        audit.target.get_or_insert_with(|| id.to_string());
        self.notes.add(&audit, self.now);
    }

    /// Locks tasks and loads those of which nothing newer is at hand.
    async fn load(&mut self, ids: BTreeSet<TaskId>) -> Result<(), StoreError> {
        let mut wanted: Vec<TaskId> = ids
            .into_iter()
            .filter(|id| !self.tasks.contains_key(id) && !self.damaged.contains_key(id))
            .collect();
        let mut cached: HashMap<TaskId, Loaded> = HashMap::new();
        for id in &wanted {
            if let Some(loaded) = self.cache.take(*id) {
                cached.insert(*id, loaded);
            }
        }
        for _ in 0..LOOKS {
            if wanted.is_empty() {
                return Ok(());
            }
            wanted = self.look(&wanted, &mut cached).await?;
            // What was at hand and has changed, or moved between the tables meanwhile.
            cached.clear();
        }
        self.missing.extend(wanted);
        Ok(())
    }

    /// One round trip; gives back what is to be looked for once more.
    async fn look(
        &mut self,
        wanted: &[TaskId],
        cached: &mut HashMap<TaskId, Loaded>,
    ) -> Result<Vec<TaskId>, StoreError> {
        let ids: Vec<Uuid> = wanted.iter().map(|id| id.0).collect();
        let versions: Vec<i64> =
            wanted.iter().map(|id| cached.get(id).map_or(-1, |task| task.version)).collect();
        let unknown: Vec<Uuid> = wanted.iter().filter(|id| !cached.contains_key(id)).map(|id| id.0).collect();
        let hot = "SELECT h.id, -1::smallint, h.version,
               CASE WHEN h.version = k.version THEN '' ELSE h.name END,
               CASE WHEN h.version = k.version THEN '' ELSE h.doc END
             FROM unnest($1::uuid[], $2::bigint[]) AS k (id, version) JOIN hot h ON h.id = k.id
             ORDER BY h.id FOR UPDATE OF h";
        let history = format!("SELECT {HISTORY} FROM history WHERE id = ANY($1) ORDER BY id FOR UPDATE");
        let specs = "SELECT id, doc FROM specs WHERE id = ANY($1)";
        let outputs = "SELECT id, sub_task, doc FROM outputs WHERE id = ANY($1)";
        let chunks = "SELECT id, doc FROM chunks WHERE id = ANY($1) ORDER BY id, n";
        let db = self.db;
        let found = async { query(db, hot, &[&ids, &versions]).await };
        let (found, resting, mut parts) = if unknown.is_empty() {
            (found.await?, Vec::new(), rows::Parts::new(&[], &[], &[])?)
        } else {
            let of = [&unknown as &(dyn tokio_postgres::types::ToSql + Sync)];
            let (found, resting, specs, outputs, chunks) = try_join!(
                found,
                query(db, &history, &of),
                query(db, specs, &of),
                query(db, outputs, &of),
                query(db, chunks, &of)
            )?;
            (found, resting, rows::Parts::new(&specs, &outputs, &chunks)?)
        };
        let mut again: HashSet<TaskId> = wanted.iter().copied().collect();
        for row in found.iter().chain(&resting) {
            let row = Row::read(row)?;
            let (id, version, place) = (row.id, row.version, row.place);
            if let Some(loaded) = cached.remove(&id) {
                if loaded.version == version {
                    again.remove(&id);
                    self.tasks.insert(id, Held::new(loaded, Was::Hot));
                }
                continue;
            }
            again.remove(&id);
            let was = match place {
                Place::Hot => Was::Hot,
                Place::History => Was::History,
                // Nothing can be done to it.
                Place::Imported => {
                    self.missing.insert(id);
                    continue;
                }
            };
            match parts.task(row, db, &self.shared.workflows).await {
                Ok((wid, task)) => {
                    let loaded = Loaded::new(wid, version, Box::new(task));
                    self.tasks.insert(id, Held::new(loaded, was));
                }
                Err(StoreError::Corrupt(why)) => drop(self.damaged.insert(id, why)),
                Err(e) => return Err(e),
            }
        }
        Ok(wanted.iter().copied().filter(|id| again.contains(id)).collect())
    }

    async fn submit(&mut self, submission: &Submission) -> Result<Submitted, StoreError> {
        let Submission { task, key, audit, newest } = submission;
        let id = task.id();
        if let Some(key) = key
            && let Some(replayed) = self.replay(key, id).await?
        {
            return Ok(replayed);
        }
        let done = self.accept(task, *newest).await;
        if let (Ok(_), Some(key)) = (&done, key)
            && !self.keys.has(key)
        {
            self.keys.give(self.db, key, id, self.now).await?;
        }
        match (&done, key) {
            (Ok(_), _) => {
                if let Some(audit) = audit {
                    self.note(audit, id);
                }
            }
            (Err(_), Some(key)) => self.keys.free(self.db, key).await?,
            (Err(_), None) => {}
        }
        done
    }

    async fn accept(&mut self, task: &Task, newest: bool) -> Result<Submitted, StoreError> {
        let mut task = Box::new(task.clone());
        let (name, version) = {
            let workflow = &task.record().workflow;
            (workflow.definition.name.clone(), workflow.version)
        };
        let known = &self.shared.workflows;
        let wid = if newest {
            // As another node may have stored a newer one, or taken it away, since it was looked up here.
            match workflows::find(self.db, known, &name, None).await {
                Ok((wid, found)) if found.version == version => wid,
                Ok(_) | Err(StoreError::NotFound) => return Err(StoreError::WorkflowChanged),
                Err(e) => return Err(e),
            }
        } else {
            workflows::find(self.db, known, &name, Some(version)).await?.0
        };
        let mut change = task.apply_at(self.shared.turn.node, Command::Begin, self.now)?;
        if change.claims && task.record().conflicts_at_once() {
            claims::check(self.db, task.record()).await?;
        }
        let id = task.id();
        self.settle_claims(&mut task, &mut change).await?;
        let stored = Stored::Own(Box::new(task.record().clone()));
        let mut held = Held::submitted(Loaded::new(wid, 0, task));
        held.touch(&mut change);
        self.tasks.insert(id, held);
        self.tell(id, change);
        Ok(Submitted { task: stored, replayed: false })
    }

    /// The task that a key made before.
    async fn replay(&mut self, key: &IdempotencyKey, id: TaskId) -> Result<Option<Submitted>, StoreError> {
        let Some(before) = self.keys.before(key, id)? else { return Ok(None) };
        if let Some(held) = self.tasks.get(&before) {
            let task = Stored::Own(Box::new(held.loaded.task.record().clone()));
            return Ok(Some(Submitted { task, replayed: true }));
        }
        match rows::find(self.db, before).await? {
            Some(row) => {
                let task = row.stored(self.db, &self.shared.workflows).await?;
                Ok(Some(Submitted { task, replayed: true }))
            }
            // Deleted since: the key is free again.
            None => {
                self.keys.give(self.db, key, id, self.now).await?;
                Ok(None)
            }
        }
    }

    /// Applies a command to a task; gives what it leased.
    async fn change(&mut self, id: TaskId, command: Command) -> Result<Vec<Grant>, StoreError> {
        if !self.tasks.contains_key(&id) && !self.missing.contains(&id) {
            self.load(BTreeSet::from([id])).await?;
        }
        if let Some(why) = self.damaged.get(&id) {
            return Err(StoreError::Corrupt(why.clone()));
        }
        // Taken out, as its claims are settled with the database at hand.
        let mut held = self.tasks.remove(&id).ok_or(StoreError::NotFound)?;
        let done = match held.loaded.task.apply_at(self.shared.turn.node, command, self.now) {
            Ok(mut change) => match self.settle_claims(&mut held.loaded.task, &mut change).await {
                Ok(()) => {
                    held.touch(&mut change);
                    let grants = grants(held.loaded.task.record(), &mut change);
                    self.tell(id, change);
                    Ok(grants)
                }
                Err(e) => Err(e),
            },
            Err(e) => Err(e.into()),
        };
        self.tasks.insert(id, held);
        done
    }

    fn tell(&mut self, id: TaskId, change: Change) {
        if !change.effects.is_empty() {
            self.commits.push(Commit { id, effects: change.effects, at_rest: None });
        }
    }

    /// What a change asks of others: what it claims it may get at once, what it lets go of others may have.
    async fn settle_claims(&mut self, task: &mut Task, change: &mut Change) -> Result<(), StoreError> {
        if change.claims && claims::request(self.db, task.record(), self.now).await? {
            let next = task.apply_at(self.shared.turn.node, Command::Acquired, self.now)?;
            change.and(next);
        }
        if change.releases {
            self.freed.extend(claims::release(self.db, task.id()).await?);
        }
        Ok(())
    }

    /// Gives what was let go of to those whose turn it is; they may let go of theirs at once.
    async fn hand_on(&mut self) -> Result<(), StoreError> {
        while let Some(key) = self.freed.pop() {
            for id in claims::next(self.db, &key, self.now).await? {
                if !self.tasks.contains_key(&id) && !claims::lock_task(self.db, id).await? {
                    // Another node has it just now, and may wait for this transaction: never the other way round.
                    claims::told(self.db, id, false).await?;
                    self.granted.push(id);
                    continue;
                }
                if let Err(e @ StoreError::Corrupt(_)) = answer(self.change(id, Command::Acquired).await)? {
                    tracing::error!(task.id = %id, error = %e, "a task cannot be read and is left as it is");
                }
            }
        }
        Ok(())
    }

    /// A worker's work: its reports recorded and attempts leased to it. What became ready by a report is leased in the
    /// same change, so that a chain of sub-tasks costs one change each.
    async fn work(&mut self, work: &Work) -> Result<Worked, StoreError> {
        let mut room = work.room;
        let mut worked = Worked::default();
        for (id, command) in &work.reports {
            let mut command = command.clone();
            if let Command::Complete { next, .. } = &mut command
                && room == 0
            {
                *next = None;
            }
            let done = answer(self.change(*id, command).await)?.map(|grants| {
                room = room.saturating_sub(grants.len());
                worked.grants.extend(grants);
            });
            worked.reports.push(done);
        }
        let Some(terms) = &work.terms else { return Ok(worked) };
        for (id, sub_task) in &work.leases {
            if room == 0 {
                worked.unused.push((*id, *sub_task));
                continue;
            }
            let lease = Command::Lease { sub_task: *sub_task, terms: Arc::clone(terms) };
            match answer(self.change(*id, lease).await)? {
                Ok(grants) => {
                    room = room.saturating_sub(grants.len());
                    worked.grants.extend(grants);
                }
                // It waits no more: taken, stopped, gone.
                Err(StoreError::Refused(_) | StoreError::NotFound) => {}
                Err(e) => {
                    tracing::error!(task.id = %id, error = %e, "a task cannot be read and is left as it is");
                }
            }
        }
        Ok(worked)
    }

    async fn log(&mut self, log: &super::writer::Log) -> Result<(), StoreError> {
        if !self.tasks.contains_key(&log.id) {
            // An imported one has no log, and one that is damaged may still have.
            rows::check(self.db, log.id).await?;
        }
        self.logs.add(self.db, log.id, (log.sub_task, log.attempt), &log.lines).await
    }

    /// Everything that changed, a statement for each table, sent without waiting in between.
    async fn write(&mut self) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        for held in self.tasks.values_mut() {
            writes.add(held, &mut self.counters)?;
        }
        let db = self.db;
        let Writes { hot, history, updates, gone_from_hot, gone_from_history, .. } = &writes;
        let Writes { specs, chunks, outputs, attempts, .. } = &writes;
        let moved = async {
            try_join!(
                gone(db, "DELETE FROM hot WHERE id = ANY($1)", gone_from_hot),
                gone(db, "DELETE FROM history WHERE id = ANY($1)", gone_from_history),
                hot.write_hot(db),
                history.write(db),
                updates.write(db),
            )
        };
        let parts = async {
            try_join!(
                specs.write_specs(db),
                chunks.write(db, "chunks", "n"),
                outputs.write(db, "outputs", "sub_task"),
                attempts.write_attempts(db),
            )
        };
        let rest = async {
            try_join!(self.logs.write(db), self.notes.write(db), self.keys.forget_old(db, self.now))
        };
        let tally = self.tally.write(db, &mut self.counters, self.notes.count());
        let (.., tally) = try_join!(moved, parts, rest, tally)?;
        self.tally = tally;
        Ok(())
    }
}

async fn gone(db: &deadpool_postgres::Client, statement: &str, ids: &[Uuid]) -> Result<(), StoreError> {
    if ids.is_empty() { Ok(()) } else { execute(db, statement, &[&ids]).await.map(drop) }
}

/// What a change leased, with what its worker is told of the task.
fn grants(record: &longhaul_model::Record, change: &mut Change) -> Vec<Grant> {
    let granted = |launch: Launch| Grant {
        id: record.id,
        name: record.name.clone(),
        workflow: record.workflow.clone(),
        sub_task: record.sub_task_name(launch.sub_task).to_owned(),
        launch,
    };
    change.grants.drain(..).map(granted).collect()
}

/// A refusal is an answer like any other; a failure of the storage ends the transaction.
fn answer<T>(done: Result<T, StoreError>) -> Result<Result<T, StoreError>, StoreError> {
    match done {
        Err(e @ (StoreError::Unavailable(_) | StoreError::Full | StoreError::Conflict(_))) => Err(e),
        other => Ok(other),
    }
}
