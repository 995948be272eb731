//! `queue …`.

use longhaul_client::{PageBody, QueueBody, QueueLimitsBody};

use super::Context;
use crate::cli::{Limit, QueueArgs, QueueCommand, QueueSetArgs};
use crate::exit::{Code, Failure};
use crate::out::span;
use crate::out::table::Table;

/// Runs one.
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
    let queue = known(context, &args.name, args.create).await?;
    put(context, &args.name, QueueLimitsBody { paused, ..queue.limits }).await
}

/// Changes what is named; the other limits stay.
async fn set(args: &QueueSetArgs, context: &Context) -> Result<Code, Failure> {
    if args.max_running.is_none() && args.rate.is_none() && args.paused.is_none() {
        return Err(Failure::Usage("say what to change: --max-running, --rate or --paused".to_owned()));
    }
    let QueueLimitsBody { max_running, rate, paused } = known(context, &args.name, args.create).await?.limits;
    let limits = QueueLimitsBody {
        max_running: changed(args.max_running.clone(), max_running),
        rate: changed(args.rate.clone(), rate),
        paused: args.paused.unwrap_or(paused),
    };
    put(context, &args.name, limits).await
}

fn changed<T>(given: Option<Limit<T>>, old: Option<T>) -> Option<T> {
    match given {
        None => old,
        Some(Limit::None) => None,
        Some(Limit::Of(new)) => Some(new),
    }
}

/// The queue of a name as it is. One that nobody asked for yet is rather a slip, unless it is to be made.
async fn known(context: &Context, name: &str, create: bool) -> Result<QueueBody, Failure> {
    let page: PageBody<QueueBody> =
        crate::cmd::plain(context.client.list_queues().await?).map_err(anyhow::Error::from)?;
    if let Some(queue) = page.elements.iter().find(|queue| queue.name == name) {
        return Ok(queue.clone());
    }
    if create {
        return Ok(QueueBody { name: name.to_owned(), ..QueueBody::default() });
    }
    let near = longhaul_model::workflow::nearest(name, page.elements.iter().map(|queue| queue.name.as_str()));
    let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    let text = format!(
        "there is no queue `{name}`: no workflow or worker has asked for it. {near}`longhaul queue list` shows \
         those there are; --create sets limits for a new one"
    );
    Err(Failure::Usage(text))
}

async fn put(
    Context { client, out }: &Context,
    name: &str,
    limits: QueueLimitsBody,
) -> Result<Code, Failure> {
    let queue = client.limit_queue(name, limits.max_running, limits.rate.as_deref(), limits.paused).await?;
    if out.verbatim(&queue)? {
        return Ok(Code::Success);
    }
    let queue: QueueBody = crate::cmd::plain(queue).map_err(anyhow::Error::from)?;
    let limits = self::limits(&queue);
    let said = if limits.is_empty() { "not limited" } else { limits.as_str() };
    out.remark(&format!("{}: {said}", queue.name))?;
    Ok(Code::Success)
}
