//! `task retry`, `cancel`, `skip`, `resolve`: what an operator decides.

use longhaul_client::{Read, ResolveTask};
use serde_json::Value;

use super::{Context, id, watch};
use crate::cli::{IdArgs, ResolveArgs, RetryArgs, SkipArgs};
use crate::exit::{Code, Failure};

/// Runs a failed task on from where it failed.
pub(crate) async fn retry(args: &RetryArgs, context: &Context) -> Result<Code, Failure> {
    let id = id::whole(context, &args.id).await?;
    let task = context.client.retry_task(&id).await?;
    if args.watch {
        return watch::follow(context, &id).await;
    }
    show(context, &id, task).await
}

/// Nothing of the task starts any more.
pub(crate) async fn cancel(args: &IdArgs, context: &Context) -> Result<Code, Failure> {
    let id = id::whole(context, &args.id).await?;
    let task = context.client.cancel_task(&id).await?;
    show(context, &id, task).await
}

/// Goes on without a failed sub-task.
pub(crate) async fn skip(args: &SkipArgs, context: &Context) -> Result<Code, Failure> {
    let id = id::whole(context, &args.id).await?;
    let task = context.client.skip_sub_task(&id, &args.sub_task, &args.reason).await?;
    show(context, &id, task).await
}

/// Says what became of it.
pub(crate) async fn resolve(args: &ResolveArgs, context: &Context) -> Result<Code, Failure> {
    if args.sub_task.is_some() && !args.done && !args.not_done {
        return Err(Failure::Usage("say what became of the sub-task: --done or --not-done".to_owned()));
    }
    let output = match &args.output {
        Some(text) => Some(
            serde_json::from_str(text).map_err(|e| Failure::Usage(format!("--output is not JSON: {e}")))?,
        ),
        None => None,
    };
    let id = id::whole(context, &args.id).await?;
    let resolve = ResolveTask {
        reason: args.reason.clone(),
        sub_task: args.sub_task.clone(),
        done: args.sub_task.is_some().then_some(args.done),
        output,
    };
    let task = context.client.resolve_task(&id, &resolve).await?;
    show(context, &id, task).await
}

/// Servers may answer nothing, as the original does; then it is read.
async fn show(context: &Context, id: &str, task: Value) -> Result<Code, Failure> {
    let task = if task.is_null() { context.client.get_task(id, &Read::default()).await? } else { task };
    super::show(context, &task)?;
    Ok(Code::Success)
}
