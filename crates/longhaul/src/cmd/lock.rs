//! `lock …`.

use std::collections::{BTreeMap, BTreeSet};

use longhaul_client::{LockBody, PageBody, Phase};

use super::{Context, task};
use crate::cli::{LockCommand, LockListArgs, ReleaseArgs};
use crate::exit::{Code, Failure};
use crate::out::span;
use crate::out::table::Table;

/// Runs a `lock` command.
pub(crate) async fn run(command: LockCommand, context: &Context) -> Result<Code, Failure> {
    match command {
        LockCommand::List(args) => list(&args, context).await,
        LockCommand::Release(args) => release(&args, context).await,
    }
}

async fn list(args: &LockListArgs, Context { client, out }: &Context) -> Result<Code, Failure> {
    let (kind, id) = (args.resource_type.as_deref(), args.resource_id.as_deref());
    let answer = client.list_locks(kind, id, args.page).await?;
    if out.verbatim(&answer)? {
        return Ok(Code::Success);
    }
    let page: PageBody<LockBody> = crate::cmd::plain(answer).map_err(anyhow::Error::from)?;
    let shown = page.elements.len() as u64;
    let now = crate::now();
    let ids: Vec<&str> = page.elements.iter().map(|lock| lock.task_id.as_str()).collect();
    let short = distinct(&ids);
    let undecided = page.elements.iter().find(|lock| lock.awaits_decision).map(|lock| lock.task_id.clone());
    let mut table = Table::new(&["RESOURCE", "MODE", "STATE", "SINCE", "TASK", "NAME"]);
    for (lock, short) in page.elements.iter().zip(short) {
        let since = span::parse(&lock.since).map(|at| span::age(now.0 - at.0));
        table.row(vec![
            what(lock),
            lock.mode.to_lowercase(),
            state(lock),
            since.unwrap_or_else(|| lock.since.clone()),
            short,
            lock.task_name.clone(),
        ]);
    }
    out.text(&table.render(out.palette, out.width()))?;
    if let Some(id) = undecided {
        out.remark(&format!(
            "a failed task keeps its locks until somebody decides: longhaul task get {id} says about what"
        ))?;
    }
    if page.page_metadata.total_elements > shown {
        out.remark(&format!("{shown} of {}; --page shows others", page.page_metadata.total_elements))?;
    }
    Ok(Code::Success)
}

/// Returns a short id for each of the ids, which may repeat: a task may have several locks.
fn distinct(ids: &[&str]) -> Vec<String> {
    let all: Vec<&str> = ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let short: BTreeMap<&str, String> = all.iter().copied().zip(super::short_ids(&all)).collect();
    ids.iter().map(|id| short.get(id).cloned().unwrap_or_default()).collect()
}

/// Returns the state of a lock in words, with the status of a task that failed.
fn state(lock: &LockBody) -> String {
    let state = lock.state.to_lowercase();
    match (lock.awaits_decision, lock.task_status.as_deref().map(Phase::of)) {
        (true, _) => format!("{state}, failed: awaits a decision"),
        (false, Some(Phase::Failed)) => format!("{state}, failed"),
        _ => state,
    }
}

/// Returns the resource that is locked, or the workflow and its key.
fn what(lock: &LockBody) -> String {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    match &lock.resource_type {
        Some(kind) => format!("{kind} {}", text(&lock.resource_id)),
        None => format!("{} {}", text(&lock.workflow), text(&lock.key)),
    }
}

async fn release(args: &ReleaseArgs, context: &Context) -> Result<Code, Failure> {
    let id = task::whole_id(context, &args.id).await?;
    let task = context.client.release_locks(&id, &args.reason).await?;
    if !context.out.verbatim(&task)? {
        context.out.remark(&format!("{id}: holds nothing any more"))?;
    }
    Ok(Code::Success)
}
