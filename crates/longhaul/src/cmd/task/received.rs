//! Tasks that were imported: they are shown as they were received, and nothing of them goes on, whatever
//! their status says.

use longhaul_client::{TaskBody, WhyBody};

use super::Context;
use crate::exit::Failure;

/// Returns true if the task is the history of another server and was under way when it was received. The task
/// itself does not tell, as it is given back to the letter; the server is asked for its reasons.
pub(super) async fn is_under_way(context: &Context, task: &TaskBody) -> bool {
    if task.phase().has_ended() {
        return false;
    }
    let Ok(answer) = context.client.task_why(&task.id).await else { return false };
    crate::cmd::plain::<WhyBody>(answer)
        .is_ok_and(|why| why.reasons.iter().any(|reason| reason.kind == "IMPORTED"))
}

/// Prints that the task does not go on here.
pub(super) fn remark(context: &Context) -> Result<(), Failure> {
    context.out.remark(
        "the task was imported and is shown as it was received: it runs at no server that this one knows of, \
         and does not change here",
    )?;
    Ok(())
}
