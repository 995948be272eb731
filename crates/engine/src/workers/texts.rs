//! Limits on the texts of a worker's report. Texts are cut only once secrets are out of them: a cut may leave
//! a part of a secret that nobody recognizes.

use longhaul_model::fault::Cause;
use longhaul_model::{Failure, Fault, Stage};

/// Longest text of an error or a stage, in bytes; longer ones are cut.
const LONGEST_TEXT: usize = 8 * 1_024;
/// Causes that an error keeps.
const MOST_CAUSES: usize = 20;
/// Largest context of an error, in bytes of JSON; a larger one is left out.
const LARGEST_CONTEXT: usize = 16 * 1_024;

/// A stage within the limits.
pub(super) fn kept_stage(stage: Stage) -> Stage {
    Stage { name: cut(stage.name), kind: cut(stage.kind), description: cut(stage.description), ..stage }
}

/// A failure within the limits.
pub(super) fn kept_failure(failure: Failure) -> Failure {
    match failure {
        Failure::Error { fault, retryable } => Failure::Error { fault: kept(fault), retryable },
        Failure::Local { fault, retryable } => Failure::Local { fault: kept(fault), retryable },
        Failure::Unknown { fault } => Failure::Unknown { fault: kept(fault) },
        Failure::Abandoned { fault } => Failure::Abandoned { fault: kept(fault) },
        other @ (Failure::Timeout | Failure::Lost | Failure::Stopped) => other,
    }
}

fn kept(mut fault: Fault) -> Fault {
    fault.causes.truncate(MOST_CAUSES);
    let cause = |cause: Cause| Cause { kind: cut(cause.kind), message: cut(cause.message) };
    if serde_json::to_vec(&fault.context).is_ok_and(|text| text.len() > LARGEST_CONTEXT) {
        fault.context.clear();
    }
    Fault {
        error_code: cut(fault.error_code),
        message: cut(fault.message),
        remediation_message: fault.remediation_message.map(cut),
        causes: fault.causes.into_iter().map(cause).collect(),
        ..fault
    }
}

/// The beginning of a text that is too long.
fn cut(mut text: String) -> String {
    if text.len() > LONGEST_TEXT {
        text.truncate(text.floor_char_boundary(LONGEST_TEXT - '…'.len_utf8()));
        text.push('…');
    }
    text
}
