//! Where the database is, and how it is reached: its URL, TLS, time limits.

use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_postgres::{Connect, Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use futures_util::future::BoxFuture;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error, Notification, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::sql::{is_away, text};
use crate::error::StoreError;

/// How long reaching a server may take, with all that is said until it takes statements.
const CONNECT: Duration = Duration::from_secs(5);
/// The same where there are others to ask: one that hangs must not keep a node from the one that took its place.
const CONNECT_EACH: Duration = Duration::from_secs(2);
/// How long a connection may be silent before its server counts as gone.
const SILENT: Duration = Duration::from_secs(10);

/// How a database is reached.
#[derive(Clone)]
pub(super) struct Place {
    /// Each server of it.
    servers: Vec<Config>,
    tls: MakeRustlsConnect,
    /// Which of them took writes last, and is asked first.
    last: Arc<AtomicUsize>,
}

/// What must be awaited for a connection to work.
type Driver = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;
/// A connection, with that.
type Reached = (Client, Driver);

impl Place {
    /// Reads a URL, `postgres://user:password@host1:5432,host2:5432/database?sslmode=…`. Of several hosts the one is used that takes
    /// writes. `sslmode` as other clients have it: `disable`, `prefer` (the default), `require`, `verify-full`; with
    /// `sslrootcert=FILE` the server's certificate must be signed by one of that file.
    pub(super) fn new(url: &str) -> Result<Self, StoreError> {
        let given = Given::taken_from(url)?;
        let (mode, verified) = given.tls()?;
        let servers =
            each_server(&given.url).iter().map(|url| server(url, mode)).collect::<Result<_, _>>()?;
        let tls = MakeRustlsConnect::new(client(verified, given.roots)?);
        Ok(Place { servers, tls, last: Arc::default() })
    }

    /// Without the password, for people.
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

    /// How its connections are called.
    pub(super) fn application(&self) -> &str {
        self.servers[0].get_application_name().unwrap_or("longhaul")
    }

    /// The same with connections of another name.
    pub(super) fn called(&self, application: &str) -> Place {
        let mut place = self.clone();
        for server in &mut place.servers {
            server.application_name(application);
        }
        place
    }

    /// A connection of its own; the task that drives it ends with it.
    pub(super) async fn connect(&self) -> Result<(Client, JoinHandle<()>), StoreError> {
        let (client, connection) = self.reach().await.map_err(|e| self.no_connection(e.as_ref()))?;
        Ok((client, driven(connection)))
    }

    /// Asks one server after the other for a connection that takes writes. Err: what the last one said, or one that is there and
    /// refuses; `None` if none said anything in time.
    async fn reach(&self) -> Result<Reached, Option<Error>> {
        let (count, first) = (self.servers.len(), self.last.load(Ordering::Relaxed));
        let limit = if count == 1 { CONNECT } else { CONNECT_EACH };
        let mut said: Option<Error> = None;
        for number in (first..first + count).map(|number| number % count) {
            match timeout(limit, self.servers[number].connect(self.tls.clone())).await {
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

    /// A connection with what it is told by others; the task that drives it ends with it.
    pub(super) async fn listen(&self) -> Result<(Client, UnboundedReceiver<Notification>), StoreError> {
        let (client, mut connection) = self.reach().await.map_err(|e| self.no_connection(e.as_ref()))?;
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

    /// Why there is none: its server is not there just now, or does not want this one.
    fn no_connection(&self, e: Option<&Error>) -> StoreError {
        let (place, why) = (self.shown(), e.map_or_else(|| "it does not answer".to_owned(), text));
        if e.is_none_or(is_away) {
            return StoreError::Unavailable(format!("the database {place} is not reached: {why}"));
        }
        StoreError::Open(format!("the database {place} cannot be used: {why}"))
    }

    /// Connections for reads and for what is rare.
    pub(super) fn pool(&self, size: usize) -> Result<Pool, StoreError> {
        // No clean-up between users: whoever needs a transaction takes the guarded one, which rolls back when dropped.
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(self.servers[0].clone(), self.clone(), config);
        Pool::builder(manager)
            .max_size(size)
            // Statements that wait longer than this for a lock fail: the lock may be held for ever.
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(async move {
                    client.batch_execute("SET lock_timeout = '4s'").await.map_err(HookError::Backend)
                })
            }))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(Duration::from_secs(10)))
            .create_timeout(Some(CONNECT * 3))
            .build()
            .map_err(|e| StoreError::Open(format!("no pool of connections: {e}")))
    }
}

impl Connect for Place {
    fn connect(&self, _: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        Box::pin(async move {
            match self.reach().await {
                Ok((client, connection)) => Ok((client, driven(connection))),
                Err(Some(e)) => Err(e),
                // The pool has a limit of its own, and an error for it.
                Err(None) => std::future::pending().await,
            }
        })
    }
}

/// Has a connection work until it ends.
fn driven(connection: Driver) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(e) = connection.await {
            tracing::debug!(error = %e, "a connection to the database ended");
        }
    })
}

