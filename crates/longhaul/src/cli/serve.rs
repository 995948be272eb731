//! `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Deserialize;

/// `serve`. What is not given here or in the environment is taken from the configuration file, else from the defaults.
#[derive(Debug, Args)]
#[command(after_help = "\
A flag wins over its environment variable, that over the configuration file, that over the default.

The configuration file is TOML; every key is optional:
  data_dir = \"/var/lib/longhaul\"     # listen, workflows, demo, log_format, log_level as the flags
  [wire]                             # for clients that expect one server's habits
  status_style = \"display\"           # display (Failed, In Progress) or constant (FAILED, IN_PROGRESS)
  action_body = \"task\"               # task or empty: the answer to a retry and a cancel
  default_page_size = 10             # 1 to 100
  extensions = true                  # members of Longhaul's own behind the documented ones
  [engine]
  cancel_grace = \"30s\"               # how long what runs may take to stop
  max_running = 4096                 # attempts at once
  [actions.http]
  allow = [\"10.0.0.0/8\"]             # private networks and hosts that `http` actions may reach
  [actions.command]
  allow = [\"/usr/bin/uname\"]         # programs that `command` actions may run

The server stops on SIGTERM or SIGINT once what runs has ended or shutdown_grace is over; a second signal stops it at
once.
Nothing is lost either way: the next start goes on where this one stopped.

There is no authentication yet, so it listens on this machine only.

Examples:
  longhaul serve --demo
  longhaul serve --data-dir /var/lib/longhaul --workflows /etc/longhaul/workflows --log-format json")]
pub(crate) struct ServeArgs {
    /// Where tasks are kept [default: ./longhaul-data]
    #[arg(long, env = "LONGHAUL_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The address to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "LONGHAUL_LISTEN", value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// A folder of workflow files to load at the start
    #[arg(long, env = "LONGHAUL_WORKFLOWS", value_name = "DIR")]
    pub(crate) workflows: Option<PathBuf>,
    /// Load the shipped workflows, start tasks of every outcome, and say what to try
    #[arg(long, env = "LONGHAUL_DEMO", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub(crate) demo: Option<bool>,
    /// How to write the log, on standard error [default: text]
    #[arg(long, env = "LONGHAUL_LOG_FORMAT", value_enum, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// What to log: error, warn, info, debug, trace, or by part: info,longhaul_store=debug [default: info]
    #[arg(long, env = "LONGHAUL_LOG", value_name = "FILTER")]
    pub(crate) log_level: Option<String>,
    /// The configuration file
    #[arg(long, env = "LONGHAUL_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// A line an event, for people
    #[default]
    Text,
    /// A JSON object a line
    Json,
}
