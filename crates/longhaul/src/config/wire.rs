//! The section `[wire]`: the dialect of the Tasks API, for all clients and for some of them.

use longhaul_model::StatusStyle;
use longhaul_server::{UserAgent, WireClient, WireConfig};
use serde::{Deserialize, Deserializer, de};

use super::mistakes::Nonsense;

/// Settings of the section `[wire]`, for clients that expect the habits of a particular server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Wire {
    /// Spelling of task statuses unless the workflow sets one.
    pub(super) status_style: StatusStyle,
    /// Body of the answer to a retry or cancel.
    pub(super) action_body: ActionBody,
    /// Status of the answer to a login: 201 or 200.
    login_status: u16,
    /// Number of tasks on a page unless the request sets one.
    default_page_size: u32,
    /// True if tasks have Longhaul's own members.
    pub(super) extensions: bool,
    /// True if refusals have a code that the official document declares.
    strict_codes: bool,
    /// Exceptions for some clients.
    clients: Vec<Client>,
}

/// An entry of `[[wire.clients]]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    account: Option<String>,
    api_key: Option<String>,
    #[serde(default, deserialize_with = "pattern")]
    user_agent: Option<UserAgent>,
    status_style: Option<StatusStyle>,
    login_status: Option<u16>,
    default_page_size: Option<u32>,
}

impl Default for Wire {
    fn default() -> Self {
        Wire {
            status_style: StatusStyle::Display,
            action_body: ActionBody::Task,
            login_status: 201,
            default_page_size: 10,
            extensions: true,
            strict_codes: true,
            clients: Vec::new(),
        }
    }
}

/// Body of the answer to a retry or cancel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ActionBody {
    /// The task.
    #[default]
    Task,
    /// Empty, as in the original.
    Empty,
}

fn pattern<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UserAgent>, D::Error> {
    let text = String::deserialize(deserializer)?;
    UserAgent::new(&text).map(Some).map_err(de::Error::custom)
}

impl Wire {
    /// Returns the settings that make no sense, and values that do.
    pub(super) fn nonsense(&self) -> Vec<Nonsense> {
        let of = |section: &str, login: Option<u16>, page: Option<u32>| {
            let login = login.filter(|status| ![200, 201].contains(status));
            let page = page.filter(|size| !(1..=100).contains(size));
            let login = login.map(|_| Nonsense::of(format!("{section}.login_status"), "write 200 or 201"));
            let page = page.map(|_| Nonsense::of(format!("{section}.default_page_size"), "write 1 to 100"));
            login.into_iter().chain(page)
        };
        let client = |(index, one): (usize, &Client)| {
            let section = format!("wire.clients[{index}]");
            let named = one.account.is_some() || one.api_key.is_some() || one.user_agent.is_some();
            let says =
                one.status_style.is_some() || one.login_status.is_some() || one.default_page_size.is_some();
            let missing = match (named, says) {
                (false, _) => Some("say who it is: account, api_key or user_agent"),
                (_, false) => Some("say what is different: status_style, login_status or default_page_size"),
                (true, true) => None,
            };
            let faults = of(&section, one.login_status, one.default_page_size).collect::<Vec<_>>();
            missing.map(|remedy| Nonsense::beside(section, remedy)).into_iter().chain(faults)
        };
        of("wire", Some(self.login_status), Some(self.default_page_size))
            .chain(self.clients.iter().enumerate().flat_map(client))
            .collect()
    }
}

impl From<Wire> for WireConfig {
    fn from(wire: Wire) -> Self {
        let client = |one: Client| WireClient {
            account: one.account,
            api_key: one.api_key,
            user_agent: one.user_agent,
            status_style: one.status_style,
            login_status: one.login_status,
            default_page_size: one.default_page_size,
        };
        WireConfig {
            status_style: wire.status_style,
            action_body: match wire.action_body {
                ActionBody::Task => longhaul_server::ActionBody::Task,
                ActionBody::Empty => longhaul_server::ActionBody::Empty,
            },
            login_status: wire.login_status,
            default_page_size: wire.default_page_size,
            extensions: wire.extensions,
            strict_codes: wire.strict_codes,
            clients: wire.clients.into_iter().map(client).collect(),
        }
    }
}
