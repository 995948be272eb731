//! SQLite engine: an embedded database in one file, one writer thread with group commit, readers beside it.

mod accounts;
mod answers;
mod attempts;
mod audit;
mod backup;
mod batch;
mod brake;
mod change;
mod changes;
pub(crate) mod check;
mod checkpoint;
mod claims;
mod condition;
mod counters;
mod doomed;
mod errand;
mod failed;
mod functions;
mod gate;
mod import;
mod keys;
mod lenient;
mod list;
mod logs;
mod need;
mod open;
mod outputs;
mod purge;
mod queue;
mod readers;
mod repeats;
mod reserve;
mod restore;
mod rows;
mod seal;
mod settings;
mod space;
mod transaction;
pub(crate) mod transfer;
mod work;
mod workflows;
mod writer;

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use longhaul_metrics::Family;
use longhaul_model::workflow::{Definition, Workflow};
use longhaul_model::{Attempt, Command, Env, Spec, TaskId, TaskStatus, Timestamp, WorkflowVersion};
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub use backup::backup;
pub use restore::{Restored, restore};

use crate::audit::{Audit, AuditPage, AuditQuery};
use crate::changes::{Changes, Position};
use crate::error::StoreError;
use crate::health::Health;
use crate::locks::{Lock, LockPage, LockQuery, Sweep};
use crate::logs::{LogChunk, LogLine, LogQuery};
use crate::lost;
use crate::query::TaskQuery;
use crate::store::{CommitSink, Store, Submission, Work};
use crate::stored::*;
use failed::sql;
use need::Need;
use readers::Readers;
use writer::{Answer, Job, Shared, Writer};

/// Longest wait of a caller until the writer begins its job.
const PATIENCE: Duration = Duration::from_secs(10);
/// Further wait of a caller for the end of a job that was begun.
const LAST: Duration = Duration::from_secs(5);
/// Time for the writer to finish accepted jobs when the store closes.
const FINISHING: Duration = Duration::from_secs(5);
/// Further wait of the close for a storage that is still blocked.
const LETTING_GO: Duration = Duration::from_secs(2);
/// Number of tasks recovered at once.
const RECOVERED_AT_ONCE: usize = 256;

/// A store in one SQLite file.
pub struct Sqlite {
    directory: PathBuf,
    shared: Arc<Shared>,
    readers: Readers,
    /// Identity of the log of changes, which a copy of the file does not have.
    lineage: String,
    /// Number of the first task of this process; earlier ones were accepted by an earlier process, and only
    /// those have anything to recover.
    first_seq: i64,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Position of the sweep of claims.
    claims: Mutex<claims::Cursor>,
    /// Position of the sweep of outputs.
    lost: Mutex<outputs::Cursor>,
    /// Lock of the directory, released at the close, so that the next store may open even while somebody
    /// still holds this one.
    lock: Mutex<Option<open::DirectoryLock>>,
}

impl Sqlite {
    /// Returns true if a data directory has a database that is not empty.
    pub fn is_in(directory: &Path) -> bool {
        std::fs::metadata(open::database(directory)).is_ok_and(|about| about.len() > 0)
    }

