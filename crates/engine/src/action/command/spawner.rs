//! Thread that starts programs. A supervisor is told to end everything when the *thread* that started it
//! ends, so that has to be one that lives as long as the server, not one of a pool that comes and goes.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use thiserror::Error;
use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::process::{Reach, Running};
use super::trusted::{self, Untrusted};
use crate::launcher::{self, Cell, Groups, Limits};

/// Pause between two tries to remove control groups in which something has not ended yet.
const PAUSE: Duration = Duration::from_secs(1);

/// Description of a program to start.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) limits: Limits,
}

/// Reason why a program was not started.
#[derive(Debug, Error)]
pub(super) enum StartError {
    /// The description starts no program, such as with arguments that are too long.
    #[error("{0}")]
    NoProgram(String),
    /// The program's file must not be run.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// The system refused.
    #[error("{0}")]
    System(io::Error),
}

/// The way to the thread.
#[derive(Clone, Debug)]
pub(super) struct Spawner {
    jobs: mpsc::Sender<Job>,
}

/// Notice to the thread that a process of its own is gone.
#[derive(Debug)]
pub(super) struct Ended {
    pid: i32,
    /// True if processes that the program started may have outlived it.
    killed: bool,
    jobs: mpsc::Sender<Job>,
}

type Reply = oneshot::Sender<Result<Running, StartError>>;

enum Job {
    Start {
        program: Program,
        runtime: Handle,
        reply: Reply,
        jobs: mpsc::Sender<Job>,
    },
    Ended {
        pid: i32,
        killed: bool,
    },
    /// Ends the thread: no more programs are to come.
    Close {
        done: oneshot::Sender<()>,
    },
}

impl Ended {
    /// Marks the process as killed, so that it could not end the processes below it.
    pub(super) fn by_force(&mut self) {
        self.killed = true;
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        // Without the thread, the server is gone, too.
        let _ = self.jobs.send(Job::Ended { pid: self.pid, killed: self.killed });
    }
}

impl Spawner {
    /// Starts the thread, which ends when the last handle is dropped.
    pub(super) fn new(launcher: Option<PathBuf>) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let mut groups = None;
        if launcher.is_some() {
            launcher::become_subreaper()?;
            groups = prepare_groups();
        }
        let (running, ending, strangers) = (Vec::new(), Vec::new(), Vec::new());
        let thread = Thread { launcher, running, ending, strangers, groups };
        std::thread::Builder::new().name("command-spawner".to_owned()).spawn(move || thread.serve(&queue))?;
        Ok(Spawner { jobs })
    }

    /// Starts a program, watched by the runtime of the caller.
    pub(super) async fn start(&self, program: Program) -> Result<Running, StartError> {
        let gone = || StartError::System(io::Error::other("the thread that starts programs has ended"));
        let (reply, started) = oneshot::channel();
        let start = Job::Start { program, runtime: Handle::current(), reply, jobs: self.jobs.clone() };
        self.jobs.send(start).map_err(|_| gone())?;
        started.await.map_err(|_| gone())?
    }

    /// Removes the control groups of programs: to be called once they have ended.
    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.jobs.send(Job::Close { done }).is_ok() {
            let _ = closed.await;
        }
    }
}

/// Prepares control groups for programs where the system allows it, and logs the result.
fn prepare_groups() -> Option<Groups> {
    match Groups::prepare() {
        Ok(groups) => {
            let limits = match groups.controllers() {
                [] => {
                    "none: the group has other processes in it, or the system has no controllers".to_owned()
                }
                controllers => controllers.join(", "),
            };
            let folder = groups.folder().display();
            tracing::info!(%folder, limits, "programs of command actions run in control groups");
            Some(groups)
        }
        Err(reason) => {
            tracing::info!(
                reason,
                "programs of command actions run without control groups: limits hold for each of their processes"
            );
            None
        }
    }
}

struct Thread {
    launcher: Option<PathBuf>,
    /// Supervisors that were started and are not known to have ended, with their control groups.
    running: Vec<(i32, Option<Arc<Cell>>)>,
    /// Control groups of programs that were ended, in which something may not have noticed yet.
    ending: Vec<Arc<Cell>>,
    groups: Option<Groups>,
    /// Children that the process had before, and those that other parts of it started.
    strangers: Vec<i32>,
}

impl Thread {
    fn serve(mut self, queue: &mpsc::Receiver<Job>) {
        if self.launcher.is_some() {
            self.strangers = launcher::all_children();
        }
        loop {
            let job = match self.ending.as_slice() {
                [] => queue.recv().map_err(RecvTimeoutError::from),
                [..] => queue.recv_timeout(PAUSE),
            };
            match job {
                Ok(Job::Start { program, runtime, reply, jobs }) => {
                    let _inside = runtime.enter();
                    // The program ends as the answer is dropped, where nobody waits for it any more.
                    let _ = reply.send(self.start(&program, jobs));
                }
                Ok(Job::Ended { pid, killed }) => self.ended(pid, killed),
                Ok(Job::Close { done }) => {
                    // Groups that are still in use are removed by the next start.
                    self.ending.clear();
                    self.groups = None;
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => self.ending.retain(|cell| cell.remove().is_err()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn ended(&mut self, pid: i32, killed: bool) {
        let mut cell = None;
        if let Some(at) = self.running.iter().position(|(running, _)| *running == pid) {
            cell = self.running.swap_remove(at).1;
        }
        if let Some(cell) = &cell {
            cell.end();
        }
        if killed && self.launcher.is_some() {
            // The processes below it are children of this process now.
            let is_running = |child| self.running.iter().any(|(running, _)| *running == child);
            launcher::end_adopted(|child| is_running(child) || self.strangers.contains(&child));
        }
        self.ending.extend(cell.filter(|cell| cell.remove().is_err()));
    }

    fn start(&mut self, program: &Program, jobs: mpsc::Sender<Job>) -> Result<Running, StartError> {
        let file = trusted::resolve(&program.path)?;
        let cell = self.cell(&program.limits);
        let mut command = match &self.launcher {
            Some(launcher) => {
                let mut command = Command::new(launcher);
                let how = launcher::arguments(&file, &program.path, Some(&program.limits), cell.as_deref());
                command.arg0(launcher::NAME).args(how);
                command
            }
            None => {
                let mut command = Command::new(&file);
                command.arg0(&program.path);
                command
            }
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
            // A killed supervisor would leave its processes behind.
            .kill_on_drop(self.launcher.is_none());
        let child = command.spawn().map_err(|e| match e.kind() {
            io::ErrorKind::ArgumentListTooLong => {
                StartError::NoProgram("its arguments are too long".to_owned())
            }
            _ => StartError::System(e),
        })?;
        let pid =
            child.id().ok_or_else(|| StartError::System(io::Error::other("it has no process number")))?;
        let pid = pid as i32;
        self.running.push((pid, cell.clone()));
        let reach = if self.launcher.is_some() { Reach::Supervisor } else { Reach::Group };
        let ended = Ended { pid, killed: false, jobs };
        Ok(Running::new(child, pid, reach, cell, ended))
    }

    /// Makes the control group of a program, where control groups are available.
    fn cell(&mut self, limits: &Limits) -> Option<Arc<Cell>> {
        let made = self.groups.as_mut()?.make(limits);
        let warn = |e: &io::Error| {
            tracing::warn!(error = %e, "a program runs without a control group: limits hold for each of its processes");
        };
        made.inspect_err(warn).ok().map(Arc::new)
    }
}
