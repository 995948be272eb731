//! `queue …`.

use longhaul_client::{PageBody, QueueBody};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Context;
use crate::cli::{Limit, QueueArgs, QueueCommand, QueueSetArgs};
use crate::exit::{Code, Failure};
use crate::out::span;
use crate::out::table::Table;

/// Runs a `queue` command.
pub(crate) async fn run(command: QueueCommand, context: &Context) -> Result<Code, Failure> {
    match command {
        QueueCommand::List => list(context).await,
        QueueCommand::Pause(args) => pause(&args, true, context).await,
        QueueCommand::Resume(args) => pause(&args, false, context).await,
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

/// Stops or starts the leasing of a queue's work.
async fn pause(args: &QueueArgs, paused: bool, context: &Context) -> Result<Code, Failure> {
    change(context, &args.name, json!({ "paused": paused }), args.create).await
}

/// Changes the limits that are named; the others stay.
async fn set(args: &QueueSetArgs, context: &Context) -> Result<Code, Failure> {
    let mut named = Map::new();
    if let Some(most) = &args.max_running {
        named.insert("maxRunning".to_owned(), value(most));
    }
    if let Some(rate) = &args.rate {
        named.insert("rate".to_owned(), value(rate));
    }
    if let Some(paused) = args.paused {
        named.insert("paused".to_owned(), paused.into());
    }
    if named.is_empty() {
        return Err(Failure::Usage("say what to change: --max-running, --rate or --paused".to_owned()));
    }
    change(context, &args.name, Value::Object(named), args.create).await
}

fn value<T: Serialize>(limit: &Limit<T>) -> Value {
    match limit {
        Limit::None => Value::Null,
        Limit::Of(new) => json!(new),
    }
}

/// Changes a queue in one call, so that no change at the same time is lost.
async fn change(context: &Context, name: &str, named: Value, create: bool) -> Result<Code, Failure> {
    let Context { client, out } = context;
    let queue = match client.change_queue(name, &named, create).await {
        Err(e) if e.code() == Some("QUEUE_NOT_FOUND") => return Err(unknown(context, name).await?),
        answer => answer?,
    };
    if out.verbatim(&queue)? {
        return Ok(Code::Success);
    }
    let queue: QueueBody = crate::cmd::plain(queue).map_err(anyhow::Error::from)?;
    let limits = self::limits(&queue);
    let said = if limits.is_empty() { "not limited" } else { limits.as_str() };
    out.remark(&format!("{}: {said}", queue.name))?;
    Ok(Code::Success)
}

/// The failure for a queue that nobody asked for yet, which is rather a slip.
async fn unknown(context: &Context, name: &str) -> Result<Failure, Failure> {
    let page: PageBody<QueueBody> =
        crate::cmd::plain(context.client.list_queues().await?).map_err(anyhow::Error::from)?;
    let near = longhaul_model::workflow::nearest(name, page.elements.iter().map(|queue| queue.name.as_str()));
    let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    let text = format!(
        "there is no queue `{name}`: no workflow or worker has asked for it. {near}`longhaul queue list` shows \
         those there are; --create sets limits for a new one"
    );
    Ok(Failure::Usage(text))
}
