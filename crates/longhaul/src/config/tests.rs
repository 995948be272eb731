//! Tests of the configuration file.

use longhaul_model::{Span, StatusStyle};

use super::file::parse;
use super::wire::ActionBody;
use super::*;

fn wrong(text: &str) -> String {
    parse(Path::new("longhaul.toml"), text).unwrap_err().to_string()
}

#[test]
fn every_key_is_read() {
    let text = r#"
        data_dir = "/data"
        listen = "127.0.0.1:9000"
        log_format = "json"
        insecure_http = true
        trusted_proxies = ["10.0.0.5", "10.1.0.0/16"]
        [database]
        url = "postgres://longhaul@db1,db2/longhaul"
        connections = 8
        [tls]
        cert = "/etc/longhaul/cert.pem"
        key = "/etc/longhaul/key.pem"
        [wire]
        status_style = "constant"
        action_body = "empty"
        default_page_size = 100
        strict_codes = false
        [[wire.clients]]
        user_agent = "*python-requests*"
        account = "vv"
        status_style = "constant"
        login_status = 200
        default_page_size = 100
        [engine]
        cancel_grace = "5s"
        [actions.http]
        allow = ["10.0.0.0/8"]
        [actions.command]
        allow = ["/usr/bin/uname"]
    "#;
    let file = parse(Path::new("longhaul.toml"), text).unwrap();
    assert_eq!(file.wire.status_style, StatusStyle::Constant);
    assert_eq!(file.wire.action_body, ActionBody::Empty);
    assert!(file.wire.extensions);
    assert_eq!(file.insecure_http, Some(true));
    assert_eq!(file.trusted_proxies, Proxies::new(["10.0.0.5", "10.1.0.0/16"]).unwrap());
    let files = Tls::Files { cert: "/etc/longhaul/cert.pem".into(), key: "/etc/longhaul/key.pem".into() };
    assert_eq!(file.tls.resolve(Path::new("/data")), files);
    let database = file.database.resolve(None, false).unwrap();
    assert_eq!((&*database.url, database.connections), ("postgres://longhaul@db1,db2/longhaul", 8));
    assert_eq!(file.engine.cancel_grace, Some(Span(5000)));
    assert_eq!(file.actions.command.resolve(), ["/usr/bin/uname".into()]);
}

#[test]
fn mistakes_name_file_key_and_place() {
    let text = wrong("listen = \"127.0.0.1:9000\"\n[wire]\nstatusstyle = \"constant\"\n");
    assert!(
        text.contains("longhaul.toml:3:1: error: wire.statusstyle: unknown field `statusstyle`"),
        "{text}"
    );
    let text = wrong("trusted_proxies = [\"balancer\"]\n");
    assert!(text.contains("trusted_proxies: this is no address or network"), "{text}");
    let text = wrong("[engine]\ncancel_grace = \"soon\"\n");
    assert!(
        text.contains("longhaul.toml:2:16: error: engine.cancel_grace: this is not a duration"),
        "{text}"
    );
    let text = wrong("listen = \n");
    assert!(text.contains("longhaul.toml:1:"), "{text}");
    let text = wrong("[database]\nconnections = 1\n");
    assert!(text.contains("longhaul.toml:2:1: error: database.connections: write 3 to 1000"), "{text}");
    let text = wrong("[wire]\ndefault_page_size = 500\n");
    assert!(text.contains("longhaul.toml:2:1: error: wire.default_page_size: write 1 to 100"), "{text}");
    for (entry, wanted) in [
        ("status_style = \"constant\"", "wire.clients[0]: say who it is"),
        ("account = \"vv\"", "wire.clients[0]: say what is different"),
        ("account = \"vv\"\nlogin_status = 204", "longhaul.toml:3:1: error: wire.clients[0].login_status"),
        ("user_agent = \"\"\nlogin_status = 200", "wire.clients[0].user_agent: write a pattern of 1 to 200"),
    ] {
        let text = wrong(&format!("[[wire.clients]]\n{entry}\n"));
        assert!(text.contains(wanted), "{text}");
    }
}

