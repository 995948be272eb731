//! Connection parameters: a URL, with missing parameters from the environment, the service file and the
//! password file, where every PostgreSQL client looks.
//!
//! Source: the chapters "Database Connection Control Functions", "Environment Variables", "The Password File"
//! and "The Connection Service File" of PostgreSQL's documentation of libpq.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::{Config, Error};

use super::CONNECT;
use super::tls::{Proof, Tls};
use crate::error::StoreError;

/// Silence after which the server of a connection counts as gone.
const SILENT: Duration = Duration::from_secs(10);
/// Port of a server that names none.
const PORT: u16 = 5432;

/// Parameters of a URL that the driver does not know: they are read here.
const OWN: [&str; 6] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "service", "passfile"];

/// Environment variables and home directory that parameters may come from.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    pub(super) variables: BTreeMap<String, String>,
    pub(super) home: Option<PathBuf>,
}

impl Surroundings {
    /// Returns the surroundings of this process. A variable that is not UTF-8 counts as not set.
    pub(super) fn of_process() -> Self {
        let text = |name: std::ffi::OsString, value: std::ffi::OsString| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| text(name, value))
            .filter(|(name, value)| name.starts_with("PG") && !value.is_empty())
            .collect();
        Surroundings { variables, home: std::env::home_dir() }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }
}

/// Parameters of a connection.
#[derive(Debug)]
pub(super) struct Parameters {
    /// Servers of the database.
    pub(super) servers: Vec<Config>,
    pub(super) tls: Tls,
}

fn wrong(why: &str) -> StoreError {
    StoreError::Open(why.to_owned())
}

impl Parameters {
    /// Reads a URL. Missing parameters are taken from the service that it names (`service`, else
    /// `PGSERVICE`), then from the environment (`PGPASSWORD`, `PGUSER`, `PGSSLMODE`, …); a password also from
    /// the password file. Err: the mistake, without a password.
    pub(super) fn read(url: &str, surroundings: &Surroundings) -> Result<Self, StoreError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(wrong("the database URL must begin with postgres://"));
        }
        let (url, mut own) = taken_apart(url)?;
        let service =
            match own.remove("service").or_else(|| surroundings.variable("PGSERVICE").map(str::to_owned)) {
                Some(name) => service(&name, surroundings)?,
                None => BTreeMap::new(),
            };
        let known = Known { own, service, surroundings };
        let (mode, proof) = known.ssl_mode()?;
        let tls = Tls {
            proof,
            roots: known
                .get("sslrootcert", "PGSSLROOTCERT")
                .filter(|name| name != "system")
                .map(PathBuf::from),
            own: known.client_certificate()?,
        };
        let parsed: Vec<Config> =
            each_server(&url).iter().map(|url| parsed(url)).collect::<Result<_, _>>()?;
        let mut servers = Vec::with_capacity(parsed.len());
        for config in parsed {
            for config in known.with_host(config)? {
                servers.push(known.completed(config, mode)?);
            }
        }
        Ok(Parameters { servers, tls })
    }
}

/// Parameters by their source, the strongest first.
struct Known<'a> {
    own: BTreeMap<String, String>,
    service: BTreeMap<String, String>,
    surroundings: &'a Surroundings,
}

