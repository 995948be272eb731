//! Counters of the writer. Adding to the rows of the totals with each transaction would change the same few
//! rows a thousand times a second; while an old snapshot stays open, their old versions must stay, and each
//! change would have to find its way through all of them. So each transaction writes one new row instead: all
//! that was counted since the totals were added to last. The newest row counts, and every second it is added
//! to the totals.

use std::collections::BTreeMap;

use deadpool_postgres::GenericClient;
use tokio::time::{Duration, Instant};

use super::sql::{clean, column, execute, query};
use super::together::Together;
use super::{audit, changes, totals};
use crate::counters::{Cell, Counters};
use crate::doc;
use crate::error::StoreError;

/// Time after which a row is added to the totals, or sooner when it has many cells.
const LIFE: Duration = Duration::from_secs(1);
const LARGEST: usize = 100;

/// Newest row, as it was committed.
#[derive(Clone)]
pub(super) struct Tally {
    /// The writer's place in the totals.
    place: i16,
    /// Number of the row.
    number: i64,
    /// Number of the oldest row that still exists.
    oldest: i64,
    /// Time at which the counts were last added to the totals.
    since: Instant,
    cells: BTreeMap<Cell, i64>,
    /// Notes of the audit log.
    notes: i64,
    /// End of the writer's log of changes.
    pub(super) changes: changes::End,
}

impl Tally {
    /// Place and number of the row, by which the outcome of its transaction can be found out.
    pub(super) fn mark(&self) -> (i16, i64) {
        (self.place, self.number)
    }

    /// Reads the newest row of a place, which an earlier connection or node may have left.
    pub(super) async fn read(db: &impl GenericClient, place: i16) -> Result<Tally, StoreError> {
        let statement =
            "SELECT (SELECT min(number) FROM tallies WHERE place = $1), number, cells::text, notes
             FROM tallies WHERE place = $1 ORDER BY number DESC LIMIT 1";
        let rows = query(db, statement, &[&place]).await?;
        let mut tally = Tally {
            place,
            number: 0,
            oldest: 1,
            since: Instant::now(),
            cells: BTreeMap::new(),
            notes: 0,
            changes: changes::End::read(db, place).await?,
        };
        if let Some(row) = rows.first() {
            let cells: Vec<(i64, i64, String, u8, String, i64)> = doc::parse(column(row, 2)?)?;
            let cell = |(width, bucket, kind, status, resource_kind, n)| {
                (Cell { width, bucket, status, kind, resource_kind }, n)
            };
            tally.cells = cells.into_iter().map(cell).collect();
            (tally.oldest, tally.number, tally.notes) = (column(row, 0)?, column(row, 1)?, column(row, 3)?);
        }
        Ok(tally)
    }

    /// Counts the changes of a transaction, inside of it: returns the counters as they are once it is
    /// committed. The caller inserts the row, also if nothing was counted.
    pub(super) async fn count(
        &self,
        db: &impl GenericClient,
        counters: &mut Counters,
        notes: usize,
    ) -> Result<Tally, StoreError> {
        let mut next = self.clone();
        for (mut cell, by) in counters.drain() {
            cell.kind = clean(&cell.kind).to_ascii_lowercase();
            cell.resource_kind = clean(&cell.resource_kind).to_ascii_lowercase();
            *next.cells.entry(cell).or_insert(0) += by;
        }
        next.notes += notes as i64;
        next.number += 1;
        if next.since.elapsed() > LIFE || next.cells.len() > LARGEST {
            next.add_up(db).await?;
        }
        Ok(next)
    }

    /// Returns the cells as the row has them.
    pub(super) fn cells(&self) -> Result<String, StoreError> {
        let cells: Vec<_> = self
            .cells
            .iter()
            .filter(|(_, by)| **by != 0)
            .map(|(cell, by)| (cell.width, cell.bucket, &cell.kind, cell.status, &cell.resource_kind, by))
            .collect();
        doc::json(&cells)
    }

    /// Inserts the row of the counters.
    pub(super) fn insert<'a>(&'a self, cells: &'a String, together: &mut Together<'a>) {
        let statement =
            "INSERT INTO tallies (place, number, cells, notes) VALUES ($1, $2, $3::text::jsonb, $4)";
        together.add(statement, &[&self.place, &self.number, cells, &self.notes]);
    }

    /// Adds all counters to the totals, and begins again from zero.
    async fn add_up(&mut self, db: &impl GenericClient) -> Result<(), StoreError> {
        let cells = std::mem::take(&mut self.cells);
        totals::add(db, self.place, cells).await?;
        if self.notes != 0 {
            audit::count(db, self.place, self.notes).await?;
        }
        // The search starts at the oldest row: those before it are dead, and would be walked over as long as
        // a snapshot sees them.
        let gone = "DELETE FROM tallies WHERE place = $1 AND number >= $2 AND number < $3";
        execute(db, gone, &[&self.place, &self.oldest, &self.number]).await?;
        self.changes.trim(db, self.place).await?;
        // The previous row may not be committed yet, and is not seen: it is deleted the next time.
        (self.oldest, self.notes, self.since) = (self.number - 1, 0, Instant::now());
        Ok(())
    }
}
