//! Requests that a page of another site makes a browser send. Nobody logs in yet, so being on this machine is all
//! the permission there is, and a browser on this machine runs everybody's pages: without this check any of them
//! could start and cancel tasks here. What only looks is not checked: browsers keep its answer from foreign pages.

use std::net::IpAddr;

use http::header::{self, HeaderMap};
use http::uri::Authority;
use http::{Method, StatusCode, Uri};
use longhaul_model::Fault;

use crate::error::ApiError;

/// Passes what comes from no browser, what a page of this server sends, and what only looks.
pub(crate) fn check(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    if method.is_safe() {
        return Ok(());
    }
    let fetched_from = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    let foreign = fetched_from.is_some_and(|site| site != b"same-origin" && site != b"none")
        || headers.get(header::ORIGIN).is_some_and(|origin| !is_own(origin.as_bytes(), headers));
    if !foreign {
        return Ok(());
    }
    let fault = Fault::new("FOREIGN_ORIGIN", "a page of another site asked for this")
        .remedy("Open this server's own address, http://127.0.0.1 or http://localhost with its port");
    Err(ApiError::new(StatusCode::FORBIDDEN, fault))
}

/// The origin is where the request went, and that is this machine.
fn is_own(origin: &[u8], headers: &HeaderMap) -> bool {
    let Some(origin) = Uri::try_from(origin).ok().and_then(|uri| uri.into_parts().authority) else {
        return false;
    };
    let host = headers.get(header::HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    host.is_some_and(|host| host == origin) && is_loopback(origin.host())
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        check(&Method::POST, &headers).is_ok()
    }

    #[test]
    fn only_foreign_pages_are_refused() {
        assert!(passes(&[("host", "sfo-vcf01.rainpole.io")]), "no browser");
        assert!(passes(&[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8080")]));
        assert!(passes(&[
            ("host", "localhost:8080"),
            ("origin", "http://localhost:8080"),
            ("sec-fetch-site", "same-origin")
        ]));
        assert!(passes(&[("host", "[::1]:8080"), ("origin", "http://[::1]:8080")]));
        assert!(
            passes(&[("host", "localhost:8080"), ("sec-fetch-site", "none")]),
            "typed into the address bar"
        );
        assert!(!passes(&[("host", "127.0.0.1:8080"), ("origin", "https://evil.example")]));
        assert!(!passes(&[("host", "127.0.0.1:8080"), ("origin", "null")]), "a sandboxed frame");
        assert!(!passes(&[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:9090")]), "another port");
        assert!(
            !passes(&[("host", "evil.example:8080"), ("origin", "http://evil.example:8080")]),
            "a name that leads here"
        );
        assert!(!passes(&[("host", "127.0.0.1:8080"), ("sec-fetch-site", "cross-site")]));
        let link = HeaderMap::from_iter([("sec-fetch-site".parse().unwrap(), "cross-site".parse().unwrap())]);
        assert!(check(&Method::GET, &link).is_ok(), "somebody follows a link to /docs");
    }
}
