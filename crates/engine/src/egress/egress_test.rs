//! Checks of URLs, as written and as their names resolve. No name is looked up and nothing is sent.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{Denied, Egress, Resolver};

fn egress(allow: &[&str]) -> Egress {
    let allow: Vec<String> = allow.iter().map(|text| (*text).to_owned()).collect();
    Egress::new(&allow).expect("good entries")
}

/// Checks a URL whose name resolves to `resolved`.
fn judge(egress: &Egress, url: &str, resolved: &str) -> Result<(), Denied> {
    let url = egress.check_url(url)?;
    let port = url.port_or_known_default().unwrap();
    let resolver = Resolver::new(Arc::new(egress.clone()), port);
    let address = SocketAddr::new(resolved.parse().unwrap(), 0);
    resolver.permitted(url.host_str().unwrap(), std::iter::once(address)).map(|_| ())
}

const PUBLIC: [&str; 13] = [
    "http://1.1.1.1/",
    "https://8.8.8.8:8443/path?query#fragment",
    "http://9.255.255.255",
    "http://11.0.0.0",
    "http://100.63.255.255",
    "http://100.128.0.1",
    "http://172.15.255.255",
    "http://172.32.0.1",
    "http://198.17.255.255",
    "http://223.255.255.255",
    "http://[2606:4700:4700::1111]/",
    "http://[2600::a9fe:a9fe]/",
    "http://0x08080808/",
];

const DENIED: [(&str, &str); 66] = [
    // This machine, in every way of writing it.
    ("http://127.0.0.1/", "loopback"),
    ("http://127.0.0.1:65535/", "loopback"),
    ("http://127.255.255.254", "loopback"),
    ("http://127.1", "loopback"),
    ("http://127.0.1", "loopback"),
    ("http://2130706433/", "loopback"),
    ("http://0x7f000001/", "loopback"),
    ("http://0x7f.1/", "loopback"),
    ("http://0x7f.0x0.0x0.0x1/", "loopback"),
    ("http://0177.0.0.1/", "loopback"),
    ("http://017700000001/", "loopback"),
    ("http://0177.0.0.01", "loopback"),
    ("http://127.0.0.1./", "loopback"),
    ("http://127。0。0。1/", "loopback"),
    ("http://127.0.0.1/", "loopback"),
    ("http://①②⑦.0.0.1/", "loopback"),
    ("http://%31%32%37.0.0.1/", "loopback"),
    ("http:\\\\127.0.0.1\\", "loopback"),
    ("http:127.0.0.1", "loopback"),
    ("http:///127.0.0.1", "loopback"),
    ("HTTP://127.0.0.1", "loopback"),
    ("\t http://127.0.0.1 \n", "loopback"),
    ("ht\ntp://127.0\t.0.1", "loopback"),
    ("http://0/", "this machine"),
    ("http://0.0.0.0/", "this machine"),
    ("http://0.1.2.3/", "this machine"),
    ("http://[::1]/", "loopback"),
    ("http://[0:0:0:0:0:0:0:1]:80/", "loopback"),
    ("http://[::]/", "this machine"),
    // Private networks.
    ("http://10.0.0.1/", "private"),
    ("http://012.0.0.1/", "private"),
    ("http://10.255.255.255/", "private"),
    ("http://172.16.0.1/", "private"),
    ("http://172.31.255.255/", "private"),
    ("http://192.168.0.1/", "private"),
    ("http://0xc0a80001/", "private"),
    ("http://100.64.0.1/", "carrier-grade"),
    ("http://100.127.255.255/", "carrier-grade"),
    ("http://169.254.1.1/", "link-local"),
    ("http://[fc00::1]/", "private"),
    ("http://[fdff::1]/", "private"),
    ("http://[fe80::1]/", "link-local"),
    ("http://[fec0::1]/", "site-local"),
    // Clouds' metadata services.
    ("http://169.254.169.254/latest/meta-data/", "metadata"),
    ("http://2852039166/", "metadata"),
    ("http://169.254.43518/", "metadata"),
    ("http://[::ffff:169.254.169.254]/", "metadata"),
    ("http://[64:ff9b::a9fe:a9fe]/", "metadata"),
    ("http://[2002:a9fe:a9fe::1]/", "metadata"),
    ("http://[fd00:ec2::254]/", "metadata"),
    ("http://168.63.129.16/", "metadata"),
    ("http://100.100.100.200/", "metadata"),
    // IPv4 inside IPv6.
    ("http://[::ffff:127.0.0.1]/", "IPv4 address in IPv6 form"),
    ("http://[::ffff:8.8.8.8]/", "IPv4 address in IPv6 form"),
    ("http://[::127.0.0.1]/", "IPv4 address in IPv6 form"),
    ("http://[64:ff9b::7f00:1]/", "NAT64"),
    ("http://[64:ff9b:1::1]/", "NAT64"),
    ("http://[2002:7f00:1::1]/", "6to4"),
    ("http://[2001::1]/", "Teredo"),
    // Addresses that nobody serves from.
    ("http://224.0.0.1/", "multicast"),
    ("http://[ff02::1]/", "multicast"),
    ("http://240.0.0.1/", "reserved"),
    ("http://255.255.255.255/", "reserved"),
    ("http://198.18.0.1/", "benchmarking"),
    ("http://192.0.2.1/", "documentation"),
    ("http://[2001:db8::1]/", "documentation"),
];

