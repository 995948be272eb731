//! Tasks as a table.

use longhaul_client::{Phase, TaskBody};

use super::id;
use crate::out::table::Table;
use crate::out::{Out, span, tree};

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
