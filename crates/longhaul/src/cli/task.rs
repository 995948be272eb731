//! `task`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use longhaul_model::Timestamp;

use super::audit::HistoryArgs;
use super::instant::{duration, instant, later};

/// Subcommands of `task`.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
A task is named by its id, or by enough of its first or last digits to mean one task, as lists show it.")]
pub(crate) enum TaskCommand {
    /// List tasks, newest first
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Show a task
    Get(GetArgs),
    /// Draw a task's sub-tasks as they progress, until it ends
    Watch(WatchArgs),
    /// Start a task
    Start(Box<StartArgs>),
    /// Resume a failed task at the sub-task that failed
    Retry(RetryArgs),
    /// Cancel a task
    Cancel(CancelArgs),
    /// Continue a task without a failed sub-task
    Skip(SkipArgs),
    /// Record the outcome of a failed task, or of a sub-task whose outcome is unknown
    Resolve(ResolveArgs),
    /// Explain why a task does not progress, and what can be done
    Why(IdArgs),
    /// Show who did what to a task, and why
    History(HistoryArgs),
    /// Show every execution of a task's sub-tasks
    Attempts(IdArgs),
    /// Show what a task's sub-tasks wrote
    #[command(visible_alias = "log")]
    Logs(LogsArgs),
}

/// `task logs`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  longhaul task logs 0198f3 -f
  longhaul task logs 0198f3 --sub-task UpdateHost --timestamps")]
pub(crate) struct LogsArgs {
    /// The task's id
    #[arg(add = crate::complete::tasks())]
    pub(crate) id: String,
    /// Go on printing until the task ends
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only what this sub-task wrote
    #[arg(long, value_name = "NAME")]
    pub(crate) sub_task: Option<String>,
    /// Print the time at which each line was written
    #[arg(short, long)]
    pub(crate) timestamps: bool,
}

/// Argument of commands that take a task and nothing else.
#[derive(Debug, Args)]
pub(crate) struct IdArgs {
    /// The task's id
    #[arg(add = crate::complete::tasks())]
    pub(crate) id: String,
}

/// `task list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  longhaul task list --status open-failures
  longhaul task list --status failed,cancelled --completed-after 1h
  longhaul task list --label change=CHG0042
  longhaul task list --name rotate --order-by completionTimestamp
  longhaul task list --resource-id e43b90cd-e635-4f30-ae49-5d3e72d15212 -o wide
  longhaul task list --completed-after 2026-01-31T12:00:00Z --page 2 --page-size 100 -o json")]
pub(crate) struct ListArgs {
    /// Only tasks with one of these statuses, in any spelling; open-failures are failed tasks that nobody has
    /// resolved
    #[arg(long, value_delimiter = ',', add = crate::complete::statuses(), value_name = "STATUS")]
    pub(crate) status: Vec<String>,
    /// Only tasks that have this label; with several, all of them
    #[arg(long, value_name = "KEY[=VALUE]")]
    pub(crate) label: Vec<String>,
    /// Only tasks of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<String>,
    /// Only tasks that work on the resource of this id
    #[arg(long, value_name = "ID")]
    pub(crate) resource_id: Option<String>,
    /// Only tasks that work on a resource of this type
    #[arg(long, value_name = "TYPE")]
    pub(crate) resource_type: Option<String>,
    /// Only tasks whose name contains this
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// Only tasks that succeeded or failed after this: an instant, a time before now such as 1h, or
    /// milliseconds since 1970
    #[arg(long, value_parser = instant, value_name = "WHEN")]
    pub(crate) completed_after: Option<Timestamp>,
    /// Field to sort by [default: creationTimestamp]
    #[arg(long, value_enum, value_name = "FIELD")]
    pub(crate) order_by: Option<OrderField>,
    /// Largest first: the default by creationTimestamp
    #[arg(long, conflicts_with = "asc")]
    pub(crate) desc: bool,
    /// Smallest first: the default by any other field
    #[arg(long)]
    pub(crate) asc: bool,
    /// Number of the page
    #[arg(long, value_name = "N")]
    pub(crate) page: Option<u32>,
    /// Number of tasks on a page, up to 100
    #[arg(long, value_name = "N")]
    pub(crate) page_size: Option<u32>,
    /// Keep watching, and show each change as it happens: in place on a terminal, else a line for each
    #[arg(long, conflicts_with = "page")]
    pub(crate) watch: bool,
}

/// Field that a list is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "camelCase")]
pub(crate) enum OrderField {
    /// By id
    Id,
    /// By name
    Name,
    /// By type
    Type,
    /// By status
    Status,
    /// By the time of its creation
    #[value(alias = "created")]
    CreationTimestamp,
    /// By the time of its end
    #[value(alias = "completed")]
    CompletionTimestamp,
}

/// `task get`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  longhaul task get 0198f3 --include input,outputs -o yaml
  longhaul task get 0198f3 --wait 10m --exit-status && echo done")]
pub(crate) struct GetArgs {
    /// The task's id
    #[arg(add = crate::complete::tasks())]
    pub(crate) id: String,
    /// Further members: input, outputs, labels, ...
    #[arg(long, value_delimiter = ',', value_name = "MEMBER")]
    pub(crate) include: Vec<String>,
    /// Leave out sub-tasks, except those that failed
    #[arg(long)]
    pub(crate) summary: bool,
    /// Wait up to this long for the task to end
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub(crate) wait: Option<Duration>,
    /// Exit with 1 if the task failed or was cancelled
    #[arg(long)]
    pub(crate) exit_status: bool,
}

