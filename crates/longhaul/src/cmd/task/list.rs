//! `task list`.

use clap::ValueEnum;
use longhaul_client::{PageBody, Phase, TaskBody, TaskFilter};

use super::{Context, id, live};
use crate::cli::ListArgs;
use crate::exit::{Code, Failure};
use crate::out::table::Table;
use crate::out::{Out, span, tree};

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

/// Returns tasks as a table.
pub(super) fn rendered(tasks: &[TaskBody], out: &Out) -> String {
    let (short, labelled) = (short_ids(tasks), tasks.iter().any(|task| !task.labels.is_empty()));
    let mut table = headings(out.is_wide(), labelled);
    for (task, short) in tasks.iter().zip(short) {
        let mut row = if out.is_wide() { wide(task, out) } else { narrow(task, short, out) };
        if labelled {
            row.push(labels(task));
        }
        table.row(row);
    }
    table.render(out.palette, out.width())
}

fn short_ids(tasks: &[TaskBody]) -> Vec<String> {
    id::short(&tasks.iter().map(|task| task.id.as_str()).collect::<Vec<_>>())
}

/// Returns a table with headings, whose name column is cut before those that tell tasks apart.
fn headings(wide: bool, labelled: bool) -> Table {
    let mut headings = match wide {
        false => vec!["NAME", "ID", "STATUS", "AGE", "TOOK"],
        true => vec!["ID", "NAME", "STATUS", "CREATED", "TOOK", "DONE", "TYPE", "WORKFLOW", "RESOURCES"],
    };
    if labelled {
        headings.push("LABELS");
    }
    Table::new(&headings).giving_way(usize::from(wide))
}

fn narrow(task: &TaskBody, short: String, out: &Out) -> Vec<String> {
    let age = span::parse(&task.creation_timestamp)
        .map_or_else(|| "-".to_owned(), |at| span::age(crate::now().0 - at.0));
    vec![task.name.clone(), short, tree::status(&task.status, out.palette), age, took(task)]
}

fn wide(task: &TaskBody, out: &Out) -> Vec<String> {
    vec![
        task.id.clone(),
        task.name.clone(),
        tree::status(&task.status, out.palette),
        task.creation_timestamp.clone(),
        took(task),
        task.progress.map_or_else(|| "-".to_owned(), |progress| format!("{progress:.0} %")),
        or_dash(&task.kind),
        task.workflow.as_ref().map_or_else(|| "-".to_owned(), |w| format!("{} v{}", w.name, w.version)),
        resources(task),
    ]
}

/// Returns the duration of the task, so far if it has not ended.
fn took(task: &TaskBody) -> String {
    let ended = task.completion_timestamp.as_deref();
    let running = task.phase() == Phase::InProgress;
    let took = (ended.is_some() || running)
        .then(|| span::taken(Some(&task.creation_timestamp), ended, crate::now()));
    took.flatten().unwrap_or_else(|| "-".to_owned())
}

fn labels(task: &TaskBody) -> String {
    let labels = task.labels.iter().map(|(key, value)| match value.is_empty() {
        true => key.clone(),
        false => format!("{key}={value}"),
    });
    or_dash(&labels.collect::<Vec<_>>().join(","))
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
