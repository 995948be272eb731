//! A node whose turn is over begins anew, as if somebody had started it again: its process becomes a new one of the same program.
//! Nothing of before can go on in that, whatever hangs on a database that is not reached.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use longhaul_engine::launcher;
use nix::sys::prctl;

use crate::exit::Code;

/// The first argument of a process that was a node before; the turn that is over follows, then what the node was started with.
const COMMAND: &str = "__again";

/// What this process was started with, its own name first; and the turn that it had before it became a new one.
pub(crate) struct Origin {
    pub(crate) arguments: Vec<OsString>,
    pub(crate) turn: Option<i64>,
}

impl Origin {
    pub(crate) fn of_process() -> Origin {
        Origin::of(std::env::args_os().collect())
    }

    fn of(mut arguments: Vec<OsString>) -> Origin {
        let marked = arguments.get(1).is_some_and(|first| first == COMMAND);
        let turn = arguments.get(2).filter(|_| marked).and_then(|turn| turn.to_str()?.parse().ok());
        if turn.is_some() {
            arguments.drain(1..3);
        }
        Origin { arguments, turn }
    }

    /// What is left of the process that it was: programs that it ran, which others start anew.
    pub(crate) fn end_inherited(&self) {
        if self.turn.is_some() {
            // The file that it became is called otherwise. A name is no reason to fail.
            let _ = prctl::set_name(c"longhaul");
            launcher::end_inherited();
        }
    }
}

/// Whether a node may begin anew.
#[derive(Clone, Default)]
pub(crate) struct Again {
    forbidden: Arc<AtomicBool>,
}

impl Again {
    /// Not from here on: it is being stopped.
    pub(crate) fn forbid(&self) {
        self.forbidden.store(true, Ordering::SeqCst);
    }

    /// Begins anew at once, or ends where that is not to be. Not by way of an end in order: that waits for whatever hangs on a
    /// database that is not reached.
    pub(crate) fn begin(&self, turn: i64) -> ! {
        if self.forbidden.load(Ordering::SeqCst) {
            tracing::error!("stopped at once, as other nodes took over");
        } else {
            tracing::error!("this node begins anew: others take over what it looked after");
            let Origin { arguments, .. } = Origin::of_process();
            let (name, rest) = arguments
                .split_first()
                .map_or((OsString::new(), &[][..]), |(name, rest)| (name.clone(), rest));
            let failed = Command::new("/proc/self/exe")
                .arg0(name)
                .arg(COMMAND)
                .arg(turn.to_string())
                .args(rest)
                .exec();
            tracing::error!(error = %failed, "it could not: it may be started again");
        }
        std::process::exit(Code::Failed as i32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_that_was_a_node_is_told_by_its_arguments() {
        let of = |all: &[&str]| {
            let Origin { arguments, turn } = Origin::of(all.iter().map(OsString::from).collect());
            (arguments.into_iter().map(|one| one.into_string().unwrap()).collect::<Vec<_>>().join(" "), turn)
        };
        assert_eq!(
            of(&["longhaul", "__again", "17", "serve", "--x"]),
            ("longhaul serve --x".into(), Some(17))
        );
        for other in [
            &["longhaul", "serve"][..],
            &["longhaul"],
            &[],
            &["longhaul", "__again"],
            &["longhaul", "__again", "x"],
        ] {
            assert_eq!(of(other), (other.join(" "), None));
        }
    }
}
