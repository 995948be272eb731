//! The sweep of claims: grants every claim that can be granted, even if no release woke its waiter.
//! Correctness does not depend on who released a claim, or when: a lost wake-up, whatever its cause, is made
//! good within a second.

use std::sync::Arc;
use std::time::Duration;

use longhaul_store::Store;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Pause between the end of one sweep and the start of the next.
const PAUSE: Duration = Duration::from_millis(500);
/// Rest after each step of the sweep, in multiples of the step's duration: the sweep takes at most a
/// twentieth of a processor, however many claims wait.
const REST: u32 = 19;

/// Sweeps until stopped.
pub(crate) async fn sweep(store: Arc<dyn Store>, stop: CancellationToken) {
    let steps = async {
        loop {
            let begun = Instant::now();
            let through = match store.sweep_claims().await {
                Ok(step) => {
                    if step.found > 0 {
                        tracing::debug!(
                            found = step.found,
                            "claims could be granted that nobody had woken up"
                        );
                    }
                    step.is_through
                }
                Err(e) => {
                    tracing::warn!(error = %e, "the sweep of claims failed; it will be repeated");
                    true
                }
            };
            let rest = begun.elapsed().saturating_mul(REST);
            sleep(if through { rest.max(PAUSE) } else { rest }).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = steps => {}
    }
}