    /// Opens the store of a data directory, which is created if need be. Refused while another process has
    /// it. To be called on a runtime, whose threads answer callers. After Ok: on the newest schema. Crash in
    /// the middle: each migration happened whole or not at all.
    pub fn open(directory: &Path, env: Env) -> Result<Arc<Sqlite>, StoreError> {
        let lock = open::lock(directory)?;
        let mut reserve = reserve::Reserve::find(directory);
        let is_full = reserve.is_there() && reserve.is_needed() && reserve.release();
        for lost in check::lost_changes(directory) {
            tracing::error!(
                lost,
                "changes that were confirmed may be lost: `longhaul check` and docs/check.md say what to do"
            );
        }
        let mut connection = open::writer(directory, env.now())?;
        crate::transfer::check_whole(&directory.display().to_string(), |name| {
            transfer::setting(&connection, name)
        })?;
        counters::mend(&connection)?;
        let (next_seq, resting, unrecovered) = resume(&connection)?;
        let changes_end = changes::End::read(&connection)?;
        let shared = Arc::new(Shared {
            workflows: crate::known::Workflows::default(),
            sink: RwLock::new(None),
            signals: Arc::new(checkpoint::Signals::default()),
            damaged: crate::known::Damages::default(),
            meters: crate::meters::Meters::default(),
            queue: queue::Queue::new(),
            condition: condition::Condition::default(),
        });
        shared.signals.watch(&mut connection).map_err(sql)?;
        shared.condition.fills(is_full);
        shared.signals.full.store(is_full, Ordering::Relaxed);
        let (told, mut finished) = mpsc::unbounded_channel::<writer::Finished>();
        let telling = shared.clone();
        tokio::spawn(async move {
            while let Some(mut batch) = finished.recv().await {
                let left = batch.take_left();
                batch.tell(&telling);
                if !left.is_empty() {
                    // If the queue is closed, the sweep finds them after the next start.
                    let _ = telling.queue.put(claims::errand(left, Vec::new()), None).await;
                }
            }
        });
        let writer = Writer {
            connection,
            shared: shared.clone(),
            env,
            cache: crate::cache::Cache::default(),
            counters: crate::counters::Counters::default(),
            changes: crate::changes::Pending::default(),
            changes_end,
            next_seq,
            resting,
            sealing: Vec::new(),
            sealed: Instant::now(),
            unrecovered,
            recovering: Vec::new(),
            repeats: repeats::Repeats::default(),
            left: VecDeque::new(),
            reserve,
            looked: Instant::now(),
            has_doomed: true,
            cleared: Instant::now(),
            regained: Instant::now(),
            patience: Duration::ZERO,
            told,
        };
        let gate = Arc::new(gate::Gate::default());
        let copier = checkpoint::start(directory, shared.signals.clone(), gate.clone())?;
        let writer = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || writer.run())
            .map_err(|e| StoreError::Open(format!("no thread for the writer: {e}")))?;
        Ok(Arc::new(Sqlite {
            directory: directory.to_owned(),
            shared,
            readers: Readers::new(directory.to_owned(), gate),
            lineage: open::storage_id(directory).unwrap_or_default(),
            first_seq: next_seq,
            threads: Mutex::new(vec![writer, copier]),
            claims: Mutex::new(claims::Cursor::default()),
            lost: Mutex::new(outputs::Cursor::default()),
            lock: Mutex::new(Some(lock)),
        }))
    }

    /// Runs a function in the writer's transaction, with an audit entry.
    async fn errand<T: Send + 'static>(
        &self,
        need: Need,
        note: Option<Audit>,
        work: impl FnOnce(&mut Writer, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let work = move |writer: &mut Writer, now| {
            let done = work(writer, now)?;
            if let Some(note) = note {
                audit::write(&writer.connection, &note, now)?;
            }
            Ok(done)
        };
        self.ask(|answer| errand::errand(work, answer, need)).await
    }

    /// Sends the writer a job and waits for the answer. Fails at once while the storage cannot take the job;
    /// no wait is unlimited.
    async fn ask<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job = job(answer);
        self.shared.condition.admit(Need::of(&job))?;
        let until = Instant::now() + PATIENCE;
        let late = |_| StoreError::Unavailable("the storage did not answer in time".to_owned());
        let put = timeout(PATIENCE, self.shared.queue.put(job, Some(until))).await.map_err(late)?;
        put.map_err(|_| writer::stopping())?;
        let left = until.saturating_duration_since(Instant::now()) + LAST;
        timeout(left, answered).await.map_err(late)?.map_err(|_| writer::stopping())?
    }

    fn seq(connection: &rusqlite::Connection, id: TaskId) -> Result<i64, StoreError> {
        rows::find(connection, id)?.map(|row| row.seq).ok_or(StoreError::NotFound)
    }
}

/// Reads the writer's initial state: the next number, the hot tasks that are to be sealed, and the active
/// ones.
fn resume(connection: &rusqlite::Connection) -> Result<(i64, VecDeque<i64>, HashSet<i64>), StoreError> {
    let largest = |table: &str| -> Result<i64, StoreError> {
        let statement = format!("SELECT coalesce(max(seq), 0) FROM {table}");
        connection.query_row(&statement, [], |row| row.get(0)).map_err(sql)
    };
    // Numbers of deleted tasks are not given again: idempotency keys may still name them.
    let floor = settings::get(connection, purge::FLOOR)?.and_then(|value| value.as_i64()).unwrap_or(1);
    let next = (largest("hot")?.max(largest("history")?) + 1).max(floor);
    let mut statement = connection.prepare("SELECT seq, status FROM hot ORDER BY seq").map_err(sql)?;
    let mut rows = statement.query([]).map_err(sql)?;
    let (mut resting, mut active) = (VecDeque::new(), HashSet::new());
    while let Some(row) = rows.next().map_err(sql)? {
        let seq = row.get(0).map_err(sql)?;
        // A task without a valid status is damaged, and is sealed like an ended one.
        if lenient::status(row, 1).map_err(sql)? == Some(TaskStatus::InProgress) {
            active.insert(seq);
        } else {
            resting.push_back(seq);
        }
    }
    Ok((next, resting, active))
}

