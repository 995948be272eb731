//! Longhaul over HTTP: the Tasks API as SDDC Manager speaks it, Longhaul's own calls in the same style, and the
//! document that describes both. Parses, checks, and hands on to the engine.
#![forbid(unsafe_code)]

mod access;
mod api;
mod config;
mod error;
mod listen;
mod openapi;
mod origin;
mod request;
mod respond;
mod routes;
mod serve;
mod share;
mod stream;
mod tls;
mod transport;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;

use longhaul_auth::Auth;
use longhaul_engine::Engine;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use config::{ActionBody, Limits, ServerConfig, WireConfig};
pub use routes::Role;
pub use tls::{Certificate, Tls, TlsError};

/// Why a server does not start.
#[derive(Debug, Error)]
pub enum ServerError {
    /// Other machines could reach it, and whoever is between could read along.
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

/// A server that has its address.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    acceptor: tls::Acceptor,
    certificate: Option<Certificate>,
    app: api::App,
}

impl Server {
    /// Whether a server could be had at that address, for who wants to know before anything is made that a failed start
    /// would leave behind.
    pub fn check(address: SocketAddr, config: &ServerConfig) -> Result<(), ServerError> {
        let loopback = address.ip().to_canonical().is_loopback();
        if config.tls == Tls::Off && !loopback && !config.insecure_http {
            return Err(ServerError::InsecureHttp(address));
        }
        std::net::TcpListener::bind(address).map(drop).map_err(|source| ServerError::Bind { address, source })
    }

    /// Reads the certificate, or makes it, and takes the address. Connections wait until [`Server::run`].
    pub async fn bind(
        address: SocketAddr,
        engine: Engine,
        auth: Arc<Auth>,
        config: ServerConfig,
    ) -> Result<Server, ServerError> {
        Server::check(address, &config)?;
        let certificate = Certificate::open(&config.tls, address.ip(), engine.env().clone())?;
        let acceptor = tls::Acceptor::new(certificate.as_ref(), config.limits.handshake_time)?;
        let failed = |source| ServerError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let openapi = openapi_document().into();
        let shares = share::Shares::new(&config.limits, engine.env().clone());
        let app = api::App { engine, auth, config: Arc::new(config), shares, openapi };
        Ok(Server { listener, address, acceptor, certificate, app })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The certificate, to have it read again; `None` without TLS. It is looked at every few seconds anyway.
    pub fn certificate(&self) -> Option<Certificate> {
        self.certificate.clone()
    }

    /// Serves until `stop` is cancelled, then lets open requests end within [`Limits::drain`] and cuts off the rest:
    /// when this returns, nobody asks the engine any more.
    pub async fn run(self, stop: CancellationToken) {
        let limits = self.app.config.limits.clone();
        let serving =
            listen::serve(self.listener, self.acceptor, routes::router(self.app), limits, stop.clone());
        match self.certificate {
            Some(certificate) => drop(tokio::join!(serving, certificate.watch(stop))),
            None => serving.await,
        }
    }
}

/// The OpenAPI 3.1 document, as `/openapi.json` gives it.
pub fn openapi_document() -> String {
    openapi::document(&routes::table()).to_string()
}
