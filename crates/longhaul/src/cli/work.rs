//! `queue`, `worker`, `lock`: what waits for workers and for one another.

use std::fmt::Display;
use std::str::FromStr;

use clap::{Args, Subcommand};

use super::exec::ExecArgs;

/// What to do with queues.
#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// List the queues: what waits, what runs, who works
    #[command(visible_alias = "ls")]
    List,
    /// Let no work of a queue begin; what runs goes on, and its limits stay
    Pause(QueueArgs),
    /// Let work of a paused queue begin again
    Resume(QueueArgs),
    /// Change limits of a queue; what is left out stays as it is
    Set(QueueSetArgs),
}

/// `queue pause` and `queue resume`.
#[derive(Debug, Args)]
pub(crate) struct QueueArgs {
    /// The queue
    pub(crate) name: String,
    /// Also if no workflow or worker has asked for the queue yet
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
    /// The queue
    #[arg(add = crate::complete::queues())]
    pub(crate) name: String,
    /// How many attempts workers may have at once; none for no such limit
    #[arg(long, value_name = "N", value_parser = limit::<u32>)]
    pub(crate) max_running: Option<Limit<u32>>,
    /// How many attempts may start in a time; none for no such limit
    #[arg(long, value_name = "N/DURATION", value_parser = limit::<String>)]
    pub(crate) rate: Option<Limit<String>>,
    /// Lease nothing; what runs goes on
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub(crate) paused: Option<bool>,
    /// Also if no workflow or worker has asked for the queue yet
    #[arg(long)]
    pub(crate) create: bool,
}

/// A limit as it is given: a value, or that there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Limit<T> {
    /// This one.
    Of(T),
    /// None.
    None,
}

fn limit<T: FromStr<Err: Display>>(text: &str) -> Result<Limit<T>, String> {
    if text == "none" {
        return Ok(Limit::None);
    }
    text.parse().map(Limit::Of).map_err(|e| format!("{e}; or write none"))
}

/// What to do with workers.
#[derive(Debug, Subcommand)]
pub(crate) enum WorkerCommand {
    /// List the workers heard of within the last minutes
    #[command(visible_alias = "ls")]
    List,
    /// Be a worker: do the work of queues with a program
    Exec(ExecArgs),
}

/// What to do with nodes.
#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    /// List the nodes, which of them is active, and when each was last heard of
    #[command(visible_alias = "ls")]
    List,
}

/// What to do with locks.
#[derive(Debug, Subcommand)]
pub(crate) enum LockCommand {
    /// List what tasks have for themselves, and who waits for it
    #[command(visible_alias = "ls")]
    List(LockListArgs),
    /// Take from a failed task the locks that it keeps
    Release(ReleaseArgs),
}

/// `lock list`.
#[derive(Debug, Args)]
pub(crate) struct LockListArgs {
    /// Only of this type of resource
    #[arg(long, value_name = "TYPE")]
    pub(crate) resource_type: Option<String>,
    /// Only of this resource
    #[arg(long, value_name = "ID")]
    pub(crate) resource_id: Option<String>,
    /// Which page of 100
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
    /// Why, for those who look later
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}
