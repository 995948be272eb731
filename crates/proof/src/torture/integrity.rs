//! SQLite's own word on a database, asked of a copy so that the asking changes nothing.

use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::Connection;

use super::place::copy;

/// Returns the findings of `PRAGMA integrity_check` for a directory's databases, including the log of an
/// unfinished life; empty when they are sound. A server that was killed before it had a database has none.
pub(super) fn faults(data: &Path, scratch: &Path) -> Result<Vec<String>> {
    if !data.exists() {
        return Ok(Vec::new());
    }
    if scratch.exists() {
        std::fs::remove_dir_all(scratch)?;
    }
    copy(data, scratch)?;
    let mut faults = Vec::new();
    for entry in std::fs::read_dir(scratch)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "db") {
            continue;
        }
        let connection = Connection::open(&path).with_context(|| path.display().to_string())?;
        let mut statement = connection.prepare("PRAGMA integrity_check")?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
        for line in lines {
            let line = line?;
            if line != "ok" {
                faults.push(format!("{}: {line}", path.display()));
            }
        }
    }
    std::fs::remove_dir_all(scratch)?;
    Ok(faults)
}
