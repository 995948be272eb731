//! Time: limits of tasks, and commands that come too early.

use longhaul_model::{Command, Failure, Refused, SubTaskStatus, TaskStatus, WaitingFor};
use serde_json::json;

use crate::example::{begun, broken, cancel, ended, in_turn, retry, starts, stops, sub, timers};

#[test]
fn due_with_nothing_due_is_refused() {
    assert_eq!(in_turn(&["a"]).refused(Command::Due), Refused::Nothing);
}

#[test]
fn due_limit_of_the_task_stops_it_and_it_fails() {
    let mut task = begun(json!({"timeout": "10s"}), vec![sub("a", json!({})), sub("b", json!({}))]);
    let change = task.due_after(10_000);
    assert_eq!((stops(&change).len(), timers(&change), ended(&change)), (1, vec![40_000], None));
    assert!(matches!(task.task.record().waiting_for(), Some(WaitingFor::Stop(_))));
    assert_eq!(ended(&task.apply(task.fail(0, Failure::Stopped))), Some(TaskStatus::Failed));
    assert_eq!(task.state().errors[0].error_code, "TASK_TIMEOUT");
}

#[test]
fn due_limit_while_pausing_fails_the_task_and_a_retry_goes_on() {
    let paused = json!({"retry": {"attempts": 2, "backoff": "1m"}});
    let mut task = begun(json!({"timeout": "10s"}), vec![sub("a", paused)]);
    task.apply(task.fail(0, broken(true)));
    assert_eq!(ended(&task.due_after(10_000)), Some(TaskStatus::Failed));
    assert_eq!(task.statuses(), [SubTaskStatus::Pending]);
    let change = task.apply(retry());
    assert_eq!((starts(&change), timers(&change)), (vec![0], vec![20_000]));
}

#[test]
fn due_limit_leaves_unknown_what_is_not_to_be_repeated() {
    for gives_up in [false, true] {
        let mut task = begun(json!({"timeout": "10s"}), vec![sub("a", json!({"repeatable": false}))]);
        task.due_after(10_000);
        if gives_up {
            task.due_after(30_000);
        } else {
            task.apply(task.fail(0, Failure::Stopped));
        }
        assert_eq!((task.status(), task.sub(0).outcome_unknown), (TaskStatus::Failed, true), "{gives_up}");
    }
}

#[test]
fn due_limit_of_a_wait_leaves_nothing_unknown() {
    let wait = json!({"repeatable": false, "action": {"wait": {"for": "1h"}}});
    let mut task = begun(json!({"timeout": "10s"}), vec![sub("a", wait)]);
    assert_eq!(ended(&task.due_after(10_000)), Some(TaskStatus::Failed));
    assert!(!task.sub(0).outcome_unknown);
}

#[test]
fn due_limit_of_a_task_being_cancelled_does_not_count() {
    let mut task = begun(json!({"timeout": "500ms"}), vec![sub("a", json!({}))]);
    task.apply(cancel());
    task.elapse(600);
    assert_eq!(task.refused(Command::Due), Refused::Nothing);
    assert_eq!(ended(&task.due_after(400)), Some(TaskStatus::Cancelled));
}

#[test]
fn due_pause_behind_a_failure_starts_nothing() {
    let subs = vec![
        sub("a", json!({"needs": [], "retry": {"attempts": 2, "backoff": "1s", "jitter": false}})),
        sub("b", json!({"needs": []})),
        sub("c", json!({"needs": []})),
    ];
    let mut task = begun(json!({}), subs);
    task.apply(task.fail(0, broken(true)));
    task.fail_for_good(1);
    assert_eq!(starts(&task.due_after(1000)), [0; 0]);
    assert_eq!(ended(&task.apply(task.complete(2, None))), Some(TaskStatus::Failed));
    assert_eq!(starts(&task.apply(retry())), [0, 1]);
}
