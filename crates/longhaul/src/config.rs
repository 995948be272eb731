//! Settings of `serve`: flags, environment, configuration file and defaults, in that order. Mistakes in the
//! file are shown at their places, with the keys that they are about.

mod auth;
mod command;
mod file;
mod fixed;
mod mistakes;
#[cfg(test)]
mod tests;
mod traces;
mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use file::{File, TlsSection};
pub(crate) use fixed::Fixed;
use longhaul_auth::{AuthConfig, HttpFetch};
use longhaul_engine::{CommandConfig, EngineConfig};
use longhaul_server::{Limits, Listen, Proxies, Tls};
use longhaul_store::Location;
use longhaul_store::postgres::PostgresOptions;
use mistakes::{Nonsense, Reading, Sound, not_utf8};
use wire::Wire;

use crate::cli::{LogFormat, McpMode, ServeArgs};
use crate::{environment, log};

/// Longest time that work has to end when the server stops.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(30);
/// Time for which a node that stops still answers, until a balancer has noticed.
const SHUTDOWN_DELAY: Duration = Duration::from_secs(3);
/// Longest time that work has to end when a demonstration stops.
const DEMO_GRACE: Duration = Duration::from_secs(1);

/// Number of connections of a node to its database.
const CONNECTIONS: usize = 16;

/// All settings of a server.
pub(crate) struct Config {
    /// Directory of the stored tasks.
    pub(crate) data_dir: PathBuf,
    /// Database that several nodes share; `None` keeps tasks in the data directory.
    pub(crate) database: Option<PostgresOptions>,
    /// The addresses to listen on.
    pub(crate) listen: Vec<Listen>,
    /// Permissions of sockets at a path.
    pub(crate) unix_mode: u32,
    /// Protection of connections.
    pub(crate) tls: Tls,
    /// True if other machines may connect without TLS.
    pub(crate) insecure_http: bool,
    /// Proxies that are trusted to name the address of their client.
    pub(crate) trusted_proxies: Proxies,
    /// File of the keys.
    pub(crate) key_file: PathBuf,
    /// Settings of logins and tokens.
    pub(crate) auth: AuthConfig,
    /// Limits of callers and connections.
    pub(crate) limits: Limits,
    /// A folder of workflow files.
    pub(crate) workflows: Option<PathBuf>,
    /// True if the data belongs here, though it was elsewhere before.
    pub(crate) moved: bool,
    /// True if the data is a copy whose original lives on.
    pub(crate) copy: bool,
    /// True if keys without a database may begin a new one.
    pub(crate) new_store: bool,
    /// True for a demonstration, which starts with example tasks.
    pub(crate) demo: bool,
    /// True if neither a configuration file nor a database was given: somebody tries the server out.
    pub(crate) is_plain: bool,
    /// Tools that agents find at `/mcp`.
    pub(crate) mcp: McpMode,
    /// Format of the log.
    pub(crate) log_format: LogFormat,
    /// Filter of the log.
    pub(crate) log_level: String,
    /// Settings of the wire format.
    pub(crate) wire: Wire,
    /// Settings of the engine.
    pub(crate) engine: EngineConfig,
    /// Longest time that work has to end when the server stops.
    pub(crate) shutdown_grace: Duration,
    /// Shortest time for which a node of a database still answers when it stops.
    pub(crate) shutdown_delay: Duration,
}

impl Config {
    /// Loads the settings: flags and environment (the flags know both) over the file over the defaults.
    pub(crate) fn load(args: ServeArgs) -> anyhow::Result<Config> {
        Config::checked(args, Files::All)
    }

    /// Loads the settings of a running server again, whose certificate is looked at by itself: a broken one
    /// keeps no other setting from being read.
    pub(crate) fn load_again(args: ServeArgs) -> anyhow::Result<Config> {
        Config::checked(args, Files::ButCertificates)
    }

    /// Loads the settings without a look at the files that they name.
    #[cfg(test)]
    pub(crate) fn unchecked(args: ServeArgs) -> anyhow::Result<Config> {
        Config::checked(args, Files::None)
    }

    fn checked(args: ServeArgs, files: Files) -> anyhow::Result<Config> {
        let text = args.config.as_deref().map(read).transpose()?.unwrap_or_default();
        let path = args.config.clone().unwrap_or_default();
        let sound = Sound::of(&text);
        let mut reading = Reading::begin(&path, &text, &sound);
        let file = file::settings(&mut reading);
        let of_file = Named::by(&file);
        let config = Config::resolved(args, file);
        let mistakes = config.iter().flat_map(|config| of_file.mistakes(config, files));
        mistakes.for_each(|wrong| reading.nonsense(&wrong));
        reading.end()?;
        config
    }

