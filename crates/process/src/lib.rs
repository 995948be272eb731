//! Launches programs with fewer rights, and ends them with everything that they started.
//!
//! Some settings must be made between fork and exec, which safe code cannot do, so a server or a worker
//! starts itself, in two steps. As `longhaul __launch …` it is the *supervisor* of one program: it adopts
//! whatever the program leaves behind ([`supervise`]), and ends all of it with the program, when it is told
//! to, and when its parent is gone. The supervisor in turn starts `longhaul __launch --become …`, which drops
//! the rights that the program must not have and becomes the program ([`restrict`]). Where the system allows
//! it, the program is in a control group of its own ([`Groups`]).
#![forbid(unsafe_code)]

mod group;
mod limits;
mod restrict;
mod supervise;
mod tree;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;

use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

pub use group::{Cell, Groups};
pub use limits::Limits;
pub use tree::{all_children, become_subreaper, end_adopted};

/// The first argument of a binary that is to run [`main`].
pub const COMMAND: &str = "__launch";
/// Name of the launcher in a list of processes.
pub const NAME: &str = "longhaul";
/// Exit code of a launcher that did not become the program.
pub const REFUSED: i32 = 125;
/// Prefix of a launcher's reason on stderr.
pub const COMPLAINT: &str = "longhaul launcher: ";
/// Beginning of the reason of a launcher whose control group was gone.
pub const NO_GROUP: &str = "its control group cannot be entered";
/// Signal that asks a supervisor to ask its program to end.
pub const ASK: Signal = Signal::SIGTERM;
/// Signal that makes a supervisor end its program at once. The kernel sends it when the parent is gone.
pub const END: Signal = Signal::SIGHUP;
const BECOME: &str = "--become";
/// Argument in the place of a control group where there is none, and of limits where there are none and no
/// right is dropped.
const NONE: &str = "-";

/// Returns the arguments that make a launcher the supervisor of the program in this file, under the name
/// `name`; the program's own arguments follow. Without limits, it keeps all rights of this process, and only
/// its end is supervised.
pub fn arguments(file: &Path, name: &Path, limits: Option<&Limits>, cell: Option<&Cell>) -> [OsString; 7] {
    let parent = std::process::id().to_string();
    let limits = limits.map_or_else(|| NONE.to_owned(), Limits::written);
    let group = cell.map_or(OsStr::new(NONE), |cell| cell.folder().as_os_str());
    [COMMAND.into(), parent.into(), limits.into(), group.into(), "--".into(), file.into(), name.into()]
}

/// Returns the folder of a control group from an argument.
fn group_of(argument: &OsStr) -> Option<&Path> {
    (argument != NONE).then_some(Path::new(argument))
}

/// Runs a binary whose first argument is [`COMMAND`], with the arguments that follow it. Does not return.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ! {
    let arguments: Vec<OsString> = arguments.collect();
    close_files();
    let reason = match arguments.as_slice() {
        [mode, parent, limits, group, dashes, file, name, rest @ ..] if mode == BECOME && dashes == "--" => {
            match group_of(group).map_or(Ok(()), group::enter) {
                Ok(()) => restrict::become_program(parent, limits, file, name, rest),
                Err(e) => format!("{NO_GROUP}: {e}"),
            }
        }
        [parent, limits, group, dashes, program @ ..] if dashes == "--" && program.len() >= 2 => {
            supervise::supervise(parent, limits, group, program)
        }
        [..] => "it is started by `longhaul` itself only".to_owned(),
    };
    // The output is the parent's pipe; if that is gone there is nobody to tell.
    let _ = writeln!(io::stderr(), "{COMPLAINT}{reason}");
    std::process::exit(REFUSED)
}

/// Closes files that the parent itself was started with, such as sockets handed to it: files that it opened
/// are closed by exec.
fn close_files() {
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return };
    let numbers = open.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    // Collected first: the listing itself is a file that closes in between.
    for number in numbers.filter(|number| *number > 2).collect::<Vec<_>>() {
        let _ = nix::unistd::close(number);
    }
}

/// Returns the children of this process, while it has one thread.
pub fn children() -> Vec<i32> {
    tree::own_children()
}

/// Ends the programs that this process started before it became a new server: it must have done nothing else
/// yet. `strangers` are children that it had from the beginning, started by others.
pub fn end_inherited(strangers: &[i32]) {
    let ours = children().into_iter().filter(|child| !strangers.contains(child)).map(Pid::from_raw);
    let ours: Vec<Pid> = ours.collect();
    for child in &ours {
        if is_launcher(*child) {
            // The launcher ends its program and all that this started, and then itself.
            let _ = kill(*child, END);
        } else {
            let _ = killpg(*child, Signal::SIGKILL);
            let _ = kill(*child, Signal::SIGKILL);
        }
    }
    // Children that end must be reaped; nobody need wait for them.
    std::thread::spawn(move || {
        for child in ours {
            let _ = waitpid(child, None);
        }
    });
}

fn is_launcher(child: Pid) -> bool {
    let line = std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).nth(1).is_some_and(|argument| argument == COMMAND.as_bytes())
}
