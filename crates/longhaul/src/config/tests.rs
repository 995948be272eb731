//! Tests of the configuration file.

use clap::Parser as _;
use longhaul_model::{Span, StatusStyle};

use super::file::parse;
use super::wire::ActionBody;
use super::*;
use crate::cli::{Cli, Command as Word};

/// Returns the arguments of a command line with this configuration file.
fn args(path: &Path, more: &[&str]) -> ServeArgs {
    let line = [&["longhaul", "serve", "--config", path.to_str().unwrap()], more].concat();
    let Word::Serve(args) = Cli::try_parse_from(line).unwrap().command else { panic!("another command") };
    *args
}

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
    assert!(text.contains("trusted_proxies[0]: this is no address or network"), "{text}");
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
        ":1:27: error: listen[1]: write an address",
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

/// Configuration without mistakes. Each line ends with a mark by which it is replaced.
const GOOD: &str = r#"data_dir = "/data" #data
listen = ["127.0.0.1:9000", "[::1]:9000"] #listen
trusted_proxies = ["10.0.0.5"] #proxies
log_level = "info" #level
[database] #database
url = "postgres://longhaul@db/longhaul" #url
connections = 8 #connections
[tls] #tls
mode = "off" #mode
[auth] #auth
access_token_life = "1h" #life
[auth.oidc] #oidc
issuer = "https://sso.example" #issuer
audiences = ["longhaul"] #audiences
roles = { a = "VIEWER", b = "ADMIN" } #roles
[limits] #limits
rate = 5 #rate
waits = 5 #waits
[wire] #wire
extensions = true #extensions
[[wire.clients]] #client
account = "a" #account
login_status = 200 #status
[[wire.clients]] #client2
user_agent = "*x*" #agent
default_page_size = 7 #size
[engine] #engine
cancel_grace = "5s" #grace
[actions.http] #http
allow = ["10.0.0.0/8", "host:80"] #allow
[actions.command] #command
allow = ["/bin/true", { path = "/bin/x", arguments = ["a"] }] #programs
"#;

/// Mistakes: the mark of a line, its replacement, and the words that the findings at this line must have, one
/// finding each.
const MISTAKES: &[(&str, &str, &[&str])] = &[
    ("data", "data_dir = 5", &["data_dir: invalid type"]),
    ("data", "data_dir = ", &["string values must be quoted"]),
    (
        "listen",
        "listen = [\"nowhere\", \"[::1]:9000\", 7, \"x\"]",
        &["listen[0]:", "listen[2]:", "listen[3]:"],
    ),
    (
        "proxies",
        "trusted_proxies = [\"balancer\", \"10.0.0.5\", \"b\"]",
        &["trusted_proxies[0]:", "trusted_proxies[2]:"],
    ),
    ("level", "log_level = \"a=b=c\"", &["log_level: write info"]),
    ("level", "log_levle = \"info\"", &["unknown field `log_levle`"]),
    ("url", "url = \"mysql://x\"", &["database.url: write postgres://"]),
    ("connections", "connections = 2", &["database.connections: write 3 to 1000"]),
    ("mode", "mode = \"on\"", &["tls.mode: unknown value"]),
    ("mode", "cert = \"/nowhere/c\"", &["tls.cert: give tls.key too"]),
    ("mode", "cert = \"/nowhere/c\"; key = 1", &["expected newline"]),
    ("life", "access_token_life = \"0s\"", &["auth.access_token_life: write more than 0"]),
    ("issuer", "issuer = 5", &["auth.oidc.issuer: invalid type"]),
    ("issuer", "issuer = \"\"", &["auth.oidc.issuer: write the issuer"]),
    ("audiences", "audiences = [\"\"]", &["auth.oidc.audiences: write what"]),
    ("roles", "roles = { a = \"X\", b = 7, c = \"ADMIN\" }", &["auth.oidc.roles.a:", "auth.oidc.roles.b:"]),
    ("rate", "rate = 0", &["limits.rate: write 1 or more"]),
    ("rate", "rate = [", &["this list has no end"]),
    ("waits", "waits = -1", &["limits.waits: invalid value"]),
    ("extensions", "extensions = 3", &["wire.extensions: invalid type"]),
    ("account", "account = 7", &["wire.clients[0].account: invalid type"]),
    ("status", "login_status = 204", &["wire.clients[0].login_status: write 200 or 201"]),
    ("agent", "user_agent = \"\"", &["wire.clients[1].user_agent: write a pattern"]),
    ("size", "default_page_size = 101", &["wire.clients[1].default_page_size: write 1 to 100"]),
    ("grace", "cancel_grace = \"soon\"", &["engine.cancel_grace: this is not a duration"]),
    (
        "allow",
        "allow = [\"10.0.0.0/99\", \"host:80\", 5, \"http://x\"]",
        &["allow[0]:", "allow[2]:", "allow[3]:"],
    ),
    (
        "programs",
        "allow = [\"uname\", 1, { path = \"/bin/x\", arguments = [\"(\", \")\"], env = 3 }, { env = [] }]",
        &[
            "allow[0]: `uname` is not",
            "allow[1]:",
            "allow[2].env:",
            "arguments[0]:",
            "arguments[1]:",
            "allow[3]: it has no `path`",
        ],
    ),
];

