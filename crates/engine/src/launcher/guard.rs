//! The guard of a process that starts programs in groups of their own, as `longhaul worker exec` does: it holds the end of a
//! pipe, and kills the groups that were not reported as ended once the other end is closed.

use std::collections::HashSet;
use std::io::BufRead;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Reads `+ID` and `-ID` lines until whoever writes them is gone, then kills the groups that are left.
pub(super) fn guard(orders: impl BufRead) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_over_of_orders_is_what_did_not_end() {
        let orders = "+100\n+200\n-100\n+0\n+1\n+-5\nx\n\n+300\n-300\n+200\n";
        assert_eq!(left_over(orders.as_bytes()), HashSet::from([200]));
    }
}
