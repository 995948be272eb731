//! `task get`.

use longhaul_client::Read;

use super::{Context, id};
use crate::cli::GetArgs;
use crate::exit::{Code, Failure};

/// Shows one task, once it ended if that was asked for.
pub(crate) async fn run(args: &GetArgs, context: &Context) -> Result<Code, Failure> {
    let id = id::whole(context, &args.id).await?;
    let read = Read { wait: args.wait, include: args.include.clone(), summary: args.summary };
    let task = context.client.get_task(&id, &read).await?;
    super::show(context, &task).await?;
    Ok(if args.exit_status { super::outcome(super::body(context, &task)?.phase()) } else { Code::Success })
}