#[track_caller]
fn assert_found(which: &[usize]) {
    let mut marks = std::collections::BTreeSet::new();
    let which: Vec<_> = which.iter().map(|n| MISTAKES[*n]).filter(|(mark, ..)| marks.insert(*mark)).collect();
    let line = |line: &str| {
        let mark = line.rsplit_once(" #").map_or("", |(_, mark)| mark);
        which.iter().find(|(at, ..)| *at == mark).map_or(line, |(_, instead, _)| *instead).to_owned() + "\n"
    };
    let text: String = GOOD.lines().map(line).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("longhaul.toml");
    std::fs::write(&path, &text).unwrap();
    let said = Config::load(args(&path, &[])).err().map(|e| e.to_string()).unwrap_or_default();
    for (mark, _, wanted) in &which {
        let number = 1 + GOOD.lines().position(|line| line.ends_with(&format!(" #{mark}"))).unwrap();
        let place = format!("longhaul.toml:{number}:");
        for part in *wanted {
            let found = said.lines().filter(|line| line.contains(&place) && line.contains(part)).count();
            assert_eq!(found, 1, "{part} in line {number} of\n{text}\n{said}");
        }
    }
    let blamed: usize = which.iter().map(|(.., wanted)| wanted.len()).sum();
    assert_eq!(said.lines().skip(1).count(), blamed, "{text}\n{said}");
}

#[test]
fn each_mistake_is_found_alone_and_beside_each_other() {
    for one in 0..MISTAKES.len() {
        assert_found(&[one]);
        (one + 1..MISTAKES.len()).for_each(|other| assert_found(&[one, other]));
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn as_many_mistakes_as_are_planted_are_found_in_one_run(
        which in proptest::collection::vec(0..MISTAKES.len(), 3..10)
    ) {
        assert_found(&which);
    }
}

/// Files that the configuration names are looked at in the same run as everything else.
#[test]
fn files_that_cannot_be_used_are_mistakes_of_the_lines_that_name_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("longhaul.toml");
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let empty = empty.display();
    let text = format!(
        "log_level = \"a=b=c\"\n[tls]\ncert = \"/nowhere/c\"\nkey = \"/nowhere/k\"\n[auth.oidc]\nissuer = \"https://x\"\n\
         audiences = [\"a\"]\nca_file = \"/nowhere/ca\"\n[actions.http]\nca_file = \"{empty}\"\nclient_cert = \"/nowhere/c\"\n\
         client_key = \"/nowhere/k\"\n"
    );
    std::fs::write(&path, &text).unwrap();
    let said = Config::load(args(&path, &[])).err().unwrap().to_string();
    for part in [
        ":1:1: error: log_level: ",
        ":3:1: error: tls.cert: /nowhere/c: ",
        ":4:1: error: tls.key: /nowhere/k: ",
        ":8:1: error: auth.oidc.ca_file: /nowhere/ca: ",
        ":10:1: error: actions.http.ca_file: ",
        ":11:1: error: actions.http.client_cert: ",
        ":12:1: error: actions.http.client_key: ",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    assert_eq!(said.lines().count(), 8, "{said}");
    // A running server looks at its certificate by itself.
    assert!(!Config::load_again(args(&path, &[])).err().unwrap().to_string().contains("tls."));
    let flags = args(&path, &["--tls-cert", "/c", "--tls-key", "/k"]);
    assert!(!Config::load(flags).err().unwrap().to_string().contains("tls."));
}
