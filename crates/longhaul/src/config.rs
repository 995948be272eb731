//! Settings of `serve`: flags, environment, configuration file and defaults, in that order. A mistake in the
//! file is shown at its place, with the key that it is about.

mod auth;
mod command;
mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use longhaul_auth::AuthConfig;
use longhaul_engine::{CommandConfig, EngineConfig, HttpConfig};
use longhaul_model::Span;
use longhaul_model::text::without_value;
use longhaul_server::{Limits, Proxies, Tls};
use longhaul_store::Node;
use longhaul_store::postgres::PostgresOptions;
use serde::Deserialize;

use crate::cli::{LogFormat, ServeArgs, TlsMode};
use crate::file::{Finding, Place};
use crate::out::style::Palette;
use wire::Wire;

/// How long what runs may take to end when the server stops.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(30);
/// How long a node that stops answers on, until a balancer has noticed.
const SHUTDOWN_DELAY: Duration = Duration::from_secs(3);
/// The same in a demonstration.
const DEMO_GRACE: Duration = Duration::from_secs(1);

/// Connections of a node to its database.
const CONNECTIONS: usize = 16;

/// Everything that can be set.
pub(crate) struct Config {
    /// Where tasks are kept.
    pub(crate) data_dir: PathBuf,
    /// The database that several nodes share; `None` keeps tasks in the data directory.
    pub(crate) database: Option<PostgresOptions>,
    /// The address to listen on.
    pub(crate) listen: SocketAddr,
    /// How connections are protected.
    pub(crate) tls: Tls,
    /// Whether other machines may come without TLS.
    pub(crate) insecure_http: bool,
    /// Balancers that are believed where requests come from.
    pub(crate) trusted_proxies: Proxies,
    /// Where the keys are.
    pub(crate) key_file: PathBuf,
    /// Who may come in.
    pub(crate) auth: AuthConfig,
    /// What each may ask for.
    pub(crate) limits: Limits,
    /// A folder of workflow files.
    pub(crate) workflows: Option<PathBuf>,
    /// The data is at home where it is, though it was elsewhere.
    pub(crate) moved: bool,
    /// Keys without a database begin a new one.
    pub(crate) new_store: bool,
    /// Whether to show what there is.
    pub(crate) demo: bool,
    /// Neither a configuration file nor a database was given: somebody tries it out.
    pub(crate) is_plain: bool,
    /// How the log is written.
    pub(crate) log_format: LogFormat,
    /// What is logged.
    pub(crate) log_level: String,
    /// How the API speaks.
    pub(crate) wire: Wire,
    /// How tasks run.
    pub(crate) engine: EngineConfig,
    /// How long what runs may take to end when the server stops.
    pub(crate) shutdown_grace: Duration,
    /// How long a node of a database that stops answers on at least.
    pub(crate) shutdown_delay: Duration,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    data_dir: Option<PathBuf>,
    key_file: Option<PathBuf>,
    listen: Option<SocketAddr>,
    insecure_http: Option<bool>,
    #[serde(deserialize_with = "proxies")]
    trusted_proxies: Proxies,
    workflows: Option<PathBuf>,
    demo: Option<bool>,
    paused: Option<bool>,
    log_format: Option<LogFormat>,
    log_level: Option<String>,
    database: Database,
    tls: TlsSection,
    auth: auth::AuthSection,
    limits: auth::LimitsSection,
    wire: Wire,
    engine: Engine,
    actions: Actions,
}

/// The section `[database]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Database {
    url: Option<String>,
    connections: Option<usize>,
    allow_unsafe: Option<bool>,
}

impl Database {
    fn resolve(self, flag: Option<String>, allow_unsafe: bool) -> Option<PostgresOptions> {
        let connections = self.connections.unwrap_or(CONNECTIONS);
        let allow_unsafe = allow_unsafe || self.allow_unsafe.unwrap_or_default();
        flag.or(self.url).map(|url| PostgresOptions {
            url,
            connections,
            keys: None,
            node: Node::default(),
            allow_unsafe,
            before: None,
        })
    }
}

