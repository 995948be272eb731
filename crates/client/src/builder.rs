//! Settings of a client: an address, trust, credentials.

use std::time::Duration;

use reqwest::Url;
use reqwest::redirect::Policy;

use crate::credentials::Credentials;
use crate::error::ClientError;
use crate::http::{Client, chain};
use crate::trust::Trust;

/// Longest time to connect.
const CONNECT: Duration = Duration::from_secs(5);

/// A client to be.
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    server: String,
    trust: Trust,
    credentials: Option<Credentials>,
}

impl ClientBuilder {
    pub(crate) fn new(server: &str) -> Self {
        ClientBuilder { server: server.to_owned(), trust: Trust::default(), credentials: None }
    }

    /// Trusts the certificates that those of a PEM text vouch for, themselves included, instead of those that
    /// this machine trusts.
    pub fn authority(mut self, pem: Vec<u8>) -> Self {
        self.trust = Trust::Authority(pem);
        self
    }

    /// Trusts whoever answers. What is sent, credentials included, may go to anybody who is on the way.
    pub fn insecure(mut self) -> Self {
        self.trust = Trust::Anybody;
        self
    }

    /// Sends these credentials with every request.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// The client. Nothing is sent yet.
    pub fn build(self) -> Result<Client, ClientError> {
        let path = self.server.strip_prefix("unix:").map(str::to_owned);
        let base = match &path {
            Some(path) => self.socket(path)?,
            None => self.address()?,
        };
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .redirect(Policy::none())
            .user_agent(concat!("longhaul/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&base) {
            // A proxy of the environment cannot know what runs on this machine.
            builder = builder.no_proxy();
        }
        if let Some(path) = &path {
            builder = builder.no_proxy().unix_socket(path.as_str());
        }
        let http = self.trust.apply(builder, base.scheme() == "https")?.build();
        // All else was checked before.
        let http = http.map_err(|e| ClientError::Setup {
            what: "this machine's list of authorities".to_owned(),
            reason: format!(
                "{}; install its CA certificates, or give the server's",
                chain(&e).trim_start_matches("unexpected error: ")
            ),
        })?;
        let authority = self.credentials.as_ref().map(Credentials::authority).transpose()?;
        let name = path
            .map_or_else(|| base.as_str().trim_end_matches('/').to_owned(), |path| format!("unix:{path}"));
        Ok(Client { http, base, name, authority })
    }

    /// Checks the path of a socket, and returns the address of whoever serves it: the host says nothing
    /// there.
    fn socket(&self, path: &str) -> Result<Url, ClientError> {
        let wrong =
            |reason: &str| ClientError::Address { address: self.server.clone(), reason: reason.to_owned() };
        if !path.starts_with('/') {
            return Err(wrong("after unix: there must be an absolute path"));
        }
        Url::parse("http://localhost").map_err(|e| wrong(&e.to_string()))
    }

    fn address(&self) -> Result<Url, ClientError> {
        let wrong = |reason: String| ClientError::Address { address: self.server.clone(), reason };
        let base = Url::parse(&self.server)
            .map_err(|e| wrong(format!("{e}; write it like https://longhaul.example.com:8443")))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(wrong("it must begin with http:// or https://".to_owned()));
        }
        if !base.username().is_empty() || base.password().is_some() {
            // Nor is it shown again.
            let address = format!("{}://…@{}", base.scheme(), base.host_str().unwrap_or_default());
            let reason = "a name or password has no place in it: the server takes tokens only".to_owned();
            return Err(ClientError::Address { address, reason });
        }
        Ok(base)
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_cannot_be_are_refused() {
        for (address, wanted) in [
            ("longhaul.example.com", "write it like https://"),
            ("ftp://longhaul.example.com", "it must begin with http:// or https://"),
            ("unix:longhaul.sock", "an absolute path"),
        ] {
            let refused = Client::new(address).unwrap_err().to_string();
            assert!(refused.contains(wanted), "{refused}");
        }
        let refused = Client::new("https://admin:secret@longhaul.example.com").unwrap_err().to_string();
        assert!(refused.contains("tokens only") && !refused.contains("secret"), "{refused}");
    }

    #[test]
    fn nothing_secret_is_shown() {
        let token = Credentials::Token("lhk_secret".to_owned());
        let builder = Client::builder("http://127.0.0.1:8080").credentials(token);
        assert!(!format!("{builder:?}").contains("lhk_secret"));
        assert!(!format!("{:?}", builder.build().unwrap()).contains("lhk_secret"));
    }

    #[test]
    fn an_authority_that_is_none_is_refused() {
        let server = Client::builder("https://127.0.0.1:8080");
        for wrong in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            let refused = server.clone().authority(wrong.into()).build().unwrap_err();
            assert!(matches!(refused, ClientError::Setup { .. }), "{refused}");
        }
    }
}
