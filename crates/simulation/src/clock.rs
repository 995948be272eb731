//! The clocks of a machine: the monotonic clock and the wall clock.

use longhaul_model::{Steady, Timestamp};

/// Wall clock time at the beginning of a run, in milliseconds since 1970.
pub(crate) const START: i64 = 1_700_000_000_000;

/// The clocks of one machine, and the steadied clock of the process on it.
pub(crate) struct Clocks {
    steady: Steady,
    /// Offset of the wall clock, in milliseconds.
    pub(crate) off: i64,
    /// Time that the machine was suspended, in milliseconds, which its monotonic clock does not count.
    pub(crate) stood: u64,
    /// Offset of the followed clock to the time since the boot, if that is the database's clock.
    reference: Option<i64>,
}

impl Clocks {
    pub(crate) fn new(off: i64) -> Clocks {
        Clocks { steady: Steady::starting(START + off, 0), off, stood: 0, reference: None }
    }

    /// Begins a process: its clock starts from the wall clock, or from the database's clock.
    pub(crate) fn begin(&mut self, now: u64, database: Option<i64>) {
        let shown = database.unwrap_or_else(|| self.wall(now));
        self.reference = database.map(|shown| shown - now as i64);
        self.steady = Steady::starting(shown, now as i64);
    }

    /// Records the current time of the database's clock.
    pub(crate) fn refer(&mut self, now: u64, shown: i64) {
        self.reference = Some(shown - now as i64);
    }

    /// Returns the time of the wall clock.
    pub(crate) fn wall(&self, now: u64) -> i64 {
        START + now as i64 + self.off
    }

    /// Returns the process's own time: `Env::now`.
    pub(crate) fn now(&self, now: u64) -> Timestamp {
        let followed = self.reference.unwrap_or(START + self.off);
        self.steady.at(now as i64, || now as i64 + followed)
    }

    /// Returns the time of the monotonic clock, which measures silence and leases.
    pub(crate) fn mono(&self, now: u64) -> u64 {
        now - self.stood
    }
}
