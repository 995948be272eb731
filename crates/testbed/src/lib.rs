//! Real PostgreSQL servers for tests, proofs and benchmarks. Each is its owner's own, on a Unix socket in a
//! temporary directory, and ends with its owner, even with one that is killed.
#![forbid(unsafe_code)]

mod patroni;
mod pooler;

use std::fs::File;
use std::io::{Error, Result};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, chown, geteuid};
use tempfile::TempDir;

pub use patroni::Patroni;
pub use pooler::Pooler;

/// The user who runs a server where the owner is root, as which a server refuses to run: `nobody`.
const NOBODY: u32 = 65_534;
/// Longest time for a server to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Signal that ends a server whose owner is gone.
const ENDED: Signal = Signal::SIGQUIT;
/// Prefix of the directories; the ID of the owning process follows.
const PREFIX: &str = "longhaul-postgres-";
/// User of all connections.
const USER: &str = "longhaul";

/// Durability of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Commits are on disk before they are answered, as in production.
    Full,
    /// Nothing is flushed: for tests that pull no plug.
    None,
}

/// Way in which a server ends.
#[derive(Clone, Copy, Debug)]
pub enum Stop {
    /// Sessions are cut off, and all is put in order.
    Fast,
    /// Immediate end, as in a crash of its machine.
    Immediate,
}

/// A server with its data.
#[derive(Debug)]
pub struct Cluster {
    /// Data, socket and log; gone with the cluster.
    home: TempDir,
    settings: Vec<String>,
    running: Option<Running>,
    /// Processes of the server that are stopped.
    still: Vec<Pid>,
}

#[derive(Debug)]
struct Running {
    pid: Pid,
    /// Waits for its end.
    attendant: JoinHandle<()>,
}

impl Cluster {
    /// A new, empty one that runs. Err: PostgreSQL is not installed, or does not start; the error says which.
    pub fn start(durability: Durability) -> Result<Cluster> {
        Cluster::with(durability, &[])
    }

    /// Starts a server with further settings, `name=value` each.
    pub fn with(durability: Durability, settings: &[&str]) -> Result<Cluster> {
        sweep()?;
        let home = directory()?;
        let made = as_server(&program("initdb"), ENDED)
            .args(["-U", USER, "-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync", "-D"])
            .arg(home.path().join("data"))
            .current_dir(home.path())
            .output()
            .map_err(|e| {
                Error::other(format!("initdb: {e}: install PostgreSQL 15 or later (`make setup`)"))
            })?;
        if !made.status.success() {
            return Err(Error::other(format!("initdb: {}", String::from_utf8_lossy(&made.stderr))));
        }
        let fsync = if durability == Durability::Full { "fsync=on" } else { "fsync=off" };
        let all = ["listen_addresses=", "max_connections=500", fsync];
        let settings = all.iter().chain(settings).map(|setting| (*setting).to_owned()).collect();
        let mut cluster = Cluster { home, settings, running: None, still: Vec::new() };
        cluster.resume()?;
        Ok(cluster)
    }

    /// A standby of a server, on which everything is that was committed there; the server waits for it with
    /// each commit.
    pub fn standby_of(primary: &Cluster) -> Result<Cluster> {
        let settings = primary.settings.clone();
        let mut standby = Cluster { home: directory()?, settings, running: None, still: Vec::new() };
        standby.follow(primary)?;
        Ok(standby)
    }

    /// Makes it a standby of another server; what it had is gone.
    pub fn follow(&mut self, primary: &Cluster) -> Result<()> {
        self.stop(Stop::Immediate)?;
        let data = self.home.path().join("data");
        if data.exists() {
            std::fs::remove_dir_all(&data)?;
        }
        let copied = as_server(&program("pg_basebackup"), ENDED)
            .args(["-U", USER, "--write-recovery-conf", "--checkpoint", "fast", "--no-sync", "-h"])
            .arg(primary.home.path())
            .arg("-D")
            .arg(&data)
            .current_dir(self.home.path())
            .output()?;
        if !copied.status.success() {
            return Err(Error::other(format!("pg_basebackup: {}", String::from_utf8_lossy(&copied.stderr))));
        }
        self.resume()?;
        primary.set("synchronous_standby_names = '*'")
    }

