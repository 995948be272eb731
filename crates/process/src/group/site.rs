//! Folder of the control group that this process was started in.

use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::SERVER;

/// Directory that exists where systemd runs the system.
const SYSTEMD: &str = "/run/systemd/system";

/// Returns the folder of the group below which this process may have groups, or the reason why there is none.
pub(super) fn of_process() -> Result<PathBuf, String> {
    let read = |file: &str| fs::read_to_string(file).map_err(|e| format!("{file} cannot be read: {e}"));
    let site = folder(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?)?;
    // Others are kept out by the rights of the files; root writes everywhere.
    let managed = Path::new(SYSTEMD).is_dir() && nix::unistd::geteuid().is_root();
    if managed && !is_delegated(&site) {
        return Err(format!(
            "systemd has not delegated {}: add Delegate=yes to the unit of the service",
            site.display()
        ));
    }
    Ok(site)
}

/// Returns true if systemd has marked the group of a folder as one that it leaves alone.
fn is_delegated(folder: &Path) -> bool {
    let marked = |name: &str| {
        let mut value = [0; 8];
        rustix::fs::getxattr(folder, name, &mut value[..]).is_ok_and(|length| value[..length] == *b"1")
    };
    marked("user.delegate") || marked("trusted.delegate")
}

/// Returns the folder of a process's group, from the kernel's lists of its groups and its mounts. A server
/// that moved into a group of its own before gets the one that it came from.
fn folder(groups: &str, mounts: &str) -> Result<PathBuf, String> {
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"));
    let group = Path::new(group.ok_or("this system has no control groups of version 2")?);
    let mut mounted = false;
    for (root, place) in mounts.lines().filter_map(unified) {
        mounted = true;
        // The part that a namespace hides is written with `..`.
        let Ok(below) = group.strip_prefix(&root) else { continue };
        if below.components().any(|part| part == Component::ParentDir) {
            continue;
        }
        let folder = if below == Path::new("") { place } else { place.join(below) };
        return Ok(match folder.parent() {
            Some(parent) if below.file_name() == Some(OsStr::new(SERVER)) => parent.to_owned(),
            _ => folder,
        });
    }
    Err(if mounted {
        format!("the control group {} is outside of what is mounted here", group.display())
    } else {
        "control groups of version 2 are not mounted".to_owned()
    })
}

/// Returns the group and the place of a mount of the unified hierarchy.
fn unified(line: &str) -> Option<(PathBuf, PathBuf)> {
    let (mount, kind) = line.split_once(" - ")?;
    if kind.split(' ').next() != Some("cgroup2") {
        return None;
    }
    let mut fields = mount.split(' ').skip(3);
    Some((unescaped(fields.next()?).into(), unescaped(fields.next()?).into()))
}

/// Blanks, line ends and backslashes are in octal.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str =
        "24 1 0:22 / /proc rw - proc proc rw\n30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n";
    const HYBRID: &str = "31 25 0:27 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n\
        32 31 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        33 31 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    const OLD: &str = "32 31 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
    const SHOWN: &str = "33 31 0:29 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
    const ODD: &str = "33 31 0:29 / /mnt/control\\040groups rw - cgroup2 cgroup2 rw\n";

    #[test]
    fn group_is_found_on_every_kind_of_machine() {
        for (groups, mounts, expected) in [
            ("0::/system.slice/longhaul.service\n", PLAIN, "/sys/fs/cgroup/system.slice/longhaul.service"),
            ("0::/\n", PLAIN, "/sys/fs/cgroup"),
            ("0::/longhaul-server\n", PLAIN, "/sys/fs/cgroup"),
            ("0::/a.service/longhaul-server\n", PLAIN, "/sys/fs/cgroup/a.service"),
            ("4:memory:/x\n0::/y\n", HYBRID, "/sys/fs/cgroup/unified/y"),
            ("0::/docker/abc\n", SHOWN, "/sys/fs/cgroup"),
            ("0::/docker/abc/longhaul-server\n", SHOWN, "/sys/fs/cgroup"),
            ("0::/docker/abc/in\n", SHOWN, "/sys/fs/cgroup/in"),
            ("0::/a b\n", ODD, "/mnt/control groups/a b"),
        ] {
            assert_eq!(folder(groups, mounts), Ok(PathBuf::from(expected)), "{groups}");
        }
        for (groups, mounts, reason) in [
            ("4:memory:/x\n", OLD, "no control groups of version 2"),
            ("", "", "no control groups of version 2"),
            ("0::/x\n", OLD, "not mounted"),
            ("0::/docker/abcdef\n", SHOWN, "outside of what is mounted"),
            ("0::/../../other\n", PLAIN, "outside of what is mounted"),
        ] {
            let refusal = folder(groups, mounts).unwrap_err();
            assert!(refusal.contains(reason), "{groups}: {refusal}");
        }
    }
}
