//! Destinations of requests. Tasks are written by people who may not reach everything this machine reaches,
//! so an `http` action gets to public addresses only, and to those that the operator lists.
//!
//! The address of the connection is the one that is judged: names are resolved here, once, and only permitted
//! addresses are passed to the connector, so a name that changes its address between a check and a use gains
//! nothing. Addresses written in the URL never reach a resolver and are judged before the request.

mod address;
mod allow;
mod resolver;

use std::net::IpAddr;

use reqwest::Url;
use thiserror::Error;

use allow::{Entry, Target, plain_name};
pub(crate) use resolver::Resolver;

/// The rules: public addresses, and the operator's exceptions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Egress {
    allow: Vec<Entry>,
}

/// Reason why a URL is not requested. It tells nothing about who answers there.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The text is not a URL.
    #[error("it is no absolute URL: {0}")]
    Malformed(String),
    /// Another scheme.
    #[error("the scheme `{0}` is not http or https")]
    Scheme(String),
    /// A user name or password in the URL.
    #[error("it holds a user name or password; send an Authorization header instead")]
    UserInfo,
    /// An address that is not public and not listed.
    #[error("{host} is {what}")]
    Address {
        /// The host, with the address if that is another.
        host: String,
        /// Kind of the address.
        what: &'static str,
    },
}

impl Denied {
    /// Returns true if the operator's list could permit the address.
    pub(crate) fn is_about_address(&self) -> bool {
        matches!(self, Denied::Address { .. })
    }
}

impl Egress {
    /// Parses the operator's list; the error names the entry and its mistake.
    pub(crate) fn new(allow: &[String]) -> Result<Self, (String, String)> {
        let parsed = allow.iter().map(|text| Entry::parse(text).map_err(|reason| (text.clone(), reason)));
        Ok(Egress { allow: parsed.collect::<Result<_, _>>()? })
    }

    /// Returns the ports that entries name: for these the decision may differ from that for others.
    pub(crate) fn ports(&self) -> impl Iterator<Item = u16> + '_ {
        self.allow.iter().filter_map(|entry| entry.port)
    }

    /// Parses a URL and checks all that is known before its name is resolved.
    pub(crate) fn check_url(&self, text: &str) -> Result<Url, Denied> {
        let url = Url::parse(text).map_err(|e| Denied::Malformed(e.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Denied::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Denied::UserInfo);
        }
        // The URL parser has turned every way of writing an IPv4 address (decimal, octal, hexadecimal, short,
        // full-width digits) into an address by now.
        let port = url.port_or_known_default().unwrap_or_default();
        let host = url.host_str().ok_or_else(|| Denied::Malformed("it has no host".to_owned()))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = host.parse::<IpAddr>() {
            self.check_address(host, address, port)?;
        }
        Ok(url)
    }

    /// Checks that a connection to an address may be made for a host and port.
    pub(crate) fn check_address(&self, host: &str, address: IpAddr, port: u16) -> Result<(), Denied> {
        let Some(what) = address::not_public(address) else { return Ok(()) };
        let name = plain_name(host);
        let metadata = address::is_metadata(address);
        let permits = |entry: &Entry| match &entry.target {
            // An operator who lists a network does not mean the metadata service in it.
            Target::Network(network) => network.contains(address) && (!metadata || network.is_single()),
            Target::Host(own) => *own == name && !metadata,
        };
        if self.allow.iter().any(|entry| entry.is_for(port) && permits(entry)) {
            return Ok(());
        }
        let shown = address.to_string();
        let host = if name == shown { shown } else { format!("{host} ({shown})") };
        Err(Denied::Address { host, what })
    }
}

#[cfg(test)]
mod egress_test;
