//! Requests that a page of another site makes a browser send. A browser adds no token by itself, so such a
//! request has no caller, unless the page came by a token: then this is the second lock, and it also keeps
//! foreign pages from trying passwords from inside. Requests that only read are not checked: browsers keep
//! their answers from foreign pages. Over TLS a page of the same host is the server's own, wherever that is:
//! no other name that leads here has a certificate. Without TLS, only this machine's own names are sure to be
//! its own: whoever owns another name can let it lead here. Where other machines may come without TLS, by
//! `insecure_http`, every name counts, as the page would be of no use there; the cookie of one name is not
//! sent to another.

use std::net::IpAddr;

use http::header::{self, HeaderMap};
use http::uri::{Authority, Scheme};
use http::{Method, StatusCode, Uri};
use longhaul_model::Fault;

use crate::error::ApiError;

/// Way that a request came, and with it the names that are this server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Over TLS, here or to a trusted proxy: the name of the certificate.
    Tls,
    /// Without TLS: the names of this machine itself.
    Plain,
    /// Without TLS, as other machines may: every name that leads here.
    PlainForAll,
}

/// Page that a request comes from, as far as its headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    /// A page of this server.
    Own,
    /// No page, as with programs; or the headers do not say.
    Unsaid,
}

impl Site {
    /// Refuses a change unless it comes from this server's own page: a browser adds a cookie by itself,
    /// whatever made it send the request.
    pub(crate) fn must_be_own(self) -> Result<(), ApiError> {
        if self == Site::Own {
            return Ok(());
        }
        let message =
            "a change with the page's cookie comes from the page, and this request does not say that it does";
        let fault = Fault::new("FOREIGN_ORIGIN", message).remedy(
            "Programs send `Authorization: Bearer` with an access token or API key instead of the cookie",
        );
        Err(ApiError::new(StatusCode::FORBIDDEN, fault))
    }
}

/// Passes requests without a browser's headers, requests of this server's own pages, and requests that only
/// read.
pub(crate) fn check(method: &Method, headers: &HeaderMap, way: Way) -> Result<Site, ApiError> {
    if method.is_safe() {
        return Ok(Site::Unsaid);
    }
    let fetched_from = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    let origin = headers.get(header::ORIGIN);
    let foreign = fetched_from.is_some_and(|site| site != b"same-origin" && site != b"none")
        || origin.is_some_and(|origin| !is_own(origin.as_bytes(), headers, way));
    if !foreign {
        let own = fetched_from.map_or(origin.is_some(), |site| site == b"same-origin");
        return Ok(if own { Site::Own } else { Site::Unsaid });
    }
    let own = match way {
        Way::Tls => "Open this server's own address, https:// with its name and port",
        Way::PlainForAll => "Open this server's own address, http:// with its name and port",
        Way::Plain => {
            "Open this server's own address, http://127.0.0.1 or http://localhost with its port; other names need TLS"
        }
    };
    let fault = Fault::new("FOREIGN_ORIGIN", "a page of another site asked for this").remedy(own);
    Err(ApiError::new(StatusCode::FORBIDDEN, fault))
}

/// Returns true if the origin is where the request went, which is this server.
fn is_own(origin: &[u8], headers: &HeaderMap, way: Way) -> bool {
    let Ok(origin) = Uri::try_from(origin) else { return false };
    let scheme = if way == Way::Tls { Scheme::HTTPS } else { Scheme::HTTP };
    if origin.scheme() != Some(&scheme) {
        return false;
    }
    let Some(origin) = origin.into_parts().authority else { return false };
    let host = headers.get(header::HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    host.is_some_and(|host| host == origin) && (way != Way::Plain || is_loopback(origin.host()))
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
        checked(pairs, Way::Plain)
    }

    fn checked(pairs: &[(&'static str, &'static str)], way: Way) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        check(&Method::POST, &headers, way).is_ok()
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
        assert!(check(&Method::GET, &link, Way::Plain).is_ok(), "somebody follows a link to /docs");
    }

    #[test]
    fn over_tls_the_host_is_enough() {
        let own = ("host", "sfo-vcf01.rainpole.io:8443");
        assert!(checked(&[own, ("origin", "https://sfo-vcf01.rainpole.io:8443")], Way::Tls));
        assert!(
            !checked(&[own, ("origin", "http://sfo-vcf01.rainpole.io:8443")], Way::Tls),
            "a page that was not secure"
        );
        assert!(!checked(&[own, ("origin", "https://sfo-vcf01.rainpole.io")], Way::Tls), "another port");
        assert!(!checked(&[own, ("origin", "https://evil.example")], Way::Tls));
        assert!(!checked(&[own, ("origin", "null")], Way::Tls));
        let other = [own, ("origin", "http://sfo-vcf01.rainpole.io:8443")];
        assert!(checked(&other, Way::PlainForAll) && !checked(&other, Way::Plain));
        assert!(!checked(&[own, ("origin", "http://evil.example")], Way::PlainForAll));
        assert!(!checked(&[own, ("origin", "https://sfo-vcf01.rainpole.io:8443")], Way::PlainForAll));
    }

    #[test]
    fn own_page_says_so_itself() {
        let site = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::from_iter([(header::HOST, "localhost:8080".parse().unwrap())]);
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            check(&Method::POST, &headers, Way::Plain).ok()
        };
        let (fetched, origin) = ("sec-fetch-site", ("origin", "http://localhost:8080"));
        assert_eq!(site(&[(fetched, "same-origin"), origin]), Some(Site::Own));
        assert_eq!(site(&[(fetched, "same-origin")]), Some(Site::Own));
        assert_eq!(site(&[origin]), Some(Site::Own), "an older browser");
        assert_eq!(site(&[]), Some(Site::Unsaid));
        assert_eq!(site(&[(fetched, "none")]), Some(Site::Unsaid), "typed into the address bar");
        assert_eq!(site(&[(fetched, "none"), origin]), Some(Site::Unsaid));
        for foreign in ["same-site", "cross-site", "else", ""] {
            assert_eq!(site(&[(fetched, foreign)]), None, "{foreign}");
            assert_eq!(site(&[(fetched, foreign), origin]), None, "{foreign}");
        }
    }
}
