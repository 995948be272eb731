//! `[[wire.clients]]`: other settings for some clients. Each of them was written against one server's habits,
//! and no single setting suits them all (wire contract, section 3).

use std::sync::Arc;

use http::{HeaderMap, header};
use longhaul_auth::{Auth, Principal};
use longhaul_model::StatusStyle;
use parking_lot::RwLock;
use regex::{Regex, RegexBuilder};

use super::WireConfig;

/// Facts by which a client is recognized, and the settings of the Tasks API for it.
#[derive(Clone, Debug, Default)]
pub struct WireClient {
    /// The name of its account, in any case.
    pub account: Option<String>,
    /// The ID or name of the API key that it sends, as bearer or at its login.
    pub api_key: Option<String>,
    /// Pattern of the client's `User-Agent`.
    pub user_agent: Option<UserAgent>,
    /// Overrides [`WireConfig::status_style`] for these clients.
    pub status_style: Option<StatusStyle>,
    /// Overrides [`WireConfig::login_status`] for these clients.
    pub login_status: Option<u16>,
    /// Overrides [`WireConfig::default_page_size`] for these clients.
    pub default_page_size: Option<u32>,
}

/// Pattern of the header `User-Agent`, in any case; `*` stands for any characters.
#[derive(Clone, Debug)]
pub struct UserAgent {
    pattern: String,
    regex: Regex,
}

impl PartialEq for UserAgent {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}

impl UserAgent {
    /// Reads a pattern such as `vAPI/*` or `*Ansible*`.
    pub fn new(pattern: &str) -> Result<Self, String> {
        if pattern.is_empty() || pattern.len() > 200 {
            return Err("write a pattern of 1 to 200 characters, such as `*python-requests*`".to_owned());
        }
        let pieces: Vec<String> = pattern.split('*').map(regex::escape).collect();
        RegexBuilder::new(&format!("^{}$", pieces.join(".*")))
            .case_insensitive(true)
            .dot_matches_new_line(true)
            .build()
            .map(|regex| UserAgent { pattern: pattern.to_owned(), regex })
            .map_err(|e| e.to_string())
    }

    fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

/// Facts that are known of a client.
pub(crate) struct Client<'a> {
    /// The account of the client, once it is known.
    pub(crate) who: Option<&'a Principal>,
    /// The credential that the client sent.
    pub(crate) credential: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
}

/// Settings of the Tasks API for each client.
pub(crate) struct Dialects(RwLock<Known>);

#[derive(Clone)]
struct Known {
    common: Arc<WireConfig>,
    clients: Arc<[WireClient]>,
}

impl Known {
    fn new(common: &WireConfig) -> Self {
        let clients = common.clients.as_slice().into();
        // Copied for each request of a client with settings of its own: without the list.
        Known { common: Arc::new(WireConfig { clients: Vec::new(), ..common.clone() }), clients }
    }
}

impl Dialects {
    pub(crate) fn new(common: &WireConfig) -> Self {
        Dialects(RwLock::new(Known::new(common)))
    }

    /// Changes the settings, from the next request on.
    pub(crate) fn change(&self, common: &WireConfig) {
        *self.0.write() = Known::new(common);
    }

    /// Returns the settings for a client that nothing is known of.
    pub(crate) fn common(&self) -> Arc<WireConfig> {
        self.0.read().common.clone()
    }

    /// Returns the settings for a client: each is taken from the first matching entry that has it.
    pub(crate) fn of(&self, client: &Client<'_>, auth: &Auth) -> Arc<WireConfig> {
        let known = self.0.read().clone();
        // The first entry wins, so it is the last that is applied.
        let mut matching = known.clients.iter().rev().filter(|entry| entry.is_about(client, auth)).peekable();
        if matching.peek().is_none() {
            return known.common;
        }
        let mut wire = WireConfig::clone(&known.common);
        for entry in matching {
            wire.status_style = entry.status_style.unwrap_or(wire.status_style);
            wire.login_status = entry.login_status.unwrap_or(wire.login_status);
            wire.default_page_size = entry.default_page_size.unwrap_or(wire.default_page_size);
        }
        Arc::new(wire)
    }
}

impl WireClient {
    /// Returns true if all that the entry names fits.
    fn is_about(&self, client: &Client<'_>, auth: &Auth) -> bool {
        let account = |name: &String| client.who.is_some_and(|who| who.name.eq_ignore_ascii_case(name));
        let key = |wanted: &String| {
            let key = client.credential.and_then(|credential| auth.api_key(credential));
            key.is_some_and(|key| key.id == *wanted || key.name.as_ref() == Some(wanted))
        };
        let agent = |pattern: &UserAgent| {
            let given = client.headers.get(header::USER_AGENT).and_then(|given| given.to_str().ok());
            given.is_some_and(|given| pattern.matches(given))
        };
        self.account.as_ref().is_none_or(account)
            && self.user_agent.as_ref().is_none_or(agent)
            && self.api_key.as_ref().is_none_or(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names_in_any_case() {
        let matches = |pattern: &str, text: &str| UserAgent::new(pattern).unwrap().matches(text);
        assert!(matches("vAPI/*", "vapi/9.1.1.0 Python/3.12"));
        assert!(matches("*Ansible*", "Mozilla (ansible-httpget)") && matches("*", ""));
        assert!(matches("a.b", "A.B") && !matches("a.b", "axb") && !matches("curl", "curl/8.5"));
        assert!(UserAgent::new("").is_err() && UserAgent::new(&"x".repeat(201)).is_err());
    }
}
