//! The thread that starts programs. A program is told to die when the *thread* that started it ends, so that has
//! to be one that lives as long as the server, not one of a pool that comes and goes.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;

use thiserror::Error;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::process::Running;
use crate::launcher;

/// What to start.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) env: Vec<(String, String)>,
}

/// Why a program was not started.
#[derive(Debug, Error)]
pub(super) enum StartError {
    /// There is none that could be.
    #[error("{0}")]
    NoProgram(String),
    /// Others than its owner may change it; its mode.
    #[error("others than its owner may write it")]
    Writable(u32),
    /// The system refused.
    #[error("{0}")]
    System(io::Error),
}

/// The way to the thread.
#[derive(Clone, Debug)]
pub(super) struct Spawner {
    jobs: mpsc::Sender<Job>,
}

/// Tells the guard that a process group is gone.
#[derive(Debug)]
pub(super) struct Ended {
    pid: u32,
    jobs: mpsc::Sender<Job>,
}

enum Job {
    Start(Program, Handle, oneshot::Sender<Result<(Child, u32), StartError>>),
    Ended(u32),
}

impl Drop for Ended {
    fn drop(&mut self) {
        // A thread that is gone has no guard left to tell.
        let _ = self.jobs.send(Job::Ended(self.pid));
    }
}

impl Spawner {
    /// Starts the thread. It ends with the last of these.
    pub(super) fn new(launcher: Option<PathBuf>) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel();
        std::thread::Builder::new()
            .name("command-spawner".to_owned())
            .spawn(move || serve(launcher, &queue))?;
        Ok(Spawner { jobs })
    }

    /// Starts a program, watched by the runtime of the caller.
    pub(super) async fn start(&self, program: Program) -> Result<Running, StartError> {
        let gone = || StartError::System(io::Error::other("the thread that starts programs has ended"));
        let (reply, started) = oneshot::channel();
        self.jobs.send(Job::Start(program, Handle::current(), reply)).map_err(|_| gone())?;
        let (child, pid) = started.await.map_err(|_| gone())??;
        Ok(Running::new(child, pid, Ended { pid, jobs: self.jobs.clone() }))
    }
}

fn serve(launcher: Option<PathBuf>, queue: &mpsc::Receiver<Job>) {
    let mut guard = launcher.clone().map(launcher::Guard::new);
    for job in queue {
        match job {
            Job::Start(program, runtime, reply) => {
                let _inside = runtime.enter();
                let started = start(&program, launcher.as_deref());
                if let (Ok((_, pid)), Some(guard)) = (&started, &mut guard) {
                    guard.watch(*pid);
                }
                // Nobody waits any more: dropping the child kills it.
                let _ = reply.send(started);
            }
            Job::Ended(pid) => {
                if let Some(guard) = &mut guard {
                    guard.forget(pid);
                }
            }
        }
    }
}

fn start(program: &Program, launcher: Option<&Path>) -> Result<(Child, u32), StartError> {
    check_file(&program.path)?;
    let mut command = match launcher {
        Some(launcher) => {
            let mut command = Command::new(launcher);
            command.arg0(launcher::NAME).args(launcher::arguments(&program.path));
            command
        }
        None => Command::new(&program.path),
    };
    let arguments = program.arguments.iter().map(OsString::from);
    command
        .args(arguments)
        .env_clear()
        .envs(program.env.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let child = command.spawn().map_err(|e| match e.kind() {
        io::ErrorKind::ArgumentListTooLong => StartError::NoProgram("its arguments are too long".to_owned()),
        _ => StartError::System(e),
    })?;
    let pid = child.id().ok_or_else(|| StartError::System(io::Error::other("it has no process number")))?;
    Ok((child, pid))
}

/// Whether a file may be run: it must be a program that nobody but its owner can change.
fn check_file(path: &Path) -> Result<(), StartError> {
    let found = std::fs::metadata(path).map_err(|e| StartError::NoProgram(e.to_string()))?;
    let mode = found.permissions().mode();
    if !found.is_file() {
        return Err(StartError::NoProgram("it is no file".to_owned()));
    }
    if mode & 0o111 == 0 {
        return Err(StartError::NoProgram("it is not executable".to_owned()));
    }
    if mode & 0o022 != 0 { Err(StartError::Writable(mode)) } else { Ok(()) }
}
