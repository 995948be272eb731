//! Messages to the service manager that started this process (`sd_notify(3)`): the server serves, reloads or
//! stops, and still makes progress. Without `NOTIFY_SOCKET` no message is sent.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use longhaul_engine::{Engine, Trouble};
use nix::time::{ClockId, clock_gettime};

/// Shortest time without progress of the engine that counts as a standstill: its sweeps rest after costly
/// ones.
const STANDSTILL: Duration = Duration::from_secs(30);

/// Connection to the service manager, if there is one.
#[derive(Clone, Default)]
pub(crate) struct Manager {
    socket: Option<Arc<(UnixDatagram, SocketAddr)>>,
    /// Time after which a silent process is restarted.
    watchdog: Option<Duration>,
}

impl Manager {
    /// Returns the manager that the environment names.
    pub(crate) fn of_environment() -> Manager {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Manager::default();
        };
        let socket = match connect(&name) {
            Ok(socket) => Some(Arc::new(socket)),
            Err(e) => {
                tracing::warn!(error = %e, "NOTIFY_SOCKET: the service manager cannot be told anything");
                None
            }
        };
        let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
        let is_meant = number("WATCHDOG_PID").is_none_or(|id| id == u64::from(std::process::id()));
        let time = number("WATCHDOG_USEC").filter(|time| *time > 0 && is_meant);
        Manager { socket, watchdog: time.map(Duration::from_micros) }
    }

    /// Reports that the server serves.
    pub(crate) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// Reports that the server reads its configuration again; [`Manager::ready`] follows.
    pub(crate) fn reloading(&self) {
        // The manager compares it with the time of its own request.
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
        self.tell(&format!(
            "RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=reading the configuration",
            now.as_micros()
        ));
    }

    /// Reports that the server stops.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping: waiting for what runs");
    }

    /// Reports the server's activity in words for people.
    pub(crate) fn status(&self, status: &str) {
        self.tell(&format!("STATUS={status}"));
    }

    /// Feeds the watchdog while the server waits for its database: a restart would only wait again.
    pub(crate) async fn feed_while_waiting(&self) {
        self.feed(|| true).await;
    }

    /// Feeds the watchdog as long as the engine makes progress.
    pub(crate) async fn feed_while_working(&self, engine: Engine) {
        let standstill = self.watchdog.unwrap_or_default().max(STANDSTILL);
        self.feed(|| makes_progress(&engine, standstill)).await;
    }

    /// Feeds the watchdog twice in its time, whenever `is_well` says so.
    async fn feed(&self, is_well: impl Fn() -> bool) {
        let Some(time) = self.watchdog.filter(|_| self.socket.is_some()) else {
            return std::future::pending().await;
        };
        let mut was_well = true;
        let mut ticks = tokio::time::interval(time / 2);
        loop {
            ticks.tick().await;
            let is_well = is_well();
            if is_well {
                self.tell("WATCHDOG=1");
            } else if was_well {
                tracing::error!("the server makes no progress: the service manager's watchdog is not fed");
            }
            was_well = is_well;
        }
    }

    fn tell(&self, message: &str) {
        if let Some(socket) = &self.socket {
            // A manager that does not listen is no reason to wait, or to stop.
            if let Err(e) = socket.0.send_to_addr(message.as_bytes(), &socket.1) {
                tracing::debug!(error = %e, "the service manager was not told");
            }
        }
    }
}

fn connect(name: &OsString) -> std::io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes() {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
        [b'/', ..] => SocketAddr::from_pathname(name)?,
        _ => return Err(std::io::Error::other("this is neither a path nor an abstract name")),
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

/// Returns true if tasks go on, or a restart would not help. The writer is judged by its jobs, the engine by
/// its sweeps, which read the store twice a second.
fn makes_progress(engine: &Engine, standstill: Duration) -> bool {
    let health = engine.store_health();
    match health.trouble {
        None => health.oldest_wait.max(engine.since_last_sweep()) < standstill,
        // This process or the next must wait for a full disk and a missing database alike.
        Some(Trouble::Full | Trouble::Failing(_) | Trouble::Closed) => true,
        Some(Trouble::Stuck(_) | Trouble::Broken(_)) => false,
    }
}
