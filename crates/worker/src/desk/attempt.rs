//! An attempt that this worker has, from its lease to its report.

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::{RawValue, to_raw_value};
use tokio::task::{AbortHandle, Id};
use tokio::time::Instant;

use crate::action_error::ActionError;
use crate::context::{Context, StopReason};
use crate::handler::Outcome;
use crate::line::LineBody;
use crate::wire::{CompletedBody, ErrorBody, FailedBody, ReleasedBody};

/// Attempt whose handler runs.
pub(super) struct Running {
    pub(super) context: Context,
    pub(super) handler: AbortHandle,
    /// Duration of the lease without a heartbeat.
    pub(super) span: Duration,
    pub(super) since: Instant,
    /// Time by which a handler that was asked to stop must have returned.
    pub(super) stop_by: Option<Instant>,
}

impl Running {
    pub(super) fn id(&self) -> Id {
        self.handler.id()
    }

    /// Returns true while the lease is ours.
    pub(super) fn is_ours(&self) -> bool {
        self.context.stop_reason() != Some(StopReason::Lost)
    }

    /// Asks the handler to stop; it has so long for it.
    pub(super) fn stop(&mut self, why: StopReason, cleanup: Duration) {
        self.context.stop(why);
        self.stop_by.get_or_insert(far(cleanup));
    }
}

/// Returns the instant that far from now; a duration too long for the clock becomes one of years.
pub(super) fn far(time: Duration) -> Instant {
    Instant::now() + time.min(Duration::from_secs(365 * 24 * 3600))
}

/// End of an attempt that the server is to be told.
pub(super) struct Report {
    pub(super) lease: Arc<str>,
    pub(super) ending: Ending,
    /// Context with the last lines of the log; absent for an attempt that was not begun.
    pub(super) context: Option<Context>,
    pub(super) lines: Vec<LineBody>,
    pub(super) since: Instant,
}

/// Result of an attempt.
pub(super) enum Ending {
    Completed(Option<Box<RawValue>>),
    Failed(ActionError),
    /// Given up unfinished, as the worker stops.
    Abandoned(ActionError),
    Released,
}

impl Report {
    /// Creates the report of a handler that returned, or was dropped.
    pub(super) fn ended(context: Context, outcome: Outcome) -> Self {
        let ending = match outcome {
            Ok(output) => Ending::Completed(output),
            Err(error) if context.stop_reason() == Some(StopReason::Stopping) => {
                Ending::Abandoned(stopped(&error))
            }
            Err(error) => Ending::Failed(error),
        };
        let (lease, since) = (context.lease().clone(), Instant::now());
        Report { lease, ending, context: Some(context), lines: Vec::new(), since }
    }

    /// Creates the report of a lease that was not begun.
    pub(super) fn released(lease: Arc<str>) -> Self {
        let since = Instant::now();
        Report { lease, ending: Ending::Released, context: None, lines: Vec::new(), since }
    }

    /// Returns the entry for the body of a call.
    pub(super) fn body(&self) -> Result<Box<RawValue>, serde_json::Error> {
        let (lease, log) = (&*self.lease, &self.lines[..]);
        match &self.ending {
            Ending::Completed(output) => {
                to_raw_value(&CompletedBody { lease, output: output.as_deref(), log })
            }
            Ending::Failed(error) | Ending::Abandoned(error) => to_raw_value(&FailedBody {
                lease,
                error: ErrorBody {
                    code: &error.code,
                    message: &error.message,
                    remediation: error.remediation.as_deref(),
                    causes: &error.causes,
                    context: &error.context,
                },
                retryable: error.retryable,
                outcome_unknown: error.outcome_unknown,
                abandoned: matches!(self.ending, Ending::Abandoned(_)),
                log,
            }),
            Ending::Released => to_raw_value(&ReleasedBody { lease }),
        }
    }
}

/// Returns the error of an attempt whose worker was stopped: its progress is unknown, and another worker
/// takes over.
fn stopped(error: &ActionError) -> ActionError {
    ActionError::new("WORKER_STOPPED", "the worker was stopped before the work was done")
        .cause(error.code.clone(), error.message.clone())
}

/// Returns the error of a handler that did not return when it was asked to stop.
pub(super) fn did_not_stop(cleanup: Duration) -> ActionError {
    ActionError::new("STOPPED", format!("the work was broken off: it did not stop within {cleanup:?}"))
}
