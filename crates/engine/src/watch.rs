//! Waiters for the end of tasks.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use longhaul_model::{Record, Task, TaskId};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Watched tasks.
#[derive(Default)]
pub(crate) struct Watches {
    watched: Mutex<HashMap<TaskId, Arc<Watched>>>,
    /// True once the engine drains, and nobody waits any more.
    over: AtomicBool,
}

/// Watched task. A task may end more than once: it may be retried.
#[derive(Default)]
struct Watched {
    ends: Mutex<Ends>,
    notify: Notify,
}

#[derive(Default)]
struct Ends {
    count: u64,
    /// Task as the last end left it, if it is known here.
    last: Option<Arc<Record>>,
}

/// Waiter for the end of a task. No end after its creation is missed.
pub(crate) struct Watch {
    id: TaskId,
    all: Arc<Watches>,
    watched: Arc<Watched>,
    /// Number of ends that the watch knows of.
    seen: u64,
}

impl Watches {
    pub(crate) fn watch(self: &Arc<Self>, id: TaskId) -> Watch {
        let watched = self.watched.lock().entry(id).or_default().clone();
        let seen = watched.ends.lock().count;
        Watch { id, all: self.clone(), watched, seen }
    }

    /// Releases all who wait, and whoever comes after: the server is about to stop.
    pub(crate) fn release(&self) {
        self.over.store(true, Ordering::SeqCst);
        let all: Vec<Arc<Watched>> = self.watched.lock().values().cloned().collect();
        for watched in all {
            watched.notify.notify_waiters();
        }
    }

    /// Notifies all who watch a task, with the task as its end left it if it is known.
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
    /// Returns when the task ended once more, the time is over, or the engine drains: the task as its end
    /// left it, or nothing, and the caller reads it. The notice of an end may be late: another one may have
    /// seen the task go on already.
    pub(crate) async fn ended(&mut self, limit: Duration) -> Option<Record> {
        let Watch { watched, all, seen, .. } = self;
        let ended = async {
            loop {
                let told = watched.notify.notified();
                tokio::pin!(told);
                // Armed before the look, so that an end in between is not missed.
                told.as_mut().enable();
                {
                    let ends = watched.ends.lock();
                    if std::mem::replace(seen, ends.count) != ends.count {
                        return ends.last.as_deref().cloned();
                    }
                }
                if all.over.load(Ordering::SeqCst) {
                    return None;
                }
                told.await;
            }
        };
        tokio::time::timeout(limit, ended).await.unwrap_or_default()
    }

    /// Returns true if nobody waits any more.
    pub(crate) fn is_over(&self) -> bool {
        self.all.over.load(Ordering::SeqCst)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_end_is_told_once_to_each_who_watches() {
        let (all, id) = (Arc::new(Watches::default()), TaskId::from_bytes([1; 16]));
        let (mut first, mut second) = (all.watch(id), all.watch(id));
        all.ended(id, None);
        let begun = tokio::time::Instant::now();
        let (long, short) = (Duration::from_secs(60), Duration::from_millis(50));
        assert!(first.ended(long).await.is_none() && second.ended(long).await.is_none());
        assert!(begun.elapsed() < long, "it is told at once");
        let again = tokio::time::Instant::now();
        assert!(first.ended(short).await.is_none());
        assert!(again.elapsed() >= short, "and not again");
        all.release();
        assert!(first.ended(long).await.is_none() && first.is_over());
        assert!(begun.elapsed() < long);
    }
}
