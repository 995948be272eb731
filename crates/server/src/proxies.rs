//! Trusted proxies: `X-Forwarded-For` of such a proxy names the address that a request came from, and
//! `X-Forwarded-Proto` says whether over TLS. The headers of all others are ignored.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::HeaderMap;
use ipnet::IpNet;

/// Header by which proxies name the client; each appends the address that it was asked by.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Header by which proxies name the protocol that they were asked by.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The addresses of proxies that are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Reads addresses and networks such as `10.0.0.5`, `10.0.0.0/8`, `fd00::/8`. The error says what is
    /// wrong with one.
    pub fn new<S: AsRef<str>>(all: impl IntoIterator<Item = S>) -> Result<Proxies, String> {
        all.into_iter().map(|one| network(one.as_ref())).collect::<Result<_, _>>().map(Proxies)
    }

    /// Returns true if `address` is that of a trusted proxy.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Address of the client behind a peer: the last entry in the row of proxies that is not a trusted one.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        // Headers of others do not count, and without proxies none is read.
        let mut said = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .rev()
            .flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
        while self.trusts(client) {
            // An unreadable entry ends the row: anybody may have written those before it.
            let Some(before) = said.next().and_then(address) else { break };
            client = before;
        }
        client
    }

    /// Returns true if a trusted peer says that it was asked over TLS.
    pub(crate) fn was_secure(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let said = headers.get_all(FORWARDED_PROTO).iter().next_back();
        let last = said.and_then(|value| value.as_bytes().rsplit(|byte| *byte == b',').next());
        last.is_some_and(|proto| proto.trim_ascii().eq_ignore_ascii_case(b"https"))
            && self.trusts(peer.to_canonical())
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let network = IpNet::from_str(text)
        .map_err(|_| "this is no address or network: write 10.0.0.5, or 10.0.0.0/8".to_owned())?;
    if network.trunc() == network {
        Ok(network)
    } else {
        Err(format!("this network has bits behind its length: write {}", network.trunc()))
    }
}

/// Reads an address as proxies write it, some with a port.
fn address(bytes: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address =
        bare.parse().or_else(|_| text.parse::<SocketAddr>().map(|with_port| with_port.ip())).ok()?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(proxies: &[&str], peer: &str, said: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for value in said {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        Proxies::new(proxies).unwrap().client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_the_word_of_trusted_proxies_counts() {
        let inner = &["10.0.0.0/8", "fd00::1"][..];
        for (proxies, peer, said, wanted) in [
            (&[][..], "10.0.0.1", &["1.2.3.4"][..], "10.0.0.1"),
            (inner, "10.0.0.1", &[], "10.0.0.1"),
            (inner, "10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            (inner, "192.0.2.1", &["1.2.3.4"], "192.0.2.1"),
            // Entries that the caller made up stand before those that the proxy added.
            (inner, "10.0.0.1", &["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            (inner, "10.0.0.1", &["6.6.6.6", "1.2.3.4, 10.0.0.2"], "1.2.3.4"),
            (inner, "10.0.0.1", &["6.6.6.6, nonsense"], "10.0.0.1"),
            (inner, "10.0.0.1", &["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
            (inner, "fd00::1", &["[2001:db8::5]:4711"], "2001:db8::5"),
            (inner, "::ffff:10.0.0.1", &["::ffff:1.2.3.4"], "1.2.3.4"),
            (inner, "10.0.0.1", &["1.2.3.4:99"], "1.2.3.4"),
            (inner, "10.0.0.1", &["[2001:db8::5]"], "2001:db8::5"),
        ] {
            assert_eq!(client(proxies, peer, said), wanted, "{peer} {said:?}");
        }
    }

    #[test]
    fn proxies_say_whether_they_were_asked_over_tls() {
        let proxies = Proxies::new(["10.0.0.1"]).unwrap();
        for (peer, said, wanted) in [
            ("10.0.0.1", "https", true),
            ("10.0.0.1", "http, HTTPS", true),
            ("10.0.0.1", "https, http", false),
            ("10.0.0.2", "https", false),
        ] {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(FORWARDED_PROTO),
                said.parse().unwrap(),
            )]);
            assert_eq!(proxies.was_secure(peer.parse().unwrap(), &headers), wanted, "{peer} {said}");
        }
        assert!(!proxies.was_secure("10.0.0.1".parse().unwrap(), &HeaderMap::new()));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for (bad, says) in [
            ("proxy", "write 10.0.0.5"),
            ("10.0.0.1/8", "write 10.0.0.0/8"),
            ("10.0.0.0/33", "write"),
            ("", "write"),
        ] {
            let error = Proxies::new([bad]).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
