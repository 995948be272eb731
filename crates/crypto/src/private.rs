//! Permissions of files that hold keys.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use nix::unistd::geteuid;

/// Checks that nobody but the owner of an open file, and the process that reads it, has access to it. Returns
/// its permissions if others have. The file is open so that it is the one that is read.
pub fn exposed(file: &File) -> io::Result<Option<u32>> {
    let facts = file.metadata()?;
    let mode = facts.mode() & 0o777;
    let private = is_private(mode, facts.uid(), geteuid().as_raw());
    Ok(if private { None } else { Some(mode) })
}

/// Returns true if a file with these permissions and this owner is private to a process of user `process`.
///
/// Secrets of a container platform and credentials of systemd belong to root, and their group, or an access
/// list whose mask appears in the place of the group, is how the process may read them.
fn is_private(mode: u32, owner: u32, process: u32) -> bool {
    let handed_over = owner == 0 && process != 0;
    mode & if handed_over { 0o037 } else { 0o077 } == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every combination of permissions, against the rule in words.
    #[test]
    fn group_may_read_what_root_hands_to_another_user() {
        for mode in 0..=0o777 {
            let (group, others) = (mode >> 3 & 7, mode & 7);
            for (owner, process) in [(0, 0), (0, 10), (10, 10), (10, 0), (10, 11)] {
                let private = others == 0 && (group == 0 || group == 4 && owner == 0 && process != 0);
                assert_eq!(is_private(mode, owner, process), private, "{mode:o} {owner} {process}");
            }
        }
    }
}
