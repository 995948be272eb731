//! Jobs of a transaction: their changes to the loaded tasks, and their results.

use std::collections::BTreeSet;
use std::sync::Arc;

use longhaul_model::{Change, Command, Launch, Record, Task, TaskId, Unread};

use super::batch::Batch;
use super::held::{Held, Loaded};
use super::job::{Done, Job};
use super::sql::execute;
use super::{claims, rows, workflows};
use crate::audit::Audit;
use crate::counters::Counted;
use crate::error::StoreError;
use crate::replacement::replacement;
use crate::store::{Commit, SinkRoom, Submission, Work};
use crate::stored::{Grant, IdempotencyKey, Stored, Submitted, Worked};

impl Batch<'_> {
    /// Runs a job.
    pub(super) async fn job(&mut self, job: &Job) -> Result<Done, StoreError> {
        Ok(match job {
            Job::Submit(submission, _) => Done::Submitted(answer(self.submit(submission).await)?),
            Job::Command(id, command, asked) => {
                let mut done = answer(self.change(*id, (**command).clone()).await)?;
                if asked.is_none()
                    && let Err(why) = &done
                    && self.spoilt.is_none()
                    && let Some(substitute) = replacement(command, why)
                {
                    tracing::error!(task.id = %id, error = %why, "a change of a task ended in a fault: its attempt fails");
                    // Only the task in memory was unusable: it is read again.
                    self.damaged.remove(id);
                    self.shared.damaged.forget(*id);
                    done = answer(self.change(*id, substitute).await)?;
                }
                if matches!(**command, Command::Acquired) {
                    claims::told(self.db, *id).await?;
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
            Job::Flush(_) => Done::Command(Ok(())),
            Job::Probe => {
                // The command goes as far as a change does before its rows are looked up: table locks and
                // limits of the database show here.
                execute(self.db, "UPDATE hot SET version = version WHERE false", &[]).await?;
                Done::Command(Ok(()))
            }
            Job::Settle(at) => {
                self.claims.look_at(at);
                Done::Command(Ok(()))
            }
        })
    }

    fn note(&mut self, audit: &Audit, id: TaskId) {
        let mut audit = audit.clone();
        audit.target.get_or_insert_with(|| id.to_string());
        self.notes.add(&audit, self.now);
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
            // Another node may have stored a newer version, or deleted the workflow, since it was looked up
            // here.
            match workflows::find(self.db, known, &name, None).await {
                Ok((wid, found)) if found.version == version => wid,
                Ok(_) | Err(StoreError::NotFound) => return Err(StoreError::WorkflowChanged),
                Err(e) => return Err(e),
            }
        } else {
            workflows::find(self.db, known, &name, Some(version)).await?.0
        };
        let mut change = self.apply(&mut task, Command::Begin)?;
        if change.claims && task.record().conflicts_at_once() {
            self.check_claims(task.record()).await?;
        }
        let id = task.id();
        self.settle_claims(&task, &change);
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
            // The task was deleted since: the key is free again.
            None => {
                self.keys.give(self.db, key, id, self.now).await?;
                Ok(None)
            }
        }
    }

    /// Applies a command to a task; returns the leases that it made.
    pub(super) async fn change(&mut self, id: TaskId, command: Command) -> Result<Vec<Grant>, StoreError> {
        if !self.tasks.contains_key(&id) && !self.missing.contains(&id) {
            self.load(BTreeSet::from([id])).await?;
        }
        if let Some(why) = self.damaged.get(&id).cloned() {
            return self.change_unread(id, &command, why).await.map(|()| Vec::new());
        }
        // Taken out of the map, as `settle_claims` needs `self` mutably.
        let mut held = self.tasks.remove(&id).ok_or(StoreError::NotFound)?;
        let way_out = matches!(command, Command::Cancel { .. } | Command::Release { .. });
        let again = way_out.then(|| command.clone());
        let done = match self.apply(&mut held.loaded.task, command) {
            Ok(mut change) => {
                self.settle_claims(&held.loaded.task, &change);
                held.touch(&mut change);
                let grants = grants(held.loaded.task.record(), &mut change);
                self.tell(id, change);
                Ok(grants)
            }
            // The task in memory is unusable; the rows are as they were.
            Err(StoreError::Corrupt(why)) => {
                self.shared.damaged.found(id, &why);
                if held.has_changed() {
                    // The changes of earlier jobs to it are lost with it: each is run by itself.
                    self.spoilt = Some(why.clone());
                }
                self.damaged.insert(id, why.clone());
                let Some(command) = again else { return Err(StoreError::Corrupt(why)) };
                return self.change_unread(id, &command, why).await.map(|()| Vec::new());
            }
            Err(e) => Err(e),
        };
        self.tasks.insert(id, held);
        done
    }

    /// Applies a command to a task at this node, with the permits for attempts currently available.
    fn apply(&self, task: &mut Task, command: Command) -> Result<Change, StoreError> {
        let room = SinkRoom(&self.shared.sink);
        Ok(task.apply_in(self.shared.turn.node, &room, command, self.now)?)
    }

    /// Applies a command that needs only the row of a task whose document cannot be read: the task ends, and
    /// its document stays as it is for inspection.
    async fn change_unread(&mut self, id: TaskId, command: &Command, why: String) -> Result<(), StoreError> {
        let row = rows::find(self.db, id).await?.ok_or(StoreError::NotFound)?;
        let hot = row.place == rows::Place::Hot;
        let left = rows::damaged(self.db, id, hot, String::new()).await?;
        let holds = claims::holds(self.db, id).await?;
        let before = left.unread(holds);
        let Some(decided) = before.apply(command, self.now) else {
            self.shared.damaged.found(id, &why);
            return Err(StoreError::Corrupt(why));
        };
        let after = decided?;
        let resources = rows::end_unread(self.db, id, hot, after).await?;
        let counted = |of: Unread| {
            let (kind, resources) = (left.kind.as_str(), resources.as_str());
            of.status.map(|status| Counted { kind, status, completed_at: of.completed_at, resources })
        };
        if let (Some(before), Some(after)) = (counted(before), counted(after)) {
            self.counters.remove(before);
            self.counters.add(after);
        }
        self.claims.release(id);
        let effects = after.effects(before);
        self.changes.add(id);
        self.commits.push(Commit { id, revision: 0, effects, at_rest: None });
        Ok(())
    }

    fn tell(&mut self, id: TaskId, change: Change) {
        self.changes.add(id);
        if !change.effects.is_empty() {
            self.commits.push(Commit {
                id,
                revision: change.revision,
                effects: change.effects,
                at_rest: None,
            });
        }
    }

    /// Does a worker's work: its reports are recorded and attempts leased to it. Sub-tasks that became ready
    /// by a report are leased in the same change, so that a chain of sub-tasks costs one change each.
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
        for (id, sub_task, token) in &work.again {
            let again = Command::LeaseAgain { sub_task: *sub_task, token: *token, terms: Arc::clone(terms) };
            // The attempt may have ended meanwhile.
            if let Ok(grants) = answer(self.change(*id, again).await)? {
                worked.grants.extend(grants);
            }
        }
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
                // The sub-task waits no more: leased, stopped, gone.
                Err(StoreError::Refused(_) | StoreError::NotFound) => {}
                Err(e) => {
                    tracing::error!(task.id = %id, error = %e, "a task cannot be read and is left as it is");
                }
            }
        }
        Ok(worked)
    }

    async fn log(&mut self, log: &super::job::Log) -> Result<(), StoreError> {
        if !self.tasks.contains_key(&log.id) {
            // An imported task has no log, and a damaged one may still have one.
            rows::check(self.db, log.id).await?;
        }
        self.logs.add(self.db, log.id, (log.sub_task, log.attempt), &log.lines).await
    }
}

/// Returns the attempts that a change leased, with the facts that their worker is told of the task.
fn grants(record: &Record, change: &mut Change) -> Vec<Grant> {
    let granted = |launch: Launch| Grant {
        id: record.id,
        name: record.name.clone(),
        workflow: record.workflow.clone(),
        sub_task: record.sub_task_name(launch.sub_task).to_owned(),
        launch,
    };
    change.grants.drain(..).map(granted).collect()
}

/// Turns a refusal into an answer like any other; a failure of the storage ends the transaction.
fn answer<T>(done: Result<T, StoreError>) -> Result<Result<T, StoreError>, StoreError> {
    match done {
        Err(e @ (StoreError::Unavailable(_) | StoreError::Full | StoreError::Conflict(_))) => Err(e),
        other => Ok(other),
    }
}
