//! `task list`.

use clap::ValueEnum;
use longhaul_client::{PageBody, TaskBody, TaskFilter};

use super::table::rendered;
use super::{Context, live};
use crate::cli::ListArgs;
use crate::exit::{Code, Failure};

/// Pseudo-status of failures that nobody has resolved.
pub(crate) const OPEN_FAILURES: &str = "open-failures";

/// Prints a page of tasks.
pub(crate) async fn run(args: &ListArgs, context: &Context) -> Result<Code, Failure> {
    if args.watch {
        return live::run(&filter(args), context).await;
    }
    let out = &context.out;
    let page = context.client.list_tasks(&filter(args)).await?;
    if out.verbatim(&page)? {
        return Ok(Code::Success);
    }
    let page: PageBody<TaskBody> = crate::cmd::plain(page).map_err(|e| {
        let server = context.client.server().to_owned();
        longhaul_client::ClientError::Protocol { server, reason: format!("it is no page of tasks: {e}") }
    })?;
    if page.elements.is_empty() {
        out.remark("no tasks")?;
        return Ok(Code::Success);
    }
    out.text(&rendered(&page.elements, out))?;
    let about = page.page_metadata;
    if about.page_number < about.total_pages {
        let (page, pages, total) = (about.page_number, about.total_pages, about.total_elements);
        out.remark(&format!("page {page} of {pages}, {total} tasks; the next: --page {}", page + 1))?;
    }
    Ok(Code::Success)
}

fn filter(args: &ListArgs) -> TaskFilter {
    let include = ["progress", "workflow", "labels"].map(str::to_owned).to_vec();
    let is_pseudo = |status: &&String| status.trim().eq_ignore_ascii_case(OPEN_FAILURES);
    TaskFilter {
        status: args.status.iter().filter(|status| !is_pseudo(status)).cloned().collect(),
        open_failures: args.status.iter().any(|status| is_pseudo(&status)),
        labels: args.label.clone(),
        kind: args.kind.clone(),
        resource_id: args.resource_id.clone(),
        resource_kind: args.resource_type.clone(),
        name: args.name.clone(),
        completed_after: args.completed_after.map(|at| at.0),
        order_by: args
            .order_by
            .and_then(|field| field.to_possible_value().map(|value| value.get_name().to_owned())),
        order_direction: match (args.asc, args.desc) {
            (true, _) => Some("ASC".to_owned()),
            (false, true) => Some("DESC".to_owned()),
            (false, false) => None,
        },
        page: args.page,
        page_size: args.page_size,
        include,
    }
}
