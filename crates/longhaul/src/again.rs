//! Restart of a node whose session is over, as if somebody had started it again: its process becomes a new
//! one of the same program. Nothing of the old one can continue there, whatever hangs on an unreachable
//! database.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::prctl;

use crate::exit::Code;
use crate::log;

/// First argument of a process that was a node before. The next argument holds what the process has to know
/// of that, and the arguments that the node was started with follow.
const COMMAND: &str = "__again";

/// Origin of a process.
pub(crate) struct Origin {
    /// Arguments that the process was started with, its own name first.
    pub(crate) arguments: Vec<OsString>,
    /// Session that the node had before its process became a new one.
    pub(crate) turn: Option<i64>,
    /// Process IDs of children that the process had from the beginning, started by somebody else.
    strangers: Vec<i32>,
}

impl Origin {
    /// Returns the origin of this process; must be called before the process starts anything.
    pub(crate) fn of_process() -> Origin {
        let origin = Origin::of(std::env::args_os().collect());
        if origin.turn.is_some() {
            origin
        } else {
            Origin { strangers: longhaul_process::children(), ..origin }
        }
    }

    fn of(mut arguments: Vec<OsString>) -> Origin {
        let marked = arguments.get(1).is_some_and(|first| first == COMMAND);
        let known = arguments.get(2).filter(|_| marked).and_then(|known| known.to_str());
        let mut numbers = known.into_iter().flat_map(|known| known.split(','));
        let turn = numbers.next().and_then(|turn| turn.parse().ok());
        let strangers = numbers.filter_map(|id| id.parse().ok()).collect();
        if turn.is_some() {
            arguments.drain(1..3);
        }
        Origin { arguments, turn, strangers }
    }

    /// Returns the argument that tells the next process the facts that this one knows.
    fn known(&self, turn: i64) -> String {
        let strangers: String = self.strangers.iter().map(|id| format!(",{id}")).collect();
        format!("{turn}{strangers}")
    }

    /// Ends what the process before left behind: programs that it ran, which other nodes start again.
    pub(crate) fn end_inherited(&self) {
        if self.turn.is_some() {
            // The executable has another name by now. A name is no reason to fail.
            let _ = prctl::set_name(c"longhaul");
            longhaul_process::end_inherited(&self.strangers);
        }
    }
}

/// State that a node needs to restart.
#[derive(Clone)]
pub(crate) struct Again {
    origin: Arc<Origin>,
    forbidden: Arc<AtomicBool>,
}

impl Again {
    /// Creates the state of a process that has started nothing yet.
    pub(crate) fn new(origin: Origin) -> Again {
        Again { origin: Arc::new(origin), forbidden: Arc::default() }
    }

    /// Returns the session that the process had before.
    pub(crate) fn turn_before(&self) -> Option<i64> {
        self.origin.turn
    }

    /// Forbids restarts from now on, as the process was asked to stop.
    pub(crate) fn forbid(&self) {
        self.forbidden.store(true, Ordering::SeqCst);
    }

    /// Restarts at once, or ends where a restart is forbidden. There is no orderly end, which would wait for
    /// whatever hangs on an unreachable database.
    pub(crate) fn begin(&self, turn: i64) -> ! {
        if self.forbidden.load(Ordering::SeqCst) {
            tracing::error!("stopped at once: others take over what this node looked after");
        } else if std::env::var_os("LISTEN_FDS").is_some() {
            // The new process would not have the socket; the supervisor that handed it over keeps it.
            tracing::error!(
                "stopped, to be restarted with its socket: others take over what this node looked after"
            );
        } else {
            tracing::error!("this node begins anew: others take over what it looked after");
            let mut arguments = self.origin.arguments.iter();
            let mut command = Command::new("/proc/self/exe");
            if let Some(name) = arguments.next() {
                command.arg0(name);
            }
            log::flush();
            let failed = command.arg(COMMAND).arg(self.origin.known(turn)).args(arguments).exec();
            tracing::error!(error = %failed, "it could not: it may be started again");
        }
        log::flush();
        std::process::exit(Code::Failed as i32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_that_was_a_node_is_told_by_its_arguments() {
        let of = |all: &[&str]| {
            let Origin { arguments, turn, strangers } = Origin::of(all.iter().map(OsString::from).collect());
            let arguments: Vec<_> = arguments.into_iter().map(|one| one.into_string().unwrap()).collect();
            (arguments.join(" "), turn, strangers)
        };
        let all = ["longhaul", "__again", "17,5,600", "serve", "--x"];
        assert_eq!(of(&all), ("longhaul serve --x".into(), Some(17), vec![5, 600]));
        assert_eq!(of(&["longhaul", "__again", "17"]), ("longhaul".into(), Some(17), vec![]));
        let others: [&[&str]; 5] = [
            &["longhaul", "serve"],
            &["longhaul"],
            &[],
            &["longhaul", "__again"],
            &["longhaul", "__again", "x"],
        ];
        for other in others {
            assert_eq!(of(other), (other.join(" "), None, vec![]));
        }
        let origin = Origin::of(all.iter().map(OsString::from).collect());
        assert_eq!(origin.known(18), "18,5,600");
    }
}
