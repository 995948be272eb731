//! Longhaul over HTTP: the Tasks API as SDDC Manager speaks it, Longhaul's own calls in the same style, and the
//! document that describes both. Parses, checks, and hands on to the engine.
#![forbid(unsafe_code)]

mod api;
mod config;
mod error;
mod listen;
mod openapi;
mod request;
mod respond;
mod routes;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;

use longhaul_engine::Engine;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use config::{ActionBody, Limits, ServerConfig, WireConfig};
pub use routes::Role;

/// Why a server does not start.
#[derive(Debug, Error)]
pub enum ServerError {
    /// There is no authentication yet, so nobody else may reach it.
    #[error(
        "{0} can be reached from other machines, and this version has no authentication: listen on 127.0.0.1 or [::1]"
    )]
    NotLoopback(SocketAddr),
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
    app: api::App,
}

impl Server {
    /// Takes an address of this machine's own. Connections wait until [`Server::run`].
    pub async fn bind(
        address: SocketAddr,
        engine: Engine,
        config: ServerConfig,
    ) -> Result<Server, ServerError> {
        if !address.ip().is_loopback() {
            return Err(ServerError::NotLoopback(address));
        }
        let failed = |source| ServerError::Bind { address, source };
        let listener = listen::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let openapi = openapi_document().into();
        let app = api::App { engine, config: Arc::new(config), openapi };
        Ok(Server { listener, address, app })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled, then lets open requests end within [`Limits::drain`].
    pub async fn run(self, stop: CancellationToken) {
        let limits = self.app.config.limits.clone();
        listen::serve(self.listener, routes::router(self.app), limits, stop).await;
    }
}

/// The OpenAPI 3.1 document, as `/openapi.json` gives it.
pub fn openapi_document() -> String {
    openapi::document(&routes::table()).to_string()
}
