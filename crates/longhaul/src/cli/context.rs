//! `context`.

use clap::Subcommand;

/// What to do with contexts.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
A context is a server by name, with its certificate and a session of its own. They are kept in \
~/.config/longhaul/contexts.json, for your eyes only.

Examples:
  longhaul context set prod --server https://longhaul.example.com:8443 --ca cert.pem
  longhaul context use prod
  longhaul --context lab task list")]
pub(crate) enum ContextCommand {
    /// List the contexts, and which of them is in use
    #[command(visible_alias = "ls")]
    List,
    /// Have commands speak to the server of a context
    Use {
        /// Its name
        #[arg(add = crate::complete::contexts())]
        name: String,
    },
    /// Make a context, or change what --server, --ca and --insecure name of it
    Set {
        /// Its name
        #[arg(add = crate::complete::contexts())]
        name: String,
    },
    /// Remove a context and its session
    #[command(visible_alias = "rm")]
    Remove {
        /// Its name
        #[arg(add = crate::complete::contexts())]
        name: String,
    },
}