/// `task watch`.
#[derive(Debug, Args)]
#[command(after_help = "\
On a terminal the tree is redrawn in place; elsewhere each change is a line. A restart of the server is waited for. \
Ctrl-C ends watching, not the task. The exit code is 0 if the task ended well, 1 if it failed or was cancelled.")]
pub(crate) struct WatchArgs {
    /// The task's id
    #[arg(add = crate::complete::tasks())]
    pub(crate) id: String,
}

/// `task start`.
#[derive(Debug, Args)]
#[command(after_help = "\
-i KEY=TEXT gives a text, whatever it looks like: -i version=1.10 is the text 1.10. -i KEY:=JSON gives a value of any \
kind: -i retries:=3 a number, -i deep:=true, -i hosts:='[\"a\",\"b\"]' a list. A dot goes into an object: -i owner.name=Ada. \
`longhaul workflow show NAME` says what a workflow takes.

Examples:
  longhaul task start enable-ceip -i status=ENABLE --watch
  longhaul task start create-domain --input domain.json -i name=sfo-w01 --label change=CHG0042
  longhaul task start host-health-report --not-before 2026-12-24T20:00:00Z --idempotency-key health-2026-12-24
  longhaul task start enable-ceip -i status=ENABLE --wait -o json")]
pub(crate) struct StartArgs {
    /// The workflow's name
    #[arg(add = crate::complete::workflows())]
    pub(crate) workflow: String,
    /// A member of the input: a text, or with := any JSON
    #[arg(short, long = "set", value_name = "KEY=TEXT|KEY:=JSON")]
    pub(crate) input_values: Vec<String>,
    /// File with the input, as JSON or YAML; - for standard input. Values of -i take precedence
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// The workflow's version [default: the newest]
    #[arg(long, value_name = "N")]
    pub(crate) version: Option<u32>,
    /// Name of the task [default: the workflow's title]
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// Label of the task
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) label: Vec<String>,
    /// Start no earlier than this: an instant, or a time from now such as 2h
    #[arg(long, value_parser = later, value_name = "WHEN")]
    pub(crate) not_before: Option<Timestamp>,
    /// Key of the request: the same key and request never start a second task
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    /// Only have the server check workflow, input, name and labels; nothing is stored or started
    #[arg(long, conflicts_with_all = ["wait", "watch"])]
    pub(crate) dry_run: bool,
    /// Return only when the task has ended
    #[arg(long, conflicts_with = "watch")]
    pub(crate) wait: bool,
    /// Draw the task's sub-tasks as they progress, as `task watch` does
    #[arg(long)]
    pub(crate) watch: bool,
}

/// `task retry`.
#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    /// The task's id
    #[arg(add = crate::complete::tasks())]
    pub(crate) id: String,
    /// Draw the task's sub-tasks as they progress, as `task watch` does
    #[arg(long)]
    pub(crate) watch: bool,
    /// Reason, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

/// `task cancel`.
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// The task's id
    #[arg(add = crate::complete::tasks())]
    pub(crate) id: String,
    /// Reason, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

/// `task skip`.
#[derive(Debug, Args)]
#[command(after_help = "\
The task goes on from there and can end no better than Completed With Warning. A sub-task whose output others need is not \
skipped unless --force is given: they would fail. `task resolve --done --output` gives them one instead.

Example:
  longhaul task skip 0198f3 UpdateCeipOnNsxTAction --reason \"NSX is being replaced, CHG0042\"")]
pub(crate) struct SkipArgs {
    /// The task's id
    #[arg(add = crate::complete::tasks())]
    pub(crate) id: String,
    /// The failed sub-task's name
    pub(crate) sub_task: String,
    /// Reason, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Skip the sub-task even if others need its output
    #[arg(long)]
    pub(crate) force: bool,
}

/// `task resolve`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --sub-task the failed task is marked RESOLVED and stays as it is. With it, a failed sub-task, or one whose outcome \
is unknown, counts as done, and the task goes on behind it, or as not done, and it runs again. One whose outcome is unknown \
can also count as failed: it stays failed, and a retry runs it again.

Examples:
  longhaul task resolve 0198f3 --reason \"repaired by hand, CHG0042\"
  longhaul task resolve 0198f3 --sub-task RotatePassword --done --output '{\"rotated\": true}' --reason \"it can log in\"
  longhaul task resolve 0198f3 --all --sub-task Hosts --not-done --reason \"none of them was rebooted\"")]
pub(crate) struct ResolveArgs {
    /// The task's id
    #[arg(add = crate::complete::tasks())]
    pub(crate) id: String,
    /// Reason, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Name of the sub-task to resolve; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) sub_task: Vec<String>,
    /// All sub-tasks whose outcome is unknown (with --skip: all that failed); with --sub-task, all such
    /// children of it
    #[arg(long)]
    pub(crate) all: bool,
    /// The sub-task was done
    #[arg(long, conflicts_with_all = ["not_done", "failed", "skip"])]
    pub(crate) done: bool,
    /// The sub-task was not done
    #[arg(long, conflicts_with_all = ["failed", "skip"])]
    pub(crate) not_done: bool,
    /// The sub-task, whose outcome was unknown, failed: it stays failed until the task is retried
    #[arg(long, conflicts_with = "skip")]
    pub(crate) failed: bool,
    /// Skip the sub-task: the task continues without it
    #[arg(long)]
    pub(crate) skip: bool,
    /// Output of the sub-task, as JSON
    #[arg(long, requires = "done", value_name = "JSON")]
    pub(crate) output: Option<String>,
}
