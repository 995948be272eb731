//! The command line: its words, their help, nothing else.

mod account;
mod audit;
mod backup;
mod blank;
mod check;
mod clock;
mod context;
mod exec;
mod install;
mod instant;
mod mcp;
mod migrate;
mod serve;
mod task;
mod work;
mod workflow;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub(crate) use account::{
    AddArgs, KeyCommand, LoginArgs, PasswdArgs, SessionCommand, SessionListArgs, UserCommand,
};
pub(crate) use audit::{AuditArgs, HistoryArgs};
pub(crate) use backup::{BackupArgs, RestoreArgs};
pub(crate) use check::CheckArgs;
pub(crate) use clock::{ClockArgs, ClockCommand, ConfirmArgs};
pub(crate) use context::ContextCommand;
pub(crate) use exec::ExecArgs;
pub(crate) use install::{CompletionsArgs, HealthArgs, KeysArgs, ManArgs};
pub(crate) use mcp::McpArgs;
pub(crate) use migrate::MigrateArgs;
pub(crate) use serve::{LogFormat, McpMode, ServeArgs, TlsMode, UnixMode};
pub(crate) use task::{
    CancelArgs, GetArgs, IdArgs, ListArgs, LogsArgs, ResolveArgs, RetryArgs, SkipArgs, StartArgs,
    TaskCommand, WatchArgs,
};
pub(crate) use work::{
    Limit, LockCommand, LockListArgs, NodeCommand, QueueArgs, QueueCommand, QueueSetArgs, ReleaseArgs,
    WorkerCommand,
};
pub(crate) use workflow::{ApplyArgs, LintArgs, WorkflowCommand};

use crate::environment;
use crate::out::style::ColorChoice;

const AFTER_HELP: &str = "\
Try it:
  longhaul serve --demo                        start a server with something to look at
  longhaul login admin                         with the password that the first start printed
  longhaul task list                           what it has done and does
  longhaul task start enable-ceip -i status=ENABLE --watch

Exit codes:
  0    success
  1    the task failed or was cancelled; the files have mistakes; something local went wrong
  2    the command line is wrong
  3    the server refused (4xx)
  4    the server does not answer, or its certificate is not trusted
  5    the server failed (5xx), or its answer is not understood
  130  interrupted; a task that was watched goes on

Environment:
  LONGHAUL_SERVER   the server's address, as --server
  LONGHAUL_CONTEXT  the context that names the server, as --context
  LONGHAUL_TOKEN    the access token or API key to send; a flag would show in process lists
  LONGHAUL_USER     with LONGHAUL_PASSWORD: whom to log in as for this one command
  NO_COLOR          no colours, whatever the terminal
  LONGHAUL_...      every option of `serve`, as its help says";

/// Durable tasks: operations that take minutes or hours, watched, cancelled and retried from where they
/// failed
#[derive(Debug, Parser)]
#[command(name = "longhaul", version, after_help = AFTER_HELP, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The server's address; LONGHAUL_SERVER names it, too [default: that of the context, else
    /// http://127.0.0.1:8080]
    #[arg(long, global = true, conflicts_with = "context", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The context that names the server; LONGHAUL_CONTEXT names it, too [default: the one of
    /// `longhaul context use`]
    #[arg(long, global = true, add = crate::complete::contexts(), value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Trust the server if this certificate, or one in this PEM file, vouches for it. A server that made its
    /// certificate itself keeps it in its data directory, as tls/cert.pem
    #[arg(long, global = true, env = "LONGHAUL_CA", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Trust whoever answers, whatever their certificate: to try things out, on networks where nobody listens
    /// in
    #[arg(long, global = true, env = "LONGHAUL_INSECURE", value_parser = FalseyValueParser::new())]
    pub(crate) insecure: bool,
    /// Output format: json and yaml are exactly what the server says, tables are for people
    #[arg(short = 'o', long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: OutputFormat,
    /// When to colour
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: ColorChoice,
}

/// Format in which answers are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    #[default]
    Table,
    /// For people with wide terminals
    Wide,
    /// As the server said it
    Json,
    /// The same in YAML
    Yaml,
}

