//! Life of one request: the steps for each of them before and after the router.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::{self, HeaderValue};
use http::uri::Authority;
use http::{Request, Uri, Version};
use tokio::time::Instant;
use tower::ServiceExt;
use tracing::Level;

use crate::access::Peer;
use crate::error::{ApiError, Reference};
use crate::meters::Meters;
use crate::origin::{self, Way};
use crate::phase::TrackedBody;
use crate::proxies::Proxies;

/// Header by which browsers return over TLS only, for a year.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// State that all requests share: settings by which a server believes what they say of where they come from,
/// and counters.
pub(crate) struct Belief {
    /// Proxies whose headers name the client.
    pub(crate) proxies: Proxies,
    /// True if other machines may come without TLS.
    pub(crate) insecure_http: bool,
    /// Counters of the answers.
    pub(crate) meters: Arc<Meters>,
}

impl Belief {
    /// Returns the way of a request on a connection of `peer`, which is over TLS if `secure`.
    fn way<B>(&self, peer: SocketAddr, secure: bool, request: &Request<B>) -> Way {
        if secure || self.proxies.was_secure(peer.ip(), request.headers()) {
            Way::Tls
        } else if self.insecure_http {
            Way::PlainForAll
        } else {
            Way::Plain
        }
    }
}

/// Answers a request, whatever happens. `secure` is true if it came over TLS; to a proxy it may have, too.
pub(crate) async fn answer(
    router: Router,
    belief: Arc<Belief>,
    peer: SocketAddr,
    secure: bool,
    request: Request<TrackedBody>,
) -> Result<Response, Infallible> {
    let way = belief.way(peer, secure, &request);
    let begun = Instant::now();
    let mut response = logged(router, peer, way, request).await;
    belief.meters.answered(&response, begun.elapsed());
    if secure {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    Ok(response)
}

async fn logged(router: Router, peer: SocketAddr, way: Way, request: Request<TrackedBody>) -> Response {
    if !tracing::enabled!(Level::DEBUG) {
        return routed(router, peer, way, request).await;
    }
    let begun = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = routed(router, peer, way, request).await;
    tracing::debug!(
        %peer,
        %method,
        path,
        status = response.status().as_u16(),
        duration_ms = begun.elapsed().as_secs_f64() * 1000.0,
        reference = response.extensions().get::<Reference>().map(Reference::as_str),
        "answered"
    );
    response
}

async fn routed(router: Router, peer: SocketAddr, way: Way, request: Request<TrackedBody>) -> Response {
    if let Err(e) = host(&request) {
        return e.into_response();
    }
    let site = match origin::check(request.method(), request.headers(), way) {
        Ok(site) => site,
        Err(e) => return e.into_response(),
    };
    let mut request = with_single_slashes(request.map(Body::new));
    request.extensions_mut().insert(Peer { address: peer, secure: way == Way::Tls, site });
    let answered = Reference::within(router.oneshot(request));
    match AssertUnwindSafe(answered).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => ApiError::internal("a handler panicked").into_response(),
    }
}

/// Checks the host of a request. HTTP/1.1 names it once (RFC 9112, section 3.2): where two readers on the way
/// could take different ones for it, the request is refused.
fn host<B>(request: &Request<B>) -> Result<(), ApiError> {
    let mut given = request.headers().get_all(header::HOST).iter();
    let refused = |message: &str| {
        Err(ApiError::bad("INVALID_HOST", message)
            .remedy("Send one Host header, with the server's name and port"))
    };
    match (given.next(), given.next()) {
        (Some(_), Some(_)) => refused("the request has more than one Host header"),
        (None, _) if request.version() >= Version::HTTP_11 => refused("the request has no Host header"),
        // An empty host stands for no authority, which the standard allows.
        (Some(host), None) if !host.is_empty() && Authority::try_from(host.as_bytes()).is_err() => {
            refused("the Host header is no name or address with or without a port")
        }
        _ => Ok(()),
    }
}

/// `/v1/tasks/`, `//v1/tasks` and `/v1//tasks` are `/v1/tasks` (wire contract, 8.1): clients put URLs
/// together from parts with and without slashes.
fn with_single_slashes<B>(mut request: Request<B>) -> Request<B> {
    let path = request.uri().path();
    if path.len() > 1 && (path.ends_with('/') || path.contains("//")) {
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        let mut text: String = segments.flat_map(|segment| ["/", segment]).collect();
        if text.is_empty() {
            text.push('/');
        }
        if let Some(query) = request.uri().query() {
            text.push('?');
            text.push_str(query);
        }
        if let Ok(uri) = text.parse::<Uri>() {
            *request.uri_mut() = uri;
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_is_named() {
        let checked = |version, hosts: &[&'static [u8]]| {
            let mut request = Request::builder().version(version);
            for given in hosts {
                request = request.header(header::HOST, HeaderValue::from_bytes(given).unwrap());
            }
            host(&request.body(()).unwrap()).is_ok()
        };
        let own: &[u8] = b"sfo-vcf01:8443";
        assert!(checked(Version::HTTP_11, &[own]) && checked(Version::HTTP_11, &[b"[::1]:80"]));
        assert!(checked(Version::HTTP_10, &[]) && checked(Version::HTTP_10, &[own]));
        for bad in [&[][..], &[own, own], &[b"a b"], &[b"a/b"], &[b"\xff"], &[b"a", b"b"]] {
            assert!(!checked(Version::HTTP_11, bad), "{bad:?}");
        }
        assert!(!checked(Version::HTTP_10, &[own, own]));
    }

    #[test]
    fn needless_slashes_go_and_queries_stay() {
        for (given, wanted) in [
            ("/v1/tasks/", "/v1/tasks"),
            ("/v1/tasks//?a=%2F", "/v1/tasks?a=%2F"),
            ("/v1/tasks", "/v1/tasks"),
            ("/", "/"),
            ("//", "/"),
            ("//v1/tasks", "/v1/tasks"),
            ("//v1///tasks//?a=//b", "/v1/tasks?a=//b"),
        ] {
            let request = with_single_slashes(Request::builder().uri(given).body(()).unwrap());
            assert_eq!(request.uri().to_string(), wanted, "{given}");
        }
    }
}
