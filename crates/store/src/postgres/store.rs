//! The store's trait in terms of the parts.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use futures_util::future::BoxFuture;
use longhaul_metrics::Family;
use longhaul_model::workflow::{Definition, Workflow};
use longhaul_model::{Attempt, Command, Spec, TaskId, TaskStatus, Timestamp, Token, WorkflowVersion};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::job::{Answer, Job, Log};
use super::patience::TRIES;
use super::sql::{column, late, number, query};
use super::turn::Standing;
use super::{
    Postgres, Shared, audit, changes, claims, compare, errand, import, list, logs, nodes, outputs, purge,
    rows, settings, takeover, timeline, workflows,
};
use crate::attempts;
use crate::audit::{Audit, AuditPage, AuditQuery};
use crate::changes::{Changes, Position};
use crate::error::StoreError;
use crate::health::Health;
use crate::locks::{Lock, LockPage, LockQuery, Sweep};
use crate::logs::{LogChunk, LogLine, LogQuery};
use crate::lost;
use crate::nodes::KnownNode;
use crate::peers::{News, Stale, To};
use crate::query::TaskQuery;
use crate::store::{CommitSink, Store, Submission, Work};
use crate::stored::*;

/// Maximum wait of a caller for a change: for a transaction under way, one that fails at its deadline, and
/// its own.
const ANSWER: Duration = Duration::from_secs(15);
/// Maximum time for an orderly close; the writer's own limit is shorter.
const CLOSE: Duration = Duration::from_secs(8);
/// Maximum time for the store's parts to end after that.
const END: Duration = Duration::from_secs(4);

impl Postgres {
    async fn ask<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T, StoreError> {
        let closed = || StoreError::Unavailable("the server is stopping".to_owned());
        let (answer, answered) = oneshot::channel();
        let answered = async {
            self.jobs.send(job(answer)).await.map_err(|_| closed())?;
            answered.await.map_err(|_| closed())?
        };
        timeout(ANSWER, answered).await.unwrap_or_else(|_| {
            Err(late("the database has not answered; whether the change was made is not known"))
        })
    }

    /// Runs a function with its arguments in a transaction of its own, with an audit entry.
    pub(super) async fn errand<C, T, F>(
        &self,
        note: Option<Audit>,
        given: C,
        work: F,
    ) -> Result<T, StoreError>
    where
        C: Clone + Send + Sync + 'static,
        T: Send + 'static,
        F: for<'a> Fn(&'a Transaction<'a>, C, Timestamp) -> BoxFuture<'a, Result<T, StoreError>>
            + Send
            + Sync
            + 'static,
    {
        let shared = self.shared.clone();
        self.driven(async move { errand::run(&shared, note, given, work).await }).await
    }

    /// Awaits work of the store's own threads: to its end, also when the caller goes away.
    async fn driven<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = self.handle.spawn(work).await;
        done.map_err(|e| StoreError::Unavailable(format!("the store was interrupted: {e}")))?
    }

    /// Identity of the logs of changes: of the database and its timeline.
    fn lineage(&self) -> String {
        let storage = match self.shared.storage.get() {
            Some(known) => known.clone(),
            None => match self.storage_id() {
                Some(found) => self.shared.storage.get_or_init(|| found).clone(),
                None => String::new(),
            },
        };
        format!("{storage}/{}", self.timeline())
    }

    /// Timeline of the database; 0 if the database does not tell. It is asked unless a writer has learned it:
    /// positions from before and after that must be of the same lineage.
    fn timeline(&self) -> i64 {
        let known = || *self.shared.timeline.lock();
        if known() == 0 {
            let asked = self.read(move |db, _| Box::pin(async move { Ok(timeline::read(db).await) }));
            self.shared.on_timeline(asked.ok().flatten());
        }
        known()
    }

    fn known(&self) -> Arc<Shared> {
        self.shared.clone()
    }
}

#[async_trait]
impl Store for Postgres {
    fn attach(&self, sink: Arc<dyn CommitSink>) {
        *self.shared.sink.write() = Some(sink);
    }

