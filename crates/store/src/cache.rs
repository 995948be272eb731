//! The active tasks that the writer has at hand, so that a change need not read what it is about to write. Bounded;
//! what a failed batch touched is forgotten and read again.

use std::collections::HashMap;

use longhaul_model::{Task, TaskId};

/// Sub-tasks in all kept tasks, at the most: about 100 MB.
const LARGEST: usize = 400_000;

/// Tasks by id.
pub(crate) struct Cache<T> {
    tasks: HashMap<TaskId, T>,
    size: usize,
    /// Changed by the batch at work.
    touched: Vec<TaskId>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Cache { tasks: HashMap::new(), size: 0, touched: Vec::new() }
    }
}

impl<T: AsRef<Task>> Cache<T> {
    /// Whether a task is there.
    pub(crate) fn has(&self, id: TaskId) -> bool {
        self.tasks.contains_key(&id)
    }

    /// Takes a task out, to be put back once it is changed.
    pub(crate) fn take(&mut self, id: TaskId) -> Option<T> {
        let task = self.tasks.remove(&id)?;
        self.size -= weight(&task);
        Some(task)
    }

    /// Keeps a task that the batch at work may have changed.
    pub(crate) fn keep(&mut self, id: TaskId, task: T) {
        self.size += weight(&task);
        self.touched.push(id);
        self.tasks.insert(id, task);
    }

    /// The batch is durable.
    pub(crate) fn settle(&mut self) {
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
    pub(crate) fn forget_touched(&mut self) {
        for id in std::mem::take(&mut self.touched) {
            self.take(id);
        }
    }
}

fn weight(task: &impl AsRef<Task>) -> usize {
    task.as_ref().record().sub_tasks.len() + 4
}
