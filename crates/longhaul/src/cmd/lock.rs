//! `lock …`.

use longhaul_client::{LockBody, PageBody};

use super::{Context, task};
use crate::cli::{LockCommand, LockListArgs, ReleaseArgs};
use crate::exit::{Code, Failure};
use crate::out::span;
use crate::out::table::Table;

/// Runs one.
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
    let mut table = Table::new(&["RESOURCE", "MODE", "STATE", "SINCE", "TASK", "NAME"]);
    for lock in page.elements {
        let since = span::parse(&lock.since).map(|at| span::age(now.0 - at.0));
        table.row(vec![
            what(&lock),
            lock.mode.to_lowercase(),
            lock.state.to_lowercase(),
            since.unwrap_or(lock.since),
            lock.task_id,
            lock.task_name,
        ]);
    }
    out.text(&table.render(out.palette, out.width()))?;
    if page.page_metadata.total_elements > shown {
        out.remark(&format!("{shown} of {}; --page shows others", page.page_metadata.total_elements))?;
    }
    Ok(Code::Success)
}

/// What is locked: a resource, or a place of a workflow's key.
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