    async fn submit(&self, submission: Submission) -> Result<Submitted, StoreError> {
        self.ask(|answer| Job::Submit(Box::new(submission), answer)).await
    }

    async fn command(&self, id: TaskId, command: Command, note: Option<Audit>) -> Result<(), StoreError> {
        self.ask(|answer| Job::Command(id, Box::new(command), Some((answer, note.map(Box::new))))).await
    }

    async fn post(&self, id: TaskId, command: Command) {
        // The store is closed: unrecorded results are recovered at the next start.
        let _ = self.jobs.send(Job::Command(id, Box::new(command), None)).await;
    }

    async fn work(&self, work: Work) -> Result<Worked, StoreError> {
        self.ask(|answer| Job::Work(work, answer)).await
    }

    async fn recover(&self) -> Result<u64, StoreError> {
        // Everything is recovered, whoever else does it: no other node may take over what a transfer moved
        // here.
        let (shared, jobs) = (self.known(), self.jobs.clone());
        let round = self.driven(async move {
            let mut tries = 0;
            loop {
                match takeover::round(&shared, &jobs, (1, 0)).await {
                    // Other nodes do the same.
                    Err(StoreError::Conflict(_)) if tries < TRIES => tries += 1,
                    done => return done,
                }
            }
        });
        round.await.map(|round| round.recovered)
    }

    fn recovers_behind(&self) -> bool {
        true
    }

    fn takes_over(&self) -> bool {
        self.shared.turn.has_left()
    }

