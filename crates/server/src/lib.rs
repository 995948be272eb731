//! Longhaul over HTTP: the Tasks API as SDDC Manager speaks it, Longhaul's own calls in the same style, and
//! the document that describes both. The crate parses, checks, and passes requests on to the engine.
#![forbid(unsafe_code)]

mod access;
mod address;
mod api;
mod config;
mod cookie;
mod declared;
mod error;
mod event_stream;
#[doc(hidden)]
pub mod fuzz;
mod listen;
mod mcp;
mod meters;
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
mod sockets;
mod starting;
mod stream;
mod tls;
mod transport;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;

use address::with_certificate;
use api::App;
use longhaul_auth::Auth;
use longhaul_engine::Engine;
use tokio_util::sync::CancellationToken;

pub use access::Role;
pub use address::{Address, ServerError};
pub use config::{ActionBody, Agents, Limits, ServerConfig, UserAgent, WireClient, WireConfig};
pub use proxies::Proxies;
pub use sockets::{Handed, Listen};
pub use tls::{Certificate, Tls, TlsError};

/// Server with its addresses.
pub struct Server {
    at: Address,
    app: App,
}

impl Server {
    /// Creates a server at an address. Connections wait until [`Server::run`].
    pub fn new(at: Address, engine: Engine, auth: Arc<Auth>) -> Server {
        let openapi = openapi_document().into();
        let shares = share::Shares::new(&at.config.limits, engine.env().clone());
        let node = Arc::new(at.node(engine.env()));
        let dialects = Arc::new(config::Dialects::new(&at.config.wire));
        let meters = Arc::default();
        let config = at.config.clone();
        let app = App { engine, auth, config, dialects, shares, node, openapi, meters };
        Server { at, app }
    }

    /// Returns the first TCP address; `None` if the server listens on paths only.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.at.local_addr()
    }

    /// Returns the settings that can change while the server runs.
    pub fn controls(&self) -> Controls {
        let App { dialects, shares, .. } = &self.app;
        Controls { dialects: dialects.clone(), shares: shares.clone(), register: self.at.register.clone() }
    }

    /// The certificate; `None` without TLS.
    pub fn certificate(&self) -> Option<Certificate> {
        self.at.certificate()
    }

    /// Serves until `stop` is cancelled, then lets open requests end within [`Limits::drain`] and cuts off
    /// the rest: when this returns, nobody asks the engine any more.
    pub async fn run(self, stop: CancellationToken) {
        let Address { sockets, acceptor, certificate, config, register } = self.at;
        let meters = self.app.meters.clone();
        let router = routes::router(self.app);
        let serving = listen::serve(sockets, acceptor, router, &config, register, meters, stop.clone());
        with_certificate(certificate, serving, stop).await;
    }
}

/// Settings of a server that can change while it runs.
pub struct Controls {
    dialects: Arc<config::Dialects>,
    shares: Arc<share::Shares>,
    register: Arc<register::Register>,
}

impl Controls {
    /// Changes the settings of the Tasks API, and the limits on requests and connections, from the next
    /// request and connection on.
    pub fn change(&self, wire: &WireConfig, limits: &Limits) {
        self.dialects.change(wire);
        self.shares.change(limits);
        self.register.change(limits.connections, limits.connections_per_address());
    }
}

/// The OpenAPI 3.1 document, as `/openapi.json` gives it.
pub fn openapi_document() -> String {
    openapi::document(&routes::table()).to_string()
}
