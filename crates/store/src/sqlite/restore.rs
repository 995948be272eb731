//! A backup becomes a data directory.

use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::backup::{Partial, checksum_of, digest};
use super::open;
use crate::error::StoreError;

/// Characters of a path that are escaped in a URI.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');
/// Problems of a damaged database that are named.
const NAMED: u32 = 5;

/// A data directory that was made of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Size of the restored database.
    pub bytes: u64,
    /// True if the backup had a checksum beside it, and was compared with that; otherwise only its structure
    /// was checked.
    pub is_summed: bool,
}

/// Copies a backup into a data directory that is empty or does not exist. `keys` is the name of the key ring
/// that is to open its secrets; `None` skips the check. `place_keys` puts them beside the database, just
/// before that is there.
///
/// The copy is marked as restored: a server on it starts paused until told that the original is gone. After
/// Ok: complete and on disk. Crash in the middle: at most a `.partial` file is in the directory, and no
/// database. Err: [`StoreError::Open`] if the directory is not empty, or the file is not a backup, damaged,
/// of a newer version, of other keys, or the disk has not enough space; nothing is written then.
pub fn restore(
    file: &Path,
    directory: &Path,
    keys: Option<&str>,
    place_keys: impl FnOnce() -> std::io::Result<()>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Restored, StoreError> {
    let refuse = |text: String| Err(StoreError::Open(text));
    empty(directory)?;
    for ending in ["-wal", "-journal"] {
        let beside = PathBuf::from(format!("{}{ending}", file.display()));
        if std::fs::metadata(&beside).is_ok_and(|about| about.len() > 0) {
            return refuse(format!(
                "{} lies beside the backup, which therefore is no file that `longhaul backup` made: a part of it is in there, or \
                 that is another database's. Take a backup with `longhaul backup`",
                beside.display()
            ));
        }
    }
    let all = match std::fs::metadata(file) {
        Ok(about) if about.is_file() => about.len(),
        Ok(_) => return refuse(format!("{} is no file", file.display())),
        Err(e) => return refuse(format!("{}: {e}", file.display())),
    };
    fits(file, keys)?;
    let _lock = open::lock(directory)?;
    let target = open::database(directory);
    let partial = Partial::begin(&target, all)?;
    let failed = |e: &dyn std::fmt::Display| StoreError::Unavailable(format!("the restore failed: {e}"));
    progress(0, all);
    std::fs::copy(file, partial.path()).map_err(|e| failed(&e))?;
    let is_summed = unchanged(partial.path(), file)?;
    whole(partial.path(), file)?;
    let copy = Connection::open(partial.path()).map_err(|e| failed(&e))?;
    copy.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL").map_err(|e| failed(&e))?;
    copy.execute(
        "INSERT INTO settings (name, doc) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET doc = excluded.doc",
        [crate::transfer::STORAGE_ID, "\"restored\""],
    )
    .map_err(|e| failed(&e))?;
    copy.close().map_err(|(_, e)| failed(&e))?;
    place_keys()
        .map_err(|e| StoreError::Open(format!("the keys were not placed in {}: {e}", directory.display())))?;
    let bytes = partial.complete()?;
    progress(all, all);
    Ok(Restored { bytes, is_summed })
}

/// Refuses a directory with anything in it.
fn empty(directory: &Path) -> Result<(), StoreError> {
    let mut entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries.flatten(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(StoreError::Open(format!("{}: {e}", directory.display()))),
    };
    // Files that a refused restore leaves, and that the operator puts there for the server.
    let known = ["longhaul.lock", "keys.json", "lost+found"];
    match entries.find(|entry| !known.iter().any(|name| entry.file_name() == *name)) {
        None => Ok(()),
        Some(entry) => Err(StoreError::Open(format!(
            "{} is not empty ({} is in it): restore into a new directory",
            directory.display(),
            entry.file_name().display()
        ))),
    }
}

/// Opens a file that nobody changes, and leaves nothing beside it.
fn unchanging(file: &Path) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let path = percent_encode(file.as_os_str().as_encoded_bytes(), PATH);
    Connection::open_with_flags(format!("file:{path}?immutable=1"), flags)
}

/// Refuses a file that is not a database of Longhaul's that this version knows, or whose secrets other keys
/// seal.
fn fits(file: &Path, keys: Option<&str>) -> Result<(), StoreError> {
    let name = file.display();
    let refuse = |text: String| Err(StoreError::Open(text));
    let not_ours = |e: rusqlite::Error| StoreError::Open(format!("{name} is no backup of Longhaul: {e}"));
    let database = unchanging(file).map_err(not_ours)?;
    let newest: u32 = database
        .query_row("SELECT coalesce(max(number), 0) FROM schema_migrations", [], |row| row.get(0))
        .map_err(not_ours)?;
    if newest > open::newest_schema() || newest == 0 {
        return refuse(format!(
            "{name} has schema {newest}, this version of Longhaul knows 1 to {}: use a version that knows it",
            open::newest_schema()
        ));
    }
    let Some(wanted) = keys else { return Ok(()) };
    match keys_of(&database).map_err(not_ours)? {
        Some(found) if !found.iter().any(|name| name == wanted) => refuse(format!(
            "the secrets in {name} are sealed with other keys: give the keys.json that was in use when it was made"
        )),
        Some(_) | None => Ok(()),
    }
}

/// Refuses a copy that differs from the checksum beside the backup. Returns false if there is no checksum.
fn unchanged(copy: &Path, original: &Path) -> Result<bool, StoreError> {
    let beside = checksum_of(original);
    let Ok(text) = std::fs::read_to_string(&beside) else { return Ok(false) };
    let failed = |e: std::io::Error| StoreError::Unavailable(format!("the restore failed: {e}"));
    let found = digest(&mut std::fs::File::open(copy).map_err(failed)?).map_err(failed)?;
    if text.split_whitespace().next().is_some_and(|sum| sum.eq_ignore_ascii_case(&found)) {
        return Ok(true);
    }
    Err(StoreError::Open(format!(
        "{} is damaged: its checksum is not the one in {}. Use another backup",
        original.display(),
        beside.display()
    )))
}

/// Refuses a damaged database.
fn whole(copy: &Path, original: &Path) -> Result<(), StoreError> {
    let damaged = |why: String| {
        StoreError::Open(format!("{} is damaged: {why}. Use another backup", original.display()))
    };
    let problems = unchanging(copy).and_then(|database| open::problems(&database, NAMED));
    let problems = problems.map_err(|e| damaged(e.to_string()))?;
    if problems.is_empty() { Ok(()) } else { Err(damaged(problems.join("; "))) }
}

/// Returns the names of the keys that seal the secrets of a database, if a server has noted them.
fn keys_of(database: &Connection) -> rusqlite::Result<Option<Vec<String>>> {
    let doc: Option<String> = database
        .query_row("SELECT doc FROM settings WHERE name = ?", [crate::transfer::KEYS], |row| row.get(0))
        .optional()?;
    Ok(doc.and_then(|doc| serde_json::from_str(&doc).ok()))
}
