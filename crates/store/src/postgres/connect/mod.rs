//! Connections to the database: its servers, one after the other, and the first statements of each
//! connection.

mod parameters;
mod pinned;
mod pool;
mod tls;

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_postgres::Connect;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error, Notification, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use parameters::{Parameters, Surroundings};
use pinned::PINNED;
pub(super) use pool::Connections;

use super::sql::{is_away, text};
use crate::error::StoreError;

/// Longest time that connecting to a server may take, until it accepts statements.
const CONNECT: Duration = Duration::from_secs(5);
/// Limit for each of several servers: one that hangs must not keep a node from the one that took its place.
const CONNECT_EACH: Duration = Duration::from_secs(2);
/// Settings for connections that sit idle, or hold what others wait for: their server notices within ten
/// seconds when they are gone.
pub(in crate::postgres) const ATTENTIVE: &str =
    "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
     SET tcp_user_timeout = 10000; SET idle_session_timeout = 0";

/// Connection settings of a database: its servers and TLS.
#[derive(Clone)]
pub(super) struct Place {
    /// Configuration of each server.
    servers: Vec<Config>,
    tls: MakeRustlsConnect,
    /// Index of the server that accepted writes last, which is asked first.
    last: Arc<AtomicUsize>,
}

/// Future that drives a connection, and must be polled for it to work.
type Driver = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;
/// Connection with its driver.
type Reached = (Client, Driver);

impl Place {
    /// Reads a URL, `postgres://user:password@host1:5432,host2:5432/database?sslmode=…`, and takes missing
    /// parameters from the places where other PostgreSQL clients look ([`parameters`]). Of several hosts, the
    /// one that accepts writes is used.
    pub(super) fn new(url: &str) -> Result<Self, StoreError> {
        Place::with(url, &Surroundings::of_process())
    }

    /// Reads a URL with other surroundings than those of the process.
    fn with(url: &str, surroundings: &Surroundings) -> Result<Self, StoreError> {
        let Parameters { servers, tls } = Parameters::read(url, surroundings)?;
        let tls = MakeRustlsConnect::new(tls::client(&tls)?);
        Ok(Place { servers, tls, last: Arc::default() })
    }

    /// Returns the database and its hosts for people, without the password.
    pub(super) fn shown(&self) -> String {
        let hosts: Vec<String> = self
            .servers
            .iter()
            .flat_map(Config::get_hosts)
            .map(|host| match host {
                tokio_postgres::config::Host::Tcp(name) => name.clone(),
                tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
            })
            .collect();
        format!("{} at {}", self.servers[0].get_dbname().unwrap_or_default(), hosts.join(","))
    }

    /// Returns the application name of the connections.
    pub(super) fn application(&self) -> &str {
        self.servers[0].get_application_name().unwrap_or("longhaul")
    }

    /// Returns the same place with another application name.
    pub(super) fn called(&self, application: &str) -> Place {
        let mut place = self.clone();
        for server in &mut place.servers {
            server.application_name(application);
        }
        place
    }

    /// Opens a connection; the Tokio task that drives it ends with it.
    pub(super) async fn connect(&self) -> Result<(Client, JoinHandle<()>), StoreError> {
        let (client, connection) =
            self.reach(Some(PINNED)).await.map_err(|e| self.no_connection(e.as_ref()))?;
        Ok((client, driven(connection)))
    }

    /// Opens a connection whose session is as the server makes it: nothing was set.
    pub(super) async fn connect_bare(&self) -> Result<(Client, JoinHandle<()>), StoreError> {
        let (client, connection) = self.reach(None).await.map_err(|e| self.no_connection(e.as_ref()))?;
        Ok((client, driven(connection)))
    }

    /// Asks one server after the other for a connection that accepts writes, and runs these statements first
    /// on it. Err: the error of the last server, or of one that is reached and refuses; `None` if no server
    /// answered in time.
    async fn reach(&self, first: Option<&str>) -> Result<Reached, Option<Error>> {
        let (count, start) = (self.servers.len(), self.last.load(Ordering::Relaxed));
        let limit = if count == 1 { CONNECT } else { CONNECT_EACH };
        let mut said: Option<Error> = None;
        for number in (start..start + count).map(|number| number % count) {
            let connected = async {
                let reached = self.servers[number].connect(self.tls.clone()).await?;
                match first {
                    Some(statements) => said_first(reached, statements).await,
                    None => Ok(reached),
                }
            };
            match timeout(limit, connected).await {
                Ok(Ok(reached)) => {
                    self.last.store(number, Ordering::Relaxed);
                    return Ok(reached);
                }
                Ok(Err(e)) if said.as_ref().is_none_or(is_away) => said = Some(e),
                Ok(Err(_)) | Err(_) => {}
            }
        }
        Err(said)
    }

    /// Opens a connection that receives notifications; the Tokio task that drives it ends with it.
    pub(super) async fn listen(&self) -> Result<(Client, UnboundedReceiver<Notification>), StoreError> {
        let (client, mut connection) =
            self.reach(Some(PINNED)).await.map_err(|e| self.no_connection(e.as_ref()))?;
        let (told, heard) = unbounded_channel();
        tokio::spawn(async move {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                match message {
                    Ok(AsyncMessage::Notification(news)) => drop(told.send(news)),
                    Ok(_) => {}
                    Err(e) => {
                        tracing::debug!(error = %e, "the connection to the other nodes ended");
                        return;
                    }
                }
            }
        });
        Ok((client, heard))
    }

    /// Returns the error for a connection that cannot be made: the server is away just now, or refuses this
    /// client.
    fn no_connection(&self, e: Option<&Error>) -> StoreError {
        let (place, why) = (self.shown(), e.map_or_else(|| "it does not answer".to_owned(), text));
        if e.is_none_or(is_away) {
            return StoreError::Unavailable(format!("the database {place} is not reached: {why}"));
        }
        StoreError::Open(format!("the database {place} cannot be used: {why}"))
    }
}

impl Connect for Place {
    fn connect(&self, _: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        Box::pin(async move {
            match self.reach(Some(PINNED)).await {
                Ok((client, connection)) => Ok((client, driven(connection))),
                Err(Some(e)) => Err(e),
                // The pool has a limit of its own, and an error for it.
                Err(None) => std::future::pending().await,
            }
        })
    }
}

/// Runs statements on a new connection, before anybody else uses it.
async fn said_first((client, mut connection): Reached, statements: &str) -> Result<Reached, Error> {
    let driven = async {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            message?;
        }
        // The statements fail, as nobody answers them.
        std::future::pending::<Result<(), Error>>().await
    };
    tokio::select! {
        said = client.batch_execute(statements) => said?,
        broken = driven => broken?,
    }
    Ok((client, connection))
}

/// Drives a connection until it ends.
fn driven(connection: Driver) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(e) = connection.await {
            tracing::debug!(error = %e, "a connection to the database ended");
        }
    })
}
