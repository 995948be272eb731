//! Reasons for which a key ring cannot be opened.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Reason for which a key ring cannot be opened.
#[derive(Debug, Error)]
pub enum KeyringError {
    /// The file can be read by others than its owner.
    #[error(
        "the key file {} may be read by others than its owner (mode {mode:04o}): run `chmod 600 {}`, and make new keys if anybody else can have read it",
        path.display(), path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Permissions of the file.
        mode: u32,
    },
    /// The file can be replaced by others than its owner.
    #[error(
        "others than its owner may write the folder of the keys, {} (its mode is {mode:o}): chmod go-w {}",
        folder.display(), folder.display()
    )]
    Exchangeable {
        /// The folder.
        folder: PathBuf,
        /// Permissions of the directory.
        mode: u32,
    },
    /// The file is not a key file of Longhaul. It is left unchanged.
    #[error("the key file {} cannot be used: {why}; restore it from a backup", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Reason.
        why: String,
    },
    /// The file system refused.
    #[error("the key file {} cannot be {doing}: {source}", path.display(), doing = past(doing))]
    Io {
        /// `read` or `write`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// The signing keys that others keep for all cannot be used.
    #[error("the signing keys that all nodes share cannot be used with the key file {}: {why}", path.display())]
    Shared {
        /// The file.
        path: PathBuf,
        /// Reason.
        why: String,
    },
    /// The server ends.
    #[error("the key file was not written: the server is stopping")]
    Stopping,
}

fn past(doing: &str) -> &str {
    if doing == "read" { "read" } else { "written" }
}
