//! `task …`.

mod advise;
mod attempts;
mod decide;
mod get;
mod history;
mod id;
mod input;
mod list;
mod live;
mod logs;
mod received;
mod seen;
mod start;
mod table;
mod watch;
mod why;

pub(crate) use id::short as short_ids;
pub(crate) use list::OPEN_FAILURES;
use longhaul_client::{ClientError, Phase, TaskBody};
use serde_json::Value;

use super::Context;
use crate::cli::TaskCommand;
use crate::exit::{Code, Failure};
use crate::out::tree;

/// Runs a `task` command.
pub(crate) async fn run(command: TaskCommand, context: &Context) -> Result<Code, Failure> {
    match command {
        TaskCommand::List(args) => list::run(&args, context).await,
        TaskCommand::Get(args) => get::run(&args, context).await,
        TaskCommand::Watch(args) => watch::run(&args, context).await,
        TaskCommand::Start(args) => start::run(&args, context).await,
        TaskCommand::Retry(args) => decide::retry(&args, context).await,
        TaskCommand::Cancel(args) => decide::cancel(&args, context).await,
        TaskCommand::Skip(args) => decide::skip(&args, context).await,
        TaskCommand::Resolve(args) => decide::resolve(&args, context).await,
        TaskCommand::Logs(args) => logs::run(&args, context).await,
        TaskCommand::Why(args) => why::run(&args, context).await,
        TaskCommand::History(args) => history::run(&args, context).await,
        TaskCommand::Attempts(args) => attempts::run(&args, context).await,
    }
}

/// Returns true if the error may be that of a server which is being restarted.
fn passes(error: &ClientError) -> bool {
    error.is_unreachable() || error.status().is_some_and(|status| status >= 500)
}

/// Returns the whole ID of a task that was named by part of it.
pub(crate) async fn whole_id(context: &Context, given: &str) -> Result<String, Failure> {
    id::whole(context, given).await
}

/// The whole id of the only task that a text names a part of, for places where other names may stand as well;
/// `None` if it names no task.
pub(crate) async fn maybe_id(context: &Context, given: &str) -> Result<Option<String>, Failure> {
    if !id::is_part(given) {
        return Ok(None);
    }
    match id::whole(context, given).await {
        Ok(id) => Ok(Some(id)),
        Err(Failure::Call(e)) if e.status() == Some(404) => Ok(None),
        Err(e) => Err(e),
    }
}

/// The typed view of a task that a server sent.
fn body(context: &Context, task: &Value) -> Result<TaskBody, Failure> {
    crate::cmd::plain(task.clone()).map_err(|e| {
        let server = context.client.server().to_owned();
        longhaul_client::ClientError::Protocol { server, reason: format!("it is no task: {e}") }.into()
    })
}

/// Shows a task: as the server sent it, or as a tree with suggestions for the next step.
async fn show(context: &Context, task: &Value) -> Result<(), Failure> {
    if context.out.verbatim(task)? {
        return Ok(());
    }
    let mut body = body(context, task)?;
    seen::Seen::default().complete(context, &mut body).await;
    let is_imported = received::is_under_way(context, &body).await;
    let folds = tree::Folds::Nothing;
    let moment = tree::Moment { now: crate::now(), frame: None, folds, id: true, is_imported };
    let lines = tree::render(&body, moment, context.out.palette);
    context.out.text(&lines.into_iter().map(|line| line.text + "\n").collect::<String>())?;
    if is_imported {
        return received::remark(context);
    }
    advise::next(context, &body).await
}

/// Returns the exit code for the end of a task.
fn outcome(phase: Phase) -> Code {
    if phase.is_failure() { Code::Failed } else { Code::Success }
}
