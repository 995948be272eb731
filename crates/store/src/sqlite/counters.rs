//! Exact totals without counting: how many tasks there are by type, status and type of resource, and how many
//! completed in each second, minute, hour and day. Collected over a batch, written once with it.

use std::collections::HashMap;

use longhaul_model::{TaskStatus, Timestamp};
use rusqlite::{Connection, params};

use super::functions::unpack;
use super::rows::sql;
use crate::error::StoreError;

/// Widths of the buckets of completions, largest first, in milliseconds.
pub(super) const WIDTHS: [i64; 4] = [86_400_000, 3_600_000, 60_000, 1_000];

/// What counts of one task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted<'a> {
    pub(super) kind: &'a str,
    pub(super) status: TaskStatus,
    pub(super) completed_at: Option<Timestamp>,
    /// Packed, see `functions`.
    pub(super) resources: &'a str,
}

#[derive(PartialEq, Eq, Hash)]
struct Cell {
    /// Zero: all tasks. Else a bucket's width and number.
    width: i64,
    bucket: i64,
    status: u8,
    kind: String,
    resource_kind: String,
}

/// Changes of the counters that are not written yet.
#[derive(Default)]
pub(super) struct Counters {
    changes: HashMap<Cell, i64>,
}

impl Counters {
    /// A task appears.
    pub(super) fn add(&mut self, task: Counted<'_>) {
        self.count(task, 1);
    }

    /// A task disappears, or stops being what it was.
    pub(super) fn remove(&mut self, task: Counted<'_>) {
        self.count(task, -1);
    }

    /// Forgets what a failed batch collected.
    pub(super) fn clear(&mut self) {
        self.changes.clear();
    }

    fn count(&mut self, task: Counted<'_>, by: i64) {
        self.cell(0, 0, task, "", by);
        let completed = task.completed_at.filter(|_| task.status.counts_as_completed());
        let mut seen: Vec<&str> = vec![""];
        for (kind, _) in unpack(task.resources) {
            if !seen.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
                seen.push(kind);
                self.cell(0, 0, task, kind, by);
            }
        }
        if let Some(at) = completed {
            for kind in seen {
                for width in WIDTHS {
                    self.cell(width, at.0.div_euclid(width), task, kind, by);
                }
            }
        }
    }

    fn cell(&mut self, width: i64, bucket: i64, task: Counted<'_>, resource_kind: &str, by: i64) {
        let (kind, resource_kind) = (task.kind.to_owned(), resource_kind.to_owned());
        let cell = Cell { width, bucket, status: task.status.code(), kind, resource_kind };
        *self.changes.entry(cell).or_insert(0) += by;
    }

    /// Writes what the batch changed, inside its transaction.
    pub(super) fn write(&mut self, connection: &Connection) -> Result<(), StoreError> {
        for (cell, by) in self.changes.drain() {
            if by == 0 {
                continue;
            }
            if cell.width == 0 {
                connection
                    .prepare_cached(
                        "INSERT INTO counters (kind, status, resource_kind, n) VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT DO UPDATE SET n = n + excluded.n",
                    )
                    .and_then(|mut s| s.execute(params![cell.kind, cell.status, cell.resource_kind, by]))
            } else {
                connection
                    .prepare_cached(
                        "INSERT INTO completions (width, bucket, kind, status, resource_kind, n)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET n = n + excluded.n",
                    )
                    .and_then(|mut s| {
                        s.execute(params![
                            cell.width,
                            cell.bucket,
                            cell.kind,
                            cell.status,
                            cell.resource_kind,
                            by
                        ])
                    })
            }
            .map_err(sql)?;
        }
        Ok(())
    }
}
