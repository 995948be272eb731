//! Errors of a certificate and its key, with what to do about them.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Reason why a certificate cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause, as the operating system reports it.
        source: io::Error,
    },
    /// The key's permissions let others than its owner read it.
    #[error(
        "others than its owner have access to the key {0} (mode {mode:03o}): run `chmod 600 {0}`, and have a new key \
        and certificate made if somebody may have read it",
        path.display()
    )]
    Exposed {
        /// The key's file.
        path: PathBuf,
        /// Permissions of the key's file.
        mode: u32,
    },
    /// A file is no PEM.
    #[error("{}: this is no PEM file: {reason}", path.display())]
    NoPem {
        /// The file.
        path: PathBuf,
        /// Error of the file's format.
        reason: String,
    },
    /// A file has no certificate.
    #[error(
        "{}: there is no certificate in it; it must hold the server's own certificate \
        (-----BEGIN CERTIFICATE-----), then those that lead to its authority",
        path.display()
    )]
    NoCertificate {
        /// The certificate's file.
        path: PathBuf,
    },
    /// A file has no key.
    #[error("{}: there is no private key in it (-----BEGIN PRIVATE KEY-----)", path.display())]
    NoKey {
        /// The key's file.
        path: PathBuf,
    },
    /// The key needs a password, and a server that starts unattended has nobody to ask.
    #[error(
        "{0}: the key is encrypted with a password; store it without: `openssl pkey -in {0} -out key.pem`, then \
        `chmod 600 key.pem`",
        path.display()
    )]
    Encrypted {
        /// The key's file.
        path: PathBuf,
    },
    /// Key and certificate are of two different pairs.
    #[error(
        "the certificate {} and the key {} do not belong together; the server's own certificate must be the first in \
        its file",
        certificate.display(),
        key.display()
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The certificate or its key cannot be used for TLS.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Cause, as the TLS library reports it.
        reason: String,
    },
    /// The server cannot make a certificate.
    #[error("no certificate can be made in {}: {reason}", directory.display())]
    Make {
        /// Directory for the certificate.
        directory: PathBuf,
        /// Cause of the failure.
        reason: String,
    },
    /// The library refuses to begin.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}
