//! Decisions of operators: retry, skip, resolve.

use longhaul_model::{Failure, Outcome, Refused, Resolution, SubTaskStatus, TaskStatus};
use serde_json::json;

use crate::example::{Example, begun, ended, in_turn, launches, resolve, retry, skip, starts, sub};

/// A task with a success and, in parallel, failures.
fn two_failed() -> Example {
    let subs =
        vec![sub("a", json!({"needs": []})), sub("b", json!({"needs": []})), sub("c", json!({"needs": []}))];
    let mut task = begun(json!({}), subs);
    task.apply(task.complete(0, Some(json!("kept"))));
    task.fail_for_good(1);
    task.fail_for_good(2);
    assert_eq!(task.status(), TaskStatus::Failed);
    task
}

/// Creates a task parked because the outcome of one sub-task is unknown.
fn parked() -> Example {
    parked_with("fail")
}

fn parked_with(on_failure: &str) -> Example {
    let once = json!({"repeatable": false, "onFailure": on_failure});
    let mut task = begun(json!({}), vec![sub("a", once), sub("b", json!({}))]);
    task.apply(task.fail(0, Failure::Lost));
    task
}

#[test]
fn retry_failed_task_runs_again_what_failed_only() {
    let mut task = two_failed();
    task.elapse(1000);
    let kept = task.sub(0).clone();
    let change = task.apply(retry());
    assert_eq!(starts(&change), [1, 2]);
    assert_eq!((task.sub(0), task.task.output(0)), (&kept, Some(&json!("kept"))));
    assert_eq!(
        (task.status(), task.state().generation, task.state().completed_at),
        (TaskStatus::InProgress, 1, None)
    );
    assert!(task.state().errors.is_empty() && task.sub(1).errors.is_empty());
    assert!(launches(&change)[0].idempotency_key.ends_with("-1-1-1"));
}

#[test]
fn retry_to_success_resolves_the_failure() {
    let mut task = in_turn(&["a"]);
    task.fail_for_good(0);
    assert_eq!(task.state().resolution, Resolution::Unresolved);
    task.apply(retry());
    task.apply(task.complete(0, None));
    assert_eq!((task.status(), task.state().resolution), (TaskStatus::Successful, Resolution::Resolved));
}

#[test]
fn retry_gives_attempts_anew() {
    let mut task = begun(json!({}), vec![sub("a", json!({"retry": {"attempts": 2}}))]);
    for _ in 0..2 {
        task.apply(task.fail(0, Failure::Error { fault: Default::default(), retryable: true }));
        task.due_after(60_000);
        task.apply(task.fail(0, Failure::Error { fault: Default::default(), retryable: true }));
        assert_eq!(task.status(), TaskStatus::Failed);
        task.apply(retry());
    }
    assert_eq!((task.sub(0).attempt, task.sub(0).tries), (5, 1));
}

#[test]
fn retry_tells_attempts_of_earlier_generations_as_such() {
    let mut task = two_failed();
    task.apply(retry());
    let latest: Vec<_> = task.task.record().latest_attempts().collect();
    let told: Vec<_> = latest.iter().map(|a| (a.sub_task, a.number, a.generation, a.outcome)).collect();
    assert_eq!(
        told,
        [(0, 1, 0, Outcome::Successful), (1, 2, 1, Outcome::Running), (2, 2, 1, Outcome::Running)]
    );
}

#[test]
fn retry_of_a_condition_that_failed_evaluates_it_again() {
    let mut task = begun(json!({"when": "input.missing.more"}), vec![sub("a", json!({}))]);
    assert_eq!(ended(&task.apply(retry())), Some(TaskStatus::Failed));
    assert_eq!(task.state().generation, 1);
}

#[test]
fn retry_of_what_did_not_fail_is_refused() {
    let mut task = in_turn(&["a"]);
    assert_eq!(task.refused(retry()), Refused::NotFailed(TaskStatus::InProgress));
    task.apply(task.complete(0, None));
    assert_eq!(task.refused(retry()), Refused::NotFailed(TaskStatus::Successful));
}

#[test]
fn retry_of_what_cannot_be_retried_is_refused() {
    let mut task = begun(json!({"retryable": false}), vec![sub("a", json!({}))]);
    task.fail_for_good(0);
    assert_eq!(task.refused(retry()), Refused::NotRetryable);
    assert!(!task.task.record().is_retryable());
}

#[test]
fn retry_with_an_unknown_outcome_is_refused() {
    assert_eq!(parked().refused(retry()), Refused::Undecided("a".to_owned()));
}

