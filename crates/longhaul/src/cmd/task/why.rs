//! `task why`: the reasons why a task does not proceed.

use longhaul_client::{Read, WhyBody};

use super::{Context, advise, id};
use crate::cli::IdArgs;
use crate::exit::{Code, Failure};
use crate::out::{error, speak};

/// Prints every reason, with suggestions.
pub(crate) async fn run(args: &IdArgs, context: &Context) -> Result<Code, Failure> {
    let out = &context.out;
    let id = id::whole(context, &args.id).await?;
    let answer = context.client.task_why(&id).await?;
    if out.verbatim(&answer)? {
        return Ok(Code::Success);
    }
    let why: WhyBody = crate::cmd::plain(answer).map_err(anyhow::Error::from)?;
    let (strong, dim) = (out.palette.strong(), out.palette.dim());
    let mut text = String::new();
    if why.reasons.is_empty() {
        text.push_str(&format!("{}\n", why.summary));
    }
    for reason in &why.reasons {
        text.push_str(&format!("{dim}{}{dim:#} {}\n", reason.kind, reason.message));
        for lock in reason.locks.iter().skip(1) {
            let what = lock.resource_type.as_ref().or(lock.workflow.as_ref());
            let which = lock.resource_id.as_ref().or(lock.key.as_ref());
            let (what, which) = (what.map_or("", String::as_str), which.map_or("", String::as_str));
            let status = lock.task_status.as_deref().unwrap_or("unknown").to_lowercase();
            text.push_str(&format!("  {what} {which}: {} ({}), {status}\n", lock.task_name, lock.task_id));
        }
        if let Some(cause) = &reason.error {
            text.push_str(&error::carried(cause, "  ", out.palette));
        }
        if let Some(remedy) = &reason.remediation_message {
            text.push_str(&format!("  {strong}hint:{strong:#} {}\n", speak::words(remedy, Some(&id))));
        }
    }
    out.text(&text)?;
    let task = context.client.get_task(&id, &Read::default()).await?;
    advise::next_after_why(context, &super::body(context, &task)?).await?;
    Ok(Code::Success)
}
