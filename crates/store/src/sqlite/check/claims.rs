//! Rules of claims over all tasks, and the count of slots in use for each key.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use rusqlite::Connection;

use crate::check::{Finding, Remedy};
use crate::error::StoreError;
use crate::sqlite::failed::sql;
use crate::sqlite::{claims, lenient, open};

/// Time within which a running server grants claims that can be granted.
const SOON: Duration = Duration::from_secs(3);

/// Query for claims that are marked clear although others stand before them.
const PASSED: &str = "SELECT seq, key FROM claims AS mine WHERE held = 0 AND clear = 1 AND CASE mode
     WHEN 2 THEN EXISTS (SELECT 1 FROM claims AS other
       WHERE other.seq = mine.seq AND other.mode < 2 AND other.clear = 0)
     ELSE EXISTS (SELECT 1 FROM claims AS other
       WHERE other.key = mine.key AND other.ticket < mine.ticket AND (mine.mode = 1 OR other.mode = 1)) END";

/// Query for claims that wait although nobody stands before them.
const FORGOTTEN: &str = "SELECT seq, key FROM claims AS mine WHERE held = 0 AND clear = 0 AND CASE mode
     WHEN 2 THEN NOT EXISTS (SELECT 1 FROM claims AS other
       WHERE other.seq = mine.seq AND other.mode < 2 AND other.clear = 0)
     ELSE NOT EXISTS (SELECT 1 FROM claims AS other
       WHERE other.key = mine.key AND other.ticket < mine.ticket AND (mine.mode = 1 OR other.mode = 1)) END";

/// Query for tasks that hold a lock together although one of them holds it exclusively.
const TWICE: &str = "SELECT seq, key FROM claims WHERE held = 1 AND mode < 2 AND key IN (
     SELECT key FROM claims WHERE held = 1 AND mode < 2 GROUP BY key HAVING count(*) > 1 AND max(mode) = 1)";

/// Tasks that hold a place of a key that has fewer.
const CROWDED: &str = "SELECT seq, key FROM claims WHERE held = 1 AND mode = 2 AND key IN (
     SELECT key FROM claims WHERE held = 1 AND mode = 2 GROUP BY key HAVING count(*) > max(most))";

/// Query for keys whose slots are miscounted.
const MISCOUNTED: &str = "SELECT NULL, key FROM (
       SELECT key, held AS n FROM places
       UNION ALL SELECT key, -count(*) FROM claims WHERE mode = 2 AND held = 1 GROUP BY key)
     GROUP BY key HAVING sum(n) <> 0 OR count(*) <> 2";

/// Checks the claims of all tasks. Reads the database once more where a running server may just be granting.
pub(super) fn check(
    connection: &Connection,
    directory: &Path,
    found: &mut dyn FnMut(Finding),
) -> Result<(), StoreError> {
    let rules = [
        (PASSED, "claims", "I9: it has its turn although others stand before it", Remedy::Repair),
        (
            TWICE,
            "claims",
            "I9: it holds a lock together with others, and one of them has it alone; what a repair leaves of \
             this is in their documents",
            Remedy::Repair,
        ),
        (
            CROWDED,
            "claims",
            "I9: it holds a place of a key together with more than may; what a repair leaves of this is in their \
             documents",
            Remedy::Repair,
        ),
        (MISCOUNTED, "places", "I9: the number of tasks that have a place is wrong", Remedy::Repair),
    ];
    for (text, table, what, remedy) in rules {
        for (seq, key) in rows(connection, text)? {
            let id = seq.map(|seq| lenient::id_of(connection, seq)).transpose()?;
            found(Finding::of(table, format!("{what} (`{key}`)"), remedy).task(id));
        }
    }
    let mut waiting = stuck(connection)?;
    if !waiting.is_empty() && is_served(directory) {
        std::thread::sleep(SOON);
        let still = stuck(&open::reader(directory)?)?;
        waiting.retain(|waits| still.contains(waits));
    }
    for (seq, key) in waiting {
        let id = seq.map(|seq| lenient::id_of(connection, seq)).transpose()?;
        let what = format!("I9: it waits for `{key}`, and nothing stands before it");
        found(Finding::of("claims", what, Remedy::Repair).task(id));
    }
    Ok(())
}

type Claims = BTreeSet<(Option<i64>, String)>;

/// Returns waiting claims that have nobody before them; of slots those that are free.
fn stuck(connection: &Connection) -> Result<Claims, StoreError> {
    rows(connection, FORGOTTEN)
}

fn rows(connection: &Connection, text: &str) -> Result<Claims, StoreError> {
    let mut statement = connection.prepare(text).map_err(sql)?;
    let rows =
        statement.query_map([], |row| Ok((lenient::int(row, 0)?, lenient::shown(row, 1)?))).map_err(sql)?;
    rows.collect::<Result<_, _>>().map_err(sql)
}

/// Returns true if a server has the data directory.
fn is_served(directory: &Path) -> bool {
    let Ok(file) = std::fs::File::open(open::lock_file(directory)) else { return false };
    Flock::lock(file, FlockArg::LockSharedNonblock).is_err()
}

/// Rebuilds the marks and numbers of claims that follow from the claims themselves.
pub(super) fn derive(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch(claims::DERIVE).map_err(sql)?;
    connection
        .execute_batch(
            "DELETE FROM places;
             INSERT INTO places SELECT key, count(*) FROM claims WHERE mode = 2 AND held = 1 GROUP BY key;",
        )
        .map_err(sql)
}