#[test]
fn a_self_signed_certificate_is_kept_with_the_data() {
    let file = parse(Path::new("longhaul.toml"), "[tls]\nmode = \"self-signed\"\n").unwrap();
    let own = Tls::SelfSigned { directory: "/data/tls".into() };
    assert_eq!(file.tls.resolve(Path::new("/data")), own);
    let file = parse(Path::new("longhaul.toml"), "[tls]\nmode = \"off\"\n").unwrap();
    assert_eq!(file.tls.resolve(Path::new("/data")), Tls::Off);
}

#[test]
fn half_a_certificate_is_refused_at_its_place() {
    for (section, wanted) in [
        ("cert = \"/key/cert.pem\"", "longhaul.toml:3:1: error: tls.cert: give tls.key too"),
        ("  key = \"key.pem\"", "longhaul.toml:3:3: error: tls.key: give tls.cert too"),
        (
            "cert = \"/mode/c\"\nkey = \"k\"\nmode = \"off\"",
            "longhaul.toml:5:1: error: tls.mode: leave it out, as cert and key are given",
        ),
        ("mode = \"on\"", "longhaul.toml:3:8: error: tls.mode: unknown value, expected"),
    ] {
        let text = wrong(&format!("# key\n[tls]\n{section}\n"));
        assert!(text.contains(wanted), "{text}");
    }
}

#[test]
fn all_mistakes_are_shown_at_once_in_their_order() {
    let text = wrong(
        "listen = [\"127.0.0.1:80\", \"nowhere\"]\nlog_level = \"a=b=c\"\n[auth]\naccess_token_life = \"0s\"\n[limits]\nrate = 0\n\
         rates = 1\n[wire]\nextensions = 3\n[tls]\ncert = \"/c\"\n",
    );
    let lines: Vec<&str> = text.lines().skip(1).collect();
    let wanted = [
        ":1:1: error: listen: write an address",
        ":2:1: error: log_level: write info",
        ":4:1: error: auth.access_token_life: ",
        ":6:1: error: limits.rate: write 1 or more",
        ":7:1: error: limits.rates: unknown field `rates`",
        ":9:14: error: wire.extensions: invalid type",
        ":11:1: error: tls.cert: give tls.key too",
    ];
    assert_eq!(lines.len(), wanted.len(), "{text}");
    for (line, wanted) in lines.iter().zip(wanted) {
        let (_, after) = wanted.split_at(wanted.find(": error").unwrap());
        assert!(line.contains(after), "{line} {wanted}");
        let number = wanted.split(':').nth(1).unwrap();
        assert_eq!(line.split(':').nth(1), Some(number), "{line}");
    }
    let text = wrong("listen = \nlog_level = \n");
    assert!(text.contains("longhaul.toml:1:") && text.contains("longhaul.toml:2:"), "{text}");
}

/// A number or duration for which 0 makes no sense is refused at its place.
#[test]
fn nothing_lasts_no_time_and_nothing_is_limited_to_nothing() {
    for key in [
        "auth.access_token_life",
        "auth.refresh_token_life",
        "auth.rotate_signing_keys",
        "limits.in_flight",
        "limits.waits",
        "limits.rate",
        "limits.connections",
        "limits.connections_per_address",
        "limits.queues",
        "limits.workers",
        "engine.max_running",
        "database.connections",
        "wire.default_page_size",
        "wire.login_status",
    ] {
        let (section, name) = key.split_once('.').unwrap();
        let zero = if section == "auth" { "\"0s\"" } else { "0" };
        let text = wrong(&format!("[{section}]\n{name} = {zero}\n"));
        assert!(text.contains(&format!("longhaul.toml:2:1: error: {key}: ")), "{text}");
    }
    let oidc = |more: &str| wrong(&format!("[auth.oidc]\nissuer = \"\"\naudiences = [\"\"]\n{more}\n"));
    let text = oidc("session_life = \"0s\"");
    for (line, key) in [(2, "issuer"), (3, "audiences"), (4, "session_life")] {
        assert!(text.contains(&format!("longhaul.toml:{line}:1: error: auth.oidc.{key}: ")), "{text}");
    }
}
