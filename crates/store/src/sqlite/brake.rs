//! Brake of the writer. A write-ahead log grows as fast as batches are committed and shrinks only when it
//! restarts, which takes a moment without readers: so a writer that is faster than that moment comes stops in
//! front of it. Where a reader stays for longer, the writer goes on, and the log grows by what is written.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Longest stop of the writer for one restart of the log.
pub(super) const LONGEST_STOP: Duration = Duration::from_secs(2);
/// Pause after a stop in vain because of a long read: the writer works for most of the time.
const AFTER_READER: Duration = Duration::from_secs(6);
/// Pause after a stop in vain because of a reader outside of this process, such as a backup.
const AFTER_OUTSIDER: Duration = Duration::from_secs(60);

/// Outcome of an attempt to restart the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restart {
    /// The next commit begins at the start of the log.
    Done,
    /// A read of this process did not end in time.
    Reader,
    /// All reads of this process ended, and another process still uses the log.
    Outsider,
}

#[derive(Default)]
pub(super) struct Brake {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// True while the writer stands still until the checkpoint thread answers.
    stopped: bool,
    /// True once the checkpoint thread ended: nobody would answer.
    over: bool,
    /// Earliest time of the next stop.
    next: Option<Instant>,
}

impl Brake {
    /// Stops the writer until the log restarted, or until that turned out to be in vain.
    pub(super) fn stop(&self) {
        let mut state = self.state.lock();
        let now = Instant::now();
        if state.over || state.next.is_some_and(|next| now < next) {
            return;
        }
        state.stopped = true;
        self.changed.notify_all();
        let until = now + LONGEST_STOP;
        while state.stopped {
            if self.changed.wait_until(&mut state, until).timed_out() && state.stopped {
                state.stopped = false;
                state.next = Some(Instant::now() + AFTER_READER);
            }
        }
    }

    /// Rests the checkpoint thread for `pause`, or until the writer stops. Returns true if the writer stands
    /// still.
    pub(super) fn rest(&self, pause: Duration) -> bool {
        let mut state = self.state.lock();
        let until = Instant::now() + pause;
        while !state.stopped && !state.over && !self.changed.wait_until(&mut state, until).timed_out() {}
        state.stopped
    }

    /// Lets the writer continue.
    pub(super) fn release(&self, outcome: Restart) {
        let mut state = self.state.lock();
        let pause = match outcome {
            Restart::Done => None,
            Restart::Reader => Some(AFTER_READER),
            Restart::Outsider => Some(AFTER_OUTSIDER),
        };
        if std::mem::take(&mut state.stopped) {
            state.next = pause.map(|pause| Instant::now() + pause);
        }
        self.changed.notify_all();
    }

    /// Ends the rest of the checkpoint thread, and lets the writer continue for good.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        (state.stopped, state.over) = (false, true);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Runs a checkpoint thread that answers each stop with the next of the outcomes, and counts the stops.
    fn answers(brake: &Arc<Brake>, outcomes: Vec<Restart>) -> std::thread::JoinHandle<usize> {
        let brake = brake.clone();
        std::thread::spawn(move || {
            let mut stops = 0;
            for outcome in outcomes {
                while !brake.rest(Duration::from_millis(1)) {
                    if brake.state.lock().over {
                        return stops;
                    }
                }
                stops += 1;
                brake.release(outcome);
            }
            stops
        })
    }

    #[test]
    fn each_restart_that_succeeds_allows_the_next_stop() {
        let brake = Arc::new(Brake::default());
        let thread = answers(&brake, vec![Restart::Done; 3]);
        (0..3).for_each(|_| brake.stop());
        assert_eq!(thread.join().unwrap(), 3);
    }

    #[test]
    fn after_a_stop_in_vain_the_writer_goes_on() {
        for outcome in [Restart::Reader, Restart::Outsider] {
            let brake = Arc::new(Brake::default());
            let thread = answers(&brake, vec![outcome, Restart::Done]);
            (0..10).for_each(|_| brake.stop());
            brake.end();
            assert_eq!(thread.join().unwrap(), 1, "{outcome:?}");
        }
    }

    #[test]
    fn a_writer_stops_for_nobody_once_the_thread_ended() {
        let brake = Brake::default();
        brake.end();
        brake.stop();
        assert!(!brake.rest(Duration::from_secs(3600)));
    }
}