impl Known<'_> {
    fn get(&self, name: &str, variable: &str) -> Option<String> {
        let given = self.own.get(name).or_else(|| self.service.get(name)).map(String::as_str);
        given.or_else(|| self.surroundings.variable(variable)).map(str::to_owned)
    }

    fn ssl_mode(&self) -> Result<(SslMode, Proof), StoreError> {
        // With an authority to trust, encryption alone would mislead. Stricter than libpq, which asks for no
        // name.
        let asked = match self.get("sslrootcert", "PGSSLROOTCERT") {
            Some(_) => Proof::Name,
            None => Proof::None,
        };
        match self.get("sslmode", "PGSSLMODE").as_deref() {
            Some("disable") => Ok((SslMode::Disable, Proof::None)),
            None | Some("prefer") => Ok((SslMode::Prefer, asked)),
            Some("require") => Ok((SslMode::Require, asked)),
            Some("verify-ca") => Ok((SslMode::Require, Proof::Authority)),
            Some("verify-full") => Ok((SslMode::Require, Proof::Name)),
            Some(other) => Err(wrong(&format!(
                "sslmode={other} is not known: write disable, prefer, require, verify-ca or verify-full"
            ))),
        }
    }

    fn client_certificate(&self) -> Result<Option<(PathBuf, PathBuf)>, StoreError> {
        match (self.get("sslcert", "PGSSLCERT"), self.get("sslkey", "PGSSLKEY")) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some((certificate.into(), key.into()))),
            (Some(_), None) => Err(wrong("sslcert needs sslkey, the file with the certificate's key")),
            (None, Some(_)) => Err(wrong("sslkey needs sslcert, the file with the key's certificate")),
        }
    }

    /// A configuration for each host, where the URL names none.
    fn with_host(&self, config: Config) -> Result<Vec<Config>, StoreError> {
        if !config.get_hosts().is_empty() {
            return Ok(vec![config]);
        }
        let hosts = self.get("host", "PGHOST").ok_or_else(|| {
            wrong("the database URL names no host: write postgres://user@host/database, or name a service")
        })?;
        let ports = self.get("port", "PGPORT").unwrap_or_else(|| PORT.to_string());
        let ports: Vec<&str> = ports.split(',').collect();
        let one = |(n, host): (usize, &str)| {
            let port = ports.get(n).or(ports.last()).copied().unwrap_or_default();
            let port: u16 = port
                .parse()
                .map_err(|_| wrong(&format!("the port {port:?} of the database is no number")))?;
            let mut config = config.clone();
            config.host(host).port(port);
            Ok(config)
        };
        hosts.split(',').enumerate().map(one).collect()
    }

    /// Completes a configuration with defaults, and with the settings that all connections have.
    fn completed(&self, mut config: Config, mode: SslMode) -> Result<Config, StoreError> {
        if config.get_user().is_none()
            && let Some(user) = self.get("user", "PGUSER")
        {
            config.user(&user);
        }
        if config.get_dbname().is_none() {
            let name = self.get("dbname", "PGDATABASE");
            config.dbname(name.ok_or_else(|| {
                wrong("the database URL names no database: write postgres://user@host/database")
            })?);
        }
        if config.get_password().is_none()
            && let Some(password) = self.password(&config)?
        {
            config.password(password);
        }
        if config.get_application_name().is_none() {
            let name = self.get("application_name", "PGAPPNAME");
            config.application_name(name.as_deref().unwrap_or("longhaul"));
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        config.ssl_mode(mode);
        // The first statements of a connection find a standby out, see `pinned`: a role may be read-only by
        // default.
        config.target_session_attrs(TargetSessionAttrs::Any);
        config.tcp_user_timeout(SILENT).keepalives_idle(SILENT).keepalives_retries(3);
        config.keepalives_interval(SILENT / 3);
        Ok(config)
    }

    fn password(&self, config: &Config) -> Result<Option<String>, StoreError> {
        if let Some(password) = self.get("password", "PGPASSWORD") {
            return Ok(Some(password));
        }
        let named = self.get("passfile", "PGPASSFILE").map(PathBuf::from);
        let Some(file) = named.or_else(|| self.surroundings.home.as_ref().map(|home| home.join(".pgpass")))
        else {
            return Ok(None);
        };
        let Some(text) = readable_by_owner_only(&file)? else { return Ok(None) };
        let host = match config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(_)) | None => "localhost".to_owned(),
        };
        let port = config.get_ports().first().copied().unwrap_or(PORT).to_string();
        let (database, user) =
            (config.get_dbname().unwrap_or_default(), config.get_user().unwrap_or_default());
        Ok(text.lines().find_map(|line| password_of(line, [&host, &port, database, user])))
    }
}

