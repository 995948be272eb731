//! A program's process group: the program and all that it starts, unless they leave it. It does not outlive its value, nor
//! the worker.

use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::guard::Guard;

/// The guard of all groups.
pub(super) type Guards = Arc<Mutex<Guard>>;

/// A group.
pub(super) struct Group {
    id: Pid,
    guards: Guards,
}

impl Group {
    /// That of a program which was just started as the leader of its group.
    pub(super) fn of(leader: u32, guards: &Guards) -> Self {
        let id = Pid::from_raw(leader.cast_signed());
        let group = Group { id, guards: guards.clone() };
        group.guards.lock().unwrap_or_else(PoisonError::into_inner).watch(id.as_raw());
        group
    }

    pub(super) fn signal(&self, signal: Signal) {
        // A group that is gone already is what was wanted.
        let _ = killpg(self.id, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        self.guards.lock().unwrap_or_else(PoisonError::into_inner).forget(self.id.as_raw());
    }
}
