//! `queue`, `worker`, `lock`: what waits for workers and for one another.

use clap::{Args, Subcommand};

use super::exec::ExecArgs;

/// What to do with queues.
#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// List the queues: what waits, what runs, who works
    #[command(visible_alias = "ls")]
    List,
    /// Set the limits of a queue; what is left out is not limited
    Set(QueueSetArgs),
}

/// `queue set`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  longhaul queue set esxi --max-running 20 --rate 100/1m
  longhaul queue set esxi --paused             nothing is leased until:
  longhaul queue set esxi                      no limits any more")]
pub(crate) struct QueueSetArgs {
    /// The queue
    #[arg(add = crate::complete::queues())]
    pub(crate) name: String,
    /// How many attempts workers may have at once
    #[arg(long, value_name = "N")]
    pub(crate) max_running: Option<u32>,
    /// How many attempts may start in a time
    #[arg(long, value_name = "N/DURATION")]
    pub(crate) rate: Option<String>,
    /// Lease nothing; what runs goes on
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set)]
    pub(crate) paused: bool,
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