/// Subcommands of `longhaul`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a server
    Serve(Box<ServeArgs>),
    /// List, watch, start, retry, cancel tasks
    #[command(subcommand)]
    Task(TaskCommand),
    /// Check, store and show workflows
    #[command(subcommand)]
    Workflow(WorkflowCommand),
    /// Show and limit the queues that workers serve
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Show the workers
    #[command(subcommand)]
    Worker(WorkerCommand),
    /// Show what tasks have for themselves, and take it from failed ones
    #[command(subcommand)]
    Lock(LockCommand),
    /// Show the nodes that share a database
    #[command(subcommand)]
    Node(NodeCommand),
    /// Show whether the server's clock is believed, and confirm it
    Clock(ClockArgs),
    /// Name servers, and choose which of them commands speak to
    #[command(subcommand)]
    Context(ContextCommand),
    /// Log in to a server; later commands are then yours
    Login(LoginArgs),
    /// Log out of it
    Logout,
    /// Show who you are to the server
    Whoami,
    /// List who is logged in, and end sessions
    #[command(subcommand)]
    Session(SessionCommand),
    /// Make, change and delete accounts and their API keys
    #[command(subcommand)]
    User(UserCommand),
    /// Show who changed what, newest first
    Audit(AuditArgs),
    /// Bring in tasks of another server, as its Tasks API returned them
    Import(ImportArgs),
    /// Copy the database of a data directory, also while its server runs
    Backup(BackupArgs),
    /// Make a data directory of a backup
    Restore(RestoreArgs),
    /// Look for damage in a data directory or database, also while it is served
    Check(CheckArgs),
    /// Move everything between a data directory and a PostgreSQL database
    Migrate(MigrateArgs),
    /// Say whether a server is live and ready
    Health(HealthArgs),
    /// Offer tools to agents, over the Model Context Protocol
    Mcp(McpArgs),
    /// Make a key file, for nodes that share a database
    Keys(KeysArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Write the manual pages
    Man(ManArgs),
}

/// `import`.
#[derive(Debug, Args)]
#[command(after_help = "\
The file holds a task, a list of tasks, a page ({\"elements\": [...]}), or any number of these one after the other \
(so also one task a line). The tasks are kept exactly as they are; importing one again replaces it.

Examples:
  curl -s https://sfo-vcf01.rainpole.io/v1/tasks -H \"Authorization: Bearer $TOKEN\" > tasks.json
  longhaul import tasks.json
  zcat history-*.json.gz | longhaul import -")]
pub(crate) struct ImportArgs {
    /// The file; - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// The command that a command line and the environment say, or what is wrong with them.
pub(crate) fn parse<S: Clone + Into<OsString>>(
    arguments: impl IntoIterator<Item = S>,
) -> clap::error::Result<Cli> {
    let mut command = command();
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    blank::refuse(&mut command, &matches)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|e| e.format(&mut command))
}

/// The command line as its parser and its completion have it.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// Removes the given values from an error about a command line: one may be a password, in the wrong place or
/// from the environment, and the message may go to a log.
pub(crate) fn without_values(mut error: clap::Error) -> clap::Error {
    let hidden = || ContextValue::String("…".to_owned());
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue)
        && !value.is_empty()
    {
        error.insert(ContextKind::InvalidValue, hidden());
    }
    // An option's own name is none.
    if let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg)
        && error.kind() == ErrorKind::UnknownArgument
        && !given.starts_with('-')
    {
        error.insert(ContextKind::InvalidArg, hidden());
    }
    error
}

/// Names the environment variable in an error about a value that came from there.
pub(crate) fn with_source(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg).cloned().as_ref()
        && matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation)
        && let Some(option) = shown.split([' ', '=', '[']).next().filter(|option| option.starts_with("--"))
        && let Some(variable) = variable_of(&command(), option)
    {
        let source = environment::source(option, &variable);
        if source != option {
            error.insert(ContextKind::InvalidArg, ContextValue::String(format!("{shown} (from {source})")));
        }
    }
    error
}

/// Returns the environment variable of an option.
fn variable_of(command: &clap::Command, option: &str) -> Option<String> {
    let is_it = |arg: &&clap::Arg| arg.get_long().is_some_and(|long| option.strip_prefix("--") == Some(long));
    let own = command.get_arguments().find(is_it).and_then(clap::Arg::get_env);
    let own = own.map(|name| name.to_string_lossy().into_owned());
    own.or_else(|| command.get_subcommands().find_map(|one| variable_of(one, option)))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    #[test]
    fn nothing_given_is_said_back() {
        for line in [
            "serve --listen s3cret",
            "serve --max s3cret",
            "login admin s3cret",
            "task list --page s3cret",
            "task start --not-before s3cret",
            "serve --log-format s3cret",
            "--color s3cret task list",
            "worker exec --wait s3cret",
            "backup --data-dir=x a s3cret",
        ] {
            let arguments = std::iter::once("longhaul").chain(line.split(' '));
            let Err(e) = super::Cli::try_parse_from(arguments) else { continue };
            let said = super::without_values(e).render().to_string();
            assert!(!said.contains("s3cret"), "{line}: {said}");
        }
    }

    /// The parser's library wraps lines at the width of the terminal: lines that are wrapped already would be
    /// wrapped twice.
    #[test]
    fn help_is_wrapped_once() {
        fn check(command: &clap::Command) {
            let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            for two in lines.windows(2) {
                let prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
                let broken = prose(two[0]) && prose(two[1]) && !two[0].ends_with(':');
                assert!(!broken, "{}: `{}` goes on in the next line", command.get_name(), two[0]);
            }
            command.get_subcommands().for_each(check);
        }
        check(&super::command());
    }

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
