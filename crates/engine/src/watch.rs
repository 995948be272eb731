//! Who waits for the end of which task.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use longhaul_model::TaskId;
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
    ends: AtomicU64,
    notify: Notify,
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
        let seen = watched.ends.load(Ordering::SeqCst);
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

    /// Tells all who watch a task.
    pub(crate) fn ended(&self, id: TaskId) {
        let watched = self.watched.lock().get(&id).cloned();
        if let Some(watched) = watched {
            watched.ends.fetch_add(1, Ordering::SeqCst);
            watched.notify.notify_waiters();
        }
    }
}

impl Watch {
    /// Returns when the task ended since this watch was made, the time is over, or the engine drains; the caller
    /// looks how the task stands.
    pub(crate) async fn ended(&self, limit: Duration) {
        let ended = async {
            loop {
                let told = self.watched.notify.notified();
                tokio::pin!(told);
                // Armed before the look, so that an end in between is not missed.
                told.as_mut().enable();
                let ended = self.watched.ends.load(Ordering::SeqCst) != self.seen;
                if ended || self.all.over.load(Ordering::SeqCst) {
                    return;
                }
                told.await;
            }
        };
        let _ = tokio::time::timeout(limit, ended).await;
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
