//! What the writer has counted lately. Adding to the rows of the totals with each transaction would change the same few rows a thousand
//! times a second; while anybody keeps an old snapshot open, whose versions must stay, each change would have to find its way
//! through all versions before it. So each transaction writes one new row instead: all that was counted since the totals were
//! added to last. The newest row counts, and every second it is added to the totals.

use std::collections::BTreeMap;

use deadpool_postgres::GenericClient;
use tokio::time::{Duration, Instant};

use super::rows::{execute, query};
use super::sql::{clean, column};
use super::together::Together;
use super::{audit, totals};
use crate::counters::{Cell, Counters};
use crate::doc;
use crate::error::StoreError;

/// A row is added to the totals after so long, or sooner when it has many cells.
const LIFE: Duration = Duration::from_secs(1);
const LARGEST: usize = 100;

/// The newest row, as it was committed.
#[derive(Clone)]
pub(super) struct Tally {
    /// The writer's place in the totals.
    place: i16,
    /// Its number.
    number: i64,
    /// The number of the oldest row that is there still.
    oldest: i64,
    /// When it was added to the totals last.
    since: Instant,
    cells: BTreeMap<Cell, i64>,
    /// Notes of the audit log.
    notes: i64,
}

impl Tally {
    /// Its place and number, by which the outcome of its transaction can be found out.
    pub(super) fn mark(&self) -> (i16, i64) {
        (self.place, self.number)
    }

    /// Reads the newest row of a place, which an earlier connection or node may have left.
    pub(super) async fn read(db: &impl GenericClient, place: i16) -> Result<Tally, StoreError> {
        let statement =
            "SELECT (SELECT min(number) FROM tallies WHERE place = $1), number, cells::text, notes
             FROM tallies WHERE place = $1 ORDER BY number DESC LIMIT 1";
        let rows = query(db, statement, &[&place]).await?;
        let mut tally =
            Tally { place, number: 0, oldest: 1, since: Instant::now(), cells: BTreeMap::new(), notes: 0 };
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

    /// Counts what a transaction did, inside of it: the tally as it is once that is committed. Its row is the caller's to insert, also if
    /// nothing was counted.
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

    /// Its cells, as its row has them.
    pub(super) fn cells(&self) -> Result<String, StoreError> {
        let cells: Vec<_> = self
            .cells
            .iter()
            .filter(|(_, by)| **by != 0)
            .map(|(cell, by)| (cell.width, cell.bucket, &cell.kind, cell.status, &cell.resource_kind, by))
            .collect();
        doc::json(&cells)
    }

    /// Inserts its row.
    pub(super) fn insert<'a>(&'a self, cells: &'a String, together: &mut Together<'a>) {
        let statement =
            "INSERT INTO tallies (place, number, cells, notes) VALUES ($1, $2, $3::text::jsonb, $4)";
        together.add(statement, &[&self.place, &self.number, cells, &self.notes]);
    }

    /// Adds all of it to the totals, and begins anew.
    async fn add_up(&mut self, db: &impl GenericClient) -> Result<(), StoreError> {
        let cells = std::mem::take(&mut self.cells);
        totals::add(db, self.place, cells).await?;
        if self.notes != 0 {
            audit::count(db, self.place, self.notes).await?;
        }
        // From the oldest on: those before it are gone, and would be walked over as long as somebody sees them.
        let gone = "DELETE FROM tallies WHERE place = $1 AND number >= $2 AND number < $3";
        execute(db, gone, &[&self.place, &self.oldest, &self.number]).await?;
        // The one before may not be committed yet, and is not seen: it goes the next time.
        (self.oldest, self.notes, self.since) = (self.number - 1, 0, Instant::now());
        Ok(())
    }
}
