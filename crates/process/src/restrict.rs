//! Last step of a launcher, which becomes the program: the work between fork and exec.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::{Mode, umask};
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};

use super::NONE;
use super::limits::Limits;
use super::tree::is_child_of;

/// Rights by which a machine's administrator reads the memory and the environment of other processes, or
/// changes the system so as to do that.
const ADMINISTRATION: [CapabilitySet; 6] = [
    CapabilitySet::SYS_PTRACE,
    CapabilitySet::PERFMON,
    CapabilitySet::SYS_ADMIN,
    CapabilitySet::BPF,
    CapabilitySet::SYS_MODULE,
    CapabilitySet::SYS_RAWIO,
];

/// Replaces this process by the program. Returns only the reason if it could not.
pub(super) fn become_program(
    parent: &OsStr,
    limits: &OsStr,
    file: &OsStr,
    name: &OsStr,
    arguments: &[OsString],
) -> String {
    let limits = match limits.to_str() {
        Some(NONE) => None,
        text => match text.and_then(Limits::read) {
            Some(limits) => Some(limits),
            None => return "its limits cannot be read".to_owned(),
        },
    };
    if let Err(e) = bind().and_then(|()| limits.as_ref().map_or(Ok(()), restrict)) {
        return format!("its rights cannot be restricted: {e}");
    }
    // The parent may have ended before the kernel was asked to watch it.
    if !is_child_of(parent) {
        return "its supervisor has ended".to_owned();
    }
    if limits.is_some() {
        umask(Mode::from_bits_truncate(0o077));
    }
    Command::new(file).arg0(name).args(arguments).exec().to_string()
}

/// Binds the end of this process to that of its supervisor, and gives it signals of its own: a supervisor
/// reads its own from a file.
fn bind() -> Result<(), Errno> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    SigSet::empty().thread_set_mask()
}

fn restrict(limits: &Limits) -> Result<(), Errno> {
    prctl::set_no_new_privs()?;
    for right in ADMINISTRATION {
        match remove_capability_from_bounding_set(right) {
            // An account that is not the administrator's has no rights to drop; an older system knows fewer.
            Ok(()) | Err(rustix::io::Errno::PERM | rustix::io::Errno::INVAL) => {}
            Err(e) => return Err(Errno::from_raw(e.raw_os_error())),
        }
    }
    limits.set()
}