impl Sqlite {
    /// Recovers these tasks in the writer's next batches. Returns the number of those that needed it.
    async fn recovered(&self, tasks: impl Iterator<Item = TaskId>) -> Result<u64, StoreError> {
        let mut answers = Vec::new();
        for id in tasks {
            let (answer, answered) = oneshot::channel();
            let job = Job::Command(id, Command::Recover { node: None }, Some((answer, None)));
            self.shared.queue.put(job, None).await.map_err(|_| writer::stopping())?;
            answers.push((id, answered));
        }
        let mut recovered = 0;
        for (id, answered) in answers {
            match answered.await {
                Ok(Ok(())) => recovered += 1,
                // The task has ended meanwhile, or is damaged: one bad row never stops the others.
                Ok(Err(StoreError::Refused(_) | StoreError::NotFound)) => {}
                Ok(Err(e @ StoreError::Corrupt(_))) => {
                    tracing::error!(task.id = %id, error = %e, "a task cannot be read and is left as it is");
                }
                Ok(Err(e)) => return Err(e),
                Err(_) => return Err(writer::stopping()),
            }
        }
        Ok(recovered)
    }
}

#[async_trait]
impl Store for Sqlite {
    fn attach(&self, sink: Arc<dyn CommitSink>) {
        *self.shared.sink.write() = Some(sink);
    }

    async fn submit(&self, submission: Submission) -> Result<Submitted, StoreError> {
        self.ask(|answer| Job::Submit(submission, answer)).await
    }

    async fn command(&self, id: TaskId, command: Command, audit: Option<Audit>) -> Result<(), StoreError> {
        self.ask(|answer| Job::Command(id, command, Some((answer, audit.map(Box::new))))).await
    }

    async fn post(&self, id: TaskId, command: Command) {
        // The store is closed: unrecorded results are recovered at the next start.
        let _ = self.shared.queue.put(Job::Command(id, command, None), None).await;
    }

    async fn work(&self, work: Work) -> Result<Worked, StoreError> {
        self.ask(|answer| Job::Work(work, answer)).await
    }

    async fn recover(&self) -> Result<u64, StoreError> {
        // Tasks that have not started have nothing to lose, and the sweep finds what is due.
        let running = TaskStatus::InProgress.code();
        let (mut last, mut recovered) = (0, 0);
        loop {
            let tasks: Vec<(i64, Option<TaskId>)> = self.readers.with(|connection| {
                let mut statement = connection
                    .prepare_cached("SELECT seq, id FROM hot WHERE seq > ? AND seq < ? AND status = ? ORDER BY seq LIMIT ?")
                    .map_err(sql)?;
                let parameters = rusqlite::params![last, self.first_seq, running, RECOVERED_AT_ONCE as i64];
                let rows = statement
                    .query_map(parameters, |row| Ok((row.get(0)?, lenient::id(row, 1)?)))
                    .map_err(sql)?;
                rows.collect::<Result<_, _>>().map_err(sql)
            })?;
            let Some((newest, _)) = tasks.last() else { return Ok(recovered) };
            last = *newest;
            recovered += self.recovered(tasks.into_iter().filter_map(|(_, id)| id)).await?;
        }
    }

    fn recovers_behind(&self) -> bool {
        true
    }

