//! `queue`, `worker`, `node` and `lock`.

use std::fmt::Display;
use std::str::FromStr;

use clap::{Args, Subcommand};

use super::exec::ExecArgs;

/// Subcommands of `queue`.
#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// List the queues with their waiting and running attempts and their workers
    #[command(visible_alias = "ls")]
    List,
    /// Stop starting work of a queue; running attempts continue, and the limits stay
    Pause(QueueArgs),
    /// Resume starting work of a paused queue
    Resume(QueueArgs),
    /// Change limits of a queue; those that are not given stay as they are
    Set(QueueSetArgs),
}

/// `queue pause` and `queue resume`.
#[derive(Debug, Args)]
pub(crate) struct QueueArgs {
    /// Name of the queue
    pub(crate) name: String,
    /// Create the queue if no workflow or worker has asked for it yet
    #[arg(long)]
    pub(crate) create: bool,
}

/// `queue set`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  longhaul queue set esxi --max-running 20 --rate 100/1m
  longhaul queue set esxi --rate none          no rate any more; the other limit stays
  longhaul queue set nsx --max-running 1 --create")]
pub(crate) struct QueueSetArgs {
    /// Name of the queue
    #[arg(add = crate::complete::queues())]
    pub(crate) name: String,
    /// Largest number of attempts that workers may have at once; none for no limit
    #[arg(long, value_name = "N", value_parser = limit::<u32>)]
    pub(crate) max_running: Option<Limit<u32>>,
    /// Largest number of attempts that may start within a duration; none for no limit
    #[arg(long, value_name = "N/DURATION", value_parser = limit::<String>)]
    pub(crate) rate: Option<Limit<String>>,
    /// Lease no work of the queue; running attempts continue
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub(crate) paused: Option<bool>,
    /// Create the queue if no workflow or worker has asked for it yet
    #[arg(long)]
    pub(crate) create: bool,
}

/// A limit as the command line gives it: a value, or `none`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Limit<T> {
    /// A limit of this value.
    Of(T),
    /// No limit.
    None,
}

fn limit<T: FromStr<Err: Display>>(text: &str) -> Result<Limit<T>, String> {
    if text == "none" {
        return Ok(Limit::None);
    }
    text.parse().map(Limit::Of).map_err(|e| format!("{e}; or write none"))
}

/// Subcommands of `worker`.
#[derive(Debug, Subcommand)]
pub(crate) enum WorkerCommand {
    /// List the workers seen within the last minutes
    #[command(visible_alias = "ls")]
    List,
    /// Run a worker that does the work of queues with a program
    Exec(ExecArgs),
}

/// Subcommands of `node`.
#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    /// List the nodes, which of them is active, and when each was last seen
    #[command(visible_alias = "ls")]
    List,
}

/// Subcommands of `lock`.
#[derive(Debug, Subcommand)]
pub(crate) enum LockCommand {
    /// List the locks of tasks, and the tasks that wait for them
    #[command(visible_alias = "ls")]
    List(LockListArgs),
    /// Release the locks that a failed task keeps
    Release(ReleaseArgs),
}

/// `lock list`.
#[derive(Debug, Args)]
pub(crate) struct LockListArgs {
    /// Only locks on resources of this type
    #[arg(long, value_name = "TYPE")]
    pub(crate) resource_type: Option<String>,
    /// Only locks on the resource of this id
    #[arg(long, value_name = "ID")]
    pub(crate) resource_id: Option<String>,
    /// Number of the page; pages have 100 locks
    #[arg(long, value_name = "N")]
    pub(crate) page: Option<u32>,
}

/// `lock release`.
#[derive(Debug, Args)]
#[command(after_help = "\
A task whose outcome is unknown keeps its locks until somebody decides (`task resolve`, `task skip`). This gives them to those \
that wait before that; a retry of the task waits for them like any other. It is noted in the audit log.")]
pub(crate) struct ReleaseArgs {
    /// The task's id
    #[arg(add = crate::complete::tasks())]
    pub(crate) id: String,
    /// Reason, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}
