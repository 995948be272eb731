//! `task list`.

use clap::ValueEnum;
use longhaul_client::{PageBody, Phase, TaskBody, TaskFilter};

use super::Context;
use crate::cli::ListArgs;
use crate::exit::{Code, Failure};
use crate::out::table::Table;
use crate::out::{span, tree};

/// One page.
pub(crate) async fn run(args: &ListArgs, context: &Context) -> Result<Code, Failure> {
    let out = &context.out;
    let page = context.client.list_tasks(&filter(args, out.is_wide())).await?;
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
    let now = crate::now();
    let mut table = match out.is_wide() {
        false => Table::new(&["ID", "STATUS", "AGE", "TOOK", "NAME"]),
        true => {
            Table::new(&["ID", "STATUS", "CREATED", "TOOK", "DONE", "TYPE", "WORKFLOW", "RESOURCES", "NAME"])
        }
    };
    for task in &page.elements {
        let ended = task.completion_timestamp.as_deref();
        let running = task.phase() == Phase::InProgress;
        let took = (ended.is_some() || running)
            .then(|| span::taken(Some(&task.creation_timestamp), ended, now))
            .flatten()
            .unwrap_or_else(|| "-".to_owned());
        let status = tree::status(&task.status, out.palette);
        let row = if out.is_wide() {
            vec![
                task.id.clone(),
                status,
                task.creation_timestamp.clone(),
                took,
                task.progress.map_or_else(|| "-".to_owned(), |progress| format!("{progress:.0} %")),
                or_dash(&task.kind),
                task.workflow
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), |w| format!("{} v{}", w.name, w.version)),
                resources(task),
                task.name.clone(),
            ]
        } else {
            let age = span::parse(&task.creation_timestamp)
                .map_or_else(|| "-".to_owned(), |at| span::age(now.0 - at.0));
            vec![task.id.clone(), status, age, took, task.name.clone()]
        };
        table.row(row);
    }
    out.text(&table.render(out.palette, out.width()))?;
    let about = page.page_metadata;
    if about.page_number < about.total_pages {
        let (page, pages, total) = (about.page_number, about.total_pages, about.total_elements);
        out.remark(&format!("page {page} of {pages}, {total} tasks; the next: --page {}", page + 1))?;
    }
    Ok(Code::Success)
}

fn filter(args: &ListArgs, wide: bool) -> TaskFilter {
    let include = if wide { vec!["progress".to_owned(), "workflow".to_owned()] } else { Vec::new() };
    TaskFilter {
        status: args.status.clone(),
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

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

fn resources(task: &TaskBody) -> String {
    let names: Vec<&str> = task
        .resources
        .iter()
        .map(|resource| {
            resource.fqdn.as_deref().or(resource.name.as_deref()).unwrap_or(&resource.resource_id)
        })
        .collect();
    match names.as_slice() {
        [] => "-".to_owned(),
        [one] => (*one).to_owned(),
        [first, rest @ ..] => format!("{first} +{}", rest.len()),
    }
}
