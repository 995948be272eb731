//! Transaction of a batch: the tasks of its jobs are locked in the order of their IDs and loaded in one round
//! trip, the jobs run in memory, and their changes are written in one more. If all tasks are cached, both are
//! one: the writes tell whether the cached tasks are current, before the commit.

use std::collections::{BTreeSet, HashMap, HashSet};

use longhaul_model::{TaskId, Timestamp};
use tokio::{join, try_join};
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::Shared;
use super::claims;
use super::held::{Held, Loaded, Was, Writes};
use super::job::{Done, Job};
use super::keys::Keys;
use super::logs::Logs;
use super::rows::{self, HISTORY, Place, Row};
use super::sql::{column, execute, failed, query};
use super::tally::Tally;
use super::together::Together;
use super::turn::GLANCE;
use crate::cache::Cache;
use crate::changes::Pending;
use crate::counters::Counters;
use crate::error::StoreError;
use crate::postgres::audit::Notes;
use crate::store::Commit;
use crate::stored::Stored;

/// Largest count of further looks for tasks that were in neither table.
const LOOKS: usize = 3;

/// Jobs of one transaction.
pub(super) struct Batch<'a> {
    pub(super) db: &'a deadpool_postgres::Client,
    pub(super) shared: &'a Shared,
    cache: &'a mut Cache<Loaded>,
    pub(super) now: Timestamp,
    pub(super) tasks: HashMap<TaskId, Held>,
    /// Tasks that do not exist.
    pub(super) missing: HashSet<TaskId>,
    /// Tasks that cannot be read, with the reason.
    pub(super) damaged: HashMap<TaskId, String>,
    /// Reason why the whole transaction cannot be written: a job's change to a task is lost.
    pub(super) spoilt: Option<String>,
    pub(super) keys: Keys,
    pub(super) logs: Logs,
    pub(super) notes: Notes,
    pub(super) counters: Counters,
    /// Tasks that the jobs changed.
    pub(super) changes: Pending,
    /// True once they are written, if there are any.
    has_changed: bool,
    tally: Tally,
    pub(super) commits: Vec<Commit>,
    /// Claims that tasks request and release: settled once all jobs are done.
    pub(super) claims: claims::Open,
    /// Tasks whose claims are granted, and that are told in a transaction of their own.
    pub(super) granted: Vec<TaskId>,
}

/// Transaction before its commit.
pub(super) struct Written {
    pub(super) commits: Vec<Commit>,
    /// True if tasks changed.
    pub(super) changed: bool,
    pub(super) done: Vec<Done>,
    pub(super) kept: Vec<(TaskId, Loaded)>,
    /// Counts of the transaction, with the row's mark.
    pub(super) tally: Tally,
    /// Tasks whose claims are granted, and that are still to be told.
    pub(super) granted: Vec<TaskId>,
    /// Claims left for another transaction to look at.
    pub(super) left: claims::Left,
}

