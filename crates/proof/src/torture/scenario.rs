//! A small fixed run that touches every kind of durable change: tasks of three sub-tasks each, and accounts.

use std::rc::Rc;

use crate::history::{DecisionAnswer, Verb};
use crate::load::{Caller, Keeper, Shared};
use crate::wire::TaskStatus;

use super::heal::sending;

/// Runs it; false when the server was gone before the end.
pub(super) async fn run(shared: &Rc<Shared>) -> bool {
    let accounts = accounts(&mut Keeper::new(shared.clone())).await;
    accounts.is_some() && tasks(&mut Caller::new(shared.clone())).await.is_some()
}

/// Revokes credentials in each way that costs no hash of a password.
async fn accounts(keeper: &mut Keeper) -> Option<()> {
    let at = keeper.add(true).await?;
    keeper.log_in(at).await?;
    keeper.log_out(at).await?;
    keeper.log_in(at).await?;
    keeper.delete_key(at).await?;
    // It has none left: it gets one, and a session by that.
    keeper.log_in(at).await?;
    keeper.log_in(at).await?;
    keeper.disable(at).await?;
    let at = keeper.add(true).await?;
    keeper.log_in(at).await?;
    keeper.delete(at, true).await
}

async fn tasks(caller: &mut Caller) -> Option<()> {
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
