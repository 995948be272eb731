//! One request: what is done for each of them before and after the router.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::{self, HeaderValue};
use http::{Request, Uri};
use hyper::body::Incoming;
use tokio::time::Instant;
use tower::ServiceExt;
use tracing::Level;

use crate::access::Peer;
use crate::error::{ApiError, Reference};
use crate::origin;
use crate::proxies::Proxies;

/// Browsers come back over TLS only, for a year.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Answers a request, whatever happens. `secure` is whether it came over TLS; to a proxy it may have, too.
pub(crate) async fn answer(
    router: Router,
    proxies: Arc<Proxies>,
    peer: SocketAddr,
    secure: bool,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let came_secure = secure || proxies.was_secure(peer.ip(), request.headers());
    let mut response = logged(router, peer, came_secure, request).await;
    if secure {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    Ok(response)
}

async fn logged(router: Router, peer: SocketAddr, secure: bool, request: Request<Incoming>) -> Response {
    if !tracing::enabled!(Level::DEBUG) {
        return routed(router, peer, secure, request).await;
    }
    let begun = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = routed(router, peer, secure, request).await;
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

async fn routed(router: Router, peer: SocketAddr, secure: bool, request: Request<Incoming>) -> Response {
    if let Err(e) = origin::check(request.method(), request.headers(), secure) {
        return e.into_response();
    }
    let mut request = with_single_slashes(request.map(Body::new));
    request.extensions_mut().insert(Peer(peer));
    match AssertUnwindSafe(router.oneshot(request)).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => ApiError::internal("a handler panicked").into_response(),
    }
}

/// `/v1/tasks/`, `//v1/tasks` and `/v1//tasks` are `/v1/tasks` (wire contract, 8.1): clients put URLs together
/// from parts with and without slashes.
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
