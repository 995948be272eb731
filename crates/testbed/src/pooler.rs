//! A real PgBouncer in front of a server.

use std::io::{Error, Result};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use tempfile::TempDir;

use super::{Cluster, PATIENCE, Running, USER, as_server, attended, directory, open_log, psql, url};

/// A pooler of connections to one database.
#[derive(Debug)]
pub struct Pooler {
    home: TempDir,
    database: String,
    running: Option<Running>,
}

impl Pooler {
    /// Starts one for a database of a server. `mode` is PgBouncer's `pool_mode`: session, transaction or
    /// statement; `size` is the number of connections that it has to the server. Err: PgBouncer is not
    /// installed, or does not start.
    pub fn start(cluster: &Cluster, database: &str, mode: &str, size: usize) -> Result<Pooler> {
        let home = directory()?;
        let configuration = format!(
            "[databases]\n{database} = host={} dbname={database} user={USER}\n[pgbouncer]\nlisten_addr =\n\
             unix_socket_dir = {}\nlisten_port = 5432\nauth_type = any\npool_mode = {mode}\n\
             default_pool_size = {size}\nignore_startup_parameters = extra_float_digits\n",
            cluster.home().display(),
            home.path().display(),
        );
        let file = home.path().join("pgbouncer.ini");
        std::fs::write(&file, configuration)?;
        let mut command = as_server(Path::new("/usr/sbin/pgbouncer"), Signal::SIGKILL);
        command.arg(&file).current_dir(home.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(open_log(home.path())?);
        let running = Some(attended(command)?);
        let pooler = Pooler { home, database: database.to_owned(), running };
        let until = Instant::now() + PATIENCE;
        while psql(pooler.home.path(), database, "SELECT 1").is_err() {
            if Instant::now() > until {
                let log = std::fs::read_to_string(pooler.home.path().join("log")).unwrap_or_default();
                return Err(Error::other(format!("PgBouncer does not start (`make setup`): {log}")));
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Ok(pooler)
    }

    /// The URL of the database behind it.
    pub fn url(&self) -> String {
        url(&[self.home.path()], &self.database)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        if let Some(Running { pid, attendant }) = self.running.take() {
            // It may have ended by itself.
            let _ = kill(pid, Signal::SIGKILL);
            let _ = attendant.join();
        }
    }
}