    /// Waits until every commit is on the standby, too.
    pub fn wait_for_standby(&self) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while self.sql("postgres", "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")?
            == "0"
        {
            if Instant::now() > until {
                return Err(Error::other("the standby does not follow"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Makes its standby an asynchronous one: no commit waits for it any more. It follows by then.
    pub fn wait_for_no_standby(&self) -> Result<()> {
        self.wait_for_standby()?;
        self.set("synchronous_standby_names = ''")
    }

    /// Makes a standby a server of its own, which waits for no standby until it has one.
    pub fn promote(&self) -> Result<()> {
        if self.sql("postgres", "SELECT pg_promote()")? != "t" {
            return Err(Error::other("the standby was not promoted"));
        }
        self.set("synchronous_standby_names = ''")
    }

    fn set(&self, setting: &str) -> Result<()> {
        self.sql("postgres", &format!("ALTER SYSTEM SET {setting}"))?;
        self.sql("postgres", "SELECT pg_reload_conf()").map(drop)
    }

    /// Starts it again after [`Cluster::stop`], and waits until it takes connections.
    pub fn resume(&mut self) -> Result<()> {
        let mut command = as_server(&program("postgres"), ENDED);
        command
            .args(self.settings.iter().flat_map(|setting| ["-c", setting]))
            .arg("-k")
            .arg(self.home.path())
            .arg("-D")
            .arg(self.home.path().join("data"))
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(open_log(self.home.path())?);
        self.running = Some(attended(command)?);
        let until = Instant::now() + PATIENCE;
        while !self.is_ready()? {
            if Instant::now() > until {
                return Err(Error::other(format!("PostgreSQL does not start: see {}", self.log().display())));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Stops the server with all its sessions where they are, until it is ended: connections are accepted,
    /// and nobody is answered.
    pub fn hang(&mut self) -> Result<()> {
        let Some(Running { pid, .. }) = &self.running else { return Ok(()) };
        kill(*pid, Signal::SIGSTOP)?;
        // No more of them from here on.
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        let children = children.split_ascii_whitespace().filter_map(|id| id.parse().ok()).map(Pid::from_raw);
        self.still = std::iter::once(*pid).chain(children).collect();
        for process in &self.still {
            // One may have ended just now.
            let _ = kill(*process, Signal::SIGSTOP);
        }
        Ok(())
    }

    /// Ends it; its data stays.
    pub fn stop(&mut self, how: Stop) -> Result<()> {
        let Some(running) = self.running.take() else { return Ok(()) };
        for process in self.still.drain(..) {
            // What stands still hears nothing else.
            let _ = kill(process, Signal::SIGKILL);
        }
        let signal = match how {
            Stop::Fast => Signal::SIGINT,
            Stop::Immediate => Signal::SIGQUIT,
        };
        // Gone already, if it stood still.
        let _ = kill(running.pid, signal);
        running.attendant.join().map_err(|_| Error::other("PostgreSQL was not waited for"))
    }

    /// A new, empty database, by its URL.
    pub fn create(&self, name: &str) -> Result<String> {
        self.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(self.url(name))
    }

    /// Makes a database of a dump of another one, as an operator restores it elsewhere. Returns its URL.
    pub fn restore_dump(&self, from: &str, to: &str) -> Result<String> {
        let url = self.create(to)?;
        let dump = self.home.path().join(format!("{to}.dump"));
        let mut dumping = Command::new(program("pg_dump"));
        dumping.args(["-Fc", "-d", from, "-f"]).arg(&dump);
        let mut restoring = Command::new(program("pg_restore"));
        restoring.args(["--exit-on-error", "-d", to]).arg(&dump);
        for mut command in [dumping, restoring] {
            let output = command.args(["-U", USER, "-h"]).arg(self.home.path()).output()?;
            if !output.status.success() {
                return Err(Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
            }
        }
        Ok(url)
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        url(&[self.home.path()], database)
    }

    /// Directory of its socket.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs statements as an operator would, and gives what they print, a line each, columns apart by `|`.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String> {
        psql(self.home.path(), database, statements)
    }

    /// Path of the server's log.
    pub fn log(&self) -> PathBuf {
        self.home.path().join("log")
    }

    fn is_ready(&self) -> Result<bool> {
        Ok(Command::new(program("pg_isready")).arg("-qh").arg(self.home.path()).status()?.success())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = self.stop(Stop::Immediate);
    }
}

/// The URL of a database on one of several servers, by the directories of their sockets.
pub fn url(servers: &[&Path], database: &str) -> String {
    let hosts: Vec<String> =
        servers.iter().map(|home| home.display().to_string().replace('/', "%2F")).collect();
    format!("postgres://{USER}@{}/{database}", hosts.join(","))
}

/// Runs statements on the server whose socket is there, and gives what they print.
fn psql(home: &Path, database: &str, statements: &str) -> Result<String> {
    let output = Command::new(program("psql"))
        .args(["-qXtA", "-v", "ON_ERROR_STOP=1", "-U", USER, "-d", database, "-c", statements, "-h"])
        .arg(home)
        .output()?;
    if !output.status.success() {
        return Err(Error::other(format!("{statements}: {}", String::from_utf8_lossy(&output.stderr))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// Opens the server's log, a file in its directory.
fn open_log(home: &Path) -> Result<File> {
    File::options().create(true).append(true).open(home.join("log"))
}

/// A directory for one server.
fn directory() -> Result<TempDir> {
    let home = tempfile::Builder::new().prefix(&format!("{PREFIX}{}-", std::process::id())).tempdir()?;
    if geteuid().is_root() {
        chown(home.path(), Some(NOBODY.into()), Some(NOBODY.into()))?;
    }
    Ok(home)
}

/// Removes what owners left that did not end in an orderly way.
fn sweep() -> Result<()> {
    for entry in std::fs::read_dir(std::env::temp_dir())?.flatten() {
        let name = entry.file_name();
        let pid =
            name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            // Somebody else may be doing the same.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

/// Starts it from a thread that lasts as long as it does: a process is ended with the thread that started it.
fn attended(mut command: Command) -> Result<Running> {
    let (started, pid) = mpsc::channel();
    let attendant = std::thread::spawn(move || {
        let mut child = match command.process_group(0).spawn() {
            Ok(child) => child,
            Err(e) => return drop(started.send(Err(e))),
        };
        let _ = started.send(i32::try_from(child.id()).map_err(Error::other));
        let _ = child.wait();
    });
    let pid = pid.recv().map_err(Error::other)??;
    Ok(Running { pid: Pid::from_raw(pid), attendant })
}

/// A program of the newest server installed: Debian keeps them apart, off the path.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|entry| entry.path()).filter_map(|path| Some((number(&path)?, path))).max();
    let found = newest.map(|(_, path)| path.join("bin").join(name)).filter(|path| path.exists());
    found.unwrap_or_else(|| name.into())
}

/// Ends with its owner, by a signal, and is run by somebody whom a server takes.
fn as_server(program: &Path, ended_by: Signal) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", ended_by.as_str().trim_start_matches("SIG")]);
    if geteuid().is_root() {
        let nobody = NOBODY.to_string();
        command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"]);
    }
    command.arg(program);
    command
}
