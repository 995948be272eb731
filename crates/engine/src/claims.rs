//! The sweep of claims: whatever could be granted is, also where nobody said so. Nothing rests on who let go
//! of what, and when: a wake-up that got lost, in whatever way, is made good within a second.

use std::sync::Arc;
use std::time::Duration;

use longhaul_store::Store;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// From the end of one sweep to the next.
const PAUSE: Duration = Duration::from_millis(500);
/// How many times as long as a step took the sweep rests after it, so that it takes a twentieth of a
/// processor at the most, however much waits.
const REST: u32 = 19;

/// Runs until stopped.
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
