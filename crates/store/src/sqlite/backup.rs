//! An online backup: one consistent copy, taken while a server works, complete or not there at all.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::open;
use crate::error::StoreError;

/// Pages copied per step: 256 KiB.
const PAGES: i32 = 64;
/// Bytes written between two syncs to disk.
const SYNC_EVERY: u64 = 4 << 20;
/// Shortest and longest pause between two steps.
const LEAST_REST: Duration = Duration::from_millis(1);
const LONGEST_REST: Duration = Duration::from_millis(200);

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
    // It has all that the database has, and is for the same eyes from its first byte on.
    open::make_private(&partial).map_err(|e| failed(&e))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(&database, flags).map_err(|e| failed(&e))?;
    let expected = std::fs::metadata(&database).map_err(|e| failed(&e))?.len();
    copy(&source, &partial, &mut |done| progress(done.min(expected), expected)).map_err(|e| failed(&e))?;
    std::fs::File::open(&partial).and_then(|copy| copy.sync_all()).map_err(|e| failed(&e))?;
    std::fs::rename(&partial, file).map_err(|e| failed(&e))?;
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| failed(&e))?;
    }
    let bytes = size(file);
    progress(bytes, bytes);
    Ok(bytes)
}

/// Copies a snapshot page by page, however long it takes, and rests twice as long as it works: a server
/// running alongside has the disk most of the time. Written data is synced bit by bit, so that the server's
/// commits never queue behind a flood of it.
fn copy(source: &Connection, target: &Path, progress: &mut impl FnMut(u64)) -> rusqlite::Result<()> {
    let moment = source.unchecked_transaction()?;
    // The snapshot is taken by the first read, not by the start of the transaction.
    moment.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let page: u64 = moment.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0))?.unsigned_abs();
    let mut into = Connection::open(target)?;
    into.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = 64;")?;
    let backup = Backup::new(&moment, &mut into)?;
    let mut synced = 0;
    loop {
        let began = Instant::now();
        let step = backup.step(PAGES)?;
        let at = backup.progress();
        let done = u64::from((at.pagecount - at.remaining).unsigned_abs()) * page;
        if done - synced >= SYNC_EVERY {
            synced = done;
            // Only spreads the load: the whole file is synced at the end, and that sync is checked.
            let _ = std::fs::File::open(target).and_then(|file| file.sync_data());
        }
        progress(done);
        if step == StepResult::Done {
            return Ok(());
        }
        std::thread::sleep((began.elapsed() * 2).clamp(LEAST_REST, LONGEST_REST));
    }
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |meta| meta.len())
}
