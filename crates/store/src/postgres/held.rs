//! Task in the current transaction: its stored form, its changes, and the rows to be written.

use std::collections::{BTreeMap, BTreeSet};

use longhaul_model::{Attempt, Change, Record, Task, TaskId, TaskStatus, Timestamp};

use super::writes::{Documents, HistoryRow, HistoryRows, HotUpdates, holders};
use crate::counters::{Counted, Counters};
use crate::doc::{self, CHUNK};
use crate::error::StoreError;
use crate::packed::pack;

/// A task with what the writer knows about its rows.
pub(super) struct Loaded {
    /// Row number of its workflow version.
    pub(super) wid: i64,
    /// Version of the stored row.
    pub(super) version: i64,
    pub(super) task: Box<Task>,
    /// Resources of the task, as its row has them.
    pub(super) resources: String,
}

impl Loaded {
    pub(super) fn new(wid: i64, version: i64, task: Box<Task>) -> Self {
        let resources = pack(&task.record().state.resources);
        Loaded { wid, version, task, resources }
    }
}

impl AsRef<Task> for Loaded {
    fn as_ref(&self) -> &Task {
        &self.task
    }
}

/// Location of a task's row before the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Was {
    New,
    Hot,
    History,
}

/// Task that the current transaction has locked, or makes.
pub(super) struct Held {
    pub(super) loaded: Loaded,
    was: Was,
    before: (TaskStatus, Option<Timestamp>),
    changed: bool,
    spec: bool,
    chunks: BTreeSet<usize>,
    outputs: BTreeSet<u32>,
    attempts: BTreeMap<(u32, u32), Attempt>,
}

impl Held {
    pub(super) fn new(loaded: Loaded, was: Was) -> Self {
        let before = counts_as(loaded.task.record());
        Held {
            loaded,
            was,
            before,
            changed: false,
            spec: false,
            chunks: BTreeSet::new(),
            outputs: BTreeSet::new(),
            attempts: BTreeMap::new(),
        }
    }

    /// Holds a submitted task, all of which is to be written.
    pub(super) fn submitted(loaded: Loaded) -> Self {
        let mut held = Held::new(loaded, Was::New);
        held.spec = true;
        let further = doc::further_chunks(held.loaded.task.record().sub_tasks.len());
        held.chunks.extend(1..=further);
        held
    }

    /// Notes what a change touched.
    pub(super) fn touch(&mut self, change: &mut Change) {
        self.changed = true;
        self.spec |= change.input;
        self.chunks.extend(change.sub_tasks.iter().map(|index| *index as usize / CHUNK).filter(|n| *n > 0));
        self.outputs.extend(change.outputs.iter().copied());
        for attempt in change.attempts.drain(..) {
            self.attempts.insert((attempt.sub_task, attempt.number), attempt);
        }
    }

    /// Returns true if the transaction has changed the task.
    pub(super) fn has_changed(&self) -> bool {
        self.changed || self.was == Was::New
    }

    fn is_active(&self) -> bool {
        self.loaded.task.record().state.status == TaskStatus::InProgress
    }

    fn counted(&self, (status, completed_at): (TaskStatus, Option<Timestamp>)) -> Counted<'_> {
        let kind = &self.loaded.task.record().workflow.definition.kind;
        Counted { kind, status, completed_at, resources: &self.loaded.resources }
    }

    fn recount(&self, counters: &mut Counters) {
        let after = counts_as(self.loaded.task.record());
        if self.was == Was::New {
            counters.add(self.counted(after));
        } else if self.before != after {
            counters.remove(self.counted(self.before));
            counters.add(self.counted(after));
        }
    }

    /// Returns the part that stays cached once the transaction is durable; or the task, if it has ended.
    pub(super) fn into_loaded(self) -> Result<Loaded, Box<Task>> {
        if self.is_active() { Ok(self.loaded) } else { Err(self.loaded.task) }
    }
}

fn counts_as(record: &Record) -> (TaskStatus, Option<Timestamp>) {
    (record.state.status, record.state.completed_at)
}

/// Rows that the tasks of a transaction have to be written.
#[derive(Default)]
pub(super) struct Writes {
    pub(super) hot: HistoryRows,
    /// Rows that were elsewhere before.
    pub(super) to_history: HistoryRows,
    /// Rows that are in the history already.
    pub(super) history: HistoryRows,
    pub(super) updates: HotUpdates,
    pub(super) gone_from_hot: Vec<uuid::Uuid>,
    pub(super) gone_from_history: Vec<uuid::Uuid>,
    pub(super) new_specs: Documents,
    pub(super) specs: Documents,
    pub(super) chunks: Documents,
    pub(super) outputs: Documents,
    pub(super) attempts: Documents,
}

impl Writes {
    /// Adds the changes of a task, whose version rises.
    pub(super) fn add(&mut self, held: &mut Held, counters: &mut Counters) -> Result<(), StoreError> {
        if !held.changed {
            return Ok(());
        }
        held.loaded.version += 1;
        held.recount(counters);
        let (id, version) = (held.loaded.task.id(), held.loaded.version);
        let (active, was) = (held.is_active(), held.was);
        let record = held.loaded.task.record();
        let head = doc::head(held.loaded.wid, record)?;
        match (was, active) {
            (Was::Hot, true) => self.updates.add(&held.loaded.task, version, head),
            (Was::Hot, false) => {
                self.gone_from_hot.push(id.0);
                self.to_history.add(row(&held.loaded, head));
            }
            (Was::New | Was::History, true) => {
                if was == Was::History {
                    self.gone_from_history.push(id.0);
                }
                self.hot.add(row(&held.loaded, head));
            }
            (Was::New, false) => self.to_history.add(row(&held.loaded, head)),
            (Was::History, false) => self.history.add(row(&held.loaded, head)),
        }
        self.add_parts(id, held)
    }

    fn add_parts(&mut self, id: TaskId, held: &Held) -> Result<(), StoreError> {
        let task = &held.loaded.task;
        if held.spec {
            let specs = if held.was == Was::New { &mut self.new_specs } else { &mut self.specs };
            specs.add(id, 0, 0, doc::text(task.spec())?);
        }
        for n in &held.chunks {
            self.chunks.add(id, *n as u32, 0, doc::chunk(task.record(), *n)?);
        }
        for index in &held.outputs {
            if let Some(output) = task.output(*index) {
                self.outputs.add(id, *index, 0, doc::text(output)?);
            }
        }
        for ((sub_task, number), attempt) in &held.attempts {
            self.attempts.add(id, *sub_task, *number, doc::text(attempt)?);
        }
        Ok(())
    }
}

fn row(loaded: &Loaded, doc: String) -> HistoryRow<'_> {
    let record = loaded.task.record();
    HistoryRow {
        id: record.id,
        version: loaded.version,
        name: &record.name,
        kind: &record.workflow.definition.kind,
        status: record.state.status,
        created_at: record.state.created_at,
        completed_at: record.state.completed_at,
        due_at: loaded.task.due_at(),
        imported: false,
        holders: holders(&loaded.task),
        resources: &loaded.resources,
        doc,
    }
}
