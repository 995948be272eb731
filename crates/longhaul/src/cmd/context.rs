//! `context …`: names servers, and selects the one that commands speak to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::kept::Sessions;
use super::private;
use crate::cli::{ContextCommand, Global};
use crate::exit::{Code, Failure};
use crate::out::Out;
use crate::out::table::Table;

/// The server of a context.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Place {
    /// Address of the server.
    pub(crate) server: String,
    /// Certificate that vouches for the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// True if the server is trusted whatever its certificate.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) insecure: bool,
}

/// Stored contexts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Stored {
    /// Name of the context in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// Contexts by name.
    pub(crate) contexts: BTreeMap<String, Place>,
}

impl Stored {
    /// Returns the error message about a context that does not exist.
    pub(crate) fn unknown(&self, name: &str) -> String {
        let known: Vec<&str> = self.contexts.keys().map(String::as_str).collect();
        match known.as_slice() {
            [] => format!(
                "there is no context `{name}`: make it with `longhaul context set {name} --server URL`"
            ),
            _ => format!("there is no context `{name}`, only {}", known.join(", ")),
        }
    }
}

/// The file of contexts.
pub(crate) struct Contexts {
    path: PathBuf,
}

impl Contexts {
    /// Returns the file of the current user.
    pub(crate) fn of_user() -> anyhow::Result<Self> {
        Ok(Contexts { path: private::place("contexts.json")? })
    }

    /// Reads all contexts.
    pub(crate) fn read(&self) -> anyhow::Result<Stored> {
        private::read(&self.path, "correct it, or delete it and set the contexts anew")
    }

    fn write(&self, stored: &Stored) -> anyhow::Result<()> {
        private::write(&self.path, &serde_json::to_vec_pretty(stored)?)
    }
}

/// Runs a `context` command.
pub(crate) fn run(command: ContextCommand, global: &Global, out: &Out) -> Result<Code, Failure> {
    let file = Contexts::of_user()?;
    let stored = file.read()?;
    match command {
        ContextCommand::List => list(&stored, out),
        ContextCommand::Use { name } => select(&file, stored, name, out),
        ContextCommand::Set { name } => set(&file, stored, name, global, out),
        ContextCommand::Remove { name } => remove(&file, stored, &name, out),
    }
}

fn list(stored: &Stored, out: &Out) -> Result<Code, Failure> {
    let current = |name: &str| stored.current.as_deref() == Some(name);
    let all = stored.contexts.iter().map(|(name, place)| {
        json!({ "name": name, "server": place.server, "ca": place.ca, "insecure": place.insecure,
                "current": current(name) })
    });
    if out.verbatim(&all.collect())? {
        return Ok(Code::Success);
    }
    if stored.contexts.is_empty() {
        out.remark("no contexts; make one with `longhaul context set NAME --server URL`")?;
        return Ok(Code::Success);
    }
    let sessions = Sessions::of_user()?;
    let mut table = Table::new(&["IN USE", "NAME", "SERVER", "LOGGED IN AS"]);
    for (name, place) in &stored.contexts {
        let user = sessions.user_of(name)?.unwrap_or_else(|| "-".to_owned());
        let mark = if current(name) { "*" } else { "" };
        table.row(vec![mark.to_owned(), name.clone(), place.server.clone(), user]);
    }
    out.text(&table.render(out.palette, out.width()))?;
    Ok(Code::Success)
}

fn select(file: &Contexts, mut stored: Stored, name: String, out: &Out) -> Result<Code, Failure> {
    let Some(place) = stored.contexts.get(&name) else { return Err(Failure::Usage(stored.unknown(&name))) };
    let said = format!("commands speak to {}, as context {name}", place.server);
    stored.current = Some(name);
    file.write(&stored)?;
    out.remark(&said)?;
    Ok(Code::Success)
}

fn set(
    file: &Contexts,
    mut stored: Stored,
    name: String,
    global: &Global,
    out: &Out,
) -> Result<Code, Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        let text = "the name of a context has 1 to 64 letters, digits, `.`, `_` or `-`";
        return Err(Failure::Usage(text.to_owned()));
    }
    let mut place = stored.contexts.get(&name).cloned().unwrap_or_default();
    if let Some(server) = &global.server {
        place.server = longhaul_client::Client::new(server)?.server().to_owned();
    }
    if place.server.is_empty() {
        return Err(Failure::Usage(format!("say which server: longhaul context set {name} --server URL")));
    }
    if let Some(ca) = &global.ca {
        // Later commands may run in another directory.
        (place.ca, place.insecure) = (Some(std::path::absolute(ca)?), false);
    }
    if global.insecure {
        (place.ca, place.insecure) = (None, true);
    }
    let first = stored.current.is_none();
    stored.contexts.insert(name.clone(), place.clone());
    stored.current.get_or_insert(name.clone());
    file.write(&stored)?;
    let used = match (first, stored.current.as_deref() == Some(name.as_str())) {
        (true, _) => "; commands speak to it from now on".to_owned(),
        (false, true) => String::new(),
        (false, false) => format!("; `longhaul context use {name}` has commands speak to it"),
    };
    out.remark(&format!("context {name}: {}{used}", place.server))?;
    Ok(Code::Success)
}

fn remove(file: &Contexts, mut stored: Stored, name: &str, out: &Out) -> Result<Code, Failure> {
    if stored.contexts.remove(name).is_none() {
        return Err(Failure::Usage(stored.unknown(name)));
    }
    let was_used = stored.current.as_deref() == Some(name);
    stored.current = stored.current.filter(|current| current != name);
    file.write(&stored)?;
    Sessions::of_user()?.forget_context(name)?;
    let used = if was_used { "; no context is in use now" } else { "" };
    out.remark(&format!("context {name}: removed, with its session{used}"))?;
    Ok(Code::Success)
}
