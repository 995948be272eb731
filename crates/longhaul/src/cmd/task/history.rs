//! `task history`: decisions about a task, with who made them and why.

use longhaul_client::{HistoryBody, PageBody};

use super::{Context, id};
use crate::cli::HistoryArgs;
use crate::exit::{Code, Failure};
use crate::out::table::Table;

/// A page, newest first.
pub(crate) async fn run(args: &HistoryArgs, context: &Context) -> Result<Code, Failure> {
    let out = &context.out;
    let id = id::whole(context, &args.id).await?;
    let answer = context.client.task_history(&id, args.page).await?;
    if out.verbatim(&answer)? {
        return Ok(Code::Success);
    }
    let page: PageBody<HistoryBody> = crate::cmd::plain(answer).map_err(anyhow::Error::from)?;
    let mut table = Table::new(&["WHEN", "USER", "WHAT", "SUB-TASK", "REASON"]);
    for entry in &page.elements {
        let what = entry.decision.clone().unwrap_or_else(|| entry.action.clone());
        let sub_task = match (&entry.sub_task, entry.sub_task_count) {
            (Some(name), Some(count)) => format!("{name} ({count})"),
            (Some(name), None) => name.clone(),
            (None, Some(count)) => format!("{count} sub-tasks"),
            (None, None) => "-".to_owned(),
        };
        let reason = entry.reason.clone().unwrap_or_default();
        table.row(vec![entry.timestamp.clone(), entry.user.clone(), what, sub_task, reason]);
    }
    out.text(&table.render(out.palette, out.width()))?;
    let about = page.page_metadata;
    if about.page_number < about.total_pages {
        out.remark(&format!("{} more; the next: --page {}", about.total_elements, about.page_number + 1))?;
    }
    Ok(Code::Success)
}
