//! The ways in which a call can go wrong, which callers treat differently: nobody answered, whoever answered is not
//! trusted, the server said no, or what came back was no answer of a Longhaul server.

use thiserror::Error;

use crate::body::ErrorBody;

/// Why a call failed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No answer: nobody listens there, the name is unknown, or the connection broke. Whether a request that was
    /// being sent took effect is not known.
    #[error("the server {server} does not answer: {reason}")]
    Unreachable {
        /// The server's address.
        server: String,
        /// What happened.
        reason: String,
    },
    /// Whoever answers could be anybody, and was told nothing: the server's certificate is not trusted.
    #[error("the certificate of {server} cannot be trusted: {reason}")]
    Certificate {
        /// The server's address.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server answered with an error.
    #[error("{}", error.message)]
    Refused {
        /// The HTTP status code.
        status: u16,
        /// What it said.
        error: Box<ErrorBody>,
    },
    /// The answer is none that this client understands.
    #[error("the answer of {server} is not understood: {reason}")]
    Protocol {
        /// The server's address.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What the client was given cannot be used.
    #[error("{what} cannot be used: {reason}")]
    Setup {
        /// What was given.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The address of the server cannot be used.
    #[error("`{address}` is no address of a server: {reason}")]
    Address {
        /// As given.
        address: String,
        /// What is wrong with it.
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

    /// Whether nobody answered.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, ClientError::Unreachable { .. })
    }
}