#[test]
fn skip_failed_sub_task_goes_on_and_warns() {
    let mut task = in_turn(&["a", "b"]);
    task.fail_for_good(0);
    assert_eq!(starts(&task.apply(skip(0))), [1]);
    assert_eq!((task.sub(0).status, task.state().generation), (SubTaskStatus::Skipped, 1));
    assert_eq!(
        (task.state().decisions[0].what.as_str(), task.state().decisions[0].sub_task),
        ("skip", Some(0))
    );
    assert_eq!(ended(&task.apply(task.complete(1, None))), Some(TaskStatus::CompletedWithWarning));
}

#[test]
fn skip_of_one_of_two_failed_waits_for_the_other() {
    let mut task = two_failed();
    let change = task.apply(skip(1));
    assert_eq!((starts(&change), ended(&change), task.status()), (vec![], None, TaskStatus::Failed));
    assert_eq!(ended(&task.apply(skip(2))), Some(TaskStatus::CompletedWithWarning));
}

#[test]
fn skip_of_what_did_not_fail_is_refused() {
    let mut task = in_turn(&["a", "b"]);
    assert_eq!(task.refused(skip(0)), Refused::NothingToDecide(TaskStatus::InProgress));
    task.fail_for_good(0);
    assert_eq!(task.refused(skip(1)), Refused::SubTaskNotFailed("b".to_owned()));
    assert_eq!(task.refused(skip(2)), Refused::NoSubTask("2".to_owned()));
}

#[test]
fn skip_of_an_unknown_outcome_decides_it() {
    let mut task = parked();
    assert_eq!(starts(&task.apply(skip(0))), [1]);
    assert!(!task.sub(0).outcome_unknown);
}

#[test]
fn resolve_without_a_verdict_notes_that_somebody_dealt_with_it() {
    let mut task = two_failed();
    let change = task.apply(resolve(None));
    assert_eq!((ended(&change), task.status()), (None, TaskStatus::Failed));
    assert_eq!((task.state().resolution, task.state().generation), (Resolution::Resolved, 0));
    assert_eq!(task.state().decisions[0].reason.as_deref(), Some("looked"));
    assert_eq!(starts(&task.apply(retry())), [1, 2]);
    assert_eq!(task.state().resolution, Resolution::Unresolved);
}

#[test]
fn resolve_as_done_counts_as_success_with_its_output() {
    let mut task = parked();
    let change = task.apply(resolve(Some((0, true, Some(json!("seen"))))));
    assert_eq!((starts(&change), change.outputs.as_slice()), (vec![1], [0].as_slice()));
    assert_eq!((task.sub(0).status, task.task.output(0)), (SubTaskStatus::Successful, Some(&json!("seen"))));
    assert_eq!((task.sub(0).attempt, task.sub(0).errors.len()), (1, 0));
    assert_eq!(ended(&task.apply(task.complete(1, None))), Some(TaskStatus::Successful));
}

#[test]
fn resolve_as_not_done_runs_it_again() {
    let mut task = parked();
    let change = task.apply(resolve(Some((0, false, None))));
    let [launch] = launches(&change).try_into().unwrap();
    assert_eq!((launch.sub_task, launch.number), (0, 2));
    assert_eq!(task.state().decisions[0].what, "notDone");
}

#[test]
fn a_repaired_sub_task_counts_as_done_or_runs_again_alone() {
    let mut task = two_failed();
    let number = task.sub(2).attempt;
    task.apply(resolve(Some((1, true, Some(json!({"by": "hand"}))))));
    assert_eq!((task.sub(1).status, task.status()), (SubTaskStatus::Successful, TaskStatus::Failed));
    assert_eq!(task.sub(1).errors.len(), 0);
    let change = task.apply(resolve(Some((2, false, None))));
    let [launch] = launches(&change).try_into().unwrap();
    assert_eq!((launch.sub_task, launch.number), (2, number + 1));
}

#[test]
fn resolve_of_what_did_not_fail_is_refused() {
    let mut task = in_turn(&["a"]);
    assert_eq!(task.refused(resolve(None)), Refused::NothingToDecide(TaskStatus::InProgress));
    assert_eq!(
        task.refused(resolve(Some((0, true, None)))),
        Refused::NothingToDecide(TaskStatus::InProgress)
    );
}

#[test]
fn unknown_outcome_of_one_that_goes_on_stops_nothing_and_asks_nobody() {
    let mut task = parked_with("continue");
    assert_eq!(ended(&task.apply(task.complete(1, None))), Some(TaskStatus::CompletedWithWarning));
    assert_eq!(task.task.record().waiting_for(), None);
}
