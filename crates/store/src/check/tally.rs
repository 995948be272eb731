//! Recount of the totals, in memory that does not depend on the number of tasks: of the completions, which
//! have a cell for every second, only the sum of a digest of all cells of one day is kept.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Finding, Remedy};
use crate::counters::{Cell, Counted, Counters, WIDTHS};
use crate::error::StoreError;

/// Totals computed from the tasks, less the stored totals.
#[derive(Default)]
pub(crate) struct Tally {
    counting: Counters,
    /// The difference of each total.
    totals: BTreeMap<Cell, i64>,
    /// Difference of the completions by width of the buckets and day, as a digest.
    days: BTreeMap<(i64, i64), u64>,
}

impl Tally {
    /// Counts a task.
    pub(crate) fn add(&mut self, task: Counted<'_>) {
        self.counting.add(task);
        let mut counting = std::mem::take(&mut self.counting);
        for (cell, by) in counting.drain() {
            self.count(cell, by);
        }
        self.counting = counting;
    }

    /// Subtracts a stored total.
    pub(crate) fn stored(&mut self, cell: Cell, n: i64) {
        self.count(cell, -n);
    }

    fn count(&mut self, mut cell: Cell, by: i64) {
        cell.kind.make_ascii_lowercase();
        cell.resource_kind.make_ascii_lowercase();
        if cell.width == 0 {
            *self.totals.entry(cell).or_default() += by;
            return;
        }
        let day = cell.bucket.saturating_mul(cell.width).div_euclid(WIDTHS[0]);
        let mut digest = DefaultHasher::new();
        cell.hash(&mut digest);
        let sum = self.days.entry((cell.width, day)).or_default();
        *sum = sum.wrapping_add(digest.finish().wrapping_mul(by as u64));
    }

    /// Reports each difference.
    pub(crate) fn compare(self, found: &mut dyn FnMut(Finding)) {
        for (cell, by) in self.totals.into_iter().filter(|(_, by)| *by != 0) {
            let Cell { kind, status, resource_kind, .. } = &cell;
            let of = if resource_kind.is_empty() { "all" } else { resource_kind };
            let what = format!(
                "the total of tasks of type `{kind}`, status {status}, resources `{of}` is wrong by {}",
                -by
            );
            found(Finding::of("counters", what, Remedy::Repair));
        }
        for ((width, day), _) in self.days.into_iter().filter(|(_, sum)| *sum != 0) {
            let what = format!(
                "the numbers of completions by {} of day {day} since 1970 are not those of the tasks",
                unit(width)
            );
            found(Finding::of("completions", what, Remedy::Repair));
        }
    }
}

fn unit(width: i64) -> String {
    match WIDTHS.iter().position(|known| *known == width) {
        Some(n) => ["day", "hour", "minute", "second"][n].to_owned(),
        None => format!("{width} ms"),
    }
}

/// Adds the stored totals, and reports where they differ from the tasks.
pub(super) fn finish(
    mut tally: Tally,
    source: &mut dyn super::Source,
    found: &mut dyn FnMut(Finding),
) -> Result<(), StoreError> {
    match source.totals(&mut |cell, n| tally.stored(cell, n)) {
        Err(StoreError::Corrupt(why)) => {
            found(Finding::of("counters", format!("the totals cannot be read: {why}"), Remedy::Repair));
            Ok(())
        }
        Err(e) => Err(e),
        Ok(()) => {
            tally.compare(found);
            Ok(())
        }
    }
}
