//! Processes below this one: those that it started, those that these started, and those that it adopted
//! because their parents are gone.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getppid};

/// Pause between two looks at processes that were killed and have not ended yet.
const PAUSE: Duration = Duration::from_millis(1);

/// Makes this process the parent of every descendant whose own parent ends: whatever leaves its group, its
/// session or its parent stays below it.
pub fn become_subreaper() -> Result<(), Errno> {
    prctl::set_child_subreaper(true)
}

/// Returns true if the parent of this process has that number.
pub(super) fn is_child_of(parent: &OsStr) -> bool {
    parent.to_str().and_then(|text| text.parse().ok()) == Some(getppid().as_raw())
}

/// Reaps all children that ended; returns the status of `program`, if it is one of them, and whether there
/// are others.
fn look(program: Pid) -> (Option<WaitStatus>, bool) {
    let mut found = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return (found, true),
            Ok(ended) if ended.pid() == Some(program) => found = Some(ended),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return (found, false),
        }
    }
}

/// Reaps all children that ended; returns the status of `program`, if it is one of them.
pub(super) fn bury(program: Pid) -> Option<WaitStatus> {
    look(program).0
}

/// Kills every descendant and waits until there is none; returns the status of `program`, if it had not been
/// reaped before.
pub(super) fn end_descendants(program: Pid) -> Option<WaitStatus> {
    let mut ended = None;
    loop {
        let (found, more) = look(program);
        ended = found.or(ended);
        // Orphans come to this process, so one without children has no descendants either.
        if !more {
            return ended;
        }
        kill_all(&descendants(&parents(), std::process::id() as i32));
        std::thread::sleep(PAUSE);
    }
}

/// Returns the children of this process, while it has one thread.
pub(super) fn own_children() -> Vec<i32> {
    let own = format!("/proc/self/task/{}/children", std::process::id());
    let ids = std::fs::read_to_string(own).unwrap_or_default();
    ids.split_ascii_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// Returns all children of this process.
pub fn all_children() -> Vec<i32> {
    children(&parents(), std::process::id() as i32).collect()
}

/// Kills the processes that this one adopted because a supervisor was killed: all its children, with those
/// below them, but `known` ones.
pub fn end_adopted(known: impl Fn(i32) -> bool) {
    loop {
        let parents = parents();
        let adopted: Vec<i32> =
            children(&parents, std::process::id() as i32).filter(|child| !known(*child)).collect();
        for child in &adopted {
            let mut all = descendants(&parents, *child);
            all.push(*child);
            kill_all(&all);
        }
        if adopted.is_empty() {
            return;
        }
        for child in adopted {
            let _ = waitpid(Pid::from_raw(child), None);
        }
    }
}

/// Stops all of them first, so that none starts others while the rest is killed.
fn kill_all(processes: &[i32]) {
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        for process in processes {
            let _ = kill(Pid::from_raw(*process), signal);
        }
    }
}

fn descendants(parents: &HashMap<i32, i32>, process: i32) -> Vec<i32> {
    let mut found: Vec<i32> = children(parents, process).collect();
    let mut looked = 0;
    while let Some(next) = found.get(looked).copied() {
        found.extend(children(parents, next));
        looked += 1;
    }
    found
}

fn children(parents: &HashMap<i32, i32>, process: i32) -> impl Iterator<Item = i32> {
    parents.iter().filter(move |(_, parent)| **parent == process).map(|(child, _)| *child)
}

/// The parent of every process that can be seen.
fn parents() -> HashMap<i32, i32> {
    let Ok(listing) = std::fs::read_dir("/proc") else { return HashMap::new() };
    let numbers = listing.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers.filter_map(|process| Some((process, parent_of(process)?))).collect()
}

fn parent_of(process: i32) -> Option<i32> {
    let stat = std::fs::read(format!("/proc/{process}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The fields follow the name, which may have any character in it: the state, then the parent.
    stat.rsplit(')').next()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descendants_are_found_over_all_generations() {
        let parents = HashMap::from([(2, 1), (3, 2), (4, 3), (5, 1), (6, 9), (1, 0)]);
        let mut found = descendants(&parents, 2);
        found.sort_unstable();
        assert_eq!(found, [3, 4]);
        assert_eq!(descendants(&parents, 1).len(), 4);
        assert_eq!(descendants(&parents, 6), [] as [i32; 0]);
    }

    #[test]
    fn parent_is_read_behind_the_name() {
        assert_eq!(parent_of(std::process::id() as i32), Some(getppid().as_raw()));
    }
}
