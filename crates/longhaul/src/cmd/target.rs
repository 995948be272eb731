//! Selection of the server that a command speaks to: by an address, or by a context.

use std::path::PathBuf;

use longhaul_client::Client;

use super::context::{Contexts, Place};
use crate::cli::Global;
use crate::exit::Failure;

/// Address of the server if neither an address nor a context is given.
const DEFAULT: &str = "http://127.0.0.1:8080";

/// Server, with the means to trust it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Address of the server.
    pub(crate) server: String,
    /// Certificate that vouches for the server.
    pub(crate) ca: Option<PathBuf>,
    /// True if the server is trusted whatever its certificate.
    pub(crate) insecure: bool,
    /// Context that names the server.
    pub(crate) context: Option<String>,
}

impl Target {
    /// Selects the server by the options, else by the environment, else by the context in use.
    pub(crate) fn of(global: &Global) -> Result<Target, Failure> {
        let stored = || Contexts::of_user().ok().map(|file| file.read()).transpose();
        let (server, context) = ("LONGHAUL_SERVER", "LONGHAUL_CONTEXT");
        // Options go before both.
        if global.server.is_some() || global.context.is_some() {
            return Target::choose(global, None, None, stored);
        }
        let variable = crate::environment::text;
        Target::choose(global, given(server, variable(server))?, given(context, variable(context))?, stored)
    }

    fn choose(
        global: &Global,
        server: Option<String>,
        context: Option<String>,
        stored: impl FnOnce() -> anyhow::Result<Option<super::context::Stored>>,
    ) -> Result<Target, Failure> {
        let (server, context) = match (&global.server, &global.context) {
            // The parser accepts only one of them.
            (Some(server), _) => (Some(server.clone()), None),
            (None, Some(context)) => (None, Some(context.clone())),
            (None, None) => (server, context),
        };
        let at = |server: &str, place: Place, context| Target {
            server: server.to_owned(),
            insecure: global.insecure || (place.insecure && global.ca.is_none()),
            ca: global.ca.clone().or(place.ca),
            context,
        };
        if let Some(server) = server {
            if context.is_some() {
                let text = "LONGHAUL_SERVER and LONGHAUL_CONTEXT both name a server: unset one of them";
                return Err(Failure::Usage(text.to_owned()));
            }
            return Ok(at(&server, Place::default(), None));
        }
        let mut stored = stored()?.unwrap_or_default();
        let Some(name) = context.or(stored.current.take()) else {
            return Ok(at(DEFAULT, Place::default(), None));
        };
        match stored.contexts.remove(&name) {
            Some(place) => Ok(at(&place.server.clone(), place, Some(name))),
            None => Err(Failure::Usage(stored.unknown(&name))),
        }
    }

    /// Returns the name under which the session with the server is stored. Each context has a session of its
    /// own, which is never sent to another address.
    pub(crate) fn session(&self, client: &Client) -> String {
        match &self.context {
            Some(context) => format!("{context}@{}", client.server()),
            None => client.server().to_owned(),
        }
    }
}

/// Refuses a variable that is set to nothing: a script meant some server, and the default is another one.
fn given(name: &str, value: Option<String>) -> Result<Option<String>, Failure> {
    match value {
        Some(text) if text.trim().is_empty() => {
            Err(Failure::Usage(format!("{name} is set, but empty: give it a value, or unset it")))
        }
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cmd::context::Stored;

    #[test]
    fn an_empty_variable_is_an_error() {
        for empty in ["", " ", "\t\n"] {
            assert!(matches!(given("LONGHAUL_SERVER", Some(empty.to_owned())), Err(Failure::Usage(_))));
        }
        assert_eq!(given("LONGHAUL_SERVER", None).unwrap(), None);
        assert_eq!(given("LONGHAUL_SERVER", Some("x".to_owned())).unwrap().as_deref(), Some("x"));
    }

    /// Tries all combinations of options and variables that may name a server against the order of
    /// precedence.
    #[test]
    fn nearest_word_decides() {
        for n in 0..16_u32 {
            let (flag, named, variable, current) = (n & 1 > 0, n & 2 > 0, n & 4 > 0, n & 8 > 0);
            for other in [false, true] {
                let mut line = vec!["longhaul", "whoami"];
                line.extend(flag.then_some("--server=http://flag"));
                line.extend(named.then_some("--context=named"));
                let Ok(cli) = crate::cli::Cli::try_parse_from(line) else {
                    assert!(flag && named);
                    continue;
                };
                let place = |server: &str| Place { server: server.to_owned(), ..Place::default() };
                let contexts = ["named", "other", "current"].map(|name| (name.to_owned(), place(name)));
                let current = current.then(|| "current".to_owned());
                let stored = Stored { current: current.clone(), contexts: contexts.into() };
                let server = variable.then(|| "http://variable".to_owned());
                let target = Target::choose(&cli.global, server, other.then(|| "other".to_owned()), || {
                    Ok(Some(stored))
                });
                let wanted = match (flag, named, variable, other, current.is_some()) {
                    (true, ..) => Ok("http://flag"),
                    (_, true, ..) => Ok("named"),
                    (_, _, true, true, _) => Err(()),
                    (_, _, true, ..) => Ok("http://variable"),
                    (_, _, _, true, _) => Ok("other"),
                    (_, _, _, _, true) => Ok("current"),
                    _ => Ok(DEFAULT),
                };
                assert_eq!(target.as_ref().map(|t| t.server.as_str()).map_err(|_| ()), wanted, "{n} {other}");
                let by_context = target.is_ok_and(|target| target.context.as_deref() == wanted.ok());
                assert_eq!(by_context, wanted.is_ok_and(|server| !server.starts_with("http")));
            }
        }
    }
}
