//! A small fixed run that touches every kind of durable change: tasks of three sub-tasks each.

use crate::history::{DecisionAnswer, Verb};
use crate::load::Caller;
use crate::wire::TaskStatus;

use super::heal::sending;

/// Runs it; false when the server was gone before the end.
pub(super) async fn run(caller: &mut Caller) -> bool {
    steps(caller).await.is_some()
}

async fn steps(caller: &mut Caller) -> Option<()> {
    // A task that runs through, and its submission once more.
    let first = sending(caller, "three", Some("first"));
    let id = caller.submit(first.clone()).await?;
    caller.look(id, Some("10s")).await?;
    caller.submit(first).await?;
    // One that fails, and its retry.
    let fails = sending(caller, "three-fails", None);
    let id = caller.submit(fails).await?;
    if caller.look(id, Some("10s")).await? == TaskStatus::Failed {
        answered(caller.decide(id, Verb::Retry, None).await)?;
    }
    caller.look(id, Some("10s")).await?;
    // One that is cancelled while it runs.
    let slow = sending(caller, "three-slow", None);
    let id = caller.submit(slow).await?;
    answered(caller.decide(id, Verb::Cancel, None).await)?;
    caller.look(id, Some("10s")).await?;
    // One that must not be repeated.
    let once = sending(caller, "three-once", Some("once"));
    let id = caller.submit(once).await?;
    caller.look(id, Some("10s")).await?;
    Some(())
}

fn answered(answer: DecisionAnswer) -> Option<()> {
    matches!(answer, DecisionAnswer::Acked | DecisionAnswer::Refused).then_some(())
}
