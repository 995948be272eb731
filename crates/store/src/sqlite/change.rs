//! Unit of work of one change of one task: its row, the new chunks and outputs, nothing else.

use longhaul_model::{Change, Record, Task, TaskStatus, Timestamp};
use rusqlite::{Connection, params};

use super::failed::sql;
use crate::counters::{Counted, Counters};
use crate::doc::{self, CHUNK};
use crate::error::StoreError;
use crate::packed::pack;

/// A task with what the writer knows about its rows.
pub(super) struct Loaded {
    pub(super) seq: i64,
    /// Row number of its workflow version.
    pub(super) wid: i64,
    pub(super) task: Box<Task>,
    /// Resources of the task, as its row has them.
    pub(super) resources: String,
}

impl AsRef<Task> for Loaded {
    fn as_ref(&self) -> &Task {
        &self.task
    }
}

/// Attributes by which a task was counted before a change.
#[derive(Clone, Copy)]
pub(super) struct Before {
    status: TaskStatus,
    completed_at: Option<Timestamp>,
}

impl Before {
    pub(super) fn of(record: &Record) -> Self {
        Before { status: record.state.status, completed_at: record.state.completed_at }
    }
}

impl Loaded {
    pub(super) fn new(seq: i64, wid: i64, task: Box<Task>) -> Self {
        let resources = pack(&task.record().state.resources);
        Loaded { seq, wid, task, resources }
    }

    fn counted(&self, before: Before) -> Counted<'_> {
        let kind = &self.task.record().workflow.definition.kind;
        let Before { status, completed_at } = before;
        Counted { kind, status, completed_at, resources: &self.resources }
    }

    /// Writes a task for the first time.
    pub(super) fn insert(
        &self,
        connection: &Connection,
        change: &Change,
        counters: &mut Counters,
    ) -> Result<(), StoreError> {
        let record = self.task.record();
        connection
            .prepare_cached("INSERT INTO ids (id, seq) VALUES (?, ?)")
            .and_then(|mut s| s.execute(params![record.id.as_bytes(), self.seq]))
            .map_err(sql)?;
        let spec = doc::text(self.task.spec())?;
        connection
            .prepare_cached("INSERT INTO specs (seq, doc) VALUES (?, ?)")
            .and_then(|mut s| s.execute(params![self.seq, spec]))
            .map_err(sql)?;
        self.insert_row(connection)?;
        for n in 1..=doc::further_chunks(record.sub_tasks.len()) {
            self.write_chunk(connection, n)?;
        }
        self.write_additions(connection, change)?;
        counters.add(self.counted(Before::of(record)));
        Ok(())
    }

    /// Inserts the row of an active task into the hot table: a new one, or one that comes back from history.
    pub(super) fn insert_row(&self, connection: &Connection) -> Result<(), StoreError> {
        let record = self.task.record();
        let head = doc::head(self.wid, record)?;
        connection
            .prepare_cached(
                "INSERT INTO hot (seq, id, name, kind, status, created_at, completed_at, due_at, resources, doc)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .and_then(|mut s| {
                s.execute(params![
                    self.seq,
                    record.id.as_bytes(),
                    record.name,
                    record.workflow.definition.kind,
                    record.state.status.code(),
                    record.state.created_at.0,
                    record.state.completed_at.map(|at| at.0),
                    self.task.due_at().map(|at| at.0),
                    self.resources,
                    head,
                ])
            })
            .map(|_| ())
            .map_err(sql)
    }

    /// Writes the changes of an active task.
    pub(super) fn update(
        &self,
        connection: &Connection,
        change: &Change,
        before: Before,
        counters: &mut Counters,
    ) -> Result<(), StoreError> {
        let record = self.task.record();
        let head = doc::head(self.wid, record)?;
        connection
            .prepare_cached(
                "UPDATE hot SET status = ?2, completed_at = ?3, due_at = ?4, doc = ?5 WHERE seq = ?1",
            )
            .and_then(|mut s| {
                s.execute(params![
                    self.seq,
                    record.state.status.code(),
                    record.state.completed_at.map(|at| at.0),
                    self.task.due_at().map(|at| at.0),
                    head
                ])
            })
            .map_err(sql)?;
        self.write_parts(connection, change)?;
        self.recount(before, counters);
        Ok(())
    }

    /// The chunks and additions of a change.
    pub(super) fn write_parts(&self, connection: &Connection, change: &Change) -> Result<(), StoreError> {
        let mut last = 0;
        for index in &change.sub_tasks {
            let n = *index as usize / CHUNK;
            // Sorted by the model: each chunk comes up in one run.
            if n > last {
                self.write_chunk(connection, n)?;
                last = n;
            }
        }
        self.write_additions(connection, change)
    }

    /// The counters follow a change of status.
    pub(super) fn recount(&self, before: Before, counters: &mut Counters) {
        let after = Before::of(self.task.record());
        if (before.status, before.completed_at) != (after.status, after.completed_at) {
            counters.remove(self.counted(before));
            counters.add(self.counted(after));
        }
    }

    fn write_chunk(&self, connection: &Connection, n: usize) -> Result<(), StoreError> {
        let text = doc::chunk(self.task.record(), n)?;
        connection
            .prepare_cached("INSERT OR REPLACE INTO chunks (seq, n, doc) VALUES (?, ?, ?)")
            .and_then(|mut s| s.execute(params![self.seq, n as i64, text]))
            .map(|_| ())
            .map_err(sql)
    }

    fn write_additions(&self, connection: &Connection, change: &Change) -> Result<(), StoreError> {
        if change.input {
            let spec = doc::text(self.task.spec())?;
            connection
                .prepare_cached("UPDATE specs SET doc = ?2 WHERE seq = ?1")
                .and_then(|mut s| s.execute(params![self.seq, spec]))
                .map_err(sql)?;
        }
        for index in &change.outputs {
            let Some(output) = self.task.output(*index) else { continue };
            let text = doc::text(output)?;
            connection
                .prepare_cached("INSERT OR REPLACE INTO outputs (seq, sub_task, doc) VALUES (?, ?, ?)")
                .and_then(|mut s| s.execute(params![self.seq, index, text]))
                .map_err(sql)?;
        }
        for attempt in &change.attempts {
            let text = doc::text(attempt)?;
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO attempts (seq, sub_task, number, doc) VALUES (?, ?, ?, ?)",
                )
                .and_then(|mut s| s.execute(params![self.seq, attempt.sub_task, attempt.number, text]))
                .map_err(sql)?;
        }
        Ok(())
    }
}
