//! Logs of changes: one for each writer and one for the one-off transactions of each node, so that the
//! numbers of a log are committed in their order. A sequence over all nodes would not be: a number may become
//! visible after a higher one, and whoever reads on from the highest misses it.

use std::collections::{BTreeMap, BTreeSet};

use deadpool_postgres::GenericClient;
use longhaul_model::Timestamp;

use super::Shared;
use super::sql::{column, execute, query};
use super::together::Together;
use crate::changes::{Changes, KEPT, Pending, Position, decode, stamp};
use crate::error::StoreError;

/// Number of changes after which a writer deletes what its log has too many, and the most rows deleted then:
/// more than a writer commits between two looks.
const TRIMMED_EACH: i64 = 1_000;
const TRIMMED: i64 = 2_000;
/// Largest number of old rows deleted from each log at once.
const FORGOTTEN: i64 = 10_000;
/// Largest number of rows of each log that are read at once.
const ROWS: i64 = 512;
/// Age in milliseconds from which the logs of nodes that are gone are cut.
const OLD: i64 = 24 * 3_600_000;

/// End of a writer's log, as it was committed.
#[derive(Clone, Copy, Default)]
pub(super) struct End {
    number: i64,
    total: i64,
    /// Number of changes when the log was last trimmed.
    trimmed: i64,
}

/// Row that a writer adds to its log.
pub(super) struct Row {
    place: i16,
    number: i64,
    total: i64,
    at: i64,
    tasks: Vec<u8>,
}

impl End {
    pub(super) async fn read(db: &impl GenericClient, place: i16) -> Result<End, StoreError> {
        let newest = "SELECT number, total FROM changes WHERE place = $1 ORDER BY number DESC LIMIT 1";
        let rows = query(db, newest, &[&place]).await?;
        let Some(row) = rows.first() else { return Ok(End::default()) };
        Ok(End { number: column(row, 0)?, total: column(row, 1)?, trimmed: 0 })
    }

    /// Makes the row of a transaction, if it changed any task, and moves the end behind it.
    pub(super) fn row(&mut self, place: i16, pending: &mut Pending, now: Timestamp) -> Option<Row> {
        let (tasks, count) = pending.take()?;
        (self.number, self.total) = (self.number + 1, self.total + count);
        Some(Row { place, number: self.number, total: self.total, at: stamp(now), tasks })
    }

    /// Deletes the oldest rows of a log that has too many changes.
    pub(super) async fn trim(&mut self, db: &impl GenericClient, place: i16) -> Result<(), StoreError> {
        if self.total - self.trimmed < TRIMMED_EACH {
            return Ok(());
        }
        let oldest = "DELETE FROM changes WHERE place = $1 AND number IN
               (SELECT number FROM (SELECT number, total FROM changes WHERE place = $1 ORDER BY number LIMIT $2) AS oldest
                WHERE total <= $3)";
        execute(db, oldest, &[&place, &TRIMMED, &(self.total - KEPT)]).await?;
        self.trimmed = self.total;
        Ok(())
    }
}

impl Row {
    pub(super) fn insert<'a>(&'a self, together: &mut Together<'a>) {
        let statement = "INSERT INTO changes (place, number, total, at, tasks) VALUES ($1, $2, $3, $4, $5)";
        together.add(statement, &[&self.place, &self.number, &self.total, &self.at, &self.tasks]);
    }
}

/// Writes what a one-off transaction changed to the log of this node's one-off transactions, of which one
/// runs at a time.
pub(super) async fn write(
    db: &impl GenericClient,
    shared: &Shared,
    mut pending: Pending,
    now: Timestamp,
) -> Result<(), StoreError> {
    let place = shared.turn.errand_place();
    let mut end = End::read(db, place).await?;
    let Some(row) = end.row(place, &mut pending, now) else { return Ok(()) };
    let mut together = Together::default();
    row.insert(&mut together);
    together.run(db).await
}

/// Deletes some of what is old in all logs, oldest first, but the newest row of each, which says how far the
/// log went.
pub(super) async fn forget_old(db: &impl GenericClient, now: Timestamp) -> Result<(), StoreError> {
    let old = format!(
        "{PLACES} DELETE FROM changes USING places CROSS JOIN LATERAL
           (SELECT place, number, at, max(number) OVER () AS newest FROM
             (SELECT place, number, at FROM changes WHERE place = places.place ORDER BY number LIMIT $2) AS first) AS oldest
         WHERE changes.place = oldest.place AND changes.number = oldest.number AND oldest.at < $1
           AND oldest.number < oldest.newest"
    );
    execute(db, &old, &[&(now.0 - OLD), &FORGOTTEN]).await.map(drop)
}