/// A URL for each server that one names: `postgres://user@a:1,b:2/tasks` is two.
fn each_server(url: &str) -> Vec<String> {
    let begin = url.find("://").map_or(0, |at| at + 3);
    let end = url[begin..].find(['/', '?']).map_or(url.len(), |at| begin + at);
    let hosts = url[begin..end].rfind('@').map_or(begin, |at| begin + at + 1);
    url[hosts..end].split(',').map(|host| format!("{}{host}{}", &url[..hosts], &url[end..])).collect()
}

/// How one server is reached.
fn server(url: &str, mode: SslMode) -> Result<Config, StoreError> {
    let mut config: Config = url.parse().map_err(|e: Error| {
        // The error itself says only that there is one.
        let why = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
        StoreError::Open(format!(
            "the database URL cannot be read: {why}: write postgres://user@host/database"
        ))
    })?;
    if config.get_dbname().is_none() {
        return Err(StoreError::Open(
            "the database URL names no database: write postgres://user@host/database".to_owned(),
        ));
    }
    config.ssl_mode(mode);
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    config.tcp_user_timeout(SILENT).keepalives_idle(SILENT).keepalives_retries(3);
    config.keepalives_interval(SILENT / 3);
    if config.get_application_name().is_none() {
        config.application_name("longhaul");
    }
    Ok(config)
}

/// What a URL says about TLS, which is read here, and the rest of it.
struct Given {
    url: String,
    mode: Option<String>,
    roots: Option<PathBuf>,
}

impl Given {
    fn taken_from(url: &str) -> Result<Self, StoreError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(StoreError::Open("the database URL must begin with postgres://".to_owned()));
        }
        let Some((place, query)) = url.split_once('?') else {
            return Ok(Given { url: url.to_owned(), mode: None, roots: None });
        };
        let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
        for part in query.split('&').filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value.to_owned()),
                Some(("sslrootcert", value)) => roots = Some(PathBuf::from(value.replace("%2F", "/"))),
                _ => rest.push(part),
            }
        }
        let query = if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) };
        Ok(Given { url: format!("{place}{query}"), mode, roots })
    }

    /// The mode, and whether the server must prove who it is.
    fn tls(&self) -> Result<(SslMode, bool), StoreError> {
        match self.mode.as_deref() {
            Some("disable") => Ok((SslMode::Disable, false)),
            None | Some("prefer") => Ok((SslMode::Prefer, self.roots.is_some())),
            Some("require") => Ok((SslMode::Require, self.roots.is_some())),
            Some("verify-full") => Ok((SslMode::Require, true)),
            Some(other) => Err(StoreError::Open(format!(
                "sslmode={other} is not known: write disable, prefer, require or verify-full"
            ))),
        }
    }
}

fn client(verified: bool, roots: Option<PathBuf>) -> Result<ClientConfig, StoreError> {
    let wrong = |why: String| StoreError::Open(format!("TLS to the database cannot be used: {why}"));
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(e.to_string()))?;
    if !verified {
        let anyone = Arc::new(Anyone(provider));
        return Ok(builder.dangerous().with_custom_certificate_verifier(anyone).with_no_client_auth());
    }
    let mut store = RootCertStore::empty();
    match roots {
        Some(file) => {
            let read = |e: rustls::pki_types::pem::Error| wrong(format!("{}: {e}", file.display()));
            for certificate in CertificateDer::pem_file_iter(&file).map_err(read)? {
                store.add(certificate.map_err(read)?).map_err(|e| wrong(e.to_string()))?;
            }
        }
        None => drop(store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    if store.is_empty() {
        return Err(wrong("there is no certificate to trust".to_owned()));
    }
    Ok(builder.with_root_certificates(store).with_no_client_auth())
}

/// Encrypts without asking who it is, as `prefer` and `require` do everywhere.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_has_a_url() {
        let one = |url: &str| each_server(url).join(" ");
        assert_eq!(one("postgres://u:p@a:1,b/t?x=1"), "postgres://u:p@a:1/t?x=1 postgres://u:p@b/t?x=1");
        assert_eq!(one("postgres://u@%2Frun%2Fpg/t"), "postgres://u@%2Frun%2Fpg/t");
        assert_eq!(one("postgresql:///t?host=/run"), "postgresql:///t?host=/run");
        assert_eq!(one("postgres://[::1]:5,b"), "postgres://[::1]:5 postgres://b");
    }

    #[test]
    fn url_is_read_and_what_is_wrong_is_named() {
        let place = Place::new("postgres://ann:secret@a:1,b:2/tasks?sslmode=disable").expect("a place");
        assert_eq!(place.shown(), "tasks at a,b");
        let ports: Vec<_> = place.servers.iter().map(|server| server.get_ports().to_vec()).collect();
        assert_eq!(ports, [[1], [2]]);
        assert_eq!(place.servers[1].get_password(), Some(&b"secret"[..]));
        for (url, says) in [
            ("mysql://a/b", "postgres://"),
            ("postgres://a", "no database"),
            ("postgres://a/b?sslmode=never", "sslmode=never"),
            ("postgres://a/b?sslrootcert=/none.pem", "/none.pem"),
            ("postgres://a/b?colour=red", "colour"),
        ] {
            let Err(StoreError::Open(message)) = Place::new(url) else { panic!("{url} is taken") };
            assert!(message.contains(says) && !message.contains("secret"), "{url}: {message}");
        }
    }
}
