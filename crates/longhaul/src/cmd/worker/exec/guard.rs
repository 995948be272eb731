//! How programs come to die with a worker that is killed: a guard, the same binary again, holds the end of a pipe from the
//! worker. When that closes, the worker is gone, and the guard kills the process groups that were not reported as ended.
//! The guard is the one that the server has for its commands ([`longhaul_engine::launcher`]); this is the worker's end.

use std::collections::HashSet;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use longhaul_engine::launcher;

/// Makes a launcher a guard.
const GUARD: &str = "--guard";

/// The worker's end of the guard.
pub(super) struct Guard {
    binary: PathBuf,
    groups: HashSet<i32>,
    process: Option<(Child, ChildStdin)>,
}

impl Guard {
    /// Starts it.
    pub(super) fn start() -> io::Result<Self> {
        let mut guard = Guard { binary: std::env::current_exe()?, groups: HashSet::new(), process: None };
        guard.process = Some(guard.spawn()?);
        Ok(guard)
    }

    /// From now on this group dies with the worker.
    pub(super) fn watch(&mut self, group: i32) {
        self.groups.insert(group);
        self.tell('+', group);
    }

    /// The group is gone.
    pub(super) fn forget(&mut self, group: i32) {
        self.groups.remove(&group);
        self.tell('-', group);
    }

    /// Should the guard be gone, another one takes its place.
    fn tell(&mut self, sign: char, group: i32) {
        let order = format!("{sign}{group}\n");
        if self.process.as_mut().is_some_and(|(_, pipe)| pipe.write_all(order.as_bytes()).is_ok()) {
            return;
        }
        if let Some((mut gone, _)) = self.process.take() {
            let _ = gone.wait();
        }
        let all: String = self.groups.iter().map(|group| format!("+{group}\n")).collect();
        let again = self.spawn().and_then(|(child, mut pipe)| {
            pipe.write_all(all.as_bytes())?;
            Ok((child, pipe))
        });
        match again {
            Ok(process) => self.process = Some(process),
            Err(e) => {
                tracing::warn!(error = %e, "programs may outlive a killed worker: their guard cannot be started")
            }
        }
    }

    fn spawn(&self) -> io::Result<(Child, ChildStdin)> {
        // A group of its own: what is typed at the worker's terminal does not reach it.
        let mut child = Command::new(&self.binary)
            .args([launcher::COMMAND, GUARD])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pipe = child.stdin.take().ok_or_else(|| io::Error::other("it has no pipe"))?;
        Ok((child, pipe))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some((mut child, pipe)) = self.process.take() {
            // The end of the pipe is what ends it.
            drop(pipe);
            let _ = child.wait();
        }
    }
}
