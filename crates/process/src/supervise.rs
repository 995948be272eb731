//! Supervisor of one program: the process that adopts all that the program leaves behind, and ends it.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, killpg, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

use super::{ASK, BECOME, COMMAND, END, NAME, NONE, group, group_of, tree};

/// Runs `program`, which is a file, a name and arguments, to its end and ends as it did. Returns only the
/// reason why it was not started.
pub(super) fn supervise(parent: &OsStr, limits: &OsStr, group: &OsStr, program: &[OsString]) -> String {
    let signals = match prepare(parent, limits) {
        Ok(signals) => signals,
        Err(reason) => return reason,
    };
    let own = std::process::id().to_string();
    // A group of its own: the program can be asked to end together with what it started.
    let started = Command::new("/proc/self/exe")
        .arg0(NAME)
        .args([COMMAND, BECOME, &own])
        .args([limits, group])
        .arg("--")
        .args(program)
        .process_group(0)
        .spawn();
    let program = match started {
        Ok(child) => Pid::from_raw(child.id() as i32),
        Err(e) => return format!("its process cannot be made: {e}"),
    };
    let ended = watch(program, &signals);
    // All processes of the group end at once, so that nothing can be started faster than it is ended.
    if let Some(folder) = group_of(group) {
        group::end(folder);
    }
    let ended = tree::end_descendants(program).or(ended);
    end_as(ended)
}

/// Makes sure that nothing escapes and no signal is missed.
fn prepare(parent: &OsStr, limits: &OsStr) -> Result<SignalFd, String> {
    let unable = |e| format!("it cannot be supervised: {e}");
    let mut wanted = SigSet::empty();
    for signal in [ASK, END, Signal::SIGCHLD] {
        wanted.add(signal);
    }
    wanted.thread_block().map_err(unable)?;
    let signals = SignalFd::with_flags(&wanted, SfdFlags::SFD_CLOEXEC).map_err(unable)?;
    // The file has another name in the list of processes. A name is no reason to fail.
    let _ = prctl::set_name(c"longhaul");
    if limits != NONE {
        prctl::set_no_new_privs().map_err(unable)?;
    }
    tree::become_subreaper().map_err(unable)?;
    prctl::set_pdeathsig(END).map_err(unable)?;
    // The parent may have ended before the kernel was asked to watch it.
    if tree::is_child_of(parent) { Ok(signals) } else { Err("whoever started it has ended".to_owned()) }
}

/// Waits until the program ends, or is told to; returns its wait status.
fn watch(program: Pid, signals: &SignalFd) -> Option<WaitStatus> {
    loop {
        let signal = match signals.read_signal() {
            Ok(Some(info)) => Signal::try_from(info.ssi_signo as i32).ok(),
            Ok(None) | Err(nix::errno::Errno::EINTR) => continue,
            // The supervisor cannot watch without its signals: everything ends.
            Err(_) => return None,
        };
        match signal {
            Some(Signal::SIGCHLD) => {
                if let Some(ended) = tree::bury(program) {
                    return Some(ended);
                }
            }
            Some(ASK) => {
                let _ = killpg(program, ASK);
            }
            _ => return None,
        }
    }
}

/// Ends this process in the way in which the program ended.
fn end_as(ended: Option<WaitStatus>) -> ! {
    match ended {
        Some(WaitStatus::Exited(_, code)) => std::process::exit(code),
        Some(WaitStatus::Signaled(_, signal, _)) => {
            let _ = SigSet::empty().thread_set_mask();
            // The first of some signals only ends the handler that a Rust program begins with.
            let _ = raise(signal);
            let _ = raise(signal);
            std::process::exit(128 + signal as i32)
        }
        _ => std::process::exit(128 + Signal::SIGKILL as i32),
    }
}