    async fn recover_first(&self, tasks: &[TaskId]) -> Result<(), StoreError> {
        let (shared, jobs) = (self.known(), self.jobs.clone());
        let tasks: Vec<uuid::Uuid> = tasks.iter().map(|id| id.0).collect();
        self.driven(async move { takeover::these(&shared, &jobs, &tasks).await }).await
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<TaskId>, StoreError> {
        if self.shared.turn.agenda.has_nothing_due(now) {
            return Ok(Vec::new());
        }
        let (share, damaged) = (self.shared.turn.share(), self.shared.damaged.all());
        self.read(move |db, _| Box::pin(async move { list::due(db, now, limit, share, &damaged).await }))
    }

    fn get(&self, id: TaskId) -> Result<Stored, StoreError> {
        let small = self.read(move |db, known| {
            Box::pin(async move {
                let row = rows::find(db, id).await?.ok_or(StoreError::NotFound)?;
                if row.is_large() { Ok(None) } else { row.stored(db, known).await.map(Some) }
            })
        })?;
        match small {
            Some(stored) => Ok(stored),
            // Many statements, and they must be of one moment.
            None => self.snapshot(move |db, known| {
                Box::pin(async move {
                    rows::find(db, id).await?.ok_or(StoreError::NotFound)?.stored(db, known).await
                })
            }),
        }
    }

    fn get_short(&self, id: TaskId) -> Result<Stored, StoreError> {
        self.snapshot(move |db, known| {
            Box::pin(async move {
                let row = rows::find(db, id).await?.ok_or(StoreError::NotFound)?;
                row.listed(db, known, &mut 0).await
            })
        })
    }

    fn list(&self, query: &TaskQuery) -> Result<Page, StoreError> {
        let query = query.clone();
        self.snapshot(move |db, known| Box::pin(async move { list::list(db, known, &query).await }))
    }

    fn change_position(&self) -> Result<Position, StoreError> {
        let lineage = self.lineage();
        self.read(move |db, _| Box::pin(async move { changes::position(db, lineage).await }))
    }

    fn changes(&self, after: &Position, limit: u32) -> Result<Option<Changes>, StoreError> {
        let (lineage, after) = (self.lineage(), after.clone());
        self.read(move |db, _| Box::pin(async move { changes::after(db, lineage, &after, limit).await }))
    }

    fn ids_like(&self, digits: &str, limit: u32) -> Result<Vec<TaskId>, StoreError> {
        let digits = digits.to_owned();
        self.read(move |db, _| Box::pin(async move { list::ids_like(db, &digits, limit).await }))
    }

    fn spec(&self, id: TaskId) -> Result<Option<Spec>, StoreError> {
        self.read(move |db, _| {
            Box::pin(async move {
                rows::check(db, id).await?;
                rows::spec(db, id).await
            })
        })
    }

    fn outputs(&self, id: TaskId) -> Result<Vec<(u32, Value)>, StoreError> {
        self.read(move |db, _| {
            Box::pin(async move {
                rows::check(db, id).await?;
                rows::outputs(db, id).await
            })
        })
    }

    fn attempts(&self, id: TaskId) -> Result<Vec<Attempt>, StoreError> {
        self.snapshot(move |db, known| {
            Box::pin(async move {
                let row = rows::find(db, id).await?.ok_or(StoreError::NotFound)?;
                let record = match row.stored(db, known).await? {
                    Stored::Own(record) => record,
                    Stored::Imported { .. } => return Ok(Vec::new()),
                    Stored::Damaged(damaged) => return Err(StoreError::Corrupt(damaged.why)),
                };
                let statement = "SELECT sub_task, number, doc FROM attempts WHERE id = $1";
                let found = query(db, statement, &[&id.0]).await?;
                let kept = found.iter().map(|row| {
                    let text = super::sql::column(row, 2).map_err(|e| e.to_string());
                    Ok(attempts::read(number(row, 0)?, number(row, 1)?, text))
                });
                Ok(attempts::whole(kept.collect::<Result<_, StoreError>>()?, &record))
            })
        })
    }

    fn locks(&self, query: &LockQuery) -> Result<LockPage, StoreError> {
        let query = query.clone();
        self.snapshot(move |db, _| Box::pin(async move { claims::list(db, &query).await }))
    }

    async fn sweep_claims(&self) -> Result<Sweep, StoreError> {
        if self.shared.turn.agenda.has_nothing_waiting() {
            *self.claims.lock() = claims::Cursor::default();
            return Ok(Sweep { found: 0, is_through: true });
        }
        let cursor = self.claims.lock().clone();
        let (found, cursor) =
            self.read(move |db, _| Box::pin(async move { claims::stuck(db, cursor).await }))?;
        let is_through = cursor.is_through();
        *self.claims.lock() = if is_through { claims::Cursor::default() } else { cursor };
        let count = found.keys.len() + found.tasks.len();
        if count > 0 {
            let claims::Stuck { keys, tasks } = found;
            let at = claims::Left { keys: keys.into_iter().collect(), tasks: tasks.into_iter().collect() };
            // If the store is closed, others sweep, or the next start does.
            let _ = self.jobs.send(Job::Settle(at)).await;
        }
        Ok(Sweep { found: count, is_through })
    }

    async fn sweep_outputs(&self) -> Result<Sweep, StoreError> {
        let cursor = *self.lost.lock();
        // One statement is one moment: where nothing runs, no transaction is needed to see it.
        if cursor.is_at_start() && self.read(|db, _| Box::pin(outputs::none_runs(db)))? {
            return Ok(Sweep { found: 0, is_through: true });
        }
        let (found, next) =
            self.snapshot(move |db, _| Box::pin(async move { outputs::lost(db, cursor).await }))?;
        *self.lost.lock() = next.unwrap_or_default();
        Ok(Sweep { found: lost::recover(self, found).await?, is_through: next.is_none() })
    }

    fn nodes(&self) -> Result<Vec<KnownNode>, StoreError> {
        let watch = self.shared.turn.watch.clone();
        self.read(move |db, _| Box::pin(async move { nodes::list(db, &watch).await }))
    }

    fn peers(&self) -> usize {
        self.shared.turn.peers()
    }

    fn tell(&self, to: To, news: News) {
        self.shared.say(to, news);
    }

    fn is_in_touch(&self) -> bool {
        self.shared.in_touch.load(Ordering::SeqCst)
    }

    async fn stale(&self, attempts: Vec<(TaskId, u32, Token)>) -> Result<Vec<Stale>, StoreError> {
        let shared = self.known();
        self.driven(async move { compare::stale(&shared, attempts).await }).await
    }

    fn blockers(&self, id: TaskId, most: u32) -> Result<Vec<Lock>, StoreError> {
        self.read(move |db, _| {
            Box::pin(async move {
                rows::check(db, id).await?;
                claims::blockers(db, id, most).await
            })
        })
    }

    async fn write_log(
        &self,
        id: TaskId,
        sub_task: u32,
        attempt: u32,
        lines: Vec<LogLine>,
    ) -> Result<(), StoreError> {
        self.ask(|answer| Job::Log(Log { id, sub_task, attempt, lines }, answer)).await
    }

    fn log(&self, id: TaskId, query: &LogQuery) -> Result<Vec<LogChunk>, StoreError> {
        let query = *query;
        self.read(move |db, _| Box::pin(async move { logs::read(db, id, &query).await }))
    }

    async fn put_workflow(
        &self,
        definition: Definition,
        note: Option<Audit>,
    ) -> Result<WorkflowPut, StoreError> {
        let shared = self.known();
        let (wid, put) = self
            .errand(None, (shared, definition, note), |db, (shared, definition, note), now| {
                Box::pin(async move {
                    let (wid, put) = workflows::put(db, &shared.workflows, definition, now).await?;
                    // The same definition again changes nothing.
                    if let Some(note) = note.filter(|_| put.created) {
                        audit::write(db, errand::ERRANDS, &note, now).await?;
                    }
                    Ok((wid, put))
                })
            })
            .await?;
        self.shared.workflows.committed(wid, &put.workflow);
        Ok(put)
    }

    async fn delete_workflow(&self, name: &str, note: Option<Audit>) -> Result<(), StoreError> {
        self.errand(note, name.to_owned(), |db, name, _| {
            Box::pin(async move { workflows::hide(db, &name).await })
        })
        .await?;
        self.shared.workflows.removed(name);
        Ok(())
    }

    fn workflow(&self, name: &str, version: Option<WorkflowVersion>) -> Result<Arc<Workflow>, StoreError> {
        if let Some((_, workflow)) = self.shared.workflows.at_hand(name, version) {
            return Ok(workflow);
        }
        let name = name.to_owned();
        self.read(move |db, known| {
            Box::pin(async move { Ok(workflows::find(db, known, &name, version).await?.1) })
        })
    }

    fn workflows(&self) -> Result<Vec<WorkflowSummary>, StoreError> {
        self.snapshot(|db, known| Box::pin(async move { workflows::list(db, known).await }))
    }

    async fn import(
        &self,
        tasks: Vec<ImportedTask>,
        note: Option<Audit>,
    ) -> Result<ImportOutcome, StoreError> {
        let shared = self.known();
        self.errand(note, (shared, Arc::new(tasks)), |db, (shared, tasks), now| {
            Box::pin(async move { import::import(db, &shared, &tasks, now).await })
        })
        .await
    }

    async fn delete_history(
        &self,
        tasks: Vec<TaskId>,
        note: Option<Audit>,
    ) -> Result<Vec<(TaskId, Deletion)>, StoreError> {
        let shared = self.known();
        self.errand(note, (shared, tasks), |db, (shared, tasks), now| {
            Box::pin(async move { purge::named(db, &shared, &tasks, now).await })
        })
        .await
    }

    async fn purge(
        &self,
        before: Timestamp,
        from: Option<(Timestamp, TaskId)>,
        limit: u32,
    ) -> Result<Purged, StoreError> {
        let shared = self.known();
        self.errand(None, shared, move |db, shared, now| {
            Box::pin(async move { purge::aged(db, &shared, before, from, limit, now).await })
        })
        .await
    }

    fn storage_id(&self) -> Option<String> {
        let found = self.read(move |db, _| {
            Box::pin(async move {
                let rows = query(db, settings::STORAGE_ID, &[]).await?;
                rows.first().map(|row| column::<&str>(row, 0).map(str::to_owned)).transpose()
            })
        });
        // A role that may not ask is no reason to refuse a start.
        found
            .inspect_err(|e| tracing::debug!(error = %e, "the database does not say which one it is"))
            .ok()
            .flatten()
    }

    fn setting(&self, name: &str) -> Result<Option<Value>, StoreError> {
        let name = name.to_owned();
        self.read(move |db, _| Box::pin(async move { settings::get(db, &name).await }))
    }

    async fn put_setting(&self, name: &str, value: Value, note: Option<Audit>) -> Result<(), StoreError> {
        self.errand(note, (name.to_owned(), value), |db, (name, value), _| {
            Box::pin(async move { settings::put(db, &name, &value).await })
        })
        .await
    }

    async fn merge_setting(
        &self,
        name: &str,
        patch: Value,
        note: Option<Audit>,
    ) -> Result<Value, StoreError> {
        self.errand(note, (name.to_owned(), patch), |db, (name, patch), _| {
            Box::pin(async move { settings::merge(db, &name, patch).await })
        })
        .await
    }

    async fn note(&self, note: Audit) -> Result<(), StoreError> {
        self.errand(Some(note), (), |_, (), _| Box::pin(async { Ok(()) })).await
    }

    fn audit(&self, query: &AuditQuery) -> Result<AuditPage, StoreError> {
        let query = query.clone();
        self.snapshot(move |db, _| Box::pin(async move { audit::page(db, &query).await }))
    }

    async fn prune_audit(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.errand(None, (), move |db, (), _| {
            Box::pin(async move { audit::prune(db, errand::ERRANDS, before, limit).await })
        })
        .await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.ask(Job::Flush).await
    }

    fn stats(&self) -> Result<Stats, StoreError> {
        self.snapshot(|db, _| Box::pin(async move { stats(db).await }))
    }

    fn is_writable(&self) -> bool {
        self.shared.turn.standing() == Standing::Active && !self.jobs.is_closed()
    }

    fn health(&self) -> Health {
        self.shared.vitals.health(self.shared.turn.standing())
    }

    fn families(&self) -> Vec<Family> {
        self.shared.meters.families()
    }

    async fn close(&self) {
        self.shared.closing.notify_one();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        let mut tasks = tasks.into_iter();
        let mut writer = tasks.next();
        if let Some(writer) = &mut writer
            && timeout(CLOSE, &mut *writer).await.is_err()
        {
            tracing::warn!("the database does not answer: the store closes all the same");
        }
        self.shared.turn.set(Standing::Closed);
        if let Some(writer) = writer.filter(|writer| !writer.is_finished())
            && timeout(END, writer).await.is_err()
        {
            tracing::error!("the writer does not end");
        }
        // The session's keeper, which ends the session; the others go on for ever.
        if let Some(keeper) = tasks.next() {
            let _ = timeout(END, keeper).await;
        }
        tasks.for_each(|task| task.abort());
        self.shared.pool.close();
        *self.shared.sink.write() = None;
    }
}

async fn stats(db: &impl deadpool_postgres::GenericClient) -> Result<Stats, StoreError> {
    let statement =
        "SELECT status, sum(n)::bigint FROM counted WHERE resource_kind = '' GROUP BY status ORDER BY status";
    let mut tasks = Vec::new();
    for row in &query(db, statement, &[]).await? {
        let code: i16 = super::sql::column(row, 0)?;
        let n: i64 = super::sql::column(row, 1)?;
        if let Some(status) = u8::try_from(code).ok().and_then(TaskStatus::from_code) {
            tasks.push((status, n.max(0) as u64));
        }
    }
    let size = query(db, "SELECT pg_database_size(current_database())", &[]).await?;
    let bytes = size.first().map_or(Ok(0), |row| super::sql::column::<i64>(row, 0))?;
    Ok(Stats { tasks, bytes: bytes.max(0) as u64, wal_bytes: None })
}
