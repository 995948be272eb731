//! Sweeps over stored tasks, which make up for what got lost, whatever the cause: claims that can be granted
//! although no release woke their waiter, and sub-tasks under way although their output is stored. Each goes
//! in steps of bounded cost, and rests so long after each that it takes a small share of a processor only.

use std::sync::Arc;
use std::time::Duration;

use longhaul_store::{Store, StoreError, Sweep};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Pace of a sweep: how often it runs, and how much of the writer it may take.
struct Pace {
    /// Least pause between the end of one sweep and the start of the next.
    pause: Duration,
    /// Rest after each step, in multiples of the step's duration.
    rest: u32,
}

/// Pace of claims: a lost wake-up is made up for within a second, for a twentieth of a processor.
const CLAIMS: Pace = Pace { pause: Duration::from_millis(500), rest: 19 };
/// Pace of outputs: nothing is known to lose a success, so a hundredth of a processor will do.
const OUTPUTS: Pace = Pace { pause: Duration::from_secs(10), rest: 99 };

/// Time of the last step of a sweep that the store answered: a sign that the engine lives, however little
/// there is to do.
pub(crate) struct Pulse(Mutex<Instant>);

impl Pulse {
    pub(crate) fn new() -> Arc<Pulse> {
        Arc::new(Pulse(Mutex::new(Instant::now())))
    }

    fn beat(&self) {
        *self.0.lock() = Instant::now();
    }

    /// Returns the time since the last answer.
    pub(crate) fn age(&self) -> Duration {
        self.0.lock().elapsed()
    }
}

/// Grants every claim that can be granted, until stopped.
pub(crate) async fn claims(store: Arc<dyn Store>, pulse: Arc<Pulse>, stop: CancellationToken) {
    let step = || async {
        let answer = store.sweep_claims().await;
        if answer.is_ok() {
            pulse.beat();
        }
        answer
    };
    sweep(&CLAIMS, "claims", step, stop).await;
}

/// Ends every sub-task whose success was lost, until stopped.
pub(crate) async fn outputs(store: Arc<dyn Store>, stop: CancellationToken) {
    sweep(&OUTPUTS, "outputs", || store.sweep_outputs(), stop).await;
}

async fn sweep<F: Future<Output = Result<Sweep, StoreError>>>(
    pace: &Pace,
    of: &str,
    step: impl Fn() -> F,
    stop: CancellationToken,
) {
    let steps = async {
        loop {
            let begun = Instant::now();
            let through = match step().await {
                Ok(step) => {
                    if step.found > 0 {
                        tracing::debug!(of, found = step.found, "the sweep found what was stuck");
                    }
                    step.is_through
                }
                Err(e) => {
                    tracing::warn!(of, error = %e, "the sweep failed; it will be repeated");
                    true
                }
            };
            let rest = begun.elapsed().saturating_mul(pace.rest);
            sleep(if through { rest.max(pace.pause) } else { rest }).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = steps => {}
    }
}
