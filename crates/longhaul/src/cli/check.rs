//! `check`.

use std::path::PathBuf;

use clap::Args;

/// `check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every row is read as a server reads it, and what is derived is compared with the tasks: indexes, totals, claims. One moment is \
looked at and nothing is changed, so the server, or the nodes, may be at work meanwhile; the check then runs on the machine of \
the data directory, or wherever the database is reached.

Each finding names its table and its task, and what to do. --repair makes anew what is derived, and leaves documents as they \
are; it needs the server, or all nodes, stopped.

Exit codes:
  0  sound
  1  there are findings
  2  it could not be checked, or not be repaired

Examples:
  longhaul check --data-dir /var/lib/longhaul
  longhaul check --data-dir /var/lib/longhaul --json > findings.json
  LONGHAUL_DATABASE_URL=postgres://longhaul@db1/longhaul longhaul check --key-file /etc/longhaul/keys.json
  longhaul check --data-dir /var/lib/longhaul --repair --yes")]
pub(crate) struct CheckArgs {
    /// The data directory of the server [default: ./longhaul-data]
    #[arg(long, env = "LONGHAUL_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The PostgreSQL database of the nodes instead: postgres://user:password@host/database
    #[arg(
        long,
        visible_alias = "database",
        env = "LONGHAUL_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) database_url: Option<String>,
    /// The key file, to try whether it opens the secrets of the tasks [default: keys.json in the data
    /// directory]
    #[arg(long, env = "LONGHAUL_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Print one JSON document, as `-o json` does
    #[arg(long)]
    pub(crate) json: bool,
    /// Make anew what is derived from the tasks, then check: indexes, totals, claims
    #[arg(long)]
    pub(crate) repair: bool,
    /// Repair without asking
    #[arg(long, short = 'y', requires = "repair")]
    pub(crate) yes: bool,
}