    async fn recover_first(&self, tasks: &[TaskId]) -> Result<(), StoreError> {
        self.recovered(tasks.iter().copied()).await.map(drop)
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<TaskId>, StoreError> {
        let damaged = self.shared.damaged.all();
        self.readers.with(|connection| list::due(connection, now, limit, &damaged))
    }

    fn get(&self, id: TaskId) -> Result<Stored, StoreError> {
        let small = self.readers.with(|connection| {
            let row = rows::find(connection, id)?.ok_or(StoreError::NotFound)?;
            (!row.is_large()).then(|| row.stored(connection, &self.shared.workflows)).transpose()
        })?;
        match small {
            Some(stored) => Ok(stored),
            // Many statements, and they must be of one moment.
            None => self.readers.snapshot(|connection| {
                let row = rows::find(connection, id)?.ok_or(StoreError::NotFound)?;
                row.stored(connection, &self.shared.workflows)
            }),
        }
    }

    fn get_short(&self, id: TaskId) -> Result<Stored, StoreError> {
        self.readers.snapshot(|connection| {
            let row = rows::find(connection, id)?.ok_or(StoreError::NotFound)?;
            row.listed(connection, &self.shared.workflows, &mut 0)
        })
    }

    fn list(&self, query: &TaskQuery) -> Result<Page, StoreError> {
        self.readers.long(|connection| list::list(connection, &self.shared.workflows, query))
    }

    fn change_position(&self) -> Result<Position, StoreError> {
        self.readers.with(|connection| changes::position(connection, self.lineage.clone()))
    }

    fn changes(&self, after: &Position, limit: u32) -> Result<Option<Changes>, StoreError> {
        self.readers.snapshot(|connection| changes::after(connection, self.lineage.clone(), after, limit))
    }

    fn ids_like(&self, digits: &str, limit: u32) -> Result<Vec<TaskId>, StoreError> {
        self.readers.long(|connection| list::ids_like(connection, digits, limit))
    }

    fn spec(&self, id: TaskId) -> Result<Option<Spec>, StoreError> {
        self.readers.with(|connection| rows::spec(connection, Sqlite::seq(connection, id)?))
    }

    fn outputs(&self, id: TaskId) -> Result<Vec<(u32, Value)>, StoreError> {
        self.readers.with(|connection| rows::outputs(connection, Sqlite::seq(connection, id)?))
    }

    fn attempts(&self, id: TaskId) -> Result<Vec<Attempt>, StoreError> {
        self.readers.snapshot(|connection| attempts::attempts(connection, &self.shared.workflows, id))
    }

    fn locks(&self, query: &LockQuery) -> Result<LockPage, StoreError> {
        self.readers.long(|connection| claims::list(connection, query))
    }

    fn blockers(&self, id: TaskId, most: u32) -> Result<Vec<Lock>, StoreError> {
        self.readers.with(|connection| {
            let seq = rows::seq(connection, id)?.ok_or(StoreError::NotFound)?;
            claims::blockers(connection, seq, most)
        })
    }

    async fn sweep_claims(&self) -> Result<Sweep, StoreError> {
        let mut cursor = self.claims.lock().clone();
        let found = self.readers.snapshot(|connection| claims::stuck(connection, &mut cursor))?;
        let is_through = cursor.is_through();
        *self.claims.lock() = if is_through { claims::Cursor::default() } else { cursor };
        let claims::Stuck { keys, tasks } = found;
        let count = keys.len() + tasks.len();
        if count > 0 {
            // If the queue is closed, the next start sweeps again.
            let _ = self.shared.queue.put(claims::errand(keys, tasks), None).await;
        }
        Ok(Sweep { found: count, is_through })
    }

    async fn sweep_outputs(&self) -> Result<Sweep, StoreError> {
        let cursor = *self.lost.lock();
        let (found, next) = self.readers.long(|connection| outputs::lost(connection, cursor))?;
        *self.lost.lock() = next.unwrap_or_default();
        Ok(Sweep { found: lost::recover(self, found).await?, is_through: next.is_none() })
    }

    async fn write_log(
        &self,
        id: TaskId,
        sub_task: u32,
        attempt: u32,
        lines: Vec<LogLine>,
    ) -> Result<(), StoreError> {
        self.errand(Need::Room, None, move |writer, _| logs::write(writer, id, sub_task, attempt, &lines))
            .await
    }

    fn log(&self, id: TaskId, query: &LogQuery) -> Result<Vec<LogChunk>, StoreError> {
        self.readers.with(|connection| logs::read(connection, id, query))
    }

    async fn put_workflow(
        &self,
        definition: Definition,
        audit: Option<Audit>,
    ) -> Result<WorkflowPut, StoreError> {
        self.ask(|answer| Job::PutWorkflow(Box::new(definition), audit, answer)).await
    }

    async fn delete_workflow(&self, name: &str, audit: Option<Audit>) -> Result<(), StoreError> {
        self.ask(|answer| Job::DeleteWorkflow(name.to_owned(), audit, answer)).await
    }

    fn workflow(&self, name: &str, version: Option<WorkflowVersion>) -> Result<Arc<Workflow>, StoreError> {
        if version.is_none()
            && let Some(workflow) = self.shared.workflows.newest(name)
        {
            return Ok(workflow);
        }
        self.readers.with(|connection| Ok(self.shared.workflows.find(connection, name, version)?.1))
    }

    fn workflows(&self) -> Result<Vec<WorkflowSummary>, StoreError> {
        self.readers.snapshot(|connection| self.shared.workflows.list(connection))
    }

    async fn import(
        &self,
        tasks: Vec<ImportedTask>,
        audit: Option<Audit>,
    ) -> Result<ImportOutcome, StoreError> {
        let (mut tasks, mut audit) = (tasks.into_iter(), audit);
        let mut outcome = ImportOutcome::default();
        loop {
            let slice: Vec<ImportedTask> = tasks.by_ref().take(import::SLICE).collect();
            let done = self.errand(Need::Room, audit.take(), move |writer, _| import::slice(writer, &slice));
            outcome.add(done.await?);
            if tasks.len() == 0 {
                return Ok(outcome);
            }
        }
    }

    async fn delete_history(
        &self,
        tasks: Vec<TaskId>,
        audit: Option<Audit>,
    ) -> Result<Vec<(TaskId, Deletion)>, StoreError> {
        self.errand(Need::WayOut, audit, move |writer, _| purge::named(writer, &tasks)).await
    }

    async fn purge(
        &self,
        before: Timestamp,
        from: Option<(Timestamp, TaskId)>,
        limit: u32,
    ) -> Result<Purged, StoreError> {
        self.errand(Need::WayOut, None, move |writer, _| purge::aged(writer, before, from, limit)).await
    }

    fn storage_id(&self) -> Option<String> {
        open::storage_id(&self.directory)
    }

    fn setting(&self, name: &str) -> Result<Option<Value>, StoreError> {
        self.readers.with(|connection| settings::get(connection, name))
    }

    async fn put_setting(&self, name: &str, value: Value, audit: Option<Audit>) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.errand(Need::Room, audit, move |writer, _| settings::put(&writer.connection, &name, &value))
            .await
    }

