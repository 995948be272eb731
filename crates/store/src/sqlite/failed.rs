//! Meaning of the failures of SQLite.

use crate::error::StoreError;

/// Converts an SQLite error. Errors in a row or a statement are kept apart from errors of the storage: the
/// former fail one job, the latter all of them.
pub(super) fn sql(e: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode::{
        ConstraintViolation, DatabaseCorrupt, DiskFull, NotADatabase, ParameterOutOfRange, TooBig,
        TypeMismatch, Unknown,
    };
    // The log's shared-memory index cannot grow: the disk is full.
    let no_room = e.sqlite_error().is_some_and(|e| e.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE);
    match e.sqlite_error_code() {
        Some(DiskFull) => StoreError::Full,
        Some(_) if no_room => StoreError::Full,
        Some(
            DatabaseCorrupt | NotADatabase | ConstraintViolation | TypeMismatch | TooBig
            | ParameterOutOfRange | Unknown,
        )
        | None => StoreError::Corrupt(e.to_string()),
        Some(_) => StoreError::Unavailable(e.to_string()),
    }
}
