//! Claims of a task: when it asks, when it has them, when it releases them.

use longhaul_model::{Claim, ClaimMode, Command, Failure, Hold, Refused, TaskStatus, WaitingFor};
use serde_json::json;

use crate::example::{Example, accepted, broken, cancel, ended, retry, skip, starts, sub};

/// A task on two resources with a place among two; not begun.
fn claiming(more: serde_json::Value) -> Example {
    let resources = json!([
        { "type": "Host", "resourceId": "ESX-{{ input.of }}" },
        { "type": "CLUSTER", "resourceId": "c", "lock": "shared" },
        { "type": "DOMAIN", "resourceId": "d", "lock": "none" },
        { "type": "HOST", "resourceId": "esx-it", "lock": "shared" }
    ]);
    let concurrency = json!({ "key": "{{ input.of }}", "limit": 2 });
    accepted(json!({ "resources": resources, "concurrency": concurrency }), vec![sub("a", more)], None)
}

fn waiting() -> Example {
    let mut task = claiming(json!({}));
    let change = task.apply(Command::Begin);
    assert!(change.claims && starts(&change).is_empty());
    task
}

#[test]
fn claims_are_of_resources_that_are_locked_and_of_the_place_each_once_and_the_stronger() {
    let claim = |kind: &str, id: &str, mode| Claim { kind: kind.into(), id: id.into(), mode };
    assert_eq!(
        claiming(json!({})).task.record().claims(),
        [
            claim("CLUSTER", "c", ClaimMode::Shared),
            claim("HOST", "esx-it", ClaimMode::Exclusive),
            claim("example", "it", ClaimMode::Slot(2)),
        ]
    );
}

#[test]
fn begin_waits_for_what_it_claims_and_starts_once_it_has_it() {
    let mut task = waiting();
    assert_eq!((task.status(), task.state().hold), (TaskStatus::Pending, Hold::Waiting));
    assert_eq!(task.task.record().waiting_for(), Some(WaitingFor::Lock));
    assert_eq!(task.refused(Command::Begin), Refused::Nothing);
    assert_eq!(starts(&task.apply(Command::Acquired)), [0]);
    assert_eq!(task.refused(Command::Acquired), Refused::Nothing);
    let change = task.apply(task.complete(0, None));
    assert!(change.releases && task.state().hold == Hold::None);
}

#[test]
fn cancel_while_waiting_asks_no_more() {
    let mut task = waiting();
    let change = task.apply(cancel());
    assert_eq!((ended(&change), change.releases), (Some(TaskStatus::Cancelled), true));
}

#[test]
fn failed_task_lets_go_and_its_retry_asks_again() {
    let mut task = waiting();
    task.apply(Command::Acquired);
    let change = task.apply(task.fail(0, broken(false)));
    assert!(change.releases);
    let change = task.apply(retry());
    assert!(change.claims && task.status() == TaskStatus::Pending);
    assert_eq!(starts(&task.apply(Command::Acquired)), [0]);
}

#[test]
fn unknown_outcome_keeps_what_it_holds_until_somebody_decides_or_takes_it() {
    let mut parked = claiming(json!({ "repeatable": false }));
    parked.apply(Command::Begin);
    parked.apply(Command::Acquired);
    let change = parked.apply(parked.fail(0, Failure::Lost));
    assert_eq!((change.releases, parked.state().hold), (false, Hold::Held));
    // What is kept has to be decided about, as the task is none of credentials.
    assert_eq!(parked.refused(cancel()), Refused::NotRunning(TaskStatus::Failed));
    let release = Command::Release { by: "ada".into(), reason: "looked".into() };
    let mut taken = Example {
        task: longhaul_model::Task::load(
            parked.task.record().clone(),
            parked.task.spec().clone(),
            Default::default(),
        ),
        now: parked.now,
    };
    assert!(taken.apply(release.clone()).releases);
    assert_eq!(taken.refused(release), Refused::HoldsNothing);
    let change = parked.apply(skip(0));
    assert_eq!((ended(&change), change.releases), (Some(TaskStatus::CompletedWithWarning), true));
}
