//! Exact totals without counting: the number of tasks by type, status and type of resource, and of
//! completions in each second, minute, hour and day. Collected over a batch, written once with it.

use std::collections::HashMap;

use longhaul_model::{TaskStatus, Timestamp};

use crate::packed::unpack;

/// Widths of the buckets of completions, largest first, in milliseconds.
pub(crate) const WIDTHS: [i64; 4] = [86_400_000, 3_600_000, 60_000, 1_000];

/// Attributes of one task that are counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted<'a> {
    pub(crate) kind: &'a str,
    pub(crate) status: TaskStatus,
    pub(crate) completed_at: Option<Timestamp>,
    /// Resources, packed.
    pub(crate) resources: &'a str,
}

/// Identity of one counter.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Cell {
    /// Zero: all tasks. Else the width of a bucket of completions.
    pub(crate) width: i64,
    /// The bucket's number.
    pub(crate) bucket: i64,
    pub(crate) status: u8,
    pub(crate) kind: String,
    /// Empty: each task counts once.
    pub(crate) resource_kind: String,
}

/// Changes of the counters that are not written yet.
#[derive(Default)]
pub(crate) struct Counters {
    changes: HashMap<Cell, i64>,
    /// Changes of the current job, which may yet be rolled back.
    latest: Vec<(Cell, i64)>,
}

impl Counters {
    /// A task appears.
    pub(crate) fn add(&mut self, task: Counted<'_>) {
        self.count(task, 1);
    }

    /// Removes the contribution of a task that disappears, or changes.
    pub(crate) fn remove(&mut self, task: Counted<'_>) {
        self.count(task, -1);
    }

    /// Forgets the changes that a failed batch collected.
    pub(crate) fn clear(&mut self) {
        self.changes.clear();
        self.latest.clear();
    }

    /// Returns a mark in the changes of the current job, for [`Counters::take_back`].
    pub(crate) fn mark(&self) -> usize {
        self.latest.len()
    }

    /// Discards the changes made since a mark.
    pub(crate) fn take_back(&mut self, mark: usize) {
        self.latest.truncate(mark);
    }

    /// Keeps the changes of the current job, which is done.
    pub(crate) fn settle(&mut self) {
        for (cell, by) in self.latest.drain(..) {
            *self.changes.entry(cell).or_insert(0) += by;
        }
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
        self.latest.push((cell, by));
    }

    /// Takes the sum that is to be added to each cell; none is left.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (Cell, i64)> + '_ {
        self.settle();
        self.changes.drain().filter(|(_, by)| *by != 0)
    }
}
