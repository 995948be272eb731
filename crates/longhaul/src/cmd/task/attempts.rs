//! `task attempts`.

use longhaul_client::{AttemptBody, PageBody};

use super::{Context, id};
use crate::cli::IdArgs;
use crate::exit::{Code, Failure};
use crate::out::table::Table;
use crate::out::{span, tree};

/// Shows every attempt of a task's sub-tasks, in the order of their starts.
pub(crate) async fn run(args: &IdArgs, context: &Context) -> Result<Code, Failure> {
    let out = &context.out;
    let id = id::whole(context, &args.id).await?;
    let page = context.client.task_attempts(&id).await?;
    if out.verbatim(&page)? {
        return Ok(Code::Success);
    }
    let page: PageBody<AttemptBody> = crate::cmd::plain(page).map_err(|e| {
        let server = context.client.server().to_owned();
        longhaul_client::ClientError::Protocol { server, reason: format!("it is no list of attempts: {e}") }
    })?;
    let now = crate::now();
    let mut table = Table::new(&["SUB-TASK", "RUN", "ATTEMPT", "STATUS", "STARTED", "TOOK", "ERROR"]);
    for attempt in &page.elements {
        let ended = attempt.completion_timestamp.as_deref();
        let error = attempt.error.as_ref().map(|error| format!("{}: {}", error.error_code, error.message));
        table.row(vec![
            attempt.sub_task.clone(),
            attempt.generation.to_string(),
            attempt.number.to_string(),
            tree::status(&attempt.status, out.palette),
            attempt.creation_timestamp.clone(),
            span::taken(Some(&attempt.creation_timestamp), ended, now).unwrap_or_default(),
            error.unwrap_or_default(),
        ]);
    }
    out.text(&table.render(out.palette, out.width()))?;
    Ok(Code::Success)
}
