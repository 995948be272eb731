//! `context`.

use clap::Subcommand;

/// Subcommands of `context`.
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
        /// Name of the context
        #[arg(add = crate::complete::contexts())]
        name: String,
    },
    /// Add a context, or change what --server, --ca and --insecure set of it
    Set {
        /// Name of the context
        #[arg(add = crate::complete::contexts())]
        name: String,
    },
    /// Remove a context and its session
    #[command(visible_alias = "rm")]
    Remove {
        /// Name of the context
        #[arg(add = crate::complete::contexts())]
        name: String,
    },
}