/// All logs, found one after the other without reading what is in them.
const PLACES: &str = "WITH RECURSIVE places AS (
       (SELECT place FROM changes ORDER BY place LIMIT 1)
       UNION ALL
       SELECT (SELECT c.place FROM changes c WHERE c.place > places.place ORDER BY c.place LIMIT 1)
       FROM places WHERE places.place IS NOT NULL)";

/// Progress in one log.
#[derive(Default)]
struct Read {
    /// Rows, with that of the position.
    rows: i64,
    /// Changes behind the position.
    tasks: usize,
}

/// Returns the ends of all logs as a position.
pub(super) async fn position(db: &impl GenericClient, lineage: String) -> Result<Position, StoreError> {
    let statement = format!(
        "{PLACES} SELECT newest.place, newest.number, newest.at FROM places CROSS JOIN LATERAL
           (SELECT place, number, at FROM changes WHERE place = places.place ORDER BY number DESC LIMIT 1) AS newest"
    );
    let mut rows = BTreeMap::new();
    for row in &query(db, &statement, &[]).await? {
        rows.insert(column(row, 0)?, (column(row, 1)?, column(row, 2)?));
    }
    Ok(Position { lineage, rows })
}

/// Returns the changes after a position, about so many, of each log its share; `None` if a log does not have
/// all of them.
pub(super) async fn after(
    db: &impl GenericClient,
    lineage: String,
    position: &Position,
    limit: u32,
) -> Result<Option<Changes>, StoreError> {
    if position.lineage != lineage {
        return Ok(None);
    }
    let places: Vec<i16> = position.rows.keys().copied().collect();
    let numbers: Vec<i64> = position.rows.values().map(|row| row.0).collect();
    // The row of the position is read, too: it says whether the log still has it.
    let statement = format!(
        "{PLACES} SELECT later.place, later.number, later.total, later.at, later.tasks
         FROM places LEFT JOIN unnest($1::smallint[], $2::bigint[]) AS seen (place, number) ON seen.place = places.place
         CROSS JOIN LATERAL (SELECT place, number, total, at, tasks FROM changes
           WHERE place = places.place AND number >= coalesce(seen.number, 0) ORDER BY number LIMIT $3) AS later
         ORDER BY later.place, later.number"
    );
    let mut next = position.clone();
    let mut tasks = Vec::new();
    // Each log is read to at least one row beyond that of the position.
    let rows = i64::from(limit).clamp(2, ROWS);
    let (mut read, mut more): (BTreeMap<i16, Read>, bool) = (BTreeMap::new(), false);
    let found = query(db, &statement, &[&places, &numbers, &rows]).await?;
    let logs: BTreeSet<i16> = found.iter().map(|row| column(row, 0)).collect::<Result<_, _>>()?;
    for row in &found {
        let place: i16 = column(row, 0)?;
        let (number, total, at): (i64, i64, i64) = (column(row, 1)?, column(row, 2)?, column(row, 3)?);
        let changed: &[u8] = column(row, 4)?;
        let log = read.entry(place).or_default();
        log.rows += 1;
        more |= log.rows >= rows;
        if log.rows == 1 {
            match position.rows.get(&place) {
                Some(&seen) if seen.0 > 0 => {
                    if seen != (number, at) {
                        return Ok(None);
                    }
                    continue;
                }
                // A log that began after the position: all of it must be there.
                _ if total != decode(changed).count() as i64 => return Ok(None),
                _ => {}
            }
        }
        // No log keeps the others waiting; the changes of one transaction stay together.
        if log.tasks * logs.len() >= limit as usize && log.tasks > 0 {
            more = true;
            continue;
        }
        let before = tasks.len();
        tasks.extend(decode(changed));
        log.tasks += tasks.len() - before;
        next.rows.insert(place, (number, at));
    }
    // A log of the position that is not there at all.
    if position.rows.iter().any(|(place, row)| row.0 > 0 && !read.contains_key(place)) {
        return Ok(None);
    }
    Ok(Some(Changes { tasks, position: next, more }))
}
