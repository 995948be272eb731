//! Time. Near instants are waited for exactly; far ones are found by a sweep of what is stored. The sweep derives
//! what is due from the store, so nothing depends on a timer that was set: it only makes things sooner.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use longhaul_model::{Command, Env, TaskId, Timestamp};
use longhaul_store::Store;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Instants nearer than this are waited for exactly, in milliseconds.
const NEAR: i64 = 60_000;
/// How often the store is asked.
const SWEEP: Duration = Duration::from_millis(500);
/// A leap of the machine's clock that somebody should know of, in milliseconds.
const NOTABLE: i64 = 10_000;
/// Tasks that one sweep moves.
const SWEPT: u32 = 1000;

/// The near instants.
#[derive(Default)]
pub(crate) struct Timers {
    heap: Mutex<BinaryHeap<Reverse<(Timestamp, TaskId)>>>,
    sooner: Notify,
}

impl Timers {
    /// Sets a timer, if it is near.
    pub(crate) fn set(&self, at: Timestamp, id: TaskId, now: Timestamp) {
        if at.0 - now.0 > NEAR {
            return;
        }
        let mut heap = self.heap.lock();
        let first = heap.peek().is_none_or(|Reverse((first, _))| at < *first);
        heap.push(Reverse((at, id)));
        drop(heap);
        if first {
            self.sooner.notify_one();
        }
    }

    /// Takes what is due out; and how long it is to the next.
    fn due(&self, now: Timestamp) -> (Vec<TaskId>, Duration) {
        let mut heap = self.heap.lock();
        let mut due = Vec::new();
        while let Some(Reverse((at, id))) = heap.peek() {
            if *at > now {
                return (due, Duration::from_millis((at.0 - now.0) as u64));
            }
            due.push(*id);
            heap.pop();
        }
        (due, SWEEP)
    }
}

/// Runs until stopped.
pub(crate) async fn run(store: Arc<dyn Store>, env: Env, timers: Arc<Timers>, stop: CancellationToken) {
    let sweep = async {
        let mut apart = 0;
        loop {
            tokio::time::sleep(SWEEP).await;
            tell_leap(&env, &mut apart);
            tick_sweep(&*store, &env).await;
        }
    };
    let near = async {
        loop {
            let (due, pause) = timers.due(env.now());
            for id in due {
                store.post(id, Command::Due).await;
            }
            // The wall clock may be set: no pause is longer than a sweep's.
            tokio::select! {
                () = tokio::time::sleep(pause.min(SWEEP)) => {}
                () = timers.sooner.notified() => {}
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = sweep => {}
        () = near => {}
    }
}

/// Says that somebody set the machine's clock. `before` is how far it was apart at the last look.
fn tell_leap(env: &Env, before: &mut i64) {
    let apart = env.wall().0 - env.now().0;
    if (apart - *before).abs() > NOTABLE {
        let seconds = (apart - *before) / 1000;
        tracing::warn!(seconds, "the clock was set: it is followed slowly, a restart takes it over at once");
    }
    *before = apart;
}

/// One sweep: every task with something due is asked to look.
async fn tick_sweep(store: &dyn Store, env: &Env) {
    match store.due(env.now(), SWEPT).await {
        Ok(tasks) => {
            for id in tasks {
                store.post(id, Command::Due).await;
            }
        }
        Err(e) => tracing::warn!(error = %e, "the sweep for due tasks failed; it will be repeated"),
    }
}
