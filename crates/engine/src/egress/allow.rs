//! Allow list, the operator's exceptions: networks, addresses and host names, each with an optional port.

use std::net::{IpAddr, Ipv6Addr};

use super::address::Network;

/// Entry of the allow list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) target: Target,
    /// Port that the entry allows; any if `None`.
    pub(super) port: Option<u16>,
}

/// Target that an entry names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A network; a single address is a network of full length.
    Network(Network),
    /// A host name, in lower case, without a dot at its end.
    Host(String),
}

impl Entry {
    /// Parses `10.0.0.0/8`, `127.0.0.1:8080`, `[fd00::1]:443`, `vcenter.lab.local:443`. The error describes
    /// the mistake.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("is empty".to_owned());
        }
        if text.contains("://") {
            return Err("is a URL; write only its host, such as vcenter.lab.local:443".to_owned());
        }
        // A bare IPv6 address has colons of its own, and so never a port.
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return single(address.into(), None);
        }
        if let Some((address, rest)) = text.split_once('/') {
            let address = address.trim_start_matches('[').trim_end_matches(']');
            let (bits, port) = port_of(rest)?;
            return network(address, bits.trim_end_matches(']'), port);
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (address, rest) = rest.split_once(']').ok_or("has no closing bracket")?;
            let address: Ipv6Addr =
                address.parse().map_err(|_| "has no IPv6 address between its brackets")?;
            let ("", port) = port_of(rest)? else { return Err("has text behind its bracket".to_owned()) };
            return single(address.into(), port);
        }
        let (host, port) = port_of(text)?;
        match host.parse::<IpAddr>() {
            Ok(address) => single(address, port),
            Err(_) => name(host, port),
        }
    }

    /// Returns true if the entry allows this port.
    pub(super) fn is_for(&self, port: u16) -> bool {
        self.port.is_none_or(|own| own == port)
    }
}

fn single(address: IpAddr, port: Option<u16>) -> Result<Entry, String> {
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let network = Network::new(address, bits).ok_or("is no address")?;
    Ok(Entry { target: Target::Network(network), port })
}

fn network(address: &str, bits: &str, port: Option<u16>) -> Result<Entry, String> {
    let address: IpAddr = address.parse().map_err(|_| format!("`{address}` is no address"))?;
    let bits: u8 = bits.parse().map_err(|_| format!("`{bits}` is no prefix length"))?;
    match (Network::new(address, bits), Network::around(address, bits)) {
        (Some(network), _) => Ok(Entry { target: Target::Network(network), port }),
        (None, Some(around)) => Err(format!("has address bits behind its prefix; write {around}")),
        (None, None) => Err(format!("/{bits} is longer than the address")),
    }
}

fn name(host: &str, port: Option<u16>) -> Result<Entry, String> {
    let host = plain_name(host);
    let plain = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    if host.len() > 253 || !host.split('.').all(plain) {
        return Err(
            "is no network, address or host name (international names are written as xn--…)".to_owned()
        );
    }
    // A host that ends in a number is an address to URLs, never a name: 127.1, 0x7f000001.
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.chars().all(|c| c.is_ascii_digit()) || last.starts_with("0x");
    if is_number {
        return Err("is no address; write all four parts in decimal, such as 127.0.0.1".to_owned());
    }
    Ok(Entry { target: Target::Host(host), port })
}

/// A host name as names are compared.
pub(super) fn plain_name(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

fn port_of(text: &str) -> Result<(&str, Option<u16>), String> {
    let Some((host, port)) = text.rsplit_once(':') else { return Ok((text, None)) };
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok((host, Some(port))),
        Ok(_) | Err(_) => Err(format!("`{port}` is no port")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_of_good_entries_keeps_target_and_port() {
        for (text, port) in [
            ("10.0.0.0/8", None),
            ("10.0.0.0/8:443", Some(443)),
            ("127.0.0.1", None),
            ("127.0.0.1:8080", Some(8080)),
            ("::1", None),
            ("[::1]:80", Some(80)),
            ("[::1]", None),
            ("fd00::/8", None),
            ("fd00::/8:443", Some(443)),
            ("[fd00::]/8:443", Some(443)),
            ("[fd00::/8]:443", Some(443)),
            ("localhost", None),
            ("vCenter.lab.local.:443", Some(443)),
            ("0.0.0.0/0", None),
            ("::/0", None),
        ] {
            assert_eq!(Entry::parse(text).map(|entry| entry.port), Ok(port), "{text}");
        }
        let entry = Entry::parse("vCenter.lab.local.:443").unwrap();
        assert_eq!(entry.target, Target::Host("vcenter.lab.local".to_owned()));
    }

    #[test]
    fn parse_of_bad_entries_says_what_is_wrong() {
        for (text, part) in [
            ("", "is empty"),
            ("http://a.b", "write only its host"),
            ("10.0.0.1/8", "write 10.0.0.0/8"),
            ("10.0.0.0/33", "longer than the address"),
            ("10.0.0.0/x", "no prefix length"),
            ("host:0", "no port"),
            ("host:70000", "no port"),
            ("host:", "no port"),
            ("127.1", "all four parts"),
            ("2130706433", "all four parts"),
            ("0x7f000001", "all four parts"),
            ("*.lab.local", "no network"),
            ("a..b", "no network"),
            ("[::1", "no closing bracket"),
            ("[::1]x:80", "text behind"),
            ("bücher.example", "xn--"),
        ] {
            let error = Entry::parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
