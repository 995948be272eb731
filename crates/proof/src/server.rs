//! The server under proof: a child process, known by its id, ended with the harness.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::access;
use crate::clock::{self, Micros};
use crate::http::{Client, Peer, Request};

/// Longest time for a server to be ready, or to end when asked.
const PATIENCE: Duration = Duration::from_secs(60);

/// Program to start, again and again.
#[derive(Clone, Debug)]
pub struct Program {
    /// The `longhaul` binary.
    pub binary: PathBuf,
    /// Data directory.
    pub data: PathBuf,
    /// Directory of the workflows.
    pub workflows: PathBuf,
    /// Configuration file.
    pub config: PathBuf,
    /// File for its output.
    pub log: PathBuf,
    /// The port that it listens on; 0 takes a free one.
    pub port: u16,
    /// Environment variables beside the machine's.
    pub environment: Vec<(String, String)>,
}

/// Running server: one life of the program.
#[derive(Debug)]
pub struct Server {
    child: Child,
    printed: watch::Receiver<Printed>,
    log: PathBuf,
    data: PathBuf,
    /// Time of the start.
    pub spawned: Micros,
}

/// Number of times that a server began anew, which others watch.
#[derive(Debug)]
pub struct Renewals {
    printed: watch::Receiver<Printed>,
    known: usize,
}

impl Renewals {
    /// Waits for the next time; false if there will be none.
    pub async fn next(&mut self) -> bool {
        let known = self.known;
        let next = self.printed.wait_for(|printed| printed.renewed > known).await.is_ok();
        self.known += usize::from(next);
        next
    }
}

/// Facts about a server, from its output.
#[derive(Clone, Copy, Debug, Default)]
struct Printed {
    /// Address that it listens at, once it does.
    address: Option<SocketAddr>,
    /// Number of times that its process began anew.
    renewed: usize,
}

/// Outcome of a start.
#[derive(Clone, Debug)]
pub enum Start {
    /// Ready, and the proof was let in.
    Ready(Peer),
    /// The server was killed before.
    Killed,
}

impl Program {
    /// The configuration that lets `http` actions reach the effect counter.
    pub fn write_config(path: &Path, effects: SocketAddr) -> Result<()> {
        let text = format!("[actions.http]\nallow = [\"{effects}\"]\n");
        std::fs::write(path, text).with_context(|| path.display().to_string())
    }

    /// Returns the same program on another data directory.
    pub fn on(&self, data: &Path) -> Program {
        Program { data: data.to_owned(), ..self.clone() }
    }

    /// Starts it; `under` is a program that runs it, with its arguments.
    pub fn start(&self, under: &[String]) -> Result<Server> {
        let mut command = match under.split_first() {
            None => Command::new(&self.binary),
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg("--").arg(&self.binary);
                command
            }
        };
        // What the caller's environment says of Longhaul is about other servers.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LONGHAUL_"))
        {
            command.env_remove(name);
        }
        command.env(access::VARIABLE, access::PASSWORD);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
            .arg("serve")
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .arg("--data-dir")
            .arg(&self.data);
        // Some parts run on copies of a directory, whose original no server uses any more.
        command.arg("--moved");
        command.arg("--workflows").arg(&self.workflows).arg("--config").arg(&self.config);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let spawned = clock::now();
        let mut child = command.spawn().with_context(|| format!("starting {command:?}"))?;
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = Rc::new(log.with_context(|| self.log.display().to_string())?);
        let (found, printed) = watch::channel(Printed::default());
        let found = Rc::new(found);
        let (out, err) = (child.stdout.take().context("stdout")?, child.stderr.take().context("stderr")?);
        tokio::task::spawn_local(read(out, log.clone(), found.clone()));
        tokio::task::spawn_local(read(err, log, found));
        Ok(Server { child, printed, log: self.log.clone(), data: self.data.clone(), spawned })
    }
}

