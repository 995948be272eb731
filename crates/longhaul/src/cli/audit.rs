//! `audit` and `task history`.

use clap::Args;
use longhaul_model::Timestamp;

use super::instant::instant;

/// `audit`.
#[derive(Debug, Args)]
#[command(after_help = "\
Administrators only. What was done to one task is also in `task history`, for whoever may see the task.

Examples:
  longhaul audit --user anna --since 2026-01-31T00:00:00Z
  longhaul audit --action cancelTask -o json
  longhaul audit --refused --page 2")]
pub(crate) struct AuditArgs {
    /// Only what this account did
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Only this call, as the API's description names it: startTask, cancelTask, login, ...
    #[arg(long, value_name = "CALL")]
    pub(crate) action: Option<String>,
    /// Only what was done to this task, workflow, queue or account
    #[arg(long, value_name = "WHAT")]
    pub(crate) target: Option<String>,
    /// Only from this instant on: RFC 3339, or milliseconds since 1970
    #[arg(long, value_parser = instant, value_name = "WHEN")]
    pub(crate) since: Option<Timestamp>,
    /// Only what was refused, such as logins
    #[arg(long, conflicts_with = "accepted")]
    pub(crate) refused: bool,
    /// Only what was accepted
    #[arg(long)]
    pub(crate) accepted: bool,
    /// Number of the page
    #[arg(long, value_name = "N")]
    pub(crate) page: Option<u32>,
    /// Number of entries on a page, up to 100
    #[arg(long, value_name = "N")]
    pub(crate) page_size: Option<u32>,
}

/// `task history`.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The task's id
    #[arg(add = crate::complete::tasks())]
    pub(crate) id: String,
    /// Number of the page; pages have 100 entries
    #[arg(long, value_name = "N")]
    pub(crate) page: Option<u32>,
}
