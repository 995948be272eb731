//! `queue …`.

use longhaul_client::{PageBody, QueueBody};

use super::Context;
use crate::cli::{QueueCommand, QueueSetArgs};
use crate::exit::{Code, Failure};
use crate::out::span;
use crate::out::table::Table;

/// Runs one.
pub(crate) async fn run(command: QueueCommand, context: &Context) -> Result<Code, Failure> {
    match command {
        QueueCommand::List => list(context).await,
        QueueCommand::Set(args) => set(&args, context).await,
    }
}

async fn list(Context { client, out }: &Context) -> Result<Code, Failure> {
    let answer = client.list_queues().await?;
    if out.verbatim(&answer)? {
        return Ok(Code::Success);
    }
    let page: PageBody<QueueBody> = crate::cmd::plain(answer).map_err(anyhow::Error::from)?;
    if page.elements.is_empty() {
        out.remark("no queues: nothing waits for a worker, and no worker asks")?;
        return Ok(Code::Success);
    }
    let mut table = Table::new(&["QUEUE", "WAITING", "OLDEST", "RUNNING", "WORKERS", "LIMITS"]);
    for queue in page.elements {
        let oldest = (queue.waiting > 0).then(|| span::duration(queue.oldest_wait_ms as i64));
        let limits = limits(&queue);
        table.row(vec![
            queue.name,
            queue.waiting.to_string(),
            oldest.unwrap_or_default(),
            queue.running.to_string(),
            queue.workers.to_string(),
            limits,
        ]);
    }
    out.text(&table.render(out.palette, out.width()))?;
    Ok(Code::Success)
}

fn limits(queue: &QueueBody) -> String {
    let limits = &queue.limits;
    let parts = [
        limits.paused.then(|| "paused".to_owned()),
        limits.max_running.map(|most| format!("{most} at once")),
        limits.rate.clone(),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

async fn set(args: &QueueSetArgs, Context { client, out }: &Context) -> Result<Code, Failure> {
    let queue = client.limit_queue(&args.name, args.max_running, args.rate.as_deref(), args.paused).await?;
    if out.verbatim(&queue)? {
        return Ok(Code::Success);
    }
    let queue: QueueBody = crate::cmd::plain(queue).map_err(anyhow::Error::from)?;
    let limits = limits(&queue);
    let said = if limits.is_empty() { "not limited" } else { limits.as_str() };
    out.remark(&format!("{}: {said}", queue.name))?;
    Ok(Code::Success)
}
