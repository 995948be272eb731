//! Commands for whoever installs and supervises a server: `health`, `keys`, `completions` and `man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// `health`.
#[derive(Debug, Args)]
#[command(after_help = "\
The check needs no credentials, and takes 10 seconds at the most. A server that is paused, stops, waits for its database \
or cannot write is live and not ready; restarting it does not help.

Exit codes: 0 if the server is live and ready, 4 if nobody answers, 5 if it is live and not ready.

Examples:
  longhaul health
  longhaul health --live --server unix:/run/longhaul/longhaul.sock")]
pub(crate) struct HealthArgs {
    /// Ask only whether the server is live
    #[arg(long)]
    pub(crate) live: bool,
}

/// `keys`.
#[derive(Debug, Args)]
#[command(after_help = "\
All nodes of a database need the same key file: give each of them this one, by `serve --key-file`. Whoever has it can read \
the secrets in the database; without it nobody can. Keep a copy apart from the backups of the database.

Example:
  longhaul keys keys.json")]
pub(crate) struct KeysArgs {
    /// The file to write, for its owner only; it must not exist
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// `completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
The script asks the program itself, which asks the server for ids, workflows and queues.

Examples:
  longhaul completions bash > ~/.local/share/bash-completion/completions/longhaul
  longhaul completions zsh  > ~/.zfunc/_longhaul
  longhaul completions fish > ~/.config/fish/completions/longhaul.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// `man`.
#[derive(Debug, Args)]
#[command(after_help = "\
There is one page for each command: longhaul.1, longhaul-task.1, longhaul-task-list.1 and so on. The folder is made if \
there is none; pages of the same names are replaced.

Example:
  longhaul man man1")]
pub(crate) struct ManArgs {
    /// The folder for the pages
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}
