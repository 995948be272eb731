//! Configuration file: its sections and keys, and the mistakes in them.

use std::fmt;
use std::path::{Path, PathBuf};

use longhaul_engine::HttpConfig;
use longhaul_model::Span;
use longhaul_server::{Listen, Proxies, Tls};
use longhaul_store::Node;
use longhaul_store::postgres::PostgresOptions;
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

#[cfg(test)]
use super::mistakes::Sound;
use super::mistakes::{Nonsense, Reading};
use super::traces::TracesSection;
use super::wire::Wire;
use super::{CONNECTIONS, auth, command};
use crate::cli::{LogFormat, McpMode, TlsMode, UnixMode};
use crate::log;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) data_dir: Option<PathBuf>,
    pub(super) key_file: Option<PathBuf>,
    #[serde(deserialize_with = "one_or_more")]
    pub(super) listen: Vec<Listen>,
    pub(super) unix_mode: Option<UnixMode>,
    pub(super) insecure_http: Option<bool>,
    #[serde(deserialize_with = "proxies")]
    pub(super) trusted_proxies: Proxies,
    pub(super) workflows: Option<PathBuf>,
    pub(super) demo: Option<bool>,
    pub(super) paused: Option<bool>,
    pub(super) mcp: Option<McpMode>,
    pub(super) log_format: Option<LogFormat>,
    pub(super) log_level: Option<String>,
    pub(super) database: Database,
    pub(super) tls: TlsSection,
    pub(super) auth: auth::AuthSection,
    pub(super) limits: auth::LimitsSection,
    pub(super) wire: Wire,
    pub(super) engine: Engine,
    pub(super) actions: Actions,
    pub(super) traces: TracesSection,
}

/// The section `[database]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Database {
    pub(super) url: Option<String>,
    pub(super) connections: Option<usize>,
    pub(super) allow_unsafe: Option<bool>,
}

impl Database {
    pub(super) fn resolve(self, flag: Option<String>, allow_unsafe: bool) -> Option<PostgresOptions> {
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

/// Section `[tls]`, with the flags of the same settings.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TlsSection {
    pub(super) mode: Option<TlsMode>,
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

impl TlsSection {
    pub(super) fn is_empty(&self) -> bool {
        self.mode.is_none() && self.cert.is_none() && self.key.is_none()
    }

    /// Applies the setting to a data directory; its reader has checked it.
    pub(super) fn resolve(self, data_dir: &Path) -> Tls {
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
pub(super) struct Engine {
    pub(super) cancel_grace: Option<Span>,
    pub(super) shutdown_grace: Option<Span>,
    pub(super) shutdown_delay: Option<Span>,
    pub(super) max_running: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Actions {
    pub(super) http: Http,
    pub(super) command: command::CommandSection,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Http {
    pub(super) allow: Vec<String>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) client_cert: Option<PathBuf>,
    pub(super) client_key: Option<PathBuf>,
}

impl Http {
    pub(super) fn resolve(self) -> HttpConfig {
        HttpConfig {
            allow: self.allow,
            ca_file: self.ca_file,
            client_certificate: self.client_cert.zip(self.client_key),
        }
    }
}

fn proxies<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Proxies, D::Error> {
    /// One of them: each has its own place in the file.
    struct Proxy(String);

    impl<'de> Deserialize<'de> for Proxy {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            Proxies::new([&text]).map_err(D::Error::custom)?;
            Ok(Proxy(text))
        }
    }

    let all = Vec::<Proxy>::deserialize(deserializer)?;
    Proxies::new(all.into_iter().map(|Proxy(text)| text)).map_err(D::Error::custom)
}

/// Reads one address to listen on, or a list of them.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Listen>, D::Error> {
    struct Places;

    /// One of a list: each has its own place in the file.
    struct Address(Listen);

    impl<'de> Deserialize<'de> for Address {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            String::deserialize(deserializer)?.parse().map(Address).map_err(D::Error::custom)
        }
    }

    impl<'de> Visitor<'de> for Places {
        type Value = Vec<Listen>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an address such as \"127.0.0.1:8080\", or a list of them")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<Listen>, E> {
            text.parse().map(|place| vec![place]).map_err(E::custom)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Vec<Listen>, A::Error> {
            let mut places = Vec::new();
            while let Some(Address(place)) = all.next_element()? {
                places.push(place);
            }
            Ok(places)
        }
    }

    deserializer.deserialize_any(Places)
}

/// Reads a file; the error has all its mistakes that show without a look at other files.
#[cfg(test)]
pub(super) fn parse(path: &Path, text: &str) -> anyhow::Result<File> {
    let sound = Sound::of(text);
    let mut reading = Reading::begin(path, text, &sound);
    let file = settings(&mut reading);
    reading.end()?;
    Ok(file)
}

/// Returns the settings of a file, without those that cannot be read, and notes all that are wrong.
pub(super) fn settings(reading: &mut Reading<'_>) -> File {
    let file: Option<File> = reading.settings();
    for wrong in file.iter().flat_map(File::nonsense) {
        reading.nonsense(&wrong);
    }
    file.unwrap_or_default()
}

impl File {
    /// Returns the settings that make no sense, and values that do.
    fn nonsense(&self) -> Vec<Nonsense> {
        let mut all: Vec<Nonsense> = Vec::new();
        let mut say = |is_wrong: bool, key: &str, remedy: &str| {
            all.extend(is_wrong.then(|| Nonsense::beside(key, remedy)));
        };
        let TlsSection { mode, cert, key } = &self.tls;
        let files = cert.is_some() || key.is_some();
        say(mode.is_some() && files, "tls.mode", "leave it out, as cert and key are given");
        let mode = mode.is_some();
        say(!mode && cert.is_some() && key.is_none(), "tls.cert", "give tls.key too, the file of its key");
        say(
            !mode && key.is_some() && cert.is_none(),
            "tls.key",
            "give tls.cert too, the file of its certificate",
        );
        let http = &self.actions.http;
        let (certificate, key) = (http.client_cert.is_some(), http.client_key.is_some());
        let remedy = "give client_key too, the file of its key";
        say(certificate && !key, "actions.http.client_cert", remedy);
        let remedy = "give client_cert too, the file of its certificate";
        say(key && !certificate, "actions.http.client_key", remedy);
        let mut say = |is_wrong: bool, key: &str, remedy: &str| {
            all.extend(is_wrong.then(|| Nonsense::of(key, remedy)));
        };
        let few = self.database.connections.is_some_and(|connections| !(3..=1000).contains(&connections));
        say(few, "database.connections", "write 3 to 1000");
        say(self.engine.max_running == Some(0), "engine.max_running", "write 1 or more");
        if let Some(Err(e)) = self.log_level.as_deref().map(log::filter) {
            say(true, "log_level", &e.to_string());
        }
        for (key, is_zero) in self.limits.zeros() {
            say(is_zero, &format!("limits.{key}"), "write 1 or more");
        }
        all.extend(self.auth.nonsense());
        all.extend(self.wire.nonsense());
        all.extend(self.traces.nonsense());
        all
    }
}
