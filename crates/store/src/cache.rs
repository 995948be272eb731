//! Cache of the writer's active tasks, so that a change need not read what it is about to write. Bounded in
//! bytes: a task that waits with a large input is read again when it continues. Tasks touched by a failed
//! batch are forgotten, and read again.

use std::collections::HashMap;

use longhaul_model::{Task, TaskId};

/// Maximum memory of all cached tasks, in bytes.
const LARGEST: usize = 32 << 20;
/// Maximum memory of a single cached task, in bytes: a larger one would evict all others.
const LARGEST_TASK: usize = LARGEST / 4;

/// Tasks by id.
pub(crate) struct Cache<T> {
    tasks: HashMap<TaskId, T>,
    size: usize,
    /// Tasks that the current batch has changed.
    touched: Vec<TaskId>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Cache { tasks: HashMap::new(), size: 0, touched: Vec::new() }
    }
}

impl<T: AsRef<Task>> Cache<T> {
    /// Returns true if the cache has the task.
    pub(crate) fn has(&self, id: TaskId) -> bool {
        self.tasks.contains_key(&id)
    }

    /// Takes a task out, to be returned once it is changed.
    pub(crate) fn take(&mut self, id: TaskId) -> Option<T> {
        let task = self.tasks.remove(&id)?;
        self.size -= weight(&task);
        Some(task)
    }

    /// Caches a task that the current batch may have changed. A task that is too large is dropped, and read
    /// again from what the batch wrote.
    pub(crate) fn keep(&mut self, id: TaskId, task: T) {
        let weight = weight(&task);
        if weight > LARGEST_TASK {
            return;
        }
        self.size += weight;
        self.touched.push(id);
        self.tasks.insert(id, task);
        if self.size > LARGEST {
            self.halve(id);
        }
    }

    /// The batch is durable.
    pub(crate) fn settle(&mut self) {
        self.touched.clear();
    }

    /// Evicts half of a full cache. Being full is rare, so no order is kept: any half goes, and is read again
    /// when needed.
    fn halve(&mut self, newest: TaskId) {
        let mut left = self.size / 2;
        self.tasks.retain(|id, task| {
            let go = left > 0 && *id != newest;
            if go {
                left = left.saturating_sub(weight(task));
                self.size -= weight(task);
            }
            !go
        });
    }

    /// Returns the number of tasks touched by the current batch so far.
    pub(crate) fn touched(&self) -> usize {
        self.touched.len()
    }

    /// Forgets the tasks touched since a mark of [`Cache::touched`]: they differ from what will be stored.
    pub(crate) fn forget_since(&mut self, touched: usize) {
        for id in self.touched.split_off(touched.min(self.touched.len())) {
            self.take(id);
        }
    }

    /// Forgets the tasks that a failed batch touched: they differ from what is stored.
    pub(crate) fn forget_touched(&mut self) {
        for id in std::mem::take(&mut self.touched) {
            self.take(id);
        }
    }
}

fn weight(task: &impl AsRef<Task>) -> usize {
    task.as_ref().weight()
}

#[cfg(test)]
mod tests {
    use longhaul_model::workflow::Workflow;
    use longhaul_model::{Spec, Timestamp};
    use serde_json::{Value, json};

    use super::*;

    struct Kept(Task);

    impl AsRef<Task> for Kept {
        fn as_ref(&self) -> &Task {
            &self.0
        }
    }

    fn task(n: u8, input: Value) -> Kept {
        let definition = json!({
            "name": "w", "type": "T", "title": "T", "input": { "type": "object" },
            "subTasks": [{ "name": "only", "description": "…", "action": { "simulate": {} } }]
        });
        let definition = serde_json::from_value(definition).expect("a definition");
        let workflow = std::sync::Arc::new(Workflow::compile(definition, 1).expect("a workflow"));
        let spec = Spec { input, labels: Default::default(), requested_by: None, caller: None };
        let id = TaskId::from_bytes([n; 16]);
        Kept(Task::new(id, workflow, spec, None, None, Timestamp(1)).expect("a task"))
    }

    fn filled(tasks: u8, inputs: impl Fn() -> Value) -> (usize, usize) {
        let mut cache = Cache::default();
        for n in 0..tasks {
            let one = task(n, inputs());
            cache.keep(one.0.id(), one);
            assert!(cache.size <= LARGEST, "{} bytes", cache.size);
        }
        let sum: usize = cache.tasks.values().map(weight).sum();
        assert_eq!(sum, cache.size);
        (cache.tasks.len(), cache.size)
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes_whatever_it_is() {
        let (many, _) = filled(200, || json!({}));
        assert_eq!(many, 200, "small ones all stay");
        let (some, size) = filled(60, || json!({ "text": "x".repeat(1 << 20) }));
        assert!((5..16).contains(&some) && size > LARGEST / 4, "{some} of 1 MiB stay: {size} bytes");
        let (few, _) = filled(40, || json!({ "numbers": vec![0; 25_000] }));
        assert!(few < 20, "many small parts count as what they are: {few} stay");
        let (none, _) = filled(2, || json!({ "numbers": vec![0; 250_000] }));
        assert_eq!(none, 0, "one that is too large is not kept at all");
    }

    #[test]
    fn what_a_failed_batch_touched_is_forgotten() {
        let mut cache = Cache::default();
        let (before, touched) = (task(1, json!({})), task(2, json!({})));
        let (before_id, touched_id) = (before.0.id(), touched.0.id());
        cache.keep(before_id, before);
        cache.settle();
        cache.keep(touched_id, touched);
        cache.forget_touched();
        assert!(cache.has(before_id) && !cache.has(touched_id));
        assert_eq!(cache.take(before_id).map(|one| one.0.id()), Some(before_id));
        assert_eq!(cache.size, 0);
    }
}
