//! Timers. Near instants are waited for exactly; far ones are found by a sweep of the store. The sweep
//! derives what is due from stored tasks, so nothing depends on a timer that was set: it only makes things
//! sooner.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use longhaul_model::{Command, Env, TaskId, Timestamp};
use longhaul_store::Store;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Time before an instant from which it is waited for exactly, in milliseconds.
const NEAR: i64 = 60_000;
/// Interval at which the store is asked for due timers.
const SWEEP: Duration = Duration::from_millis(500);
/// Smallest leap of the machine's clock that is logged, in milliseconds.
const NOTABLE: i64 = 10_000;
/// Number of tasks notified at once; the next page follows once these are written, so that others get to
/// write meanwhile.
const PAGE: usize = 500;

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

    /// Takes the tasks that are due; returns the time until the next one, too.
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
            ask(&*store, &due).await;
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

/// Logs a leap of the machine's clock. `before` is its difference at the last look.
fn tell_leap(env: &Env, before: &mut i64) {
    let apart = env.wall().0 - env.now().0;
    if (apart - *before).abs() > NOTABLE {
        let seconds = (apart - *before) / 1000;
        tracing::warn!(seconds, "the clock was set: it is followed slowly, a restart takes it over at once");
    }
    *before = apart;
}

/// Runs one sweep: notifies every task with something due, a page at a time, as fast as the store writes.
async fn tick_sweep(store: &dyn Store, env: &Env) {
    let mut pages = Pages::default();
    loop {
        let most = u32::try_from(pages.most()).unwrap_or(u32::MAX);
        let found = match store.due(env.now(), most).await {
            Ok(found) => found,
            Err(e) => {
                tracing::warn!(error = %e, "the sweep for due tasks failed; it will be repeated");
                return;
            }
        };
        let (new, is_last) = pages.turn(found);
        if !ask(store, &new).await || is_last {
            return;
        }
    }
}

/// The pages of a sweep.
#[derive(Default)]
struct Pages {
    /// Tasks that were notified and may still be due: those that cannot be read or written stay so, and must
    /// not hold up the tasks behind them.
    asked: HashSet<TaskId>,
}

impl Pages {
    /// Returns how many due tasks, oldest first, to request for the next page.
    fn most(&self) -> usize {
        PAGE + self.asked.len()
    }

    /// Returns the tasks among those found that are to be notified, and true if no other task is due.
    fn turn(&mut self, found: Vec<TaskId>) -> (Vec<TaskId>, bool) {
        let new: Vec<TaskId> = found.iter().filter(|id| !self.asked.contains(id)).copied().collect();
        let is_last = new.is_empty() || found.len() < self.most();
        self.asked = found.into_iter().collect();
        (new, is_last)
    }
}

/// Notifies tasks that something is due. Waits after each whole page until it is written; returns false if it
/// cannot be.
async fn ask(store: &dyn Store, tasks: &[TaskId]) -> bool {
    for page in tasks.chunks(PAGE) {
        for id in page {
            store.post(*id, Command::Due).await;
        }
        if page.len() == PAGE && store.flush().await.is_err() {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> TaskId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
        TaskId::from_bytes(bytes)
    }

    /// Sweeps over due tasks, of which the first ones stay due whatever happens; returns how often each was
    /// notified.
    fn swept(stuck: usize, all: usize) -> Vec<usize> {
        let (mut due, mut asked) = ((0..all).collect::<Vec<usize>>(), vec![0; all]);
        let mut pages = Pages::default();
        loop {
            let found = due.iter().take(pages.most()).map(|n| id(*n)).collect();
            let (new, is_last) = pages.turn(found);
            let new: HashSet<TaskId> = new.into_iter().collect();
            (0..all).filter(|n| new.contains(&id(*n))).for_each(|n| asked[n] += 1);
            due.retain(|n| *n < stuck || !new.contains(&id(*n)));
            if is_last {
                return asked;
            }
        }
    }

    #[test]
    fn one_sweep_reaches_all_that_is_due() {
        for all in [0, 1, PAGE - 1, PAGE, PAGE + 1, 4 * PAGE] {
            assert_eq!(swept(0, all), vec![1; all], "{all}");
        }
    }

    #[test]
    fn tasks_that_stay_due_hide_nobody_behind_them_and_are_asked_once() {
        for stuck in [1, PAGE, 2 * PAGE + 7] {
            assert_eq!(swept(stuck, stuck + 2 * PAGE), vec![1; stuck + 2 * PAGE], "{stuck}");
        }
    }
}
