//! Addresses of a server, which are bound before there is anything to serve: connections wait, or are
//! answered that the node starts.

use std::net::SocketAddr;
use std::sync::Arc;

use longhaul_engine::Node;
use longhaul_model::Env;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::config::ServerConfig;
use crate::listen;
use crate::register::Register;
use crate::sockets::{self, Handed, Listen, Socket};
use crate::starting;
use crate::tls::{self, Certificate, Tls, TlsError};

/// Reason why a server does not start.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The address is reachable from other machines and has no TLS: anybody on the network path could read
    /// what is sent.
    #[error(
        "{0} can be reached from other machines, and without TLS passwords, tokens and data could be read on the way: \
        add --tls self-signed, or --tls-cert and --tls-key, or listen on 127.0.0.1; --insecure-http allows it all the \
        same, for a network that is protected by other means"
    )]
    InsecureHttp(SocketAddr),
    /// The certificate for TLS is missing or unusable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address cannot be bound.
    #[error("cannot listen on {place}: {source}")]
    Bind {
        /// Address, as it was given.
        place: String,
        /// Cause, as the operating system reports it.
        source: std::io::Error,
    },
}

/// The addresses of a server. Connections wait until somebody serves them.
pub struct Address {
    pub(crate) sockets: Arc<Vec<Socket>>,
    pub(crate) acceptor: tls::Acceptor,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) register: Arc<Register>,
}

impl Address {
    /// Reads or makes the certificate, and binds all addresses.
    pub async fn take(places: &[Listen], env: Env, config: ServerConfig) -> Result<Address, ServerError> {
        let mut resolved = Vec::new();
        for place in places {
            let all = sockets::addresses(place).await.map_err(failed(place))?;
            all.iter().try_for_each(|address| check(*address, &config))?;
            resolved.push((place, all));
        }
        let everywhere = |port: u16| {
            resolved
                .iter()
                .flat_map(|(_, all)| all)
                .any(|at| at.is_ipv4() && at.ip().is_unspecified() && at.port() == port && port != 0)
        };
        let mut bound: Vec<Socket> = Vec::new();
        for (place, all) in &resolved {
            let is_bound = |at: &SocketAddr| bound.iter().any(|socket| socket.address() == Some(*at));
            let all: Vec<SocketAddr> = all.iter().filter(|at| !is_bound(at)).copied().collect();
            if all.is_empty() && !matches!(place, Listen::Path(_)) && !bound.is_empty() {
                // The address was given twice.
                continue;
            }
            let beside = all.iter().any(|at| everywhere(at.port()));
            bound.extend(sockets::bind(place, &all, beside, config.unix_mode).map_err(failed(place))?);
        }
        Address::with(bound, env, config)
    }

    /// Takes over sockets that already listen, as a supervisor hands them over: they stay open, and take
    /// connections, while the server behind them is restarted.
    pub async fn take_over(
        given: Vec<Handed>,
        env: Env,
        config: ServerConfig,
    ) -> Result<Address, ServerError> {
        let bound = given.into_iter().map(Socket::of).collect::<Result<Vec<_>, _>>();
        let bound = bound.map_err(failed(&"a socket that was handed over"))?;
        bound.iter().filter_map(Socket::address).try_for_each(|address| check(address, &config))?;
        Address::with(bound, env, config)
    }

    fn with(bound: Vec<Socket>, env: Env, config: ServerConfig) -> Result<Address, ServerError> {
        let ips: Vec<_> = bound.iter().filter_map(Socket::address).map(|at| at.ip()).collect();
        let certificate = Certificate::open(&config.tls, &ips, env)?;
        let acceptor = tls::Acceptor::new(certificate.as_ref(), config.limits.handshake_time)?;
        let register = Register::new(config.limits.connections, config.limits.connections_per_address());
        Ok(Address { sockets: Arc::new(bound), acceptor, certificate, config: Arc::new(config), register })
    }

    /// Returns the first TCP address; `None` if the server listens on paths only.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.sockets.iter().find_map(Socket::address)
    }

    /// Returns all places as clients write them, such as `https://127.0.0.1:8443` and
    /// `unix:/run/longhaul.sock`.
    pub fn urls(&self) -> Vec<String> {
        let scheme = self.scheme();
        let url = |socket: &Socket| match socket {
            Socket::Tcp(..) => format!("{scheme}://{socket}"),
            Socket::Unix { .. } => socket.to_string(),
        };
        self.sockets.iter().map(url).collect()
    }

    fn scheme(&self) -> &'static str {
        if self.certificate.is_some() { "https" } else { "http" }
    }

    /// Returns the certificate, so that it can be read again; `None` without TLS. The files are looked at
    /// every few seconds anyway.
    pub fn certificate(&self) -> Option<Certificate> {
        self.certificate.clone()
    }

    /// Returns the identity of a node at these addresses: its host and port, so that a node that is started
    /// again replaces the one before.
    pub fn node(&self, env: &Env) -> Node {
        let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        let (at, part) = match self.local_addr() {
            Some(at) => (at.ip().to_string(), at.port().to_string()),
            None => ("localhost".to_owned(), self.sockets.iter().map(Socket::to_string).collect()),
        };
        Node {
            name: format!("{}:{part}", host.unwrap_or(at)),
            address: self.urls().into_iter().next().unwrap_or_default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: env.now(),
        }
    }

    /// Accepts connections and answers that this node starts, until `until` is cancelled. Later connections
    /// wait for the server: the addresses stay bound throughout.
    pub async fn wait_for(&self, until: CancellationToken) {
        let (sockets, acceptor) = (self.sockets.clone(), self.acceptor.clone());
        let serving = listen::serve(
            sockets,
            acceptor,
            starting::router(),
            &self.config,
            self.register.clone(),
            // Nobody can read the counters of a node that waits.
            Arc::default(),
            until.clone(),
        );
        with_certificate(self.certificate.clone(), serving, until).await;
    }
}

fn failed(place: &dyn std::fmt::Display) -> impl Fn(std::io::Error) -> ServerError {
    let place = place.to_string();
    move |source| ServerError::Bind { place: place.clone(), source }
}

/// Checks that an address without TLS is this machine's own, unless the operator allows others.
fn check(address: SocketAddr, config: &ServerConfig) -> Result<(), ServerError> {
    let loopback = address.ip().to_canonical().is_loopback();
    if config.tls == Tls::Off && !loopback && !config.insecure_http {
        return Err(ServerError::InsecureHttp(address));
    }
    Ok(())
}

/// Watches the certificate's files while something is served.
pub(crate) async fn with_certificate(
    certificate: Option<Certificate>,
    serving: impl Future<Output = ()>,
    stop: CancellationToken,
) {
    match certificate {
        Some(certificate) => drop(tokio::join!(serving, certificate.watch(stop))),
        None => serving.await,
    }
}