    async fn merge_setting(
        &self,
        name: &str,
        patch: Value,
        audit: Option<Audit>,
    ) -> Result<Value, StoreError> {
        let name = name.to_owned();
        self.errand(Need::Room, audit, move |writer, _| settings::merge(&writer.connection, &name, patch))
            .await
    }

    async fn note(&self, audit: Audit) -> Result<(), StoreError> {
        self.errand(Need::Room, Some(audit), |_, _| Ok(())).await
    }

    fn audit(&self, query: &AuditQuery) -> Result<AuditPage, StoreError> {
        self.readers.long(|connection| audit::page(connection, query))
    }

    async fn prune_audit(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.errand(Need::WayOut, None, move |writer, _| audit::prune(&writer.connection, before, limit))
            .await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        let done = |writer: &mut Writer, _| match writer.repeats.is_empty() {
            true => Ok(()),
            false => Err(StoreError::Unavailable("changes wait to be written again".to_owned())),
        };
        self.errand(Need::WayOut, None, done).await
    }

    fn stats(&self) -> Result<Stats, StoreError> {
        let tasks = self.readers.with(|connection| {
            let mut statement = connection
                .prepare_cached(
                    "SELECT status, sum(n) FROM counters WHERE resource_kind = '' GROUP BY status",
                )
                .map_err(sql)?;
            let rows = statement
                .query_map([], |row| {
                    Ok((lenient::status(row, 0)?, lenient::int(row, 1)?.unwrap_or_default()))
                })
                .map_err(sql)?;
            let counts = rows.collect::<Result<Vec<_>, _>>().map_err(sql)?;
            Ok(counts.into_iter().filter_map(|(status, n)| Some((status?, n.max(0) as u64))).collect())
        })?;
        let size = |name| std::fs::metadata(self.directory.join(name)).map_or(0, |meta| meta.len());
        let wal = size("longhaul.db-wal");
        Ok(Stats { tasks, bytes: size("longhaul.db") + wal, wal_bytes: Some(wal) })
    }

    fn is_writable(&self) -> bool {
        self.shared.condition.is_sound() && !self.shared.queue.is_closed()
    }

    fn health(&self) -> Health {
        let Shared { queue, condition, .. } = &*self.shared;
        condition.health(queue.oldest(), queue.is_closed())
    }

    fn families(&self) -> Vec<Family> {
        self.shared.meters.families()
    }

    async fn close(&self) {
        self.end();
        let threads = std::mem::take(&mut *self.threads.lock());
        // Not a runtime thread: at shutdown the runtime would wait for one that the storage blocks.
        let (joined, let_go) = oneshot::channel();
        let joiner = std::thread::Builder::new().name("closing".into()).spawn(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a thread of the store ended early");
                }
            }
            let _ = joined.send(());
        });
        let closed = joiner.is_ok() && timeout(FINISHING + LETTING_GO, let_go).await.is_ok();
        *self.shared.sink.write() = None;
        if closed {
            *self.lock.lock() = None;
        } else {
            tracing::error!(
                "the storage does not let go: what it was asked last may be done or not, the next start finds out"
            );
        }
    }
}

impl Sqlite {
    /// Asks the threads to end.
    fn end(&self) {
        self.shared.queue.close(Instant::now() + FINISHING);
        self.shared.signals.end();
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.end();
    }
}