/// Copies what it prints to the log, and finds in it where it listens, and that it begins anew.
async fn read(from: impl AsyncRead + Unpin, log: Rc<File>, found: Rc<watch::Sender<Printed>>) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let _ = writeln!(&*log, "{line}");
        if line.contains("this node begins anew") {
            found.send_modify(|printed| *printed = Printed { address: None, renewed: printed.renewed + 1 });
        } else if found.borrow().address.is_none()
            && let Some(address) = address_in(&line)
        {
            found.send_modify(|printed| printed.address = Some(address));
        }
    }
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://127.0.0.1:")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<u16>().ok().filter(|port| *port > 0).map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
}

impl Server {
    /// Process ID of the server.
    pub fn pid(&self) -> Result<Pid> {
        let id = self.child.id().context("the server has ended")?;
        Ok(Pid::from_raw(id.try_into()?))
    }

    /// Waits until it is ready and lets the proof in, or was killed.
    pub async fn up(&mut self) -> Result<Start> {
        let begun = Instant::now();
        let mut client = Client::default();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return self.ended(status);
            }
            let address = self.printed.borrow().address;
            if let Some(address) = address
                && client
                    .ask(&Peer::stranger(address), &Request::get("/health/ready"))
                    .await
                    .is_ok_and(|answer| answer.status == 200)
                && let Some(peer) = access::enter(address, &self.data).await?
            {
                return Ok(Start::Ready(peer));
            }
            if begun.elapsed() > PATIENCE {
                bail!(
                    "the server was not ready within a minute; what it printed is in {}",
                    self.log.display()
                );
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn ended(&self, status: ExitStatus) -> Result<Start> {
        match status.signal() {
            Some(9) => Ok(Start::Killed),
            _ => bail!("the server ended by itself ({status}); what it printed is in {}", self.log.display()),
        }
    }

    /// Returns true if the server has been killed in the meantime.
    pub fn is_dead(&mut self) -> Result<bool> {
        match self.child.try_wait()? {
            None => Ok(false),
            Some(status) => self.ended(status).map(|_| true),
        }
    }

    /// Tells each time that it begins anew, its process being the same: a node does when others took over
    /// from it, or may have.
    pub fn renewals(&self) -> Renewals {
        Renewals { printed: self.printed.clone(), known: self.printed.borrow().renewed }
    }

    /// SIGKILL, and waits until it is gone.
    pub async fn kill(&mut self) -> Result<()> {
        self.child.start_kill().context("SIGKILL")?;
        let status = self.child.wait().await?;
        self.ended(status).map(|_| ())
    }

    /// SIGTERM, and waits until it has ended in order.
    pub async fn stop(self) -> Result<()> {
        if self.stop_or_killed().await? {
            bail!("the server was killed while it stopped");
        }
        Ok(())
    }

    /// Stops the server, where a kill may come first: returns true then.
    pub async fn stop_or_killed(mut self) -> Result<bool> {
        if self.is_dead()? {
            return Ok(true);
        }
        kill(self.pid()?, Signal::SIGTERM)?;
        let Ok(status) = timeout(PATIENCE, self.child.wait()).await else {
            bail!("the server did not end within a minute of SIGTERM");
        };
        let status = status?;
        if status.success() {
            return Ok(false);
        }
        if status.signal() == Some(9) {
            return Ok(true);
        }
        bail!("the server ended with {status} after SIGTERM; what it printed is in {}", self.log.display())
    }
}

#[cfg(test)]
mod tests {
    use super::address_in;

    #[test]
    fn the_address_is_found_in_what_is_printed() {
        let found = |line| address_in(line).map(|address| address.port());
        assert_eq!(found("longhaul 0.1.0 is ready at http://127.0.0.1:41234 (pid 7)"), Some(41234));
        assert_eq!(found(r#"{"fields":{"address":"http://127.0.0.1:80/"}}"#), Some(80));
        assert_eq!(found("effects at http://10.0.0.1:80"), None);
    }
}
