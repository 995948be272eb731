//! Public addresses: all that are not named here. Named are the networks of this machine, private networks,
//! clouds' metadata services, and networks that carry an IPv4 address inside an IPv6 one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Range of addresses: a base and the number of its bits that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network(IpNet);

impl Network {
    /// Creates a network; `None` if the length is too long, or the base has bits behind it.
    pub(super) fn new(base: IpAddr, bits: u8) -> Option<Self> {
        IpNet::new(base, bits).ok().filter(|network| network.network() == base).map(Network)
    }

    /// Returns the network in which an address with surplus bits lies, for advice.
    pub(super) fn around(address: IpAddr, bits: u8) -> Option<Self> {
        IpNet::new(address, bits).ok().map(|network| Network(network.trunc()))
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    /// Returns true for a network of one address.
    pub(super) fn is_single(&self) -> bool {
        self.0.prefix_len() == self.0.max_prefix_len()
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8, what: &'static str) -> (Network, &'static str) {
    (Network(IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits))), what)
}

const fn v6(head: [u16; 4], tail: [u16; 4], bits: u8, what: &'static str) -> (Network, &'static str) {
    let [a, b, c, d] = head;
    let [e, f, g, h] = tail;
    (Network(IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), bits))), what)
}

/// Addresses where clouds answer with a machine's credentials. They are denied even where a wider network is
/// allowed.
const METADATA: [(Network, &str); 11] = [
    v4(169, 254, 169, 254, 32, "a cloud metadata address"),
    v4(169, 254, 169, 253, 32, "a cloud metadata address"),
    v4(169, 254, 170, 2, 32, "a cloud metadata address"),
    v4(169, 254, 170, 23, 32, "a cloud metadata address"),
    v4(168, 63, 129, 16, 32, "a cloud metadata address"),
    v4(100, 100, 100, 200, 32, "a cloud metadata address"),
    v4(192, 0, 0, 192, 32, "a cloud metadata address"),
    v6([0xfd00, 0x0ec2, 0, 0], [0, 0, 0, 0x254], 128, "a cloud metadata address"),
    v6([0xfd00, 0x0ec2, 0, 0], [0, 0, 0, 0x23], 128, "a cloud metadata address"),
    v6([0xfd20, 0x00ce, 0, 0], [0, 0, 0, 0x254], 128, "a cloud metadata address"),
    v6([0xfe80, 0, 0, 0], [0, 0, 0xa9fe, 0xa9fe], 128, "a cloud metadata address"),
];

const DENIED: [(Network, &str); 34] = [
    v4(0, 0, 0, 0, 8, "an address of this machine"),
    v4(10, 0, 0, 0, 8, "a private address"),
    v4(100, 64, 0, 0, 10, "a carrier-grade NAT address"),
    v4(127, 0, 0, 0, 8, "a loopback address"),
    v4(169, 254, 0, 0, 16, "a link-local address"),
    v4(172, 16, 0, 0, 12, "a private address"),
    v4(192, 0, 0, 0, 24, "a reserved address"),
    v4(192, 0, 2, 0, 24, "a documentation address"),
    v4(192, 31, 196, 0, 24, "a reserved address"),
    v4(192, 52, 193, 0, 24, "a reserved address"),
    v4(192, 88, 99, 0, 24, "a 6to4 relay address"),
    v4(192, 168, 0, 0, 16, "a private address"),
    v4(192, 175, 48, 0, 24, "a reserved address"),
    v4(198, 18, 0, 0, 15, "a benchmarking address"),
    v4(198, 51, 100, 0, 24, "a documentation address"),
    v4(203, 0, 113, 0, 24, "a documentation address"),
    v4(224, 0, 0, 0, 4, "a multicast address"),
    v4(240, 0, 0, 0, 4, "a reserved address"),
    v6([0, 0, 0, 0], [0, 0, 0, 0], 128, "an address of this machine"),
    v6([0, 0, 0, 0], [0, 0, 0, 1], 128, "a loopback address"),
    v6([0, 0, 0, 0], [0, 0xffff, 0, 0], 96, "an IPv4 address in IPv6 form"),
    v6([0, 0, 0, 0], [0, 0, 0, 0], 96, "an IPv4 address in IPv6 form"),
    v6([0x0064, 0xff9b, 0, 0], [0, 0, 0, 0], 96, "a NAT64 address"),
    v6([0x0064, 0xff9b, 1, 0], [0, 0, 0, 0], 48, "a NAT64 address"),
    v6([0x0100, 0, 0, 0], [0, 0, 0, 0], 64, "a discard address"),
    v6([0x2001, 0, 0, 0], [0, 0, 0, 0], 23, "a reserved address (Teredo and the like)"),
    v6([0x2001, 0x0db8, 0, 0], [0, 0, 0, 0], 32, "a documentation address"),
    v6([0x2002, 0, 0, 0], [0, 0, 0, 0], 16, "a 6to4 address"),
    v6([0x3fff, 0, 0, 0], [0, 0, 0, 0], 20, "a documentation address"),
    v6([0x5f00, 0, 0, 0], [0, 0, 0, 0], 16, "a segment routing address"),
    v6([0xfc00, 0, 0, 0], [0, 0, 0, 0], 7, "a private address"),
    v6([0xfe80, 0, 0, 0], [0, 0, 0, 0], 10, "a link-local address"),
    v6([0xfec0, 0, 0, 0], [0, 0, 0, 0], 10, "a site-local address"),
    v6([0xff00, 0, 0, 0], [0, 0, 0, 0], 8, "a multicast address"),
];

/// Kind of an address that is not public; `None` for a public one.
pub(super) fn not_public(address: IpAddr) -> Option<&'static str> {
    if is_metadata(address) {
        return Some("a cloud metadata address");
    }
    DENIED.iter().find(|(network, _)| network.contains(address)).map(|(_, what)| *what)
}

/// Returns true if an address, or the IPv4 address inside it, is a metadata service's.
pub(super) fn is_metadata(address: IpAddr) -> bool {
    let listed = |address: IpAddr| METADATA.iter().any(|(network, _)| network.contains(address));
    listed(address) || embedded(address).is_some_and(|v4| listed(IpAddr::V4(v4)))
}

/// Returns the IPv4 address that an IPv6 one leads to, where the network translates: mapped, compatible,
/// NAT64, 6to4, Teredo.
fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return None };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let pair = |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0 | 0xffff] | [0x0064, 0xff9b, 0 | 1, ..] => pair(g, h),
        [0x2002, ..] => pair(b, c),
        [0x2001, 0, ..] => pair(!g, !h),
        _ => None,
    }
}
