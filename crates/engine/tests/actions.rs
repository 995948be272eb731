//! Built-in actions against the real thing: processes of this machine, a server on its loopback address.

#[path = "actions/command.rs"]
mod command;
#[path = "actions/http.rs"]
mod http;
#[path = "actions/http_connections.rs"]
mod http_connections;
#[path = "actions/simulate.rs"]
mod simulate;
#[path = "actions/support.rs"]
mod support;

use longhaul_engine::action::Actions;
use longhaul_engine::{CommandConfig, EngineConfig, HttpConfig};
use support::program;

/// Creates actions with these allow lists.
pub(crate) fn actions(hosts: &[&str], programs: &[&str]) -> Actions {
    let http =
        HttpConfig { allow: hosts.iter().map(|text| (*text).to_owned()).collect(), ..Default::default() };
    let command =
        CommandConfig { allow: programs.iter().map(|path| program(path)).collect(), launcher: None };
    Actions::new(&EngineConfig { http, command, ..EngineConfig::default() }).expect("good lists")
}
