//! Which server a command speaks to: the one that the command line names, or that of a context.

use std::path::PathBuf;

use longhaul_client::Client;

use super::context::{Contexts, Place};
use crate::cli::Global;
use crate::exit::Failure;

/// Where there is neither an address nor a context.
const DEFAULT: &str = "http://127.0.0.1:8080";

/// A server, and whom to trust there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its address.
    pub(crate) server: String,
    /// The certificate that vouches for it.
    pub(crate) ca: Option<PathBuf>,
    /// Whoever answers is trusted.
    pub(crate) insecure: bool,
    /// The context that names it.
    pub(crate) context: Option<String>,
}

impl Target {
    /// By the options, else by the environment, else by the context in use.
    pub(crate) fn of(global: &Global) -> Result<Target, Failure> {
        let given = |name| crate::environment(name).filter(|text| !text.is_empty());
        let stored = || Contexts::of_user().ok().map(|file| file.read()).transpose();
        Target::choose(global, given("LONGHAUL_SERVER"), given("LONGHAUL_CONTEXT"), stored)
    }

    fn choose(
        global: &Global,
        server: Option<String>,
        context: Option<String>,
        stored: impl FnOnce() -> anyhow::Result<Option<super::context::Stored>>,
    ) -> Result<Target, Failure> {
        let (server, context) = match (&global.server, &global.context) {
            // The parser lets only one of them through.
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

    /// The name under which the session with the server is kept. Each context has one of its own, which never goes to another
    /// address.
    pub(crate) fn session(&self, client: &Client) -> String {
        match &self.context {
            Some(context) => format!("{context}@{}", client.server()),
            None => client.server().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cmd::context::Stored;

    /// All combinations of what may name a server, against the order of precedence.
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
