//! How commands come to die with the server, even one that is killed.
//!
//! What must be set between fork and exec cannot be set from safe code, so the server starts itself: as
//! `longhaul __launch …` it gives up what the program must not have, asks the kernel to be killed when its parent
//! ends, and becomes the program. That reaches the program but not what it starts in turn; for these there is one
//! guard, the same binary again, which holds the end of a pipe from the server: when that closes, the server is gone,
//! and the guard kills the process groups that were not reported as ended.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, killpg};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getppid};

/// The first argument of a binary that is to run [`main`].
pub const COMMAND: &str = "__launch";
/// What it calls itself in a list of processes.
pub(crate) const NAME: &str = "longhaul";
/// The exit code of a launcher that did not become the program.
pub(crate) const REFUSED: i32 = 125;
/// How its reason begins, on stderr.
pub(crate) const COMPLAINT: &str = "longhaul launcher: ";
const GUARD: &str = "--guard";

/// The arguments that make a launcher become a program; the program's own follow.
pub(crate) fn arguments(program: &Path) -> [OsString; 4] {
    let parent = std::process::id().to_string();
    [COMMAND.into(), parent.into(), "--".into(), program.into()]
}

/// What a binary does whose first argument is [`COMMAND`]: give it the arguments behind that one. Does not return.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ! {
    let arguments: Vec<OsString> = arguments.collect();
    close_files();
    let reason = match arguments.as_slice() {
        [only] if only == GUARD => {
            guard(io::stdin().lock());
            std::process::exit(0)
        }
        [parent, dashes, program, rest @ ..] if dashes == "--" => become_program(parent, program, rest),
        [..] => "it is started by the server only".to_owned(),
    };
    // Where this goes is the server's pipe; if that is gone there is nobody to tell.
    let _ = writeln!(io::stderr(), "{COMPLAINT}{reason}");
    std::process::exit(REFUSED)
}

/// Closes what the server itself was started with, such as sockets handed to it: what it opened closes by itself.
fn close_files() {
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return };
    let numbers = open.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    // Collected first: the listing itself is a file that closes in between.
    for number in numbers.filter(|number| *number > 2).collect::<Vec<_>>() {
        let _ = nix::unistd::close(number);
    }
}

/// Returns only the reason why it could not.
fn become_program(parent: &OsStr, program: &OsStr, arguments: &[OsString]) -> String {
    let restricted = prctl::set_pdeathsig(Signal::SIGKILL)
        .and_then(|()| prctl::set_no_new_privs())
        .and_then(|()| setrlimit(Resource::RLIMIT_CORE, 0, 0));
    if let Err(e) = restricted {
        return format!("its rights cannot be restricted: {e}");
    }
    // The parent may have ended before the kernel was asked to watch it.
    if parent.to_str().and_then(|text| text.parse().ok()) != Some(getppid().as_raw()) {
        return "the server has ended".to_owned();
    }
    umask(Mode::from_bits_truncate(0o077));
    Command::new(program).args(arguments).exec().to_string()
}

/// The children of this process, while it has one thread.
pub fn children() -> Vec<i32> {
    let own = format!("/proc/self/task/{}/children", std::process::id());
    let ids = std::fs::read_to_string(own).unwrap_or_default();
    ids.split_ascii_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// Ends the programs that this process started before it became what it is now, which is a new server: it must have done nothing else
/// yet. Their guard knows the groups of most of them, and ends by itself. `strangers` are children that it had from the beginning, of
/// whoever started it.
pub fn end_inherited(strangers: &[i32]) {
    let ours = children().into_iter().filter(|child| !strangers.contains(child)).map(Pid::from_raw);
    let ours: Vec<Pid> = ours.collect();
    for child in ours.iter().filter(|child| !is_guard(**child)) {
        // Each is a group of its own.
        let _ = killpg(*child, Signal::SIGKILL);
    }
    // Whoever ends is to be buried; nobody need wait for it.
    std::thread::spawn(move || {
        for child in ours {
            let _ = waitpid(child, None);
        }
    });
}

fn is_guard(child: Pid) -> bool {
    let line = std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).any(|argument| argument == GUARD.as_bytes())
}

/// Reads `+ID` and `-ID` lines until the server is gone, then kills the groups that are left.
fn guard(orders: impl BufRead) {
    for group in left_over(orders) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
}

fn left_over(orders: impl BufRead) -> HashSet<i32> {
    let mut groups = HashSet::new();
    for line in orders.lines().map_while(Result::ok) {
        let order = line.split_at_checked(1).and_then(|(sign, id)| Some((sign, id.parse::<i32>().ok()?)));
        match order {
            // 0 and 1 would mean the guard's own group and every process.
            Some(("+", id)) if id > 1 => groups.insert(id),
            Some(("-", id)) => groups.remove(&id),
            Some(_) | None => false,
        };
    }
    groups
}

/// The server's end of the guard. Started with the first command, and again should it be gone.
#[derive(Debug)]
pub(crate) struct Guard {
    launcher: PathBuf,
    groups: HashSet<u32>,
    process: Option<(Child, ChildStdin)>,
}

impl Guard {
    pub(crate) fn new(launcher: PathBuf) -> Self {
        Guard { launcher, groups: HashSet::new(), process: None }
    }

    /// From now on this group dies with the server.
    pub(crate) fn watch(&mut self, group: u32) {
        self.groups.insert(group);
        if !self.tell(&format!("+{group}\n")) {
            self.start();
        }
    }

    /// The group is gone.
    pub(crate) fn forget(&mut self, group: u32) {
        self.groups.remove(&group);
        if self.process.is_some() && !self.tell(&format!("-{group}\n")) {
            self.start();
        }
    }

    fn tell(&mut self, order: &str) -> bool {
        self.process.as_mut().is_some_and(|(_, pipe)| pipe.write_all(order.as_bytes()).is_ok())
    }

    fn start(&mut self) {
        if let Some((mut gone, _)) = self.process.take() {
            let _ = gone.wait();
        }
        // A group of its own: what is typed at the server's terminal does not reach it.
        let started = Command::new(&self.launcher)
            .arg0(NAME)
            .args([COMMAND, GUARD])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        match started {
            Ok(mut child) => self.process = child.stdin.take().map(|pipe| (child, pipe)),
            Err(e) => {
                tracing::warn!("commands may outlive a killed server: their guard cannot be started: {e}")
            }
        }
        let all: String = self.groups.iter().map(|group| format!("+{group}\n")).collect();
        self.tell(&all);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some((mut child, pipe)) = self.process.take() {
            // The end of the pipe is what ends it.
            drop(pipe);
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_over_of_orders_is_what_did_not_end() {
        let orders = "+100\n+200\n-100\n+0\n+1\n+-5\nx\n\n+300\n-300\n+200\n";
        assert_eq!(left_over(orders.as_bytes()), HashSet::from([200]));
    }
}
