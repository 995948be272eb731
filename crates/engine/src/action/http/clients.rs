//! Clients that send requests: with connections that are kept for the next request and without, and with the
//! operator's authorities and certificate.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, Identity, Request, Response, redirect};
use tower::{Layer, Service};

use super::super::ActionsError;
use crate::HttpConfig;
use crate::egress::{Egress, Resolver};

/// Longest time to make a connection, with name resolution and TLS.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Maximum number of connections kept open to one service for the next request.
const IDLE_PER_HOST: usize = 64;

/// HTTP clients. The addresses that a connection may reach depend on its port where the allow list names
/// ports, and a resolver is not told the port: each of those ports has clients of its own.
#[derive(Debug)]
pub(super) struct Clients {
    by_port: HashMap<u16, Pair>,
    other: Pair,
}

#[derive(Debug)]
struct Pair {
    /// Keeps connections.
    kept: Client,
    /// Makes a connection for each request.
    fresh: Client,
}

impl Clients {
    pub(super) fn new(config: &HttpConfig, egress: &Arc<Egress>) -> Result<Self, ActionsError> {
        let trust = Trust::read(config)?;
        let pair = |port| {
            Ok(Pair {
                kept: client(egress, port, &trust, IDLE_PER_HOST)?,
                fresh: client(egress, port, &trust, 0)?,
            })
        };
        let by_port = egress.ports().map(|port| Ok((port, pair(port)?))).collect::<Result<_, _>>()?;
        Ok(Clients { by_port, other: pair(0)? })
    }

    /// Sends a request. A request that must not be done twice uses a connection of its own, as the service
    /// may close a kept one at this very moment, and then nobody knows what became of the request. Any other
    /// is sent once more if that happens.
    pub(super) async fn send(&self, request: Request, repeatable: bool) -> Result<Response, reqwest::Error> {
        let port = request.url().port_or_known_default().unwrap_or_default();
        let Pair { kept, fresh } = self.by_port.get(&port).unwrap_or(&self.other);
        let again = request.try_clone();
        let Some(again) = again.filter(|_| repeatable) else { return fresh.execute(request).await };
        let (answered, dialled) = watched(kept.execute(request)).await;
        match answered {
            Err(e) if !dialled && !e.is_connect() && !e.is_timeout() && !e.is_builder() => {
                fresh.execute(again).await
            }
            answered => answered,
        }
    }
}

tokio::task_local! {
    static DIALLED: Cell<bool>;
}

/// Awaits a request, and returns true if a connection was made for it.
async fn watched<T>(request: impl Future<Output = T>) -> (T, bool) {
    DIALLED
        .scope(Cell::new(false), async {
            let answered = request.await;
            (answered, DIALLED.with(Cell::get))
        })
        .await
}

/// Observer of connections that are made. A connection is made by the Tokio task that sends the request.
#[derive(Clone)]
struct Watch;

#[derive(Clone)]
struct Watched<S>(S);

impl<S> Layer<S> for Watch {
    type Service = Watched<S>;

    fn layer(&self, inner: S) -> Watched<S> {
        Watched(inner)
    }
}

impl<S: Service<R>, R> Service<R> for Watched<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> S::Future {
        // Outside of `watched` nobody asks.
        let _ = DIALLED.try_with(|dialled| dialled.set(true));
        self.0.call(request)
    }
}

/// Certificates of authorities that are trusted besides those of the machine, and the client certificate to
/// present.
struct Trust {
    authorities: Vec<Certificate>,
    identity: Option<Identity>,
}

impl Trust {
    fn read(config: &HttpConfig) -> Result<Self, ActionsError> {
        let wrong = |path: &Path, reason: String| ActionsError::HttpFile { path: path.to_owned(), reason };
        let read = |path: &Path| std::fs::read(path).map_err(|e| wrong(path, e.to_string()));
        let authorities = match &config.ca_file {
            None => Vec::new(),
            Some(path) => {
                let found =
                    Certificate::from_pem_bundle(&read(path)?).map_err(|e| wrong(path, e.to_string()))?;
                if found.is_empty() {
                    return Err(wrong(path, "it is no PEM file with a certificate".to_owned()));
                }
                found
            }
        };
        let identity = match &config.client_certificate {
            None => None,
            Some((certificate, key)) => {
                let pem = [read(certificate)?, b"\n".to_vec(), read(key)?].concat();
                let identity = Identity::from_pem(&pem).map_err(|e| wrong(certificate, e.to_string()))?;
                Some(identity)
            }
        };
        Ok(Trust { authorities, identity })
    }

    fn apply(&self, builder: ClientBuilder) -> ClientBuilder {
        let builder = match self.authorities.is_empty() {
            true => builder,
            false => builder.tls_certs_merge(self.authorities.iter().cloned()),
        };
        match &self.identity {
            Some(identity) => builder.identity(identity.clone()),
            None => builder,
        }
    }
}

fn client(egress: &Arc<Egress>, port: u16, trust: &Trust, idle: usize) -> Result<Client, ActionsError> {
    let builder = Client::builder()
        .user_agent(concat!("Longhaul/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(Resolver::new(egress.clone(), port))
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_LIMIT)
        .connector_layer(Watch)
        .pool_max_idle_per_host(idle);
    trust.apply(builder).build().map_err(|e| ActionsError::HttpClient(e.to_string()))
}
