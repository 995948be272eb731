//! Who waits for the end of which task.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use longhaul_model::{Record, Task, TaskId};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The tasks that somebody watches.
#[derive(Default)]
pub(crate) struct Watches {
    watched: Mutex<HashMap<TaskId, Arc<Watched>>>,
    /// The engine drains: nobody waits any more.
    over: AtomicBool,
}

/// A watched task. A task may end more than once: it may be retried.
#[derive(Default)]
struct Watched {
    ends: Mutex<Ends>,
    notify: Notify,
}

#[derive(Default)]
struct Ends {
    count: u64,
    /// As the last one left it, if that is known here.
    last: Option<Arc<Record>>,
}

/// One that waits. What happens from its making on is not missed.
pub(crate) struct Watch {
    id: TaskId,
    all: Arc<Watches>,
    watched: Arc<Watched>,
    /// Ends that had happened before.
    seen: u64,
}

impl Watches {
    pub(crate) fn watch(self: &Arc<Self>, id: TaskId) -> Watch {
        let watched = self.watched.lock().entry(id).or_default().clone();
        let seen = watched.ends.lock().count;
        Watch { id, all: self.clone(), watched, seen }
    }

    /// Lets everybody go who waits, and whoever comes after: the server wants to stop.
    pub(crate) fn release(&self) {
        self.over.store(true, Ordering::SeqCst);
        let all: Vec<Arc<Watched>> = self.watched.lock().values().cloned().collect();
        for watched in all {
            watched.notify.notify_waiters();
        }
    }

    /// Tells all who watch a task, with the task as its end left it where that is at hand.
    pub(crate) fn ended(&self, id: TaskId, task: Option<Box<Task>>) {
        let watched = self.watched.lock().get(&id).cloned();
        if let Some(watched) = watched {
            let last = task.map(|task| task.into_record()).filter(|record| record.state.status.is_ended());
            let mut ends = watched.ends.lock();
            ends.count += 1;
            ends.last = last.map(Arc::new);
            drop(ends);
            watched.notify.notify_waiters();
        }
    }
}

impl Watch {
    /// Returns when the task ended since this watch was made, the time is over, or the engine drains: the task as its end
    /// left it, or nothing, and the caller looks how it stands.
    pub(crate) async fn ended(&self, limit: Duration) -> Option<Record> {
        let ended = async {
            loop {
                let told = self.watched.notify.notified();
                tokio::pin!(told);
                // Armed before the look, so that an end in between is not missed.
                told.as_mut().enable();
                if let Some(ended) = self.seen() {
                    return ended;
                }
                if self.all.over.load(Ordering::SeqCst) {
                    return None;
                }
                told.await;
            }
        };
        tokio::time::timeout(limit, ended).await.unwrap_or_default()
    }

    /// Whether the task ended since this watch was made, and how.
    fn seen(&self) -> Option<Option<Record>> {
        let ends = self.watched.ends.lock();
        (ends.count != self.seen).then(|| ends.last.as_deref().cloned())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = self.all.watched.lock();
        // This one and the table's own: nobody else watches.
        if Arc::strong_count(&self.watched) == 2 {
            watched.remove(&self.id);
        }
    }
}
