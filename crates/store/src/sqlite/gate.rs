//! Gate for readers. A write-ahead log restarts only at a moment when nobody reads from it. Under many
//! readers that moment never comes by itself, so it is forced: new readers wait briefly at the gate until
//! those inside have left.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Longest wait of a short read at the gate; brief because the read may run on an event loop.
const SHORT_WAIT: Duration = Duration::from_millis(50);
/// Longest wait of a long read: longer than the gate is ever closed.
const LONG_WAIT: Duration = Duration::from_secs(15);

/// Expected duration of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// Microseconds: point reads.
    Short,
    /// Up to the duration of a list.
    Long,
}

/// Reason why work behind a closed gate was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stayed {
    /// A read that came through the gate did not end in time.
    Inside,
    /// No reader was inside, and the work failed: a writer that does not come through the gate blocks it.
    Outside,
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

/// Reader inside the gate; dropping it lets the reader out.
pub(super) struct Inside<'a> {
    gate: &'a Gate,
    length: Length,
}

impl Gate {
    /// Lets a reader in; after its longest wait even through a closed gate, and the log restarts another
    /// time.
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

    /// Shuts out new long reads, waits at most `limit` until those inside have left, and runs `prepare`. Then
    /// does the same with short reads, for a moment, and runs `finish`. Each closure returns whether to go
    /// on.
    pub(super) fn closed(
        &self,
        limit: Duration,
        prepare: impl FnOnce() -> bool,
        finish: impl FnOnce() -> bool,
    ) -> Result<(), Stayed> {
        self.state.lock().closed_to_long = true;
        let done = self.phases(limit, prepare, finish);
        let mut state = self.state.lock();
        (state.closed_to_long, state.closed_to_short) = (false, false);
        self.changed.notify_all();
        done
    }

    fn phases(
        &self,
        limit: Duration,
        prepare: impl FnOnce() -> bool,
        finish: impl FnOnce() -> bool,
    ) -> Result<(), Stayed> {
        let is_empty = |length, limit| if self.emptied(length, limit) { Ok(()) } else { Err(Stayed::Inside) };
        let is_done = |done| if done { Ok(()) } else { Err(Stayed::Outside) };
        is_empty(Length::Long, limit)?;
        is_done(prepare())?;
        self.state.lock().closed_to_short = true;
        is_empty(Length::Short, SHORT_WAIT)?;
        is_done(finish())
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
