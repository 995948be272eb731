//! Name resolution that returns permitted addresses only.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::Egress;

/// Resolver for connections to one port, as permission may depend on it.
#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    egress: Arc<Egress>,
    port: u16,
}

impl Resolver {
    /// Creates a resolver for connections to a port; 0 stands for every port that no entry of the allow list
    /// names.
    pub(crate) fn new(egress: Arc<Egress>, port: u16) -> Self {
        Resolver { egress, port }
    }

    /// Returns the permitted ones among the addresses of a host; an error with the reason, if none is.
    pub(super) fn permitted(
        &self,
        host: &str,
        found: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, super::Denied> {
        let mut permitted = Vec::new();
        let mut denied = None;
        for address in found {
            match self.egress.check_address(host, address.ip(), self.port) {
                Ok(()) => permitted.push(address),
                Err(reason) => denied = denied.or(Some(reason)),
            }
        }
        match denied {
            Some(reason) if permitted.is_empty() => Err(reason),
            Some(_) | None => Ok(permitted),
        }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            // Port 0: the connector puts in the URL's.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let permitted = resolver.permitted(name.as_str(), found)?;
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}
