//! The processes of attempts. Each program has a supervisor ([`longhaul_process`]), which ends the program with all that this started,
//! whatever session or group that is in: none of it outlives the attempt, nor the worker, which the supervisors watch.

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

/// All supervisors of a worker.
pub(super) struct Supervisors {
    /// Those that are not known to have ended.
    running: Mutex<Vec<i32>>,
    /// Children that the worker was started with.
    strangers: Vec<i32>,
}

impl Supervisors {
    /// From now on whatever a supervisor leaves behind, because somebody killed it, comes to this process.
    pub(super) fn begin() -> io::Result<Arc<Self>> {
        launcher::become_subreaper()?;
        Ok(Arc::new(Supervisors { running: Mutex::default(), strangers: launcher::all_children() }))
    }

    /// A command that starts a program below a supervisor, with all rights that the worker has.
    pub(super) fn command(program: &OsStr, arguments: Vec<OsString>) -> Command {
        // The file of this process, also after another version took its place in the folder.
        let mut command = Command::new("/proc/self/exe");
        let program = Path::new(program);
        command
            .arg0(launcher::NAME)
            .args(launcher::arguments(program, program, None))
            .args(arguments)
            // A group of its own: what is typed at the worker's terminal does not reach it.
            .process_group(0)
            // A supervisor that is killed leaves behind what it looks after.
            .kill_on_drop(false);
        command
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Vec<i32>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One supervisor with all that is below it.
pub(super) struct Tree {
    id: i32,
    supervisors: Arc<Supervisors>,
    ended: bool,
}

impl Tree {
    /// That of a supervisor which was just started.
    pub(super) fn of(child: &Child, supervisors: &Arc<Supervisors>) -> io::Result<Self> {
        let id = child.id().ok_or_else(|| io::Error::other("it has no process number"))?.cast_signed();
        supervisors.running().push(id);
        Ok(Tree { id, supervisors: supervisors.clone(), ended: false })
    }

    /// Asks the program to end.
    pub(super) fn ask(&self) {
        self.signal(launcher::ASK);
    }

    /// Ends all of it.
    pub(super) fn end(&self) {
        self.signal(launcher::END);
    }

    /// The supervisor ended like that; whatever it left behind is ended, too.
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
        // One that is gone already is what was wanted.
        let _ = kill(Pid::from_raw(self.id), signal);
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // The number of one that ended may be another process's by now.
        if !self.ended {
            self.end();
        }
    }
}
