//! Identity of a node's process and machine, so that a node started again on the same machine knows at once
//! that the one before is dead, and does not wait until it was silent for long enough.

use std::fs::{read_link, read_to_string};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// Identity of this process: the boot of the machine, the space that its ID is one of, the ID, and when it
/// was started. `None` where the machine does not tell.
pub(super) fn own() -> Option<String> {
    let pid = std::process::id();
    Some(format!("{} {pid} {}", space()?, started(pid)?))
}

/// Returns true if the process was one of this machine and space, and has ended. Nobody here knows about
/// others.
pub(super) fn is_gone(process: &str) -> bool {
    let mut parts = process.splitn(3, ' ');
    let (Some(place), Some(pid), Some(since)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    if space().as_deref() != Some(place) {
        return false;
    }
    pid.parse().is_ok_and(|pid: u32| pid > 0 && i32::try_from(pid).is_ok() && Sight::of(pid).is_gone(since))
}

/// Observed state of a process id.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sight {
    /// The system reports no process with this id.
    Free,
    /// A process with this ID is running; its start time.
    Runs(String),
    /// A process with this id is a zombie.
    Dead,
    /// A process with this ID cannot be inspected: it belongs to another user, and `/proc` hides it
    /// (`hidepid`).
    Hidden,
}

impl Sight {
    fn of(pid: u32) -> Sight {
        match (kill(Pid::from_raw(pid.cast_signed()), None), stat(pid)) {
            // A process missing from `/proc` may still exist: only `ESRCH` is certain.
            (Err(Errno::ESRCH), _) => Sight::Free,
            (_, Some((true, _))) => Sight::Dead,
            (_, Some((false, since))) => Sight::Runs(since),
            (_, None) => Sight::Hidden,
        }
    }

    /// Returns true if the process started at `since` is certainly gone. A process started later may have its
    /// ID by now.
    fn is_gone(&self, since: &str) -> bool {
        match self {
            Sight::Free | Sight::Dead => true,
            Sight::Runs(now) => now != since,
            Sight::Hidden => false,
        }
    }
}

/// Space in which IDs of processes mean something: this boot of this machine, and of its containers this one.
fn space() -> Option<String> {
    let boot = read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let ids = read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}/{}", boot.trim(), ids.display()))
}

/// Start of a process, in ticks since the boot; `None` if it does not exist, or is dead and not yet reaped.
fn started(pid: u32) -> Option<String> {
    stat(pid).filter(|(dead, _)| !dead).map(|(_, since)| since)
}

/// Returns true for a dead process, and the start time; `None` if it cannot be inspected.
fn stat(pid: u32) -> Option<(bool, String)> {
    let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which may have anything in it: the state is the 3rd field, the start the 22nd.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    Some((state == "Z" || state == "X", fields.nth(18)?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_only_for_certain() {
        for (sight, gone) in [
            (Sight::Free, true),
            (Sight::Dead, true),
            (Sight::Runs("7".to_owned()), false),
            (Sight::Runs("8".to_owned()), true),
            (Sight::Hidden, false),
        ] {
            assert_eq!(sight.is_gone("7"), gone, "{sight:?}");
        }
        assert!(matches!(Sight::of(std::process::id()), Sight::Runs(_)));
    }

    #[test]
    fn the_dead_of_this_machine_are_known_and_no_others() {
        let own = own().expect("this process");
        assert!(!is_gone(&own));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("a child");
        let pid = child.id();
        let alive = format!("{} {pid} {}", space().expect("a space"), started(pid).expect("it runs"));
        assert!(!is_gone(&alive));
        let (place, rest) = alive.split_once(' ').expect("a space");
        let reborn = format!("{place} {pid} 1");
        assert!(is_gone(&reborn));
        child.kill().expect("killed");
        while started(pid).is_some() {
            std::thread::yield_now();
        }
        assert!(is_gone(&alive));
        assert!(!is_gone(&format!("elsewhere/pid:[1] {rest}")));
        child.wait().expect("buried");
        assert!(is_gone(&alive));
        assert!(!is_gone(&format!("{place} 0 1")), "an id of no process");
        for nonsense in ["", "x", "x y", "x y z"] {
            assert!(!is_gone(nonsense));
        }
    }
}
