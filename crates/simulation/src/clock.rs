//! The clocks of a machine: the one that counts what passes, and the one on the wall.

use longhaul_model::{Steady, Timestamp};

/// What the clocks on the wall show at the beginning of a run, in milliseconds since 1970.
pub(crate) const START: i64 = 1_700_000_000_000;

/// The clocks of one machine, and the steadied one of the process on it.
pub(crate) struct Clocks {
    steady: Steady,
    /// How far the clock on the wall is off, in milliseconds.
    pub(crate) off: i64,
    /// How long the machine stood still, in milliseconds: that is not counted by its monotonic clock.
    pub(crate) stood: u64,
    /// What the clock that is followed adds to the time since the boot, where that is the database's.
    reference: Option<i64>,
}

impl Clocks {
    pub(crate) fn new(off: i64) -> Clocks {
        Clocks { steady: Steady::starting(START + off, 0), off, stood: 0, reference: None }
    }

    /// A process begins: its clock takes over what the wall shows, or the database's clock.
    pub(crate) fn begin(&mut self, now: u64, database: Option<i64>) {
        let shown = database.unwrap_or_else(|| self.wall(now));
        self.reference = database.map(|shown| shown - now as i64);
        self.steady = Steady::starting(shown, now as i64);
    }

    /// The database's clock shows this just now.
    pub(crate) fn refer(&mut self, now: u64, shown: i64) {
        self.reference = Some(shown - now as i64);
    }

    /// What the clock on the wall shows.
    pub(crate) fn wall(&self, now: u64) -> i64 {
        START + now as i64 + self.off
    }

    /// The process's own time: `Env::now`.
    pub(crate) fn now(&self, now: u64) -> Timestamp {
        let followed = self.reference.unwrap_or(START + self.off);
        self.steady.at(now as i64, || now as i64 + followed)
    }

    /// The monotonic clock, by which silence and leases are measured.
    pub(crate) fn mono(&self, now: u64) -> u64 {
        now - self.stood
    }
}
