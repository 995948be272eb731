//! `worker list`.

use longhaul_client::{PageBody, WorkerBody};

use crate::cmd::Context;
use crate::exit::{Code, Failure};
use crate::out::span;
use crate::out::table::Table;

/// The workers heard of lately, a line each.
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
    let mut table = Table::new(&["WORKER", "USER", "QUEUES", "RUNNING", "SEEN"]);
    for worker in page.elements {
        let seen = span::parse(&worker.last_seen).map(|at| span::age(now.0 - at.0));
        let queues = worker.queues.join(",");
        let running = worker.running.to_string();
        table.row(vec![worker.worker, worker.user, queues, running, seen.unwrap_or(worker.last_seen)]);
    }
    out.text(&table.render(out.palette, out.width()))?;
    Ok(Code::Success)
}