    /// Applies flags and defaults to the settings of the file.
    fn resolved(args: ServeArgs, file: File) -> anyhow::Result<Config> {
        if let Some(Err(e)) = args.log_level.as_deref().map(log::filter) {
            return Err(anyhow!("{}: {e}", environment::source("--log-level", "LONGHAUL_LOG")));
        }
        if let Some(Err(remedy)) = args.traces_endpoint.as_deref().map(traces::is_endpoint) {
            let source = environment::source("--traces-endpoint", "LONGHAUL_TRACES_ENDPOINT");
            return Err(anyhow!("{source}: {remedy}"));
        }
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
        // The tasks of a demonstration are not worth waiting for, and its log not worth reading.
        let (level, grace) = if demo { ("warn", DEMO_GRACE) } else { ("info", SHUTDOWN_GRACE) };
        let data_dir = args.data_dir.or(file.data_dir).unwrap_or_else(|| "./longhaul-data".into());
        // The section is replaced as a whole: a mode here and files there would be a riddle.
        let flags = TlsSection { mode: args.tls, cert: args.tls_cert, key: args.tls_key };
        let tls = if flags.is_empty() { file.tls } else { flags };
        let mut listen = if args.listen.is_empty() { file.listen } else { args.listen };
        if listen.is_empty() {
            listen.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)).into());
        }
        let config = Config {
            tls: tls.resolve(&data_dir),
            key_file: args.key_file.or(file.key_file).unwrap_or_else(|| data_dir.join("keys.json")),
            auth: file.auth.resolve(environment::text("LONGHAUL_ADMIN_PASSWORD")),
            data_dir,
            database,
            trusted_proxies: file.trusted_proxies,
            insecure_http: args.insecure_http.or(file.insecure_http).unwrap_or_default(),
            listen,
            unix_mode: args.unix_mode.or(file.unix_mode).map_or(0o660, |mode| mode.0),
            workflows: args.workflows.or(file.workflows),
            moved: args.moved,
            copy: args.copy,
            new_store: args.new_store,
            demo,
            is_plain,
            mcp: args.mcp.or(file.mcp).unwrap_or_default(),
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
                traces: file.traces.resolve(args.traces_endpoint),
            },
            limits: file.limits.resolve(),
            shutdown_grace: file.engine.shutdown_grace.map_or(grace, |span| Duration::from_millis(span.0)),
            shutdown_delay: file
                .engine
                .shutdown_delay
                .map_or(SHUTDOWN_DELAY, |span| Duration::from_millis(span.0)),
        };
        Ok(config)
    }
}

/// Files, named by the settings, that are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Files {
    #[cfg(test)]
    None,
    ButCertificates,
    All,
}

/// Settings of the file whose values are checked once flags and defaults are applied: a flag in their place
/// is no mistake of the file.
struct Named {
    database: Option<String>,
    tls: Option<Tls>,
    issuer_authorities: Option<PathBuf>,
}

impl Named {
    fn by(file: &File) -> Named {
        let tls = file.tls.cert.clone().zip(file.tls.key.clone());
        Named {
            database: file.database.url.clone(),
            tls: tls.map(|(cert, key)| Tls::Files { cert, key }),
            issuer_authorities: file.auth.issuer_authorities().cloned(),
        }
    }

    /// Returns what is wrong with the values.
    fn mistakes(&self, config: &Config, files: Files) -> Vec<Nonsense> {
        let mut all = Vec::new();
        let is_used = |url: &String| config.database.as_ref().is_some_and(|database| database.url == *url);
        if let Some(url) = self.database.as_ref().filter(|url| is_used(url))
            && !matches!(url.parse(), Ok(Location::Database(_)))
        {
            all.push(Nonsense::of("database.url", "write postgres://user:password@host/database"));
        }
        #[cfg(test)]
        if files == Files::None {
            return all;
        }
        let of_engine = config.engine.mistakes().into_iter();
        all.extend(of_engine.map(|(key, message)| Nonsense::each(key, message)));
        let certificates = self.tls.iter().filter(|tls| files == Files::All && config.tls == **tls);
        all.extend(
            certificates
                .flat_map(Tls::mistakes)
                .map(|(setting, e)| Nonsense::of(format!("tls.{setting}"), e.to_string())),
        );
        if let Some(path) = self.issuer_authorities.as_ref().filter(|_| files == Files::All) {
            let reason = match std::fs::read(path) {
                Ok(pem) => HttpFetch::new(Some(&pem)).err().map(|e| e.to_string()),
                Err(e) => Some(e.to_string()),
            };
            let shown = |reason| format!("{}: {reason}", path.display());
            all.extend(reason.map(|reason| Nonsense::of("auth.oidc.ca_file", shown(reason))));
        }
        all
    }
}

/// Reads the configuration file.
fn read(path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    String::from_utf8(bytes).map_err(|e| {
        let valid = e.utf8_error().valid_up_to();
        let bytes = e.into_bytes();
        let before = bytes.get(..valid).unwrap_or_default();
        not_utf8(path, &String::from_utf8_lossy(before))
    })
}
