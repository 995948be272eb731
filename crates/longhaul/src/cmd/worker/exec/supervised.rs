//! Processes of attempts. Each program has a supervisor ([`longhaul_process`]), which ends the program with
//! all processes that it started, whatever session or group they are in. None of them outlives the attempt,
//! nor the worker, which the supervisors watch.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};

use longhaul_process as launcher;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

/// Supervisors of a worker.
pub(super) struct Supervisors {
    /// Process IDs of supervisors that are not known to have ended.
    running: Mutex<Vec<i32>>,
    /// Process ids of children that the worker was started with.
    strangers: Vec<i32>,
}

impl Supervisors {
    /// Makes this process adopt all processes that a killed supervisor leaves behind.
    pub(super) fn begin() -> io::Result<Arc<Self>> {
        launcher::become_subreaper()?;
        Ok(Arc::new(Supervisors { running: Mutex::default(), strangers: launcher::all_children() }))
    }

    /// Returns a command that starts a program below a supervisor, with all rights of the worker.
    pub(super) fn command(program: &OsStr, arguments: Vec<OsString>) -> Command {
        // The executable of this process, even if its file was replaced by another version.
        let mut command = Command::new("/proc/self/exe");
        let program = Path::new(program);
        command
            .arg0(launcher::NAME)
            .args(launcher::arguments(program, program, None, None))
            .args(arguments)
            // A process group of its own: signals typed at the worker's terminal do not reach it.
            .process_group(0)
            // A killed supervisor would leave its processes behind.
            .kill_on_drop(false);
        command
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Vec<i32>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Supervisor with all processes below it.
pub(super) struct Tree {
    id: i32,
    supervisors: Arc<Supervisors>,
    ended: bool,
}

impl Tree {
    /// Registers a supervisor that was just started.
    pub(super) fn of(child: &Child, supervisors: &Arc<Supervisors>) -> io::Result<Self> {
        let id = child.id().ok_or_else(|| io::Error::other("it has no process number"))?.cast_signed();
        supervisors.running().push(id);
        Ok(Tree { id, supervisors: supervisors.clone(), ended: false })
    }

    /// Asks the program to end.
    pub(super) fn ask(&self) {
        self.signal(launcher::ASK);
    }

    /// Ends the program and all of its processes.
    pub(super) fn end(&self) {
        self.signal(launcher::END);
    }

    /// Records how the supervisor ended, and ends what it left behind.
    pub(super) fn ended(mut self, status: &io::Result<ExitStatus>) {
        self.ended = true;
        let mut running = self.supervisors.running();
        running.retain(|one| *one != self.id);
        let killed = status.as_ref().is_ok_and(|status| status.signal() == Some(Signal::SIGKILL as i32));
        if killed {
            launcher::end_adopted(|child| {
                running.contains(&child) || self.supervisors.strangers.contains(&child)
            });
        }
    }

    fn signal(&self, signal: Signal) {
        // A process that is gone already is no error.
        let _ = kill(Pid::from_raw(self.id), signal);
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // The process id of one that ended may have been reused.
        if !self.ended {
            self.end();
        }
    }
}
