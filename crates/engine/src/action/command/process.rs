//! A running program and everything it started. However an attempt ends, all of that ends with it.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use longhaul_store::Budget;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::capture::{Capture, Captured, Keep, Lines};
use super::spawner::Ended;
use crate::launcher::{self, Cell};
use crate::logs::{Log, LogStream};

/// Longest time that a program has to end after it was asked to.
const GRACE: Duration = Duration::from_secs(5);
/// Longest wait for the rest of the output once the group is gone, while more of it arrives and is stored.
const DRAIN: Duration = Duration::from_secs(15);

/// Longest wait for a supervisor to end its processes, before it is killed itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// A program that was started.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    cell: Option<Arc<Cell>>,
    whole: Whole,
}

/// A program that ended.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) status: ExitStatus,
    /// True if the program was told to stop before it ended.
    pub(super) stopped: bool,
    /// True if the system ended the program, or a part of it, for using more memory than its control group
    /// may.
    pub(super) ran_out_of_memory: bool,
    pub(super) stdout: Captured,
    pub(super) stderr: Captured,
}

impl Running {
    pub(super) fn new(child: Child, pid: i32, reach: Reach, cell: Option<Arc<Cell>>, ended: Ended) -> Self {
        Running { child, cell, whole: Whole { id: Pid::from_raw(pid), reach, ended } }
    }

    /// Waits for the program's end; once `stop` is cancelled, asks it to end and then kills it.
    pub(super) async fn finish(
        mut self,
        stop: &CancellationToken,
        log: &Log,
        budget: &Budget,
    ) -> io::Result<Finished> {
        let mut stdout = Capture::new(Keep::First, Lines::new(log, LogStream::Out), budget);
        let mut stderr = Capture::new(Keep::Last, Lines::new(log, LogStream::Err), budget);
        let mut stopped = false;
        let status = {
            let gone = CancellationToken::new();
            let (out, err) = (self.child.stdout.take(), self.child.stderr.take());
            let mut reading = pin!(async { tokio::join!(stdout.fill(out, &gone), stderr.fill(err, &gone)) });
            let (mut kill_at, mut force_at) = (None, None);
            let mut read = false;
            let status = loop {
                tokio::select! {
                    biased;
                    status = self.child.wait() => break status,
                    () = stop.cancelled(), if !stopped => {
                        stopped = true;
                        self.whole.ask();
                        kill_at = Some(Instant::now() + GRACE);
                    }
                    () = at(kill_at) => {
                        self.whole.end();
                        kill_at = None;
                        force_at = Some(Instant::now() + PATIENCE);
                    }
                    () = at(force_at) => {
                        self.whole.force();
                        force_at = None;
                    }
                    _ = &mut reading, if !read => read = true,
                }
            };
            self.whole.left(status.as_ref().ok());
            gone.cancel();
            if !read {
                let _ = timeout(DRAIN, reading).await;
            }
            status
        }?;
        let ran_out_of_memory = self.cell.as_ref().is_some_and(|cell| cell.ran_out_of_memory());
        Ok(Finished { status, stopped, ran_out_of_memory, stdout: stdout.finish(), stderr: stderr.finish() })
    }
}

/// Never, without an instant.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Process by which a program and all it started are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The program itself, the leader of a process group.
    Group,
    /// The supervisor that a launcher is.
    Supervisor,
}

/// Program with all it started, which ends at the latest when this is dropped.
#[derive(Debug)]
struct Whole {
    id: Pid,
    reach: Reach,
    ended: Ended,
}

// A process that is gone already is what was wanted: errors of signals mean nothing.
impl Whole {
    /// Asks the program to end.
    fn ask(&self) {
        let _ = match self.reach {
            Reach::Group => killpg(self.id, Signal::SIGTERM),
            Reach::Supervisor => kill(self.id, launcher::ASK),
        };
    }

    /// Ends the program.
    fn end(&self) {
        let _ = match self.reach {
            Reach::Group => killpg(self.id, Signal::SIGKILL),
            Reach::Supervisor => kill(self.id, launcher::END),
        };
    }

    /// Ends the program though its supervisor does not: the program may have stopped it.
    fn force(&mut self) {
        self.ended.by_force();
        let _ = kill(self.id, Signal::SIGKILL);
    }

    /// Ends what a process left behind that was just waited for.
    fn left(&mut self, status: Option<&ExitStatus>) {
        match self.reach {
            // At once after the leader was reaped, before its number can be given to another process.
            Reach::Group => self.end(),
            Reach::Supervisor
                if status.and_then(|status| status.signal()) == Some(Signal::SIGKILL as i32) =>
            {
                self.ended.by_force();
            }
            Reach::Supervisor => {}
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Only a process that was not waited for still has its number for sure.
        if self.child.id().is_some() {
            self.whole.end();
        }
    }
}
