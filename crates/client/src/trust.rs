//! Trust in certificates, and the reasons for refusing one in plain words.

use std::error::Error;
use std::io;

use reqwest::{Certificate, ClientBuilder};
use rustls::CertificateError;

use crate::error::ClientError;

/// Certificates that are trusted.
#[derive(Clone, Debug, Default)]
pub(crate) enum Trust {
    /// Certificates that this machine trusts.
    #[default]
    Machine,
    /// Certificates that those in this PEM text vouch for, and no others.
    Authority(Vec<u8>),
    /// Every certificate.
    Anybody,
}

impl Trust {
    pub(crate) fn apply(&self, builder: ClientBuilder, secure: bool) -> Result<ClientBuilder, ClientError> {
        match self {
            // Reading all that the machine trusts takes longer than a request, and here it is for nothing.
            _ if !secure => Ok(builder.tls_certs_only([])),
            Trust::Machine => Ok(builder),
            Trust::Authority(pem) => Ok(builder.tls_certs_only(certificates(pem)?)),
            Trust::Anybody => Ok(builder.tls_danger_accept_invalid_certs(true)),
        }
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, ClientError> {
    let wrong =
        |reason: String| ClientError::Setup { what: "the authority's certificate".to_owned(), reason };
    let found = Certificate::from_pem_bundle(pem).map_err(|e| wrong(e.to_string()))?;
    if found.is_empty() {
        return Err(wrong("it is no PEM file with a certificate (-----BEGIN CERTIFICATE-----)".to_owned()));
    }
    Ok(found)
}

/// Reason for which TLS gave up a connection.
pub(crate) enum Verdict {
    /// The server's certificate is not trusted.
    Distrust(String),
    /// The peer does not speak TLS.
    NoTls,
}

/// Looks for TLS among the causes of an error.
pub(crate) fn verdict(error: &(dyn Error + 'static)) -> Option<Verdict> {
    match tls_error(error)? {
        rustls::Error::InvalidCertificate(e) => Some(Verdict::Distrust(words(e))),
        rustls::Error::NoCertificatesPresented => Some(Verdict::Distrust("it has none".to_owned())),
        rustls::Error::InvalidMessage(_) => Some(Verdict::NoTls),
        _ => None,
    }
}

fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    // What an I/O error was made of is not among its sources.
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let inner = inner.and_then(|inner| tls_error(inner as &(dyn Error + 'static)));
    inner.or_else(|| error.source().and_then(tls_error))
}

fn words(e: &CertificateError) -> String {
    match e {
        CertificateError::UnknownIssuer => "no authority that is trusted here vouches for it".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet, or this machine's clock is late".to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
            let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
            format!("it is not for {} but for {names}", expected.to_str())
        }
        CertificateError::NotValidForName => "it is for another name".to_owned(),
        CertificateError::BadSignature => {
            "it is not signed by the authority that it names, though one of that name is trusted here"
                .to_owned()
        }
        other if other.to_string().contains("CaUsedAsEndEntity") => {
            "it is an authority's certificate (CA:TRUE), which is not for servers: make it anew with \
             `openssl req -x509 -addext basicConstraints=critical,CA:FALSE …`, or have an authority sign one"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// `localhost` of `DnsName("localhost")`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"')
}
