//! Longhaul over HTTP: the Tasks API as SDDC Manager speaks it, Longhaul's own calls in the same style, and
//! the document that describes both. Parses, checks, and hands on to the engine.
#![forbid(unsafe_code)]

mod access;
mod api;
mod config;
mod declared;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod listen;
mod openapi;
mod origin;
mod phase;
mod proxies;
mod register;
mod request;
mod respond;
mod routes;
mod serve;
mod share;
mod starting;
mod stream;
mod tls;
mod transport;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;

use longhaul_auth::Auth;
use longhaul_engine::{Engine, Node};
use longhaul_model::Env;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use config::{ActionBody, Limits, ServerConfig, UserAgent, WireClient, WireConfig};
pub use proxies::Proxies;
pub use routes::Role;
pub use tls::{Certificate, Tls, TlsError};

/// Why a server does not start.
#[derive(Debug, Error)]
pub enum ServerError {
    /// Other machines could reach it, and anybody on the way could read along.
    #[error(
        "{0} can be reached from other machines, and without TLS passwords, tokens and data could be read on the way: \
        add --tls self-signed, or --tls-cert and --tls-key, or listen on 127.0.0.1; --insecure-http allows it all the \
        same, for a network that is protected by other means"
    )]
    InsecureHttp(SocketAddr),
    /// There is TLS to be, and no certificate for it.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// As asked for.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// An address that is taken before there is anything to serve: connections wait, or are told that the node
/// starts.
pub struct Address {
    listener: TcpListener,
    address: SocketAddr,
    acceptor: tls::Acceptor,
    certificate: Option<Certificate>,
    config: Arc<ServerConfig>,
}

impl Address {
    /// Reads the certificate, or makes it, and takes the address.
    pub async fn take(address: SocketAddr, env: Env, config: ServerConfig) -> Result<Address, ServerError> {
        Address::listen(address, None, env, config).await
    }

    /// The same with a socket that listens already, such as a supervisor hands over: it stays open, and takes
    /// connections, while the server behind it is restarted.
    pub async fn take_over(
        socket: std::net::TcpListener,
        env: Env,
        config: ServerConfig,
    ) -> Result<Address, ServerError> {
        let unspecified = SocketAddr::from((std::net::Ipv4Addr::UNSPECIFIED, 0));
        let failed = |source| ServerError::Bind { address: unspecified, source };
        let address = socket.local_addr().map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        Address::listen(address, Some(socket), env, config).await
    }

    async fn listen(
        address: SocketAddr,
        socket: Option<std::net::TcpListener>,
        env: Env,
        config: ServerConfig,
    ) -> Result<Address, ServerError> {
        let loopback = address.ip().to_canonical().is_loopback();
        if config.tls == Tls::Off && !loopback && !config.insecure_http {
            return Err(ServerError::InsecureHttp(address));
        }
        let failed = |source| ServerError::Bind { address, source };
        let listener = match socket {
            Some(socket) => TcpListener::from_std(socket).map_err(failed)?,
            None => TcpListener::bind(address).await.map_err(failed)?,
        };
        let certificate = Certificate::open(&config.tls, address.ip(), env)?;
        let acceptor = tls::Acceptor::new(certificate.as_ref(), config.limits.handshake_time)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Address { listener, address, acceptor, certificate, config: Arc::new(config) })
    }

    /// Where it is.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The certificate, to have it read again; `None` without TLS. It is looked at every few seconds anyway.
    pub fn certificate(&self) -> Option<Certificate> {
        self.certificate.clone()
    }

    /// Identity of a node here: its host and port, so that one that is started again replaces
    /// the one before.
    pub fn node(&self, env: &Env) -> Node {
        let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        Node {
            name: format!(
                "{}:{}",
                host.unwrap_or_else(|| self.address.ip().to_string()),
                self.address.port()
            ),
            address: format!("{scheme}://{}", self.address),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: env.now(),
        }
    }

    /// Takes connections and answers that this node starts, until `until` is cancelled. Those that come later
    /// wait for [`Server::run`]: the address stays bound throughout.
    pub async fn wait_for(&self, until: CancellationToken) -> Result<(), ServerError> {
        let failed = |source| ServerError::Bind { address: self.address, source };
        let same = nix::unistd::dup(&self.listener).map_err(|e| failed(e.into()))?;
        let listener = TcpListener::from_std(same.into()).map_err(failed)?;
        let serving =
            listen::serve(listener, self.acceptor.clone(), starting::router(), &self.config, until.clone());
        with_certificate(self.certificate.clone(), serving, until).await;
        Ok(())
    }
}

/// Has the certificate's files watched while something is served.
async fn with_certificate(
    certificate: Option<Certificate>,
    serving: impl Future<Output = ()>,
    stop: CancellationToken,
) {
    match certificate {
        Some(certificate) => drop(tokio::join!(serving, certificate.watch(stop))),
        None => serving.await,
    }
}

/// A server that has its address.
pub struct Server {
    at: Address,
    app: api::App,
}

impl Server {
    /// A server at an address. Connections wait until [`Server::run`].
    pub fn new(at: Address, engine: Engine, auth: Arc<Auth>) -> Server {
        let openapi = openapi_document().into();
        let shares = share::Shares::new(&at.config.limits, engine.env().clone());
        let node = Arc::new(at.node(engine.env()));
        let dialects = config::Dialects::new(&at.config.wire);
        let app = api::App { engine, auth, config: at.config.clone(), dialects, shares, node, openapi };
        Server { at, app }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.at.address
    }

    /// The certificate; `None` without TLS.
    pub fn certificate(&self) -> Option<Certificate> {
        self.at.certificate()
    }

    /// Serves until `stop` is cancelled, then lets open requests end within [`Limits::drain`] and cuts off
    /// the rest: when this returns, nobody asks the engine any more.
    pub async fn run(self, stop: CancellationToken) {
        let Address { listener, acceptor, certificate, config, .. } = self.at;
        let serving = listen::serve(listener, acceptor, routes::router(self.app), &config, stop.clone());
        with_certificate(certificate, serving, stop).await;
    }
}

/// The OpenAPI 3.1 document, as `/openapi.json` gives it.
pub fn openapi_document() -> String {
    openapi::document(&routes::table()).to_string()
}
