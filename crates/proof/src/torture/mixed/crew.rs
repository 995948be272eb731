//! The workers of every kind: started, killed where they stand, and started anew, by their ids.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};

use crate::work::child::KEY;
use crate::work::side::{Kind, SHARED};

/// Attempts that a worker does at once.
const SLOTS: usize = 3;
/// Seconds that a lease lasts.
pub(super) const LEASE: u64 = 2;

/// Tools that workers are made of.
pub(super) struct Tools {
    /// `longhaul`.
    pub(super) binary: PathBuf,
    /// An interpreter that has the Python SDK.
    pub(super) python: PathBuf,
    /// The Python worker.
    pub(super) script: PathBuf,
    /// Directory for the workers' output.
    pub(super) log: PathBuf,
    /// An API key.
    pub(super) key: String,
    /// The server.
    pub(super) server: SocketAddr,
    /// The effect counter.
    pub(super) effects: SocketAddr,
}

pub(super) struct Crew {
    tools: Tools,
    workers: Vec<(Kind, Child)>,
}

impl Crew {
    pub(super) fn new(tools: Tools) -> Crew {
        Crew { tools, workers: Vec::new() }
    }

    /// Starts one more worker.
    pub(super) fn hire(&mut self, kind: Kind) -> Result<()> {
        let mut command = self.command(kind)?;
        let log = File::options().create(true).append(true).open(&self.tools.log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("starting {command:?}"))?;
        self.workers.push((kind, child));
        Ok(())
    }

    fn command(&self, kind: Kind) -> Result<Command> {
        let Tools { binary, python, script, key, .. } = &self.tools;
        let (server, effects) = (format!("http://{}", self.tools.server), self.tools.effects.to_string());
        let queues = [kind.queue(), SHARED.to_owned()];
        let flags = queues.iter().flat_map(|queue| ["--queue", queue]);
        let own = std::env::current_exe()?;
        let (slots, lease) = (SLOTS.to_string(), LEASE.to_string());
        let mut command = match kind {
            Kind::Rust => {
                let mut command = Command::new(own);
                command.args(["sdk", "--server", &server, "--effects", &effects]);
                command.args(["--slots", &slots, "--lease", &lease]).args(flags);
                command
            }
            Kind::Python => {
                let mut command = Command::new(python);
                command.arg(script).args([&server, &effects, &slots, &lease]).args(&queues);
                command
            }
            Kind::Exec => {
                let mut command = Command::new(binary);
                command.args(["--server", &server, "worker", "exec", "--slots", &slots]);
                command.arg("--lease").arg(format!("{lease}s")).args(flags);
                command.arg("--").arg(own).args(["program", "--effects", &effects]);
                command
            }
        };
        // What the caller's environment says of Longhaul is about other servers.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LONGHAUL_") {
                command.env_remove(name);
            }
        }
        command.env(if kind == Kind::Rust { KEY } else { "LONGHAUL_TOKEN" }, key);
        Ok(command)
    }

    /// Kills one; says of what kind it was.
    pub(super) async fn kill(&mut self, which: usize) -> Result<Kind> {
        let (kind, mut child) = self.workers.remove(which);
        if let Some(status) = child.try_wait()? {
            let log = self.tools.log.display();
            bail!("a worker ({}) ended by itself: {status}; what it printed is in {log}", kind.word());
        }
        child.start_kill()?;
        child.wait().await?;
        Ok(kind)
    }

    /// Ends them all.
    pub(super) async fn dismiss(&mut self) -> Result<()> {
        while !self.workers.is_empty() {
            self.kill(0).await?;
        }
        Ok(())
    }
}
