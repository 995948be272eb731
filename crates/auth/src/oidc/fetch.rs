//! Fetching documents of the issuer: over TLS, within ten seconds, no more than a megabyte, from where it was
//! said.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Certificate, Client, Url, redirect};
use thiserror::Error;

/// Longest time for a whole answer.
const TIME: Duration = Duration::from_secs(10);
/// Largest answer, in bytes.
const MOST: usize = 1024 * 1024;

/// Reason for which a document was not fetched.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct FetchError(pub String);

/// Fetches documents.
#[async_trait]
pub trait Fetch: Send + Sync + 'static {
    /// The document at an address.
    async fn get(&self, url: &str) -> Result<Vec<u8>, FetchError>;
}

/// Fetches over HTTP.
pub struct HttpFetch {
    client: Client,
}

impl HttpFetch {
    /// Trusts what the system trusts, and these certificates (PEM) besides.
    pub fn new(ca: Option<&[u8]>) -> Result<Self, FetchError> {
        let failed = |e: reqwest::Error| FetchError(chain(&e));
        let mut client =
            Client::builder().timeout(TIME).connect_timeout(TIME).redirect(redirect::Policy::none());
        for certificate in
            ca.map(Certificate::from_pem_bundle).transpose().map_err(failed)?.unwrap_or_default()
        {
            client = client.add_root_certificate(certificate);
        }
        Ok(HttpFetch { client: client.build().map_err(failed)? })
    }
}

#[async_trait]
impl Fetch for HttpFetch {
    async fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        let failed = |what: &dyn std::fmt::Display| FetchError(format!("{url}: {what}"));
        let address = Url::parse(url).map_err(|e| failed(&e))?;
        if !is_safe(&address) {
            return Err(failed(&"keys are fetched over https only"));
        }
        let http = |e: reqwest::Error| FetchError(format!("{url}: {}", chain(&e.without_url())));
        let mut answer = self.client.get(address).send().await.map_err(http)?;
        if !answer.status().is_success() {
            return Err(failed(&format!("the answer was {}", answer.status())));
        }
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(http)? {
            if body.len() + piece.len() > MOST {
                return Err(failed(&"the answer is larger than a megabyte"));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

/// Returns true for HTTPS and for this machine: whoever could change keys on their way could be anybody.
fn is_safe(url: &Url) -> bool {
    let here = match url.host_str() {
        Some(host) => {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && here)
}

/// An error with its causes: that of a request says little by itself.
fn chain(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut next = e.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_tls_or_from_here() {
        for (url, safe) in [
            ("https://id.example/keys", true),
            ("http://127.0.0.1:8080/keys", true),
            ("http://[::1]/keys", true),
            ("http://localhost/keys", true),
            ("http://id.example/keys", false),
            ("http://localhost.example/keys", false),
            ("file:///etc/passwd", false),
            ("ftp://127.0.0.1/keys", false),
        ] {
            assert_eq!(is_safe(&Url::parse(url).expect("a URL")), safe, "{url}");
        }
    }
}
