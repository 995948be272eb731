//! The ways in which a worker cannot begin, or ends otherwise than by its own will.

pub(crate) use longhaul_client::ClientError;
use thiserror::Error;

/// Reason for which a worker could not be built, or ended.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// A setting of the worker cannot be used.
    #[error("{what} cannot be used: {reason}")]
    Setup {
        /// Name of the setting.
        what: String,
        /// Fault of the setting.
        reason: String,
    },
    /// The server does not take the worker's key, or its account may not work (401, 403).
    #[error("{server} does not let this worker in: {message} ({status})")]
    Unauthorized {
        /// The server's address.
        server: String,
        /// The HTTP status.
        status: u16,
        /// The server's code.
        code: String,
        /// Message of the server.
        message: String,
        /// Advice of the server.
        remediation: Option<String>,
    },
    /// The server refuses to lease anything to this worker.
    #[error("{server} refuses this worker: {message} ({status})")]
    Refused {
        /// The server's address.
        server: String,
        /// The HTTP status.
        status: u16,
        /// The server's code.
        code: String,
        /// Message of the server.
        message: String,
        /// Advice of the server.
        remediation: Option<String>,
    },
    /// The server's certificate is not trusted, and it never was.
    #[error("the certificate of {server} cannot be trusted: {reason}")]
    Untrusted {
        /// The server's address.
        server: String,
        /// Fault of the certificate.
        reason: String,
    },
    /// The server did not answer for longer than the worker's patience ([`WorkerBuilder::patience`]).
    ///
    /// [`WorkerBuilder::patience`]: crate::WorkerBuilder::patience
    #[error("{server} does not answer since {since}: {reason}")]
    Unreachable {
        /// The server's address.
        server: String,
        /// Start of the outage (RFC 3339).
        since: String,
        /// Latest failure.
        reason: String,
    },
    /// The worker stopped, and the server did not take all of its results in time. Their leases expire.
    #[error("stopped with {count} results that the server did not take")]
    Unreported {
        /// Number of results.
        count: usize,
    },
    /// The part that speaks to the server ended: a mistake in this library.
    #[error("the worker broke down")]
    Broken,
}

impl WorkerError {
    pub(crate) fn setup(what: impl Into<String>, reason: impl Into<String>) -> Self {
        WorkerError::Setup { what: what.into(), reason: reason.into() }
    }
}

/// Converts the errors that precede any request.
impl From<ClientError> for WorkerError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Setup { what, reason } => WorkerError::Setup { what, reason },
            ClientError::Address { address, reason } => {
                WorkerError::setup(format!("the server's address `{address}`"), reason)
            }
            other => WorkerError::setup("the server", other.to_string()),
        }
    }
}
