//! `worker list`.

use longhaul_client::{PageBody, WorkerBody};

use crate::cmd::Context;
use crate::exit::{Code, Failure};
use crate::out::span;
use crate::out::table::Table;

/// Lists the workers seen lately, one in each line.
pub(crate) async fn run(Context { client, out }: &Context) -> Result<Code, Failure> {
    let answer = client.list_workers().await?;
    if out.verbatim(&answer)? {
        return Ok(Code::Success);
    }
    let page: PageBody<WorkerBody> = crate::cmd::plain(answer).map_err(anyhow::Error::from)?;
    if page.elements.is_empty() {
        out.remark("no worker was heard of within the last minutes")?;
        return Ok(Code::Success);
    }
    let now = crate::now();
    let mut table =
        Table::new(&["WORKER", "ALIVE", "HOST", "PROCESS", "USER", "QUEUES", "SEEN", "RUNNING", "WORKS ON"])
            .giving_way(0);
    for worker in page.elements {
        let seen = span::parse(&worker.last_seen).map(|at| span::age(now.0 - at.0));
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        table.row(vec![
            worker.worker.clone(),
            worker.alive.map_or("?", |alive| if alive { "yes" } else { "no" }).to_owned(),
            or_dash(worker.host.clone()),
            or_dash(worker.process.map(|number| number.to_string())),
            worker.user.clone(),
            worker.queues.join(","),
            seen.unwrap_or_else(|| worker.last_seen.clone()),
            worker.running.to_string(),
            or_dash(work(&worker)),
        ]);
    }
    out.text(&table.render(out.palette, out.width()))?;
    Ok(Code::Success)
}

/// Returns the current work of the worker: the first attempt in words, and the number of others.
fn work(worker: &WorkerBody) -> Option<String> {
    let first = worker.work.first()?;
    let id = crate::cmd::short_ids(&[&first.task_id]).pop().unwrap_or_default();
    let words = [first.sub_task.as_deref(), Some("of"), first.task_name.as_deref()];
    let words = words.into_iter().flatten().skip_while(|word| *word == "of").collect::<Vec<_>>().join(" ");
    let more = worker.running.saturating_sub(1);
    let more = if more > 0 { format!(" +{more}") } else { String::new() };
    Some(format!("{id} {words}{more}"))
}
