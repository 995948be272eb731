//! Durable state: tasks, claims, and the turns of nodes. A transaction is one call, so it happens completely
//! or not at all.

use std::collections::{BTreeMap, BTreeSet};

use longhaul_model::{NodeId, Record, Task, Timestamp};

use crate::claims::Claims;

/// The database.
#[derive(Clone, Default)]
pub(crate) struct Database {
    pub(crate) tasks: Vec<Entry>,
    /// Task of each submission.
    pub(crate) submitted: BTreeMap<usize, usize>,
    pub(crate) claims: Claims,
    /// Tasks that were granted their claims and may not know it, and the time of the grant.
    pub(crate) untold: BTreeMap<usize, u64>,
    pub(crate) turns: BTreeMap<u64, Turn>,
    pub(crate) last_turn: u64,
    /// Tasks by the time at which something in them is due.
    pub(crate) due: BTreeSet<(Timestamp, usize)>,
    /// Tasks that have not ended.
    pub(crate) open: BTreeSet<usize>,
    /// Offset of the clock of the database's machine, in milliseconds.
    pub(crate) off: i64,
}

/// A stored task.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) task: Task,
    due: Option<Timestamp>,
    /// Node and process that changed the task last: any other process loads it from its stored parts.
    last: (usize, u64),
}

/// The turn of a node.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) node: NodeId,
    pub(crate) over: bool,
    pub(crate) beat: u64,
    /// Time of the last sign of life, by the database's clock.
    pub(crate) seen_at: i64,
}

impl Database {
    pub(crate) fn add(&mut self, task: Task) -> usize {
        self.tasks.push(Entry { task, due: None, last: (0, 0) });
        self.tasks.len() - 1
    }

    pub(crate) fn record(&self, task: usize) -> &Record {
        self.tasks[task].task.record()
    }

    /// Returns a task for a process to change, loaded from its stored parts if another process changed it
    /// last.
    pub(crate) fn task(&mut self, task: usize, by: (usize, u64), as_text: bool) -> &mut Task {
        let entry = &mut self.tasks[task];
        if entry.last != by {
            entry.last = by;
            entry.task = reload(&entry.task, as_text);
        }
        &mut entry.task
    }

    /// Updates the indexes after a change.
    pub(crate) fn index(&mut self, task: usize) {
        let entry = &mut self.tasks[task];
        let due = entry.task.due_at();
        if due != entry.due {
            entry.due.map(|at| self.due.remove(&(at, task)));
            self.due.extend(due.map(|at| (at, task)));
            entry.due = due;
        }
        if entry.task.record().state.status.is_ended() {
            self.open.remove(&task);
        } else {
            self.open.insert(task);
        }
    }

    /// Returns the number for a new node.
    pub(crate) fn free_number(&self) -> NodeId {
        let taken: BTreeSet<NodeId> = self.turns.values().map(|turn| turn.node).collect();
        (1..).map(NodeId).find(|number| !taken.contains(number)).unwrap_or_default()
    }
}

/// Returns a task as a store loads it: anything not stored is computed anew.
fn reload(task: &Task, as_text: bool) -> Task {
    let mut record = task.record().clone();
    let all = 0..record.sub_tasks.len() as u32;
    let outputs = all.filter_map(|i| Some((i, task.output(i)?.clone()))).collect();
    if as_text {
        let again = |text: Result<String, _>| text.expect("what the model has can be written");
        let state = again(serde_json::to_string(&record.state));
        let sub_tasks = again(serde_json::to_string(&record.sub_tasks));
        record.state = serde_json::from_str(&state).expect("what was written can be read");
        record.sub_tasks = serde_json::from_str(&sub_tasks).expect("what was written can be read");
    }
    Task::load(record, task.spec().clone(), outputs)
}
