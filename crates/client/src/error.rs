//! The ways in which a call can go wrong, which callers treat differently: nobody answered, whoever answered
//! is not trusted, the server said no, or what came back was no answer of a Longhaul server.

use thiserror::Error;

use crate::body::ErrorBody;

/// Reason for which a call failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No answer: the server does not listen, its name is unknown, or the connection broke. A request that
    /// was being sent may or may not have taken effect.
    #[error("the server {server} does not answer: {reason}")]
    Unreachable {
        /// The server's address.
        server: String,
        /// Reason.
        reason: String,
    },
    /// The server's certificate is not trusted: whoever answers could be anybody, and was told nothing.
    #[error("the certificate of {server} cannot be trusted: {reason}")]
    Certificate {
        /// The server's address.
        server: String,
        /// Fault of the certificate.
        reason: String,
    },
    /// The server answered with an error.
    #[error("{}", error.message)]
    Refused {
        /// The HTTP status code.
        status: u16,
        /// Error that the server gave.
        error: Box<ErrorBody>,
    },
    /// The answer is none that this client understands.
    #[error("the answer of {server} is not understood: {reason}")]
    Protocol {
        /// The server's address.
        server: String,
        /// Fault of the answer.
        reason: String,
    },
    /// A setting of the client cannot be used.
    #[error("{what} cannot be used: {reason}")]
    Setup {
        /// Name of the setting.
        what: String,
        /// Fault of the setting.
        reason: String,
    },
    /// The address of the server cannot be used.
    #[error("`{address}` is no address of a server: {reason}")]
    Address {
        /// Address as given.
        address: String,
        /// Fault of the address.
        reason: String,
    },
}

impl ClientError {
    /// The HTTP status code of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            ClientError::Refused { status, .. } => Some(*status),
            ClientError::Unreachable { .. }
            | ClientError::Certificate { .. }
            | ClientError::Protocol { .. }
            | ClientError::Setup { .. }
            | ClientError::Address { .. } => None,
        }
    }

    /// The code of a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            ClientError::Refused { error, .. } => Some(&error.error_code),
            ClientError::Unreachable { .. }
            | ClientError::Certificate { .. }
            | ClientError::Protocol { .. }
            | ClientError::Setup { .. }
            | ClientError::Address { .. } => None,
        }
    }

    /// Returns true if nobody answered.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, ClientError::Unreachable { .. })
    }
}
