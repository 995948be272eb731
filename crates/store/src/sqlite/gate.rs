//! The gate before the readers. A write-ahead log begins anew only at a moment when nobody reads out of it.
//! Under many readers that moment never comes by itself, so it is made: new ones wait briefly at the gate
//! until those inside have left.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// How long a short read waits at the gate at the most, as it may stand in an event loop.
const SHORT_WAIT: Duration = Duration::from_millis(50);
/// How long a long one does: longer than the gate is ever closed.
const LONG_WAIT: Duration = Duration::from_secs(15);

/// How long a read may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// Microseconds: reads of points.
    Short,
    /// As long as a list takes.
    Long,
}

#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    short: usize,
    long: usize,
    closed_to_short: bool,
    closed_to_long: bool,
}

/// A reader inside; it leaves when this is dropped.
pub(super) struct Inside<'a> {
    gate: &'a Gate,
    length: Length,
}

impl Gate {
    /// Lets a reader in, after a while also through a closed gate: then the log begins anew another time.
    pub(super) fn enter(&self, length: Length) -> Inside<'_> {
        let mut state = self.state.lock();
        let until = Instant::now()
            + match length {
                Length::Short => SHORT_WAIT,
                Length::Long => LONG_WAIT,
            };
        let is_closed = |state: &State| match length {
            Length::Short => state.closed_to_short,
            Length::Long => state.closed_to_long,
        };
        while is_closed(&state) && !self.changed.wait_until(&mut state, until).timed_out() {}
        match length {
            Length::Short => state.short += 1,
            Length::Long => state.long += 1,
        }
        Inside { gate: self, length }
    }

    /// Keeps new long reads out and waits until those inside have left, no longer than `limit`; then does the
    /// first part of a work. Then the same for short ones, for a moment, and the second part. Each part says
    /// whether to go on. False if somebody stayed inside.
    pub(super) fn closed(
        &self,
        limit: Duration,
        prepare: impl FnOnce() -> bool,
        finish: impl FnOnce() -> bool,
    ) -> bool {
        self.state.lock().closed_to_long = true;
        let done = self.emptied(Length::Long, limit) && prepare() && {
            self.state.lock().closed_to_short = true;
            self.emptied(Length::Short, SHORT_WAIT) && finish()
        };
        let mut state = self.state.lock();
        (state.closed_to_long, state.closed_to_short) = (false, false);
        self.changed.notify_all();
        done
    }

    fn emptied(&self, length: Length, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut state = self.state.lock();
        loop {
            let inside = match length {
                Length::Short => state.short,
                Length::Long => state.long,
            };
            if inside == 0 {
                return true;
            }
            if self.changed.wait_until(&mut state, until).timed_out() {
                return false;
            }
        }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state.lock();
        match self.length {
            Length::Short => state.short -= 1,
            Length::Long => state.long -= 1,
        }
        if state.closed_to_long || state.closed_to_short {
            self.gate.changed.notify_all();
        }
    }
}
