//! `task start`.

use std::collections::BTreeMap;
use std::time::Duration;

use longhaul_client::{ClientError, Read, StartTask};

use super::{Context, input, watch};
use crate::cli::StartArgs;
use crate::exit::{Code, Failure};

/// Longest wait for the end of a task in one request; then the request is repeated.
const WAIT: Duration = Duration::from_secs(30);

/// Reminder about the syntax of values, printed if the input is refused.
const TEXTS: &str =
    "-i KEY=TEXT gives texts, -i KEY:=JSON numbers, lists and so on; what the workflow takes:";

/// Returns true if the server refused the input because it does not match the workflow's schema.
fn is_unfit(e: &ClientError) -> bool {
    matches!(e, ClientError::Refused { error, .. } if error.error_code == "INVALID_INPUT")
}

/// Starts a task and, if asked to, waits for its end or follows it.
pub(crate) async fn run(args: &StartArgs, context: &Context) -> Result<Code, Failure> {
    let mut labels = BTreeMap::new();
    for given in &args.label {
        let (key, value) = input::pair(given, "--label")?;
        labels.insert(key.to_owned(), value.to_owned());
    }
    let start = StartTask {
        workflow: args.workflow.clone(),
        version: args.version,
        input: input::input(args.input.as_deref(), &args.input_values)?,
        name: args.name.clone(),
        not_before: args.not_before.map(|at| at.to_string()),
        labels,
        idempotency_key: args.idempotency_key.clone(),
        wait: args.wait.then_some(WAIT),
        dry_run: args.dry_run,
    };
    let started = match context.client.start_task(&start).await {
        Err(e) if is_unfit(&e) && !args.input_values.is_empty() => {
            Failure::Call(e).say(&context.out);
            context.out.remark(&format!("  hint: {TEXTS} `longhaul workflow show {}`", args.workflow))?;
            return Err(Failure::Said(Code::Refused));
        }
        started => started?,
    };
    if started.replayed {
        context.out.remark("this key had started a task before; this is that task")?;
    }
    if args.dry_run {
        super::show(context, &started.task).await?;
        context.out.remark("a rehearsal: the server accepts this, and nothing was stored or started")?;
        return Ok(Code::Success);
    }
    let mut task = super::body(context, &started.task)?;
    if args.watch {
        return watch::follow(context, &task.id).await;
    }
    if !args.wait {
        super::show(context, &started.task).await?;
        return Ok(Code::Success);
    }
    let mut last = started.task;
    while !task.phase().has_ended() {
        let read = Read { wait: Some(WAIT), ..Read::default() };
        last = context.client.get_task(&task.id, &read).await?;
        task = super::body(context, &last)?;
    }
    super::show(context, &last).await?;
    Ok(super::outcome(task.phase()))
}
