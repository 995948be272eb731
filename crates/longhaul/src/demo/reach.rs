//! Connection to a demonstration from its own machine, by its own client and by whoever tries its tips.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use longhaul_client::{Client, ClientError, Credentials};
use longhaul_server::Certificate;

/// Address of a demonstration, and the means to trust it.
pub(crate) struct Reach {
    address: String,
    trust: Trust,
    api_key: String,
}

enum Trust {
    /// Plain HTTP: there is no certificate to trust.
    Plain,
    /// The certificate that the server made is trusted.
    Own(PathBuf),
    /// The server has its operator's certificate, which is for other names than this machine's own.
    Unchecked,
}

impl Reach {
    /// Describes a server that listens at `listen` with `certificate`, for a caller with that API key.
    pub(crate) fn new(listen: SocketAddr, certificate: Option<&Certificate>, api_key: String) -> Self {
        let ip = match listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let trust = match certificate {
            None => Trust::Plain,
            Some(own) if own.is_self_signed() => {
                Trust::Own(std::path::absolute(own.path()).unwrap_or_else(|_| own.path().to_owned()))
            }
            Some(_) => Trust::Unchecked,
        };
        let scheme = if certificate.is_some() { "https" } else { "http" };
        Reach { address: format!("{scheme}://{}", SocketAddr::new(ip, listen.port())), trust, api_key }
    }

    /// The server's address.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Creates a client of the demonstration.
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let client = Client::builder(&self.address).credentials(Credentials::Token(self.api_key.clone()));
        let client = match &self.trust {
            Trust::Plain => client,
            Trust::Own(certificate) => client.authority(std::fs::read(certificate)?),
            // The demonstration connects to itself.
            Trust::Unchecked => client.insecure(),
        };
        client.build().map_err(|e: ClientError| e.into())
    }

    /// Shell lines that set the variables of the commands that follow.
    pub(super) fn variables(&self) -> String {
        let (address, key) = (&self.address, &self.api_key);
        match &self.trust {
            Trust::Plain => format!("LONGHAUL_SERVER={address} LONGHAUL_TOKEN={key}"),
            Trust::Own(certificate) => format!(
                "LONGHAUL_SERVER={address} LONGHAUL_CA='{}' LONGHAUL_TOKEN={key}",
                certificate.display()
            ),
            Trust::Unchecked => {
                format!("LONGHAUL_SERVER={address} LONGHAUL_INSECURE=true LONGHAUL_TOKEN={key}")
            }
        }
    }

    /// Returns `curl` with its options besides the address; the variables are set.
    pub(super) fn curl(&self) -> String {
        let trust = match &self.trust {
            Trust::Plain => "curl -s",
            Trust::Own(_) => "curl -s --cacert \"$LONGHAUL_CA\"",
            Trust::Unchecked => "curl -sk",
        };
        format!("{trust} -H \"Authorization: Bearer $LONGHAUL_TOKEN\"")
    }
}
