//! Opening of a data directory: one server at a time, a known SQLite, a known schema, the settings that
//! durability needs.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use longhaul_model::Timestamp;
use nix::fcntl::{Flock, FlockArg};
use rusqlite::{Connection, OpenFlags};

use super::functions;
use crate::error::StoreError;
use crate::migrate::{self, Migration};

/// The first SQLite without the WAL-reset corruption.
const OLDEST_SQLITE: i32 = 3_051_003;

const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "init", sql: include_str!("migrations/0001_init.sql") },
    Migration { number: 2, name: "accounts", sql: include_str!("migrations/0002_accounts.sql") },
    Migration { number: 3, name: "audit", sql: include_str!("migrations/0003_audit.sql") },
    Migration { number: 4, name: "logs", sql: include_str!("migrations/0004_logs.sql") },
    Migration { number: 5, name: "claims", sql: include_str!("migrations/0005_claims.sql") },
    Migration { number: 6, name: "doomed", sql: include_str!("migrations/0006_doomed.sql") },
    Migration { number: 7, name: "waiting", sql: include_str!("migrations/0007_waiting.sql") },
    Migration { number: 8, name: "bounds", sql: include_str!("migrations/0008_bounds.sql") },
    Migration { number: 9, name: "references", sql: include_str!("migrations/0009_references.sql") },
    Migration { number: 10, name: "sessions", sql: include_str!("migrations/0010_sessions.sql") },
    Migration { number: 11, name: "changes", sql: include_str!("migrations/0011_changes.sql") },
];

/// The database file of a data directory.
pub(super) fn database(directory: &Path) -> PathBuf {
    directory.join("longhaul.db")
}

/// The write-ahead log of a data directory.
pub(super) fn log(directory: &Path) -> PathBuf {
    directory.join("longhaul.db-wal")
}

/// Returns the file that a server has locked while it has the data directory.
pub(super) fn lock_file(directory: &Path) -> PathBuf {
    directory.join("longhaul.lock")
}

/// Identity of the database's file, which a copy does not have: its inode and the time of its creation.
/// Neither a restart of the machine nor mounting the volume elsewhere changes them.
pub(super) fn storage_id(directory: &Path) -> Option<String> {
    let about = std::fs::metadata(database(directory)).ok()?;
    let created = about.created().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    Some(format!("{}/{}", about.ino(), created.map_or(0, |since| since.as_nanos())))
}

/// The newest schema that this version knows.
pub(super) fn newest_schema() -> u32 {
    MIGRATIONS.last().map_or(0, |migration| migration.number)
}

/// Returns the problems that SQLite finds in a database, at most `most`; reads all of it.
pub(super) fn problems(connection: &Connection, most: u32) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({most})"))?;
    let found = statement.query_map([], |row| row.get::<_, String>(0))?;
    let found = found.filter(|problem| !matches!(problem, Ok(text) if text == "ok"));
    found.collect()
}

/// Holds a data directory for this process until dropped; a crash releases it too.
pub(super) struct DirectoryLock {
    _held: Flock<File>,
}

/// Creates the directory if need be and locks it.
pub(super) fn lock(directory: &Path) -> Result<DirectoryLock, StoreError> {
    let failed = |e: std::io::Error| {
        StoreError::Open(format!("the data directory {} cannot be used: {e}", directory.display()))
    };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    check_alone(directory, std::fs::metadata(directory).map_err(failed)?.permissions().mode())?;
    let path = lock_file(directory);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut held) => {
            held.set_len(0).map_err(failed)?;
            held.rewind().map_err(failed)?;
            write!(held, "{}", std::process::id()).map_err(failed)?;
            Ok(DirectoryLock { _held: held })
        }
        Err((mut file, _)) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim();
            let who =
                if holder.is_empty() { "another process".to_owned() } else { format!("process {holder}") };
            Err(StoreError::Open(format!(
                "the data directory {} is in use by {who}: stop that server, or choose another --data-dir",
                directory.display()
            )))
        }
    }
}

/// Refuses a directory in which accounts other than its owner may replace files.
fn check_alone(directory: &Path, mode: u32) -> Result<(), StoreError> {
    if mode & 0o022 == 0 {
        return Ok(());
    }
    let directory = directory.display();
    // This is the mark of a folder that a group shares, such as the root of a Kubernetes volume with
    // `fsGroup`. The members of the group cannot be determined from here, and the orchestrator would set the
    // bits again if they were cleared.
    let shared = match mode & 0o2022 {
        0o2020 => {
            format!(
                ", or on a volume with `fsGroup` have a folder made in it, with --data-dir {directory}/longhaul"
            )
        }
        _ => String::new(),
    };
    Err(StoreError::Open(format!(
        "others than its owner may write the data directory {directory} (its mode is {:o}): chmod go-w {directory}{shared}",
        mode & 0o7777
    )))
}

/// The connection that writes, on the newest schema.
pub(super) fn writer(directory: &Path, now: Timestamp) -> Result<Connection, StoreError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(StoreError::Open(format!("SQLite {} is too old to be safe", rusqlite::version())));
    }
    let failed = |e: rusqlite::Error| StoreError::Open(format!("the database cannot be opened: {e}"));
    let path = database(directory);
    make_private(&path).map_err(|e| StoreError::Open(format!("{}: {e}", path.display())))?;
    let mut connection = Connection::open(&path).map_err(failed)?;
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
             PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY; PRAGMA busy_timeout = 5000;
             PRAGMA journal_size_limit = 67108864;",
        )
        .map_err(failed)?;
    restrict(&path).map_err(|e| StoreError::Open(format!("{}: {e}", path.display())))?;
    connection.set_prepared_statement_cache_capacity(128);
    migrate(&mut connection, now)?;
    functions::register(&connection).map_err(failed)?;
    Ok(connection)
}

/// Brings a database to the newest schema.
pub(super) fn migrate(connection: &mut Connection, now: Timestamp) -> Result<(), StoreError> {
    migrate::run(connection, MIGRATIONS, now.0)
}

/// Creates a file for its owner only, if it does not exist; SQLite gives the files beside it the same mode.
pub(super) fn make_private(path: &Path) -> std::io::Result<()> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop)
}

fn restrict(path: &Path) -> std::io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

/// A connection that only reads.
pub(super) fn reader(directory: &Path) -> Result<Connection, StoreError> {
    try_reader(directory).map_err(|e| StoreError::Unavailable(format!("the database cannot be read: {e}")))
}

/// Opens the database for reading, with SQLite's own error where it does not exist.
pub(super) fn try_reader(directory: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database(directory), flags)?;
    connection.execute_batch(
        "PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY; PRAGMA busy_timeout = 5000;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    functions::register(&connection)?;
    Ok(connection)
}