/// Returns the text of a password file; `None` if it does not exist, or if others may read it, which is
/// logged.
fn readable_by_owner_only(file: &Path) -> Result<Option<String>, StoreError> {
    let Ok(about) = std::fs::metadata(file) else { return Ok(None) };
    if !about.is_file() {
        return Ok(None);
    }
    if about.permissions().mode() & 0o077 != 0 {
        let file = file.display();
        tracing::warn!("the password file {file} is not used, as others may read it: chmod 0600 {file}");
        return Ok(None);
    }
    let read =
        |e: std::io::Error| wrong(&format!("the password file {} cannot be read: {e}", file.display()));
    std::fs::read_to_string(file).map(Some).map_err(read)
}

/// Returns the password of a line `host:port:database:user:password`, if the line is about these values. `*`
/// matches any; a backslash escapes the character behind it.
fn password_of(line: &str, about: [&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let (mut fields, mut escaped) = (vec![String::new()], false);
    for character in line.chars() {
        match character {
            '\\' if !escaped => escaped = true,
            ':' if !escaped && fields.len() < 5 => fields.push(String::new()),
            _ => {
                escaped = false;
                fields.last_mut()?.push(character);
            }
        }
    }
    let password = if fields.len() == 5 { fields.pop()? } else { return None };
    let fits = fields.iter().zip(about).all(|(field, value)| field == "*" || field == value);
    fits.then_some(password)
}

/// Returns the parameters of a service, from `PGSERVICEFILE`, `~/.pg_service.conf` or `pg_service.conf` in
/// `PGSYSCONFDIR`.
fn service(name: &str, surroundings: &Surroundings) -> Result<BTreeMap<String, String>, StoreError> {
    let own = match surroundings.variable("PGSERVICEFILE") {
        Some(file) => Some(PathBuf::from(file)),
        None => surroundings.home.as_ref().map(|home| home.join(".pg_service.conf")),
    };
    let system =
        surroundings.variable("PGSYSCONFDIR").map(|folder| Path::new(folder).join("pg_service.conf"));
    for file in own.into_iter().chain(system) {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        if let Some(found) = section(&text, name) {
            return Ok(found);
        }
    }
    Err(wrong(&format!("the service {name:?} is in no service file (PGSERVICEFILE, ~/.pg_service.conf)")))
}

/// The parameters of a section of a service file.
fn section(text: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| {
        line.strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .is_none_or(|found| found.trim() != name)
    });
    lines.next()?;
    let parameters = lines
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    Some(parameters.collect())
}

/// Splits a URL into the part for the driver, and the parameters that are read here.
fn taken_apart(url: &str) -> Result<(String, BTreeMap<String, String>), StoreError> {
    let Some((place, query)) = url.split_once('?') else { return Ok((url.to_owned(), BTreeMap::new())) };
    let (mut own, mut rest) = (BTreeMap::new(), Vec::new());
    for part in query.split('&').filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some((name, value)) if OWN.contains(&name) => {
                let value = percent_decode_str(value).decode_utf8();
                let value = value.map_err(|_| wrong(&format!("{name} in the database URL is not UTF-8")))?;
                own.insert(name.to_owned(), value.into_owned());
            }
            _ => rest.push(part),
        }
    }
    let query = if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) };
    Ok((format!("{place}{query}"), own))
}

/// Splits a URL into one for each server: `postgres://user@a:1,b:2/tasks` is two.
fn each_server(url: &str) -> Vec<String> {
    let begin = url.find("://").map_or(0, |at| at + 3);
    let end = url[begin..].find(['/', '?']).map_or(url.len(), |at| begin + at);
    let hosts = url[begin..end].rfind('@').map_or(begin, |at| begin + at + 1);
    url[hosts..end].split(',').map(|host| format!("{}{host}{}", &url[..hosts], &url[end..])).collect()
}

fn parsed(url: &str) -> Result<Config, StoreError> {
    url.parse().map_err(|e: Error| {
        // The error itself says only that there is one.
        let why = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
        wrong(&format!("the database URL cannot be read: {why}: write postgres://user@host/database"))
    })
}

#[cfg(test)]
#[path = "parameters_test.rs"]
mod tests;
