//! `login`, `logout`, `whoami`, `session` and `user`.

use clap::{Args, Subcommand};

/// `login`.
#[derive(Debug, Args)]
#[command(after_help = "\
The session is kept in ~/.config/longhaul/sessions.json, for your eyes only, and renews itself for a day. It is for the \
server that --server names; each server has its own. LONGHAUL_TOKEN, where it is set, counts more.

Examples:
  longhaul login admin
  longhaul --server https://longhaul.lab:8443 --ca cert.pem login anna
  longhaul login admin --password-stdin < password.txt
  longhaul login --api-key-stdin < key.txt")]
pub(crate) struct LoginArgs {
    /// Your user name; asked for unless given
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Read the password from standard input instead of asking for it
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// Log in with an API key, read from standard input
    #[arg(long, conflicts_with_all = ["name", "password_stdin"])]
    pub(crate) api_key_stdin: bool,
}

/// Subcommands of `session`.
#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// List your sessions or, as an administrator, those of all accounts
    #[command(visible_alias = "ls")]
    List(SessionListArgs),
    /// End sessions: their tokens are refused at once
    End {
        /// Ids of the sessions, as `session list` shows them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

/// `session list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each login is a session; API keys and tokens of your identity provider that are sent as they are have none.

Examples:
  longhaul session list
  longhaul session list --user anna          an account's, as an administrator
  longhaul session end 1f0c9a4be2d35c7788aa01b2c3d4e5f6")]
pub(crate) struct SessionListArgs {
    /// Only sessions of the account with this name
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Number of the page; pages have 100 sessions
    #[arg(long, value_name = "N")]
    pub(crate) page: Option<u32>,
}

/// Subcommands of `user`.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add an account: for a person with a password, for a service with an API key
    Add(AddArgs),
    /// List accounts
    #[command(visible_alias = "ls")]
    List,
    /// Change your password or, as an administrator, that of any account
    Passwd(PasswdArgs),
    /// Give an account another role
    Role {
        /// Name of the account
        name: String,
        /// New role: VIEWER, OPERATOR, ADMIN or WORKER
        role: String,
    },
    /// Bind the account of a worker to queues and calls
    Bind(BindArgs),
    /// Disable an account at once, and end its sessions
    Disable {
        /// Name of the account
        name: String,
    },
    /// Enable a disabled account again
    Enable {
        /// Name of the account
        name: String,
    },
    /// Delete an account with its API keys and sessions
    Delete {
        /// Name of the account
        name: String,
    },
    /// Add, list and delete API keys
    #[command(subcommand)]
    Key(KeyCommand),
}

/// `user add`.
#[derive(Debug, Args)]
#[command(after_help = "\
VIEWER looks, OPERATOR also starts, retries, cancels and decides, ADMIN may do everything; WORKER does the work of \
sub-tasks and nothing else. The API key of a service is printed this once.

Examples:
  longhaul user add anna --role OPERATOR
  longhaul user add pipeline --role OPERATOR --service > key.txt
  longhaul user add esxi --role WORKER --service --queue 'esxi*' > key.txt
  longhaul user add bob --role VIEWER --password-stdin < password.txt")]
pub(crate) struct AddArgs {
    /// Name of the account
    pub(crate) name: String,
    /// Role of the account: VIEWER, OPERATOR, ADMIN or WORKER
    #[arg(long, value_name = "ROLE", default_value = "VIEWER")]
    pub(crate) role: String,
    /// Add the account of a service: it authenticates with an API key and has no password
    #[arg(long, conflicts_with = "password_stdin")]
    pub(crate) service: bool,
    /// Read the password from standard input instead of asking for it
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// Queue that a WORKER may work on, `*` for any text; any queue unless given
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Vec<String>,
    /// Call that a WORKER may make, as the API's description names it; all calls of the role unless given
    #[arg(long, value_name = "CALL")]
    pub(crate) action: Vec<String>,
}

/// `user bind`.
#[derive(Debug, Args)]
#[command(after_help = "\
What is not given stays as it is. Work that it has already goes on.

Examples:
  longhaul user bind esxi --queue esxi --queue 'esxi.*'
  longhaul user bind esxi --action leaseAttempts --action completeAttempts --action failAttempts
  longhaul user bind esxi --queue '*'        any queue again")]
pub(crate) struct BindArgs {
    /// Name of the account
    pub(crate) name: String,
    /// Queue that the account may work on, `*` for any text
    #[arg(long, value_name = "NAME", required_unless_present = "action")]
    pub(crate) queue: Vec<String>,
    /// Call that the account may make, as the API's description names it
    #[arg(long, value_name = "CALL")]
    pub(crate) action: Vec<String>,
}

/// `user passwd`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every session of the account ends; API keys stay.

Examples:
  longhaul user passwd               your own: asks for the old one, too
  longhaul user passwd anna          somebody's, as an administrator")]
pub(crate) struct PasswdArgs {
    /// Name of the account; your own unless given
    pub(crate) name: Option<String>,
    /// Read the new password from standard input instead of asking for it; for your own account, with the old
    /// password on a line before it
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

/// Subcommands of `user key`.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Add an API key to an account; it is printed only once
    Add {
        /// Name of the account
        user: String,
        /// Name of the key
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
    },
    /// List the API keys of an account
    #[command(visible_alias = "ls")]
    List {
        /// Name of the account
        user: String,
    },
    /// Delete an API key
    Delete {
        /// Name of the account
        user: String,
        /// Id of the key, as `user key list` shows it
        id: String,
    },
}