#[test]
fn check_of_public_addresses_permits() {
    for url in PUBLIC {
        assert!(egress(&[]).check_url(url).is_ok(), "{url}");
    }
}

#[test]
fn check_of_other_addresses_denies_and_says_what_they_are() {
    for (url, what) in DENIED {
        let denied = egress(&[]).check_url(url).expect_err(url);
        assert!(denied.is_about_address() && denied.to_string().contains(what), "{url}: {denied}");
    }
}

#[test]
fn check_of_other_schemes_and_user_info_denies() {
    for url in [
        "ftp://1.1.1.1/",
        "file:///etc/passwd",
        "gopher://1.1.1.1/",
        "data:text/plain,x",
        "unix:/run/docker.sock",
        "http+unix://%2frun%2fdocker.sock/",
        "javascript:1",
        "http://user@1.1.1.1/",
        "http://user:secret@1.1.1.1/",
        "http://:secret@1.1.1.1/",
        "http://1.1.1.1@127.0.0.1/",
        "/v1/tasks",
        "1.1.1.1",
        "http://",
        "http://[::1",
        "http://[fe80::1%25eth0]/",
        "http://1.1.1.256/",
        "http://a b/",
        "",
    ] {
        let denied = egress(&["0.0.0.0/0", "::/0"]).check_url(url).expect_err(url);
        assert!(!denied.is_about_address() && !denied.to_string().contains("secret"), "{url}: {denied}");
    }
}

#[test]
fn check_of_a_name_judges_what_it_resolves_to() {
    let none = egress(&[]);
    assert_eq!(judge(&none, "http://public.example/", "93.184.215.14"), Ok(()));
    for address in ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fe80::1"] {
        let denied = judge(&none, "http://rebound.example/", address).expect_err(address);
        assert!(denied.to_string().starts_with("rebound.example ("), "{denied}");
    }
}

#[test]
fn resolve_of_mixed_answers_keeps_the_permitted_ones() {
    let resolver = Resolver::new(Arc::new(egress(&[])), 443);
    let found = ["10.0.0.1:0", "1.1.1.1:0", "127.0.0.1:0"].map(|text| text.parse().unwrap());
    let permitted = resolver.permitted("mixed.example", found.into_iter()).unwrap();
    assert_eq!(permitted, vec!["1.1.1.1:0".parse().unwrap()]);
    assert_eq!(resolver.permitted("none.example", std::iter::empty()), Ok(Vec::new()));
}

#[test]
fn allow_list_permits_what_it_names_and_no_more() {
    let listed = egress(&["10.0.0.0/8:443", "127.0.0.1:8080", "::1", "vc.lab.local", "sso.lab.local:7444"]);
    for (url, resolved, permitted) in [
        ("https://10.1.2.3/", "10.1.2.3", true),
        ("http://10.1.2.3/", "10.1.2.3", false),
        ("https://10.1.2.3:8443/", "10.1.2.3", false),
        ("https://anything.example/", "10.1.2.3", true),
        ("http://anything.example/", "10.1.2.3", false),
        ("http://127.0.0.1:8080/", "127.0.0.1", true),
        ("http://127.1:8080/", "127.0.0.1", true),
        ("http://127.0.0.1:8081/", "127.0.0.1", false),
        ("http://127.0.0.2:8080/", "127.0.0.2", false),
        ("http://[::1]:9/", "::1", true),
        ("http://[::ffff:127.0.0.1]:8080/", "::ffff:127.0.0.1", false),
        ("http://vc.lab.local:1/", "192.168.1.1", true),
        ("http://VC.lab.local./", "192.168.1.1", true),
        ("http://not.vc.lab.local/", "192.168.1.1", false),
        ("https://sso.lab.local:7444/", "192.168.1.2", true),
        ("https://sso.lab.local/", "192.168.1.2", false),
    ] {
        assert_eq!(judge(&listed, url, resolved).is_ok(), permitted, "{url} at {resolved}");
    }
}

#[test]
fn metadata_addresses_are_permitted_only_if_listed_singly() {
    let wide = egress(&["0.0.0.0/0", "::/0", "169.254.0.0/16", "metadata.example"]);
    assert_eq!(judge(&wide, "http://host.example/", "10.0.0.1"), Ok(()));
    assert_eq!(judge(&wide, "http://[64:ff9b::7f00:1]/", "64:ff9b::7f00:1"), Ok(()));
    for url in ["http://169.254.169.254/", "http://[64:ff9b::a9fe:a9fe]/", "http://[::ffff:100.100.100.200]/"]
    {
        assert!(wide.check_url(url).is_err(), "{url}");
    }
    assert!(judge(&wide, "http://metadata.example/", "169.254.169.254").is_err());
    let single = egress(&["169.254.169.254"]);
    assert_eq!(judge(&single, "http://metadata.example/", "169.254.169.254"), Ok(()));
    let single = egress(&["169.254.169.254/32:80"]);
    assert!(single.check_url("http://169.254.169.254/").is_ok());
    assert!(single.check_url("https://169.254.169.254/").is_err());
}

#[test]
fn new_with_a_bad_entry_names_it() {
    let (entry, reason) = Egress::new(&["10.0.0.0/8".to_owned(), "10.0.0.1/8".to_owned()]).unwrap_err();
    assert_eq!((entry.as_str(), reason.contains("10.0.0.0/8")), ("10.0.0.1/8", true));
}
