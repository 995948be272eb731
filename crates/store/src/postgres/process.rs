//! Which process of which machine a node is: so that a node started again on the same machine knows at once that the one before
//! is dead, and does not wait until it was silent for long enough.

use std::fs::{read_link, read_to_string};

/// This process: the boot of the machine, the space that its id is one of, the id, and when it was started. `None` where the
/// machine does not tell.
pub(super) fn own() -> Option<String> {
    let pid = std::process::id();
    Some(format!("{} {pid} {}", space()?, started(pid)?))
}

/// Whether that process was one of this machine and space, and is no more. Of others nobody here knows.
pub(super) fn is_gone(process: &str) -> bool {
    let mut parts = process.splitn(3, ' ');
    let (Some(place), Some(pid), Some(since)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    if space().as_deref() != Some(place) {
        return false;
    }
    // The id may be another's by now, who was started later.
    pid.parse().is_ok_and(|pid| started(pid).is_none_or(|now| now != since))
}

/// Where ids of processes mean something: this boot of this machine, and of its containers this one.
fn space() -> Option<String> {
    let boot = read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let ids = read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}/{}", boot.trim(), ids.display()))
}

/// When a process was started, in ticks since the boot; `None` if there is none, or it is dead and not yet buried.
fn started(pid: u32) -> Option<String> {
    let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which may have anything in it: the state is the 3rd field, the start the 22nd.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    (state != "Z" && state != "X").then(|| fields.nth(18).map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for nonsense in ["", "x", "x y", "x y z"] {
            assert!(!is_gone(nonsense));
        }
    }
}
