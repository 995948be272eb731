//! `task retry`, `cancel`, `skip`, `resolve`: decisions of an operator.

use longhaul_client::{Read, ResolveTask};
use serde_json::Value;

use super::{Context, advise, id, watch};
use crate::cli::{CancelArgs, ResolveArgs, RetryArgs, SkipArgs};
use crate::exit::{Code, Failure};
use crate::out::advice;

/// Retries a failed task from where it failed.
pub(crate) async fn retry(args: &RetryArgs, context: &Context) -> Result<Code, Failure> {
    let id = id::whole(context, &args.id).await?;
    let task = context.client.retry_task_because(&id, args.reason.as_deref()).await?;
    if args.watch {
        return watch::follow(context, &id).await;
    }
    show(context, &id, task).await
}

/// Cancels a task: nothing of it starts any more.
pub(crate) async fn cancel(args: &CancelArgs, context: &Context) -> Result<Code, Failure> {
    let id = id::whole(context, &args.id).await?;
    let task = context.client.cancel_task_because(&id, args.reason.as_deref()).await?;
    show(context, &id, task).await
}

/// Skips a failed sub-task, so that its task goes on without it.
pub(crate) async fn skip(args: &SkipArgs, context: &Context) -> Result<Code, Failure> {
    let id = id::whole(context, &args.id).await?;
    if !args.force {
        check_unneeded(context, &id, &args.sub_task).await?;
    }
    let task = context.client.skip_sub_task(&id, &args.sub_task, &args.reason).await?;
    show(context, &id, task).await
}

/// Refuses to skip a sub-task whose output others read: they would fail for want of it, long after the
/// decision.
async fn check_unneeded(context: &Context, id: &str, sub_task: &str) -> Result<(), Failure> {
    let task = context.client.get_task(id, &Read::default()).await?;
    let readers = advise::readers(context, &super::body(context, &task)?, sub_task).await;
    if readers.is_empty() {
        return Ok(());
    }
    let which = advice::option(sub_task);
    Err(Failure::Usage(format!(
        "{} would fail without the output of {sub_task}. To give one: longhaul task resolve {id} {which} \
         --done --output '{{}}' --reason 'repaired by hand'. To skip it all the same: --force",
        readers.join(", ")
    )))
}

/// Resolves a failed task, with a verdict if its outcome is unknown.
pub(crate) async fn resolve(args: &ResolveArgs, context: &Context) -> Result<Code, Failure> {
    let chosen =
        [(args.done, "done"), (args.not_done, "notDone"), (args.failed, "failed"), (args.skip, "skipped")];
    let outcome = chosen.into_iter().find_map(|(chosen, outcome)| chosen.then_some(outcome));
    let named = !args.sub_task.is_empty() || args.all;
    if named && outcome.is_none() {
        let text = "say what became of the sub-task: --done, --not-done, --failed or --skip";
        return Err(Failure::Usage(text.to_owned()));
    }
    if !named && outcome.is_some() {
        return Err(Failure::Usage("name the sub-task with --sub-task, or write --all".to_owned()));
    }
    if args.all && args.sub_task.len() > 1 {
        return Err(Failure::Usage("--all is of the task, or of the children of one --sub-task".to_owned()));
    }
    if args.output.is_some() && (args.all || args.sub_task.len() > 1) {
        return Err(Failure::Usage("--output is of one sub-task".to_owned()));
    }
    let output = match &args.output {
        Some(text) => {
            longhaul_model::value::check_names(text.as_bytes())
                .map_err(|e| Failure::Usage(format!("--output: {e}")))?;
            let output = serde_json::from_str(text);
            Some(output.map_err(|e| Failure::Usage(format!("--output is not JSON: {e}")))?)
        }
        None => None,
    };
    let id = id::whole(context, &args.id).await?;
    let (sub_task, sub_tasks) = match args.sub_task.as_slice() {
        [one] => (Some(one.clone()), Vec::new()),
        several => (None, several.to_vec()),
    };
    let reason = args.reason.clone();
    let resolve = ResolveTask { reason, sub_task, sub_tasks, all: args.all, outcome, output };
    let task = context.client.resolve_task(&id, &resolve).await?;
    show(context, &id, task).await
}

/// Shows the task. Servers may answer nothing, as the original does; then the task is read.
async fn show(context: &Context, id: &str, task: Value) -> Result<Code, Failure> {
    let task = if task.is_null() { context.client.get_task(id, &Read::default()).await? } else { task };
    super::show(context, &task).await?;
    Ok(Code::Success)
}
