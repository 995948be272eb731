//! Counters of a store's writer.

use std::time::Duration;

use longhaul_metrics::{COUNTS, Family, Histogram, SHORT, family_of, histogram};

/// Counters of the commits of a store since its start.
pub(crate) struct Meters {
    commits: Histogram,
    changes: Histogram,
}

impl Default for Meters {
    fn default() -> Self {
        let help = "Time that a commit of changes took to be durable";
        let commits = histogram("longhaul_store_commit_seconds", help, &SHORT);
        let help = "Requests and changes that one commit made durable";
        Meters { commits, changes: histogram("longhaul_store_commit_changes", help, &COUNTS) }
    }
}

impl Meters {
    /// Counts a commit of so many requests that took so long.
    pub(crate) fn committed(&self, changes: usize, took: Duration) {
        self.commits.observe(took.as_secs_f64());
        self.changes.observe(changes as f64);
    }

    /// Returns all counters as they are now.
    pub(crate) fn families(&self) -> Vec<Family> {
        let mut all = family_of(&self.commits);
        all.extend(family_of(&self.changes));
        all
    }
}
