//! Message and exit code of a worker's end.

use longhaul_client::{ClientError, ErrorBody};
use longhaul_worker::WorkerError;

use crate::exit::Failure;

/// Converts a worker's error into the failure that other commands report.
pub(super) fn of(error: WorkerError) -> Failure {
    match error {
        WorkerError::Setup { what, reason } => Failure::Call(ClientError::Setup { what, reason }),
        WorkerError::Unauthorized { status, code, message, remediation, .. }
        | WorkerError::Refused { status, code, message, remediation, .. } => {
            let error = ErrorBody {
                error_code: code,
                message,
                remediation_message: remediation,
                ..ErrorBody::default()
            };
            Failure::Call(ClientError::Refused { status, error: Box::new(error) })
        }
        WorkerError::Unreachable { server, since, reason } => {
            Failure::Call(ClientError::Unreachable { server, reason: format!("{reason}, since {since}") })
        }
        WorkerError::Untrusted { server, reason } => {
            Failure::Call(ClientError::Certificate { server, reason })
        }
        other => Failure::Local(other.into()),
    }
}
