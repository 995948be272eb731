//! The active tasks that the writer has at hand, so that a change need not read what it is about to write. Bounded;
//! what a failed batch touched is forgotten and read again.

use std::collections::HashMap;

use longhaul_model::TaskId;

use super::change::Loaded;

/// Sub-tasks in all kept tasks, at the most: about 100 MB.
const LARGEST: usize = 400_000;

/// Tasks by id.
#[derive(Default)]
pub(super) struct Cache {
    tasks: HashMap<TaskId, Loaded>,
    size: usize,
    /// Changed by the batch at work.
    touched: Vec<TaskId>,
}

impl Cache {
    /// Takes a task out, to be put back once it is changed.
    pub(super) fn take(&mut self, id: TaskId) -> Option<Loaded> {
        let task = self.tasks.remove(&id)?;
        self.size -= weight(&task);
        Some(task)
    }

    /// Keeps a task that the batch at work may have changed.
    pub(super) fn keep(&mut self, id: TaskId, task: Loaded) {
        self.size += weight(&task);
        self.touched.push(id);
        self.tasks.insert(id, task);
    }

    /// The batch is durable.
    pub(super) fn settle(&mut self) {
        self.touched.clear();
        if self.size > LARGEST {
            // No order is kept for this rare case: any half goes, and is read again when it is needed.
            let mut left = self.size / 2;
            self.tasks.retain(|_, task| {
                let go = left > 0;
                if go {
                    left = left.saturating_sub(weight(task));
                    self.size -= weight(task);
                }
                !go
            });
        }
    }

    /// The batch failed: what it changed is not what is stored.
    pub(super) fn forget_touched(&mut self) {
        for id in std::mem::take(&mut self.touched) {
            self.take(id);
        }
    }
}

fn weight(task: &Loaded) -> usize {
    task.task.record().sub_tasks.len() + 4
}
