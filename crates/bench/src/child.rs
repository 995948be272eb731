//! The servers that are measured: child processes, ended by their id when dropped.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::access;
use crate::load::{Connection, Who, get, on_one_thread, post};

/// Longest time until a server answers for the first time.
const PATIENCE: Duration = Duration::from_secs(60);

/// The administrator's password on a new database.
const PASSWORD: &str = "a password of the bench";

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// Address of the server.
    pub(crate) at: SocketAddr,
    /// Credential with all rights.
    pub(crate) who: Who,
    /// Time from the start to the first answer.
    pub(crate) started_in: Duration,
}

/// Binaries, and a directory for what is measured.
pub(crate) struct Places {
    /// The `longhaul` binary.
    pub(crate) longhaul: PathBuf,
    /// Filled stores, kept.
    pub(crate) kept: PathBuf,
    /// Directory that a run writes to.
    pub(crate) work: PathBuf,
}

impl Places {
    /// A fresh directory of the run.
    pub(crate) fn fresh(&self, name: &str) -> Result<PathBuf> {
        let directory = self.work.join(name);
        if directory.exists() {
            std::fs::remove_dir_all(&directory)?;
        }
        access::forget_key(&directory)?;
        std::fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    /// The spike on an empty database.
    pub(crate) fn spike(&self) -> Result<Server> {
        let directory = self.fresh("spike")?;
        let listen = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("spike").arg(listen.to_string()).arg(directory.join("spike.db"));
        Server::start(command, listen, Who::nobody(), "/ready", &directory.join("spike.log"))
    }

    /// Longhaul on a data directory.
    pub(crate) fn longhaul(&self, data: &Path) -> Result<Server> {
        let who = Who::bearer(&access::key(data)?);
        let (command, listen, log) = self.serve(data)?;
        Server::start(command, listen, who, "/v1/tasks?pageSize=1", &log)
    }

    /// Starts Longhaul on a database and logs in; all nodes of a database use the key file of one data
    /// directory.
    pub(crate) fn longhaul_on(&self, database: &str, data: &Path, keys: &Path) -> Result<Server> {
        let mut server = self.node(database, data, keys, Who::nobody())?;
        server.who = server.log_in(&serde_json::json!({ "username": "admin", "password": PASSWORD }))?;
        Ok(server)
    }

    /// Longhaul on a database that everything of a filled data directory was moved to.
    pub(crate) fn longhaul_moved(&self, database: &str, data: &Path, from: &Path) -> Result<Server> {
        self.node(database, data, from, Who::bearer(&access::key(from)?))
    }

    fn node(&self, database: &str, data: &Path, keys: &Path, who: Who) -> Result<Server> {
        let (mut command, listen, log) = self.serve(data)?;
        command.env("LONGHAUL_DATABASE_URL", database).env("LONGHAUL_ADMIN_PASSWORD", PASSWORD);
        command.env("LONGHAUL_ALLOW_UNSAFE_DATABASE", "true");
        command.env("LONGHAUL_KEY_FILE", keys.join("keys.json"));
        Server::start(command, listen, who, "/health/ready", &log)
    }

    /// The command that serves a data directory, where it listens, and its log.
    fn serve(&self, data: &Path) -> Result<(Command, SocketAddr, PathBuf)> {
        let workflows = self.work.join("workflows");
        std::fs::create_dir_all(&workflows)?;
        let [limited, free] = crate::data::limited();
        for (file, workflow) in [
            ("limited.json", limited),
            ("free.json", free),
            ("five.json", crate::data::five()),
            ("worked.json", crate::data::worked()),
            ("each.json", crate::data::each()),
        ] {
            std::fs::write(workflows.join(file), serde_json::to_vec_pretty(&workflow)?)?;
        }
        let name =
            data.file_name().context("a data directory without a name")?.to_string_lossy().into_owned();
        let log = self.work.join(format!("{name}.log"));
        let listen = free_address()?;
        let mut command = Command::new(&self.longhaul);
        command.arg("serve").arg("--data-dir").arg(data).arg("--listen").arg(listen.to_string());
        // Filled directories are copied for each goal.
        command.arg("--moved").arg("--workflows").arg(&workflows);
        Ok((command, listen, log))
    }
}

impl Server {
    /// Starts it and waits for its first answer to a GET of `path`.
    fn start(mut command: Command, at: SocketAddr, who: Who, path: &str, log: &Path) -> Result<Server> {
        let log_file = std::fs::File::create(log)?;
        command.stdin(Stdio::null()).stdout(log_file.try_clone()?).stderr(log_file);
        let begun = Instant::now();
        let child = command.spawn().with_context(|| format!("starting {command:?}"))?;
        let mut server = Server { child, at, who, started_in: Duration::ZERO };
        while !answers(at, &server.who, path) {
            if let Some(status) = server.child.try_wait()? {
                bail!("{command:?} ended with {status}: {}", std::fs::read_to_string(log)?);
            }
            if begun.elapsed() > PATIENCE {
                bail!("{command:?} gave no answer within a minute: {}", std::fs::read_to_string(log)?);
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        server.started_in = begun.elapsed();
        Ok(server)
    }

    /// Returns the same caller with an access token in place of the API key.
    pub(crate) fn session(&self) -> Result<Who> {
        self.log_in(&serde_json::json!({ "apiKey": self.who.credential().context("nobody can log in")? }))
    }

    fn log_in(&self, body: &serde_json::Value) -> Result<Who> {
        on_one_thread(async {
            let mut request = Vec::new();
            post(&Who::nobody(), "/v1/tokens", body.to_string().as_bytes(), &mut request);
            let mut connection = Connection::open(self.at).await?;
            let pair: serde_json::Value = serde_json::from_slice(connection.ask(&request).await?)?;
            Ok(Who::bearer(pair["accessToken"].as_str().context("a login without accessToken")?))
        })
    }

    /// Process ID of the server.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Memory in use, in MiB.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        kill(Pid::from_raw(self.child.id().try_into()?), Signal::SIGTERM)?;
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > PATIENCE {
                self.child.kill()?;
                self.child.wait()?;
                bail!("a server did not end within a minute of SIGTERM");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // On the way out of a failed measurement: that failure is what is told, not this one.
        let _ = self.end();
    }
}

/// Returns true if a server answers a GET with a success.
fn answers(at: SocketAddr, who: &Who, path: &str) -> bool {
    on_one_thread(async {
        let mut request = Vec::new();
        get(who, path, &mut request);
        let mut connection = Connection::open(at).await?;
        connection.ask(&request).await.map(|_| ())
    })
    .is_ok()
}

/// An address of this machine that was free a moment ago.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Bytes of all files in a directory.
pub(crate) fn bytes_in(directory: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let about = entry.metadata()?;
        sum += if about.is_dir() { bytes_in(&entry.path())? } else { about.len() };
    }
    Ok(sum)
}
