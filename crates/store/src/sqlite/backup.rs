//! Online backup: one consistent copy, taken while a server works, complete or not there at all.

use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::{open, reserve};
use crate::error::StoreError;

/// Pages copied per step: 256 KiB.
const PAGES: i32 = 64;
/// Bytes written between two syncs to disk.
const SYNC_EVERY: u64 = 4 << 20;
/// Shortest and longest pause between two steps.
const LEAST_REST: Duration = Duration::from_millis(1);
const LONGEST_REST: Duration = Duration::from_millis(200);
/// Ending of the name of a copy that is not complete.
const PARTIAL: &str = ".partial";
/// Age at which a partial copy that no process holds counts as left behind.
const LEFT_BEHIND: Duration = Duration::from_secs(10);

/// Copies the database of a data directory to a file that must not exist yet. `progress` is called with bytes
/// written so far and bytes expected.
///
/// The copy has a name of its own until it is complete, so that two backups never share a file; after any
/// error it is removed. A file beside it, `FILE.sha256`, has its checksum. After Ok: the file is complete and
/// on disk. Crash in the middle: a `.partial` file may be left, which the next backup to the same name
/// removes. Err: [`StoreError::Open`] if there is no database, the file exists, another backup to it is under
/// way, or the disk has not enough space; nothing is written then.
pub fn backup(directory: &Path, file: &Path, mut progress: impl FnMut(u64, u64)) -> Result<u64, StoreError> {
    let database = open::database(directory);
    if !database.exists() {
        return Err(StoreError::Open(format!("there is no database in {}", directory.display())));
    }
    let failed = |e: &dyn std::fmt::Display| StoreError::Unavailable(format!("the backup failed: {e}"));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(&database, flags).map_err(|e| failed(&e))?;
    let expected = size(&database);
    // Pages in the log are not in the file yet; most of them replace pages of the file.
    let partial = Partial::begin(file, expected + size(&open::log(directory)))?;
    copy(&source, partial.path(), &mut |done| progress(done.min(expected), expected))
        .map_err(|e| failed(&e))?;
    let sum = digest(&mut File::open(partial.path()).map_err(|e| failed(&e))?).map_err(|e| failed(&e))?;
    let bytes = partial.complete()?;
    note_checksum(file, &sum).map_err(|e| failed(&e))?;
    progress(bytes, bytes);
    Ok(bytes)
}

/// Name of the file with the checksum of a backup, in the form that `sha256sum -c` reads.
pub(super) fn checksum_of(file: &Path) -> PathBuf {
    PathBuf::from(format!("{}.sha256", file.display()))
}

fn note_checksum(file: &Path, sum: &str) -> std::io::Result<()> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let mut options = File::options();
    // An existing one belonged to a backup of the same name, which is gone.
    let mut made = options.write(true).create(true).truncate(true).mode(0o600).open(checksum_of(file))?;
    writeln!(made, "{sum}  {name}")?;
    made.sync_all()
}

/// Returns the SHA-256 of an input, in hexadecimal digits.
pub(super) fn digest(from: &mut impl Read) -> std::io::Result<String> {
    let (mut sum, mut buffer) = (Sha256::new(), vec![0; 256 << 10]);
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            bytes => sum.update(&buffer[..bytes]),
        }
    }
}

/// File in the making: under a name of its own, private and locked, and removed unless it is completed.
pub(super) struct Partial {
    target: PathBuf,
    file: NamedTempFile,
    _held: Flock<File>,
}

impl Partial {
    /// Begins a file of about so many bytes. Err: it exists, another process is writing it, or there is no
    /// space.
    pub(super) fn begin(target: &Path, bytes: u64) -> Result<Partial, StoreError> {
        let refuse = |text: String| Err(StoreError::Open(text));
        if target.symlink_metadata().is_ok() {
            return refuse(format!("{} exists already: choose another name", target.display()));
        }
        let Some(name) = target.file_name() else {
            return refuse(format!("{} is no name of a file", target.display()));
        };
        let folder = folder(target);
        let prefix = format!("{}.", name.to_string_lossy());
        if left_behind(folder, &prefix) == Leftovers::InUse {
            return refuse(format!("another process is writing {}", target.display()));
        }
        let cannot = |e: std::io::Error| StoreError::Open(format!("{}: {e}", folder.display()));
        let free = reserve::free(folder);
        if free < bytes {
            return refuse(format!(
                "{} needs about {}, and only {} are free in {}",
                target.display(),
                mebibytes(bytes),
                mebibytes(free),
                folder.display()
            ));
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(PARTIAL).permissions(Permissions::from_mode(0o600));
        let file = builder.tempfile_in(folder).map_err(cannot)?;
        let own = file.as_file().try_clone().map_err(cannot)?;
        let held = Flock::lock(own, FlockArg::LockExclusiveNonblock).map_err(|(_, e)| cannot(e.into()))?;
        Ok(Partial { target: target.to_owned(), file, _held: held })
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Puts the file on disk under its own name. Returns its size in bytes. Err: another file of that name
    /// was made meanwhile, which is left as it is.
    pub(super) fn complete(self) -> Result<u64, StoreError> {
        let Partial { target, file, .. } = self;
        let failed = |e: std::io::Error| StoreError::Unavailable(format!("{}: {e}", target.display()));
        file.as_file().sync_all().map_err(failed)?;
        file.persist_noclobber(&target).map_err(|e| failed(e.error))?;
        File::open(folder(&target)).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok(size(&target))
    }
}

/// State of the partial copies that earlier backups left.
#[derive(PartialEq, Eq)]
enum Leftovers {
    /// No partial copy is left, or none that a process still writes: the others were removed.
    Removed,
    /// A process still writes a partial copy.
    InUse,
}

/// Removes partial copies whose process is gone: it would have held its lock.
fn left_behind(folder: &Path, prefix: &str) -> Leftovers {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with(prefix) || !name.ends_with(PARTIAL) {
            continue;
        }
        let Ok(file) = File::open(entry.path()) else { continue };
        let age = entry.metadata().ok().and_then(|about| about.modified().ok()?.elapsed().ok());
        match Flock::lock(file, FlockArg::LockSharedNonblock) {
            Err(_) => return Leftovers::InUse,
            // A younger one may be about to be locked.
            Ok(_held) if age.is_some_and(|age| age >= LEFT_BEHIND) => {
                // Another process may be doing the same.
                let _ = std::fs::remove_file(entry.path());
            }
            Ok(_) => {}
        }
    }
    Leftovers::Removed
}

fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
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
