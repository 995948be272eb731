//! Cancel: a barrier.

use longhaul_model::{
    Command, Failure, Outcome, Refused, SubTaskStatus, TaskStatus, Timestamp, Token, WaitingFor,
};
use serde_json::json;

use crate::example::{
    START, accepted, begun, broken, cancel, ended, in_turn, retry, starts, stops, sub, timers,
};

#[test]
fn cancel_pending_task_ends_it_at_once() {
    let mut task = accepted(json!({}), vec![sub("a", json!({}))], Some(Timestamp(START.0 + 1000)));
    task.apply(Command::Begin);
    assert_eq!(ended(&task.apply(cancel())), Some(TaskStatus::Cancelled));
    task.elapse(1000);
    assert_eq!(task.refused(Command::Due), Refused::Nothing);
    assert_eq!(task.refused(Command::Begin), Refused::Nothing);
}

#[test]
fn cancel_running_task_tells_its_attempts_and_waits() {
    let mut task = in_turn(&["a", "b"]);
    let change = task.apply(cancel());
    assert_eq!((stops(&change), timers(&change), ended(&change)), (vec![(0, Token(1))], vec![1000], None));
    assert_eq!(task.task.record().waiting_for(), Some(WaitingFor::Stop(Timestamp(START.0 + 1000))));
    assert_eq!((task.status(), task.state().decisions[0].what.as_str()), (TaskStatus::InProgress, "cancel"));
    let change = task.apply(task.fail(0, Failure::Stopped));
    assert_eq!((ended(&change), change.attempts[0].outcome), (Some(TaskStatus::Cancelled), Outcome::Stopped));
    assert_eq!(task.statuses(), [SubTaskStatus::Failed, SubTaskStatus::Pending]);
}

#[test]
fn cancel_with_a_late_success_records_it_and_starts_nothing() {
    let mut task = in_turn(&["a", "b"]);
    task.apply(cancel());
    let change = task.apply(task.complete(0, Some(json!(1))));
    assert_eq!((starts(&change), ended(&change)), (vec![], Some(TaskStatus::Cancelled)));
    assert_eq!((task.sub(0).status, task.task.output(0)), (SubTaskStatus::Successful, Some(&json!(1))));
}

#[test]
fn cancel_with_a_late_failure_tries_nothing_again() {
    let mut task = begun(json!({}), vec![sub("a", json!({"retry": {"attempts": 5}}))]);
    task.apply(cancel());
    assert_eq!(ended(&task.apply(task.fail(0, broken(true)))), Some(TaskStatus::Cancelled));
}

#[test]
fn cancel_whose_attempts_do_not_end_gives_them_up_after_its_grace_time() {
    let mut task = in_turn(&["a"]);
    task.apply(cancel());
    task.elapse(999);
    assert_eq!(task.refused(Command::Due), Refused::Nothing);
    assert_eq!(ended(&task.due_after(1)), Some(TaskStatus::Cancelled));
    assert_eq!(task.refused(task.complete(0, None)), Refused::Stale);
}

#[test]
fn cancel_stops_timers_and_pauses_itself() {
    let wait = json!({"needs": [], "action": {"wait": {"for": "1h"}}});
    let paused = json!({"needs": [], "retry": {"attempts": 2}});
    let mut task = begun(json!({}), vec![sub("a", wait), sub("b", paused)]);
    task.apply(task.fail(1, broken(true)));
    let change = task.apply(cancel());
    assert_eq!((ended(&change), stops(&change)), (Some(TaskStatus::Cancelled), vec![]));
    assert_eq!(task.task.record().due_at(), None);
}

#[test]
fn cancel_twice_or_too_late_is_refused() {
    let mut task = in_turn(&["a"]);
    task.apply(cancel());
    assert_eq!(task.refused(cancel()), Refused::Stopping);
    assert!(!task.task.record().is_cancellable());
    task.apply(task.complete(0, None));
    assert_eq!(task.refused(cancel()), Refused::NotRunning(TaskStatus::Cancelled));
    assert_eq!(task.refused(retry()), Refused::NotFailed(TaskStatus::Cancelled));
}

#[test]
fn cancel_of_what_cannot_be_cancelled_is_refused() {
    let mut task = begun(json!({"cancellable": false}), vec![sub("a", json!({}))]);
    assert_eq!(task.refused(cancel()), Refused::NotCancellable);
}
