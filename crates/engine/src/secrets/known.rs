//! Redactors of tasks with live attempts, so that none is made twice.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use longhaul_model::{TaskId, Token};
use parking_lot::Mutex;

use super::Redactor;

/// An attempt.
type Key = (TaskId, u32, Token);

/// Maximum number of attempts at workers whose redactors are kept. All are dropped when there are more, and
/// made again when they are needed.
const MOST: usize = 16 * 1024;
/// Number of known redactors at which forgotten ones are removed.
const SWEEP: usize = 1024;

/// Redactors of tasks, kept for as long as one of their attempts needs them.
#[derive(Default)]
pub(crate) struct Redactors(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Redactors by task, with a number that differs for other secrets.
    tasks: HashMap<TaskId, (u64, Weak<Redactor>)>,
    leased: HashMap<Key, Arc<Redactor>>,
}

impl Redactors {
    /// Returns the redactor of a task with these secrets.
    pub(crate) fn of_task(&self, id: TaskId, print: u64) -> Option<Arc<Redactor>> {
        let known = self.0.lock();
        let (of, redactor) = known.tasks.get(&id)?;
        redactor.upgrade().filter(|_| *of == print)
    }

    /// Remembers the redactor of a task for as long as somebody holds it.
    pub(crate) fn add(&self, id: TaskId, print: u64, redactor: &Arc<Redactor>) {
        let mut known = self.0.lock();
        if known.tasks.len() >= SWEEP && known.tasks.len().is_power_of_two() {
            known.tasks.retain(|_, (_, redactor)| redactor.strong_count() > 0);
        }
        known.tasks.insert(id, (print, Arc::downgrade(redactor)));
    }

    /// Returns the redactor of an attempt at a worker.
    pub(crate) fn of_lease(&self, key: &Key) -> Option<Arc<Redactor>> {
        self.0.lock().leased.get(key).cloned()
    }

    /// Holds the redactor of an attempt at a worker until its lease ends.
    pub(crate) fn lease(&self, key: Key, redactor: Arc<Redactor>) {
        let mut known = self.0.lock();
        if known.leased.len() >= MOST {
            known.leased.clear();
        }
        known.leased.insert(key, redactor);
    }

    /// The lease of an attempt ended.
    pub(crate) fn lease_ended(&self, key: &Key) {
        let held = self.0.lock().leased.remove(key);
        // Dropped without the lock: it may be the last.
        drop(held);
    }
}
