//! Ends leases that nobody extends, and attempts whose time is over. It only asks; what becomes of them is the model's.

use std::sync::Arc;
use std::time::Duration;

use longhaul_model::Command;
use longhaul_store::Store;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Workers;

/// How often it looks. A lease may last longer by so much.
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
            let over = {
                let mut state = self.state.lock();
                if pause > STOOD_STILL {
                    tracing::warn!(
                        pause_ms = pause.as_millis() as u64,
                        "the server stood still; leases last their whole time anew"
                    );
                    state.leases.pardon(now);
                }
                let over = state.leases.over(now);
                for (_, worker, _) in &over {
                    state.seen.tell(worker);
                }
                over
            };
            for ((id, sub_task, token), worker, failure) in over {
                tracing::debug!(task.id = %id, sub_task, %worker, ?failure, "a worker's attempt is over");
                store.post(id, Command::Fail { sub_task, token, failure, by: None }).await;
            }
            rounds = rounds.wrapping_add(1);
            if rounds.is_multiple_of(FORGET) {
                let mut state = self.state.lock();
                let state = &mut *state;
                state.seen.forget(|worker| state.leases.running(worker) > 0);
                let served = state.seen.queues();
                state.queues.retain(|name, queue| !queue.is_idle() || served.contains(name));
            }
        }
    }
}
