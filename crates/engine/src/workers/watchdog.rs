//! Watchdog: ends leases that nobody extends, and attempts whose time is over. It only asks; the model
//! decides what becomes of them.

use std::sync::Arc;
use std::time::Duration;

use longhaul_model::{Command, Failure, WorkerId};
use longhaul_store::Store;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Workers;
use super::leases::Key;
use super::short::SLICE;

/// Interval at which the watchdog looks. A lease may last longer by so much.
const LOOK: Duration = Duration::from_millis(250);

/// Looks later than this mean that the server stood still.
const STOOD_STILL: Duration = Duration::from_millis(1_500);

/// Rounds between two looks for workers to forget.
const FORGET: u32 = 120;

impl Workers {
    /// Runs until stopped.
    pub(crate) async fn watch(self: Arc<Self>, store: Arc<dyn Store>, stop: CancellationToken) {
        let (mut last, mut rounds) = (Instant::now(), 0_u32);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let now = Instant::now();
            let pause = now.duration_since(last).saturating_sub(LOOK);
            last = now;
            if pause > STOOD_STILL {
                tracing::warn!(
                    pause_ms = pause.as_millis() as u64,
                    "the server stood still; leases last their whole time anew"
                );
                self.pardon();
            }
            let over = self.sweep(now);
            for ((id, sub_task, token), worker, failure) in over {
                tracing::debug!(task.id = %id, sub_task, %worker, ?failure, "a worker's attempt is over");
                store.post(id, Command::Fail { sub_task, token, failure, by: None }).await;
            }
            rounds = rounds.wrapping_add(1);
            if rounds.is_multiple_of(FORGET) {
                self.forget_workers();
                self.forget_queues();
            }
        }
    }

    /// Removes workers that asked long ago from the counts, and returns the leases whose time is over.
    pub(super) fn sweep(&self, now: Instant) -> Vec<(Key, WorkerId, Failure)> {
        self.expire(now);
        self.over(now)
    }

    /// Returns leases whose time is over, and wakes their workers' heartbeats.
    fn over(&self, now: Instant) -> Vec<(Key, WorkerId, Failure)> {
        let mut all = Vec::new();
        loop {
            let mut state = self.state.lock();
            let (over, more) = state.leases.over(now);
            for (key, worker, failure) in &over {
                state.seen.tell(worker);
                if let (Failure::Lost, Some(span)) = (failure, state.leases.span(key)) {
                    state.seen.missed(worker, span);
                }
            }
            state.visit(if more { SLICE } else { over.len() });
            state.pass_on();
            all.extend(over);
            if !more {
                return all;
            }
        }
    }

    fn expire(&self, now: Instant) {
        loop {
            let mut state = self.state.lock();
            let more = state.seen.expire(now);
            state.visit(if more { SLICE } else { 1 });
            state.pass_on();
            if !more {
                return;
            }
        }
    }

    pub(super) fn forget_workers(&self) {
        let mut last = None;
        loop {
            let mut state = self.state.lock();
            last = state.forget_silent(last.as_ref());
            state.visit(SLICE);
            state.pass_on();
            if last.is_none() {
                return;
            }
        }
    }
}
