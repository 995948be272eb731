//! Two servers that Patroni looks after, with an etcd of their own: where one is lost, the other takes its
//! place without anybody's help.

use std::io::{Error, Result};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::{PATIENCE, Running, USER, as_server, attended, directory, open_log, program, psql};

/// Longest time for a lost primary to be replaced: Patroni waits for 20 seconds before it promotes another.
const TAKEN: Duration = Duration::from_secs(90);

/// Two servers, of which one is the other's synchronous standby.
#[derive(Debug)]
pub struct Patroni {
    /// Data of etcd; removed with it.
    _data: TempDir,
    etcd: Option<Running>,
    members: [Member; 2],
}

/// A server and its Patroni.
#[derive(Debug)]
struct Member {
    home: TempDir,
    running: Option<Running>,
}

impl Patroni {
    /// Two new ones, of which one follows the other. Err: Patroni, etcd or PostgreSQL is not installed, or
    /// does not start.
    pub fn start() -> Result<Patroni> {
        let data = directory()?;
        let (clients, peers) = (free_port()?, free_port()?);
        let mut etcd = as_server(Path::new("etcd"), Signal::SIGKILL);
        let [clients_at, peers_at] = [clients, peers].map(|port| format!("http://127.0.0.1:{port}"));
        etcd.arg("--data-dir").arg(data.path().join("etcd"));
        etcd.args(["--listen-client-urls", &clients_at, "--advertise-client-urls", &clients_at]);
        etcd.args(["--listen-peer-urls", &peers_at, "--log-level", "error"]);
        etcd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(open_log(data.path())?);
        let etcd = Some(attended(etcd)?);
        let members =
            [Member { home: directory()?, running: None }, Member { home: directory()?, running: None }];
        let mut patroni = Patroni { _data: data, etcd, members };
        for number in 0..patroni.members.len() {
            patroni.members[number].configure(number, clients)?;
            patroni.members[number].run()?;
            // The second one copies the first.
            patroni.wait("no server is the first one", |all| all.primary().is_some())?;
        }
        patroni.wait_for_standby()?;
        Ok(patroni)
    }

    /// Directories of their sockets.
    pub fn homes(&self) -> [&Path; 2] {
        [self.members[0].home.path(), self.members[1].home.path()]
    }

    /// Runs statements on the one that takes writes, and gives what they print.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String> {
        let primary = self.primary().ok_or_else(|| Error::other("no server takes writes"))?;
        psql(self.members[primary].home.path(), database, statements)
    }

    /// The one that takes writes is gone with its Patroni, as with its machine. Waits until the other one
    /// takes its place.
    pub fn lose_primary(&mut self) -> Result<()> {
        let primary = self.primary().ok_or_else(|| Error::other("no server takes writes"))?;
        self.members[primary].lose()?;
        self.wait("no server took its place", |all| all.primary().is_some_and(|now| now != primary))
    }

    /// Brings a lost server back with an empty disk, as a standby.
    pub fn mend(&mut self) -> Result<()> {
        for member in &mut self.members {
            if member.running.is_none() {
                std::fs::remove_dir_all(member.data())?;
                member.run()?;
            }
        }
        self.wait_for_standby()
    }

    fn wait_for_standby(&self) -> Result<()> {
        let following = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        self.wait("the standby does not follow", |all| {
            all.sql("postgres", following).is_ok_and(|count| count == "1")
        })
    }

    fn primary(&self) -> Option<usize> {
        let asked =
            "SELECT NOT pg_is_in_recovery() AND NOT current_setting('transaction_read_only')::boolean";
        let takes_writes = |member: &Member| {
            member.running.is_some()
                && psql(member.home.path(), "postgres", asked).is_ok_and(|yes| yes == "t")
        };
        self.members.iter().position(takes_writes)
    }

    fn wait(&self, what: &str, holds: impl Fn(&Patroni) -> bool) -> Result<()> {
        let until = Instant::now() + TAKEN;
        while !holds(self) {
            if Instant::now() > until {
                return Err(Error::other(format!("{what}: see {}", self.members[0].home.path().display())));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Member {
    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn configure(&self, number: usize, etcd: u16) -> Result<()> {
        let home = self.home.path().display();
        let rest = free_port()?;
        // The same port at each, as the name of a socket has it; so each has an address of its own, which no
        // other run has.
        let [low, high] = (std::process::id() as u16).to_le_bytes();
        let at = format!("127.{}.{low}.{}:5432", high.max(1), number + 1);
        let programs = program("initdb");
        let programs = programs.parent().unwrap_or_else(|| Path::new("")).display();
        let text = format!(
            "scope: longhaul
name: member{number}
restapi: {{ listen: '127.0.0.1:{rest}', connect_address: '127.0.0.1:{rest}' }}
etcd3: {{ host: '127.0.0.1:{etcd}' }}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 1
    retry_timeout: 3
    synchronous_mode: true
    postgresql: {{ use_pg_rewind: false, parameters: {{ max_connections: 500 }} }}
  initdb: [{{ encoding: UTF8 }}, {{ locale: C.UTF-8 }}, {{ auth: trust }}]
postgresql:
  listen: '{at}'
  connect_address: '{at}'
  data_dir: '{home}/data'
  bin_dir: '{programs}'
  pgpass: '{home}/pgpass'
  authentication: {{ superuser: {{ username: {USER} }}, replication: {{ username: {USER} }} }}
  parameters: {{ unix_socket_directories: '{home}' }}
  pg_hba: ['local all all trust', 'host all all 127.0.0.0/8 trust', 'host replication all 127.0.0.0/8 trust']
"
        );
        std::fs::write(self.home.path().join("patroni.yml"), text)
    }

    fn run(&mut self) -> Result<()> {
        // Ended in order, it ends its server.
        let mut command = as_server(Path::new("patroni"), Signal::SIGTERM);
        command.arg(self.home.path().join("patroni.yml")).current_dir(self.home.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(open_log(self.home.path())?);
        self.running = Some(attended(command)?);
        Ok(())
    }

    /// Ends Patroni and its server at once, Patroni first, which would start the server again.
    fn lose(&mut self) -> Result<()> {
        let Some(running) = self.running.take() else { return Ok(()) };
        let server = std::fs::read_to_string(self.data().join("postmaster.pid")).ok();
        kill(running.pid, Signal::SIGKILL)?;
        running.attendant.join().map_err(|_| Error::other("Patroni was not waited for"))?;
        if let Some(pid) = server.and_then(|text| text.lines().next()?.parse().ok()) {
            let pid = Pid::from_raw(pid);
            kill(pid, Signal::SIGQUIT)?;
            let until = Instant::now() + PATIENCE;
            while kill(pid, None).is_ok() {
                if Instant::now() > until {
                    return Err(Error::other("a server does not end"));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }
}

impl Drop for Patroni {
    fn drop(&mut self) {
        // Nobody is left to tell.
        for member in &mut self.members {
            let _ = member.lose();
        }
        if let Some(etcd) = self.etcd.take() {
            let _ = kill(etcd.pid, Signal::SIGKILL);
            let _ = etcd.attendant.join();
        }
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
