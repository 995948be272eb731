//! `audit`: the audit log.

use longhaul_client::{AuditBody, AuditFilter, PageBody};

use super::{Context, task};
use crate::cli::AuditArgs;
use crate::exit::{Code, Failure};
use crate::out::table::Table;

/// A page of the audit log, newest first.
pub(crate) async fn run(args: &AuditArgs, context: &Context) -> Result<Code, Failure> {
    let Context { client, out } = context;
    // A target may be a task, named by part of its ID as everywhere, or a queue that is called `beef`.
    let task = match &args.target {
        Some(target) => task::maybe_id(context, target).await?,
        None => None,
    };
    if let Some(id) = &task {
        out.remark(&format!("about the task {id}"))?;
    }
    let filter = AuditFilter {
        user: args.user.clone(),
        action: args.action.clone(),
        target: task.or_else(|| args.target.clone()),
        since: args.since.map(|at| at.to_string()),
        outcome: match (args.refused, args.accepted) {
            (true, _) => Some("REFUSED".to_owned()),
            (_, true) => Some("ACCEPTED".to_owned()),
            _ => None,
        },
        page: args.page,
        page_size: args.page_size,
    };
    let answer = client.audit(&filter).await?;
    if out.verbatim(&answer)? {
        return Ok(Code::Success);
    }
    let page: PageBody<AuditBody> = super::plain(answer).map_err(anyhow::Error::from)?;
    let mut table = Table::new(&["WHEN", "USER", "FROM", "CALL", "TARGET", "OUTCOME", "DETAIL"]);
    for entry in &page.elements {
        table.row(vec![
            entry.timestamp.clone(),
            entry.user.clone(),
            entry.from.clone().unwrap_or_else(|| "-".to_owned()),
            entry.action.clone(),
            entry.target.clone().unwrap_or_else(|| "-".to_owned()),
            entry.outcome.to_lowercase(),
            entry.detail.clone().unwrap_or_default(),
        ]);
    }
    out.text(&table.render(out.palette, out.width()))?;
    let about = page.page_metadata;
    if about.page_number < about.total_pages {
        let (page, pages, total) = (about.page_number, about.total_pages, about.total_elements);
        out.remark(&format!("page {page} of {pages}, {total} lines; the next: --page {}", page + 1))?;
    }
    Ok(Code::Success)
}
