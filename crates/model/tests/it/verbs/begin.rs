//! The start of a task, and the sub-tasks that start with it.

use longhaul_model::{Command, Refused, SubTaskStatus, TaskStatus, Timestamp, WaitingFor};
use serde_json::json;

use crate::example::{START, accepted, begun, ended, in_turn, launches, starts, sub, timers};

#[test]
fn begin_new_task_starts_its_first_sub_task_only() {
    let mut task = accepted(json!({}), vec![sub("a", json!({})), sub("b", json!({}))], None);
    assert_eq!((task.status(), task.task.record().name.as_str()), (TaskStatus::Pending, "Example of it"));
    let change = task.apply(Command::Begin);
    assert_eq!(starts(&change), [0]);
    assert_eq!(task.status(), TaskStatus::InProgress);
    assert_eq!(task.statuses(), [SubTaskStatus::InProgress, SubTaskStatus::Pending]);
    assert_eq!((task.state().started_at, task.sub(0).started_at), (Some(START), Some(START)));
}

#[test]
fn begin_twice_is_refused() {
    assert_eq!(in_turn(&["a"]).refused(Command::Begin), Refused::Nothing);
}

#[test]
fn begin_before_its_start_time_waits_for_it() {
    let at = Timestamp(START.0 + 5000);
    let mut task = accepted(json!({}), vec![sub("a", json!({}))], Some(at));
    let change = task.apply(Command::Begin);
    assert_eq!((starts(&change), timers(&change), task.status()), (vec![], vec![5000], TaskStatus::Pending));
    assert_eq!(task.task.record().waiting_for(), Some(WaitingFor::Start(at)));
    task.elapse(4999);
    assert_eq!(task.refused(Command::Due), Refused::Nothing);
    assert_eq!(starts(&task.due_after(1)), [0]);
}

#[test]
fn begin_with_a_start_time_in_the_past_starts_at_once() {
    let mut task = accepted(json!({}), vec![sub("a", json!({}))], Some(Timestamp(START.0 - 1)));
    assert_eq!(starts(&task.apply(Command::Begin)), [0]);
}

#[test]
fn begin_with_a_false_condition_skips_the_task() {
    let mut task = accepted(json!({"when": "not input.yes"}), vec![sub("a", json!({}))], None);
    let change = task.apply(Command::Begin);
    assert_eq!((starts(&change), ended(&change)), (vec![], Some(TaskStatus::Skipped)));
    assert_eq!((task.status(), task.state().completed_at), (TaskStatus::Skipped, Some(START)));
}

#[test]
fn begin_with_a_condition_that_cannot_be_evaluated_fails_the_task() {
    let mut task = accepted(json!({"when": "input.missing.more"}), vec![sub("a", json!({}))], None);
    assert_eq!(ended(&task.apply(Command::Begin)), Some(TaskStatus::Failed));
    assert_eq!(task.state().errors[0].error_code, "EXPRESSION_ERROR");
}

#[test]
fn begin_graph_starts_all_that_need_nothing() {
    let subs = vec![
        sub("a", json!({"needs": []})),
        sub("b", json!({"needs": ["c"]})),
        sub("c", json!({"needs": []})),
        sub("d", json!({"needs": ["a", "b"]})),
    ];
    let mut task = begun(json!({}), subs);
    use SubTaskStatus::{InProgress, Pending};
    assert_eq!(task.statuses(), [InProgress, Pending, InProgress, Pending]);
    assert_eq!(starts(&task.apply(task.complete(0, None))), [0; 0]);
    assert_eq!(starts(&task.apply(task.complete(2, None))), [1]);
    assert_eq!(starts(&task.apply(task.complete(1, None))), [3]);
    assert_eq!(ended(&task.apply(task.complete(3, None))), Some(TaskStatus::Successful));
}

#[test]
fn begin_sub_task_with_a_false_condition_passes_it_over() {
    let subs = vec![sub("a", json!({"when": "not input.yes"})), sub("b", json!({}))];
    let mut task = accepted(json!({}), subs, None);
    assert_eq!(starts(&task.apply(Command::Begin)), [1]);
    assert_eq!(task.statuses()[0], SubTaskStatus::NotApplicable);
    assert_eq!((task.sub(0).attempt, task.sub(0).completed_at), (0, Some(START)));
    assert_eq!(ended(&task.apply(task.complete(1, None))), Some(TaskStatus::Successful));
}

#[test]
fn begin_task_of_which_nothing_applies_succeeds_at_once() {
    let mut task = accepted(json!({}), vec![sub("a", json!({"when": "false"}))], None);
    assert_eq!(ended(&task.apply(Command::Begin)), Some(TaskStatus::Successful));
}

#[test]
fn begin_sub_task_whose_condition_cannot_be_evaluated_fails_it() {
    let mut task = accepted(json!({}), vec![sub("a", json!({"when": "input.missing.more"}))], None);
    let change = task.apply(Command::Begin);
    assert_eq!((starts(&change), ended(&change)), (vec![], Some(TaskStatus::Failed)));
    assert_eq!((change.attempts.len(), task.sub(0).errors[0].error_code.as_str()), (1, "EXPRESSION_ERROR"));
}

#[test]
fn begin_wait_starts_a_timer_and_no_attempt() {
    let wait = json!({"action": {"wait": {"for": "3s"}}});
    let mut task = accepted(json!({}), vec![sub("a", wait), sub("b", json!({}))], None);
    let change = task.apply(Command::Begin);
    assert_eq!((starts(&change), timers(&change)), (vec![], vec![3000]));
    assert_eq!(task.task.record().waiting_for(), Some(WaitingFor::Timer(0, Timestamp(START.0 + 3000))));
    assert_eq!(starts(&task.due_after(3000)), [1]);
    assert_eq!(task.sub(0).status, SubTaskStatus::Successful);
}

#[test]
fn begin_wait_until_an_instant_in_the_past_is_due_at_once() {
    let wait = json!({"action": {"wait": {"until": "2001-01-01T00:00:00Z"}}});
    let mut task = begun(json!({}), vec![sub("a", wait)]);
    assert_eq!(ended(&task.due_after(0)), Some(TaskStatus::Successful));
}

#[test]
fn begin_wait_for_what_is_no_duration_fails_it() {
    let wait = json!({"action": {"wait": {"for": "{{ input.of }}"}}});
    let task = begun(json!({}), vec![sub("a", wait)]);
    assert_eq!(task.status(), TaskStatus::Failed);
    assert!(task.sub(0).errors[0].message.contains("this is not a duration"), "{:?}", task.sub(0).errors);
}

#[test]
fn begin_attempt_carries_its_key_timeout_and_number() {
    let mut task = accepted(json!({}), vec![sub("a", json!({"timeout": "30s"}))], None);
    let change = task.apply(Command::Begin);
    let [launch] = launches(&change).try_into().unwrap();
    assert_eq!((launch.number, launch.token.0, launch.timeout.unwrap().0), (1, 1, 30_000));
    assert_eq!(launch.idempotency_key, format!("{}-0-0-1", task.task.id()));
}

#[test]
fn begin_task_names_and_describes_sub_tasks_from_its_input() {
    let named = json!({"title": "{{ input.of }}:FTP", "description": "Copy {{ input.of }}"});
    let task = begun(json!({}), vec![sub("a", named)]);
    let record = task.task.record();
    assert_eq!((record.sub_task_name(0), record.sub_task_description(0)), ("it:FTP", "Copy it"));
    assert_eq!((record.find_sub_task("a"), record.find_sub_task("it:FTP")), (Some(0), Some(0)));
    assert_eq!(record.find_sub_task("b"), None);
}
