//! An online backup: one consistent copy, taken while a server works, complete or not there at all.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::open;
use crate::error::StoreError;

/// Copies the database of a data directory to a file that must not exist yet. `progress` is called with bytes
/// written so far and bytes expected.
/// After Ok: the file is complete and on disk. Crash in the middle: a `.partial` file may be left.
pub fn backup(directory: &Path, file: &Path, mut progress: impl FnMut(u64, u64)) -> Result<u64, StoreError> {
    let refuse = |text: String| Err(StoreError::Open(text));
    let database = open::database(directory);
    if !database.exists() {
        return refuse(format!("there is no database in {}", directory.display()));
    }
    if file.exists() {
        return refuse(format!("{} exists already: choose another name", file.display()));
    }
    let partial = PathBuf::from(format!("{}.partial", file.display()));
    let failed = |e: &dyn std::fmt::Display| StoreError::Unavailable(format!("the backup failed: {e}"));
    if partial.exists() {
        std::fs::remove_file(&partial).map_err(|e| failed(&e))?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(&database, flags).map_err(|e| failed(&e))?;
    let expected = std::fs::metadata(&database).map_err(|e| failed(&e))?.len();
    let target = partial.to_string_lossy().into_owned();
    let copy = std::thread::spawn(move || source.execute("VACUUM INTO ?", [target]).map(|_| ()));
    while !copy.is_finished() {
        progress(size(&partial).min(expected), expected);
        std::thread::sleep(Duration::from_millis(50));
    }
    match copy.join() {
        Ok(Ok(())) => {}
        Ok(Err(e)) => return Err(failed(&e)),
        Err(_) => return Err(failed(&"the copying thread ended early")),
    }
    std::fs::File::open(&partial).and_then(|copy| copy.sync_all()).map_err(|e| failed(&e))?;
    std::fs::rename(&partial, file).map_err(|e| failed(&e))?;
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| failed(&e))?;
    }
    let bytes = size(file);
    progress(bytes, bytes);
    Ok(bytes)
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |meta| meta.len())
}
