//! One running program and everything it started: its process group. Whatever way an attempt ends, the group does.

use std::io;
use std::pin::pin;
use std::process::ExitStatus;
use std::time::Duration;

use longhaul_store::Budget;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::capture::{Capture, Captured, Keep, Lines};
use super::spawner::Ended;
use crate::logs::{Log, LogStream};

/// How long a program has to end after it was asked to.
const GRACE: Duration = Duration::from_secs(5);
/// Longest wait for the rest of the output once the group is gone, while more of it arrives and is stored.
const DRAIN: Duration = Duration::from_secs(15);

/// A program that was started, the leader of its process group.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    group: Group,
}

/// A program that ended.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) status: ExitStatus,
    /// It was told to stop before it ended.
    pub(super) stopped: bool,
    pub(super) stdout: Captured,
    pub(super) stderr: Captured,
}

impl Running {
    pub(super) fn new(child: Child, pid: u32, ended: Ended) -> Self {
        Running { child, group: Group { id: Pid::from_raw(pid as i32), _ended: ended } }
    }

    /// Waits for its end; once `stop` is cancelled, asks it to end and then makes it.
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
            let mut kill_at = None;
            let mut read = false;
            let status = loop {
                tokio::select! {
                    biased;
                    status = self.child.wait() => break status,
                    () = stop.cancelled(), if !stopped => {
                        stopped = true;
                        self.group.signal(Signal::SIGTERM);
                        kill_at = Some(Instant::now() + GRACE);
                    }
                    () = at(kill_at) => {
                        self.group.signal(Signal::SIGKILL);
                        kill_at = None;
                    }
                    _ = &mut reading, if !read => read = true,
                }
            };
            // At once after the leader was reaped, before its number can be given to another process.
            self.group.signal(Signal::SIGKILL);
            gone.cancel();
            if !read {
                let _ = timeout(DRAIN, reading).await;
            }
            status
        }?;
        Ok(Finished { status, stopped, stdout: stdout.finish(), stderr: stderr.finish() })
    }
}

/// Never, without an instant.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// A process group that does not outlive its value.
#[derive(Debug)]
struct Group {
    id: Pid,
    _ended: Ended,
}

impl Group {
    fn signal(&self, signal: Signal) {
        // A group that is gone already is what was wanted.
        let _ = killpg(self.id, signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Only a leader that was not waited for still has its number for sure.
        if self.child.id().is_some() {
            self.group.signal(Signal::SIGKILL);
        }
    }
}