impl<'a> Batch<'a> {
    /// Begins a transaction, runs the jobs and writes their changes; the caller commits.
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
            spoilt: None,
            keys: Keys::default(),
            logs: Logs::default(),
            notes: Notes::default(),
            counters: Counters::default(),
            changes: Pending::default(),
            has_changed: false,
            tally,
            commits: Vec::new(),
            claims: claims::Open::default(),
            granted: Vec::new(),
        };
        // A prepared statement is sent when its future is first polled, an unprepared one only when the
        // answer to its preparation arrives. Statements that must be sent in a certain order are therefore
        // prepared first, and joined with `biased`.
        let (glance, confirmation) = (prepared(db, GLANCE).await?, prepared(db, CONFIRM).await?);
        let newest = jobs.iter().any(|job| matches!(job, Job::Submit(submission, _) if submission.newest));
        let open = async {
            let begin = async { db.batch_execute("BEGIN").await };
            if !newest {
                return begin.await.map_err(failed);
            }
            let turn = [&shared.turn.number as &(dyn ToSql + Sync)];
            let (_, rows) = try_join!(biased; begin, db.query(&glance, &turn)).map_err(failed)?;
            shared.opened(&rows)
        };
        let ids: BTreeSet<TaskId> = jobs.iter().flat_map(Job::tasks).collect();
        let done = match batch.at_hand(&ids) {
            Some(versions) => {
                let known = shared.revision_of_workflows();
                let confirm = confirm(db, &confirmation, &ids, &versions);
                // Statements are sent in this order, without waiting in between: a cached task is almost
                // always current.
                let (confirmed, done) =
                    join!(biased; async { try_join!(biased; open, confirm) }, batch.run_all(jobs));
                let ((), as_stored) = confirmed?;
                if !as_stored || shared.revision_of_workflows() != known {
                    return Err(StoreError::Conflict("what was at hand has changed".to_owned()));
                }
                done?
            }
            None => {
                try_join!(biased; open, batch.load(ids))?;
                batch.run_all(jobs).await?
            }
        };
        let Batch { tasks, mut commits, has_changed, tally, granted, claims, .. } = batch;
        let last: HashMap<TaskId, usize> =
            commits.iter().enumerate().map(|(n, commit)| (commit.id, n)).collect();
        let mut kept = Vec::with_capacity(tasks.len());
        for (id, held) in tasks {
            match held.into_loaded() {
                Ok(loaded) => kept.push((id, loaded)),
                Err(at_rest) => {
                    if let Some(n) = last.get(&id) {
                        commits[*n].at_rest = Some(at_rest.at_rest());
                    }
                }
            }
        }
        Ok(Written { commits, changed: has_changed, done, kept, tally, granted, left: claims.into_left() })
    }

    /// Takes tasks out of the cache if all of them are there: with the versions that they have if nobody else
    /// changed them.
    fn at_hand(&mut self, ids: &BTreeSet<TaskId>) -> Option<Vec<i64>> {
        if !ids.iter().all(|id| self.cache.has(*id)) {
            return None;
        }
        let mut versions = Vec::with_capacity(ids.len());
        for id in ids {
            let loaded = self.cache.take(*id)?;
            versions.push(loaded.version);
            self.tasks.insert(*id, Held::new(loaded, Was::Hot));
        }
        Some(versions)
    }

    /// Runs the jobs and writes their changes.
    async fn run_all(&mut self, jobs: &[Job]) -> Result<Vec<Done>, StoreError> {
        self.keys.take(self.db, jobs, self.now).await?;
        let mut done = Vec::with_capacity(jobs.len());
        for job in jobs {
            done.push(self.job(job).await?);
        }
        self.hand_on().await?;
        if let Some(why) = self.spoilt.take() {
            return Err(StoreError::Corrupt(why));
        }
        self.refresh(&mut done);
        self.write().await?;
        Ok(done)
    }

    /// Refreshes the answers of tasks whose claims were granted after their jobs were done.
    fn refresh(&self, done: &mut [Done]) {
        for done in done {
            if let Done::Submitted(Ok(submitted)) = done
                && let Stored::Own(record) = &mut submitted.task
                && self.claims.was_told(record.id)
                && let Some(held) = self.tasks.get(&record.id)
            {
                **record = held.loaded.task.record().clone();
            }
        }
    }

    /// Locks tasks and loads those that are not cached in the newest version.
    pub(super) async fn load(&mut self, ids: BTreeSet<TaskId>) -> Result<(), StoreError> {
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
            // Cached tasks that have changed, or moved between the tables meanwhile.
            cached.clear();
        }
        self.missing.extend(wanted);
        Ok(())
    }

    /// Looks for tasks in one round trip; returns those that are to be looked for once more.
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
               CASE WHEN h.version = k.version THEN '' ELSE h.doc END, h.status
             FROM unnest($1::uuid[], $2::bigint[]) AS k (id, version) JOIN hot h ON h.id = k.id
             ORDER BY h.id FOR UPDATE OF h";
        let history = format!("SELECT {HISTORY} FROM history WHERE id = ANY($1) ORDER BY id FOR UPDATE");
        let specs = "SELECT id, doc FROM specs WHERE id = ANY($1)";
        let outputs = "SELECT id, sub_task, doc FROM outputs WHERE id = ANY($1)";
        let chunks = "SELECT id, doc FROM chunks WHERE id = ANY($1) ORDER BY id, n";
        let db = self.db;
        let (found, resting, mut parts) = if unknown.is_empty() {
            (query(db, hot, &[&ids, &versions]).await?, Vec::new(), rows::Parts::new(&[], &[], &[])?)
        } else {
            // A task must be read as of the moment its row is locked, so the lock is sent first. On a
            // connection where a statement is new, that order is certain only if all of them are prepared by
            // now.
            let (hot, history) = (prepared(db, hot).await?, prepared(db, &history).await?);
            let (specs, outputs) = (prepared(db, specs).await?, prepared(db, outputs).await?);
            let chunks = prepared(db, chunks).await?;
            let locked: [&(dyn ToSql + Sync); 2] = [&ids, &versions];
            let of: [&(dyn ToSql + Sync); 1] = [&unknown];
            let (found, resting, specs, outputs, chunks) = try_join!(
                biased;
                db.query(&hot, &locked),
                db.query(&history, &of),
                db.query(&specs, &of),
                db.query(&outputs, &of),
                db.query(&chunks, &of)
            )
            .map_err(failed)?;
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
                // An imported task accepts no command.
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

    /// Writes all changes: the tables of most transactions in one statement, the rest in one for each table,
    /// sent without waiting in between and in no certain order, as no two of them change the same row.
    async fn write(&mut self) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        for held in self.tasks.values_mut() {
            writes.add(held, &mut self.counters)?;
        }
        let db = self.db;
        let mut tally = self.tally.count(db, &mut self.counters, self.notes.count()).await?;
        let (place, _) = tally.mark();
        let changed = tally.changes.row(place, &mut self.changes, self.now);
        let cells = tally.cells()?;
        let mut together = Together::default();
        if !writes.gone_from_hot.is_empty() {
            together.add("DELETE FROM hot WHERE id = ANY($1)", &[&writes.gone_from_hot]);
        }
        writes.hot.insert_hot(&mut together);
        writes.to_history.insert(&mut together);
        writes.updates.write(&mut together);
        writes.new_specs.insert_specs(&mut together);
        tally.insert(&cells, &mut together);
        if let Some(changed) = &changed {
            changed.insert(&mut together);
        }
        let seldom = async {
            try_join!(
                gone(db, "DELETE FROM history WHERE id = ANY($1)", &writes.gone_from_history),
                writes.history.write(db),
                writes.specs.write_specs(db),
                writes.chunks.write(db, "chunks", "n"),
                writes.outputs.write(db, "outputs", "sub_task"),
                writes.attempts.write_attempts(db),
            )
        };
        let rest = async {
            try_join!(
                self.logs.write(db),
                self.notes.write(db),
                self.keys.forget_old(db, self.shared.env.lived())
            )
        };
        try_join!(together.run(db), seldom, rest)?;
        (self.tally, self.has_changed) = (tally, changed.is_some());
        Ok(())
    }
}

async fn prepared(db: &deadpool_postgres::Client, statement: &str) -> Result<Statement, StoreError> {
    db.prepare_cached(statement).await.map_err(failed)
}

async fn gone(db: &deadpool_postgres::Client, statement: &str, ids: &[Uuid]) -> Result<(), StoreError> {
    if ids.is_empty() { Ok(()) } else { execute(db, statement, &[&ids]).await.map(drop) }
}

/// Statement that locks active tasks, in the order of their IDs, where they have these versions.
const CONFIRM: &str = "SELECT count(*) FROM (
       SELECT 1 FROM unnest($1::uuid[], $2::bigint[]) AS k (id, version)
       JOIN hot h ON h.id = k.id AND h.version = k.version ORDER BY h.id FOR UPDATE OF h) AS locked";

/// Returns true if all tasks have these versions.
async fn confirm(
    db: &deadpool_postgres::Client,
    statement: &Statement,
    ids: &BTreeSet<TaskId>,
    versions: &[i64],
) -> Result<bool, StoreError> {
    if ids.is_empty() {
        return Ok(true);
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let row = db.query_one(statement, &[&ids, &versions]).await.map_err(failed)?;
    Ok(column::<i64>(&row, 0)? == ids.len() as i64)
}