/// The section `[tls]`, and what the flags say of the same.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TlsSection {
    mode: Option<TlsMode>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl TlsSection {
    fn is_empty(&self) -> bool {
        self.mode.is_none() && self.cert.is_none() && self.key.is_none()
    }

    /// What it means on a data directory; whoever read it saw to it that it makes sense.
    fn resolve(self, data_dir: &Path) -> Tls {
        match self {
            TlsSection { cert: Some(cert), key: Some(key), .. } => Tls::Files { cert, key },
            TlsSection { mode: Some(TlsMode::SelfSigned), .. } => {
                Tls::SelfSigned { directory: data_dir.join("tls") }
            }
            TlsSection { .. } => Tls::Off,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Engine {
    cancel_grace: Option<Span>,
    shutdown_grace: Option<Span>,
    shutdown_delay: Option<Span>,
    max_running: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Actions {
    http: Http,
    command: command::CommandSection,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Http {
    allow: Vec<String>,
    ca_file: Option<PathBuf>,
    client_cert: Option<PathBuf>,
    client_key: Option<PathBuf>,
}

impl Http {
    fn resolve(self) -> HttpConfig {
        HttpConfig {
            allow: self.allow,
            ca_file: self.ca_file,
            client_certificate: self.client_cert.zip(self.client_key),
        }
    }
}

impl Config {
    /// Flags and environment (the flags know both) over the file over the defaults.
    pub(crate) fn load(args: ServeArgs) -> anyhow::Result<Config> {
        let file = match &args.config {
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
                parse(path, &text)?
            }
            None => File::default(),
        };
        let defaults = EngineConfig::default();
        let demo = args.demo.or(file.demo).unwrap_or_default();
        let database = file.database.resolve(args.database_url, args.allow_unsafe_database);
        if demo && database.is_some() {
            return Err(anyhow!(
                "a demonstration keeps its tasks on this machine: leave out the database's URL, or --demo"
            ));
        }
        let paused = args.paused.or(file.paused).unwrap_or_default();
        if demo && paused {
            return Err(anyhow!(
                "a demonstration starts tasks, and a paused server starts none: leave out --demo or --paused"
            ));
        }
        let is_plain = args.config.is_none() && database.is_none();
        // What a demonstration runs is not worth waiting for, and its log not worth reading.
        let (level, grace) = if demo { ("warn", DEMO_GRACE) } else { ("info", SHUTDOWN_GRACE) };
        let data_dir = args.data_dir.or(file.data_dir).unwrap_or_else(|| "./longhaul-data".into());
        // As a whole: a mode here and files there would be a riddle.
        let flags = TlsSection { mode: args.tls, cert: args.tls_cert, key: args.tls_key };
        let tls = if flags.is_empty() { file.tls } else { flags };
        Ok(Config {
            tls: tls.resolve(&data_dir),
            key_file: args.key_file.or(file.key_file).unwrap_or_else(|| data_dir.join("keys.json")),
            auth: file.auth.resolve(crate::environment("LONGHAUL_ADMIN_PASSWORD")),
            data_dir,
            database,
            trusted_proxies: file.trusted_proxies,
            insecure_http: args.insecure_http.or(file.insecure_http).unwrap_or_default(),
            listen: args.listen.or(file.listen).unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 8080).into()),
            workflows: args.workflows.or(file.workflows),
            moved: args.moved,
            new_store: args.new_store,
            demo,
            is_plain,
            log_format: args.log_format.or(file.log_format).unwrap_or_default(),
            log_level: args.log_level.or(file.log_level).unwrap_or_else(|| level.to_owned()),
            wire: file.wire,
            engine: EngineConfig {
                cancel_grace: file.engine.cancel_grace.unwrap_or(defaults.cancel_grace),
                paused,
                workers: file.limits.workers(),
                max_running: file.engine.max_running.unwrap_or(defaults.max_running),
                http: file.actions.http.resolve(),
                command: CommandConfig { allow: file.actions.command.resolve(), ..defaults.command },
            },
            limits: file.limits.resolve(),
            shutdown_grace: file.engine.shutdown_grace.map_or(grace, |span| Duration::from_millis(span.0)),
            shutdown_delay: file
                .engine
                .shutdown_delay
                .map_or(SHUTDOWN_DELAY, |span| Duration::from_millis(span.0)),
        })
    }
}

fn proxies<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Proxies, D::Error> {
    Proxies::new(Vec::<String>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn parse(path: &Path, text: &str) -> anyhow::Result<File> {
    let wrong = |key: &str, message: &str, span: Option<Range<usize>>| {
        let message = if key.is_empty() || key == "." {
            without_value(message)
        } else {
            format!("{key}: {}", without_value(message))
        };
        let finding = Finding::error(place(text, span.unwrap_or_default()), message, None);
        anyhow!(
            "the configuration file is wrong\n{}",
            // Without the line itself: it may hold a password, and this goes to the log.
            finding.render(&path.display().to_string(), "", Palette::plain()).trim_end()
        )
    };
    let document = toml::Deserializer::parse(text).map_err(|e| wrong("", e.message(), e.span()))?;
    let file: File = serde_path_to_error::deserialize(document).map_err(|e| {
        let key = e.path().to_string();
        wrong(&key, e.inner().message(), e.inner().span())
    })?;
    let nonsense = |section, key, remedy| value_error(path, text, section, key, remedy);
    let TlsSection { mode, cert, key } = &file.tls;
    match (mode, cert, key) {
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
            return Err(nonsense("tls", "mode", "leave it out, as cert and key are given"));
        }
        (None, Some(_), None) => {
            return Err(nonsense("tls", "cert", "give tls.key too, the file of its key"));
        }
        (None, None, Some(_)) => {
            return Err(nonsense("tls", "key", "give tls.cert too, the file of its certificate"));
        }
        (Some(_), None, None) | (None, None, None) | (None, Some(_), Some(_)) => {}
    }
    if let Some((section, key, remedy)) = file.wire.nonsense() {
        return Err(nonsense(section, key, remedy));
    }
    for (key, is_zero) in file.limits.zeros() {
        if is_zero {
            return Err(nonsense("limits", key, "write 1 or more"));
        }
    }
    if file.database.connections.is_some_and(|connections| !(3..=1000).contains(&connections)) {
        return Err(nonsense("database", "connections", "write 3 to 1000"));
    }
    match (&file.actions.http.client_cert, &file.actions.http.client_key) {
        (Some(_), None) => {
            return Err(nonsense("actions.http", "client_cert", "give client_key too, the file of its key"));
        }
        (None, Some(_)) => {
            return Err(nonsense(
                "actions.http",
                "client_key",
                "give client_cert too, the file of its certificate",
            ));
        }
        _ => {}
    }
    if file.engine.max_running == Some(0) {
        return Err(nonsense("engine", "max_running", "write 1 or more"));
    }
    Ok(file)
}

/// A value of the right type that makes no sense, shown at its key.
fn value_error(path: &Path, text: &str, section: &str, key: &str, remedy: &str) -> anyhow::Error {
    let start = key_start(text, section, key).unwrap_or_default();
    let named = if key.is_empty() { section.to_owned() } else { format!("{section}.{key}") };
    let message = format!("{named}: {remedy}");
    let finding = Finding::error(place(text, start..start + key.len()), message, None);
    anyhow!(
        "the configuration file is wrong\n{}",
        finding.render(&path.display().to_string(), "", Palette::plain()).trim_end()
    )
}

/// Where a section has a key: at the beginning of a line, as a value may hold the same word.
fn key_start(text: &str, section: &str, key: &str) -> Option<usize> {
    let mut start = text.find(&format!("[{section}]"))?;
    for line in text[start..].split_inclusive('\n') {
        let bare = line.trim_start();
        if bare.starts_with(key) {
            return Some(start + line.len() - bare.len());
        }
        start += line.len();
    }
    None
}

/// A range of bytes as a place.
fn place(text: &str, span: Range<usize>) -> Place {
    let before = text.get(..span.start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Place {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        length: text.get(span).map_or(1, |part| part.chars().count()),
    }
}

#[cfg(test)]
mod tests {
    use longhaul_model::StatusStyle;
    use wire::ActionBody;

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
            ("status_style = \"constant\"", "wire.clients: say who it is"),
            ("account = \"vv\"", "wire.clients: say what is different"),
            ("account = \"vv\"\nlogin_status = 204", "longhaul.toml:3:1: error: wire.clients.login_status"),
            (
                "user_agent = \"\"\nlogin_status = 200",
                "wire.clients[0].user_agent: write a pattern of 1 to 200",
            ),
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
}
