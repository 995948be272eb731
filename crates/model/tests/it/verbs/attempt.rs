//! Results of attempts: complete, fail, report, hand back.

use longhaul_model::{
    Command, Failure, Fault, Outcome, Refused, SubTaskStatus, TaskStatus, Timestamp, Token, WaitingFor,
};
use serde_json::json;

use crate::example::{START, begun, broken, cancel, ended, in_turn, launches, starts, sub, timers};

fn retried() -> serde_json::Value {
    json!({"retry": {"attempts": 3, "backoff": "1s", "factor": 2, "jitter": false}})
}

#[test]
fn complete_last_sub_task_ends_the_task() {
    let mut task = in_turn(&["a"]);
    task.elapse(500);
    let change = task.apply(task.complete(0, Some(json!({"n": 1}))));
    assert_eq!((ended(&change), change.outputs.as_slice()), (Some(TaskStatus::Successful), [0].as_slice()));
    assert_eq!(task.task.output(0), Some(&json!({"n": 1})));
    assert_eq!(task.state().completed_at, Some(Timestamp(START.0 + 500)));
    assert_eq!(task.task.record().progress(), 100);
}

#[test]
fn complete_gives_its_output_to_those_behind_it() {
    let reads = json!({"when": "subTasks.a.output.n == 1"});
    let mut task = begun(json!({}), vec![sub("a", json!({})), sub("b", reads)]);
    assert_eq!(starts(&task.apply(task.complete(0, Some(json!({"n": 1}))))), [1]);
}

#[test]
fn complete_twice_is_refused() {
    let mut task = in_turn(&["a", "b"]);
    let complete = task.complete(0, None);
    task.apply(complete.clone());
    assert_eq!(task.refused(complete), Refused::Stale);
}

#[test]
fn complete_with_another_token_is_refused() {
    let mut task = in_turn(&["a"]);
    for (sub_task, token) in [(0, 0), (0, 2), (0, u64::MAX), (1, 0), (1, 1), (9, 1)] {
        let complete = Command::Complete {
            sub_task,
            token: Token(token),
            output: Some(json!("stale")),
            by: None,
            next: None,
        };
        assert_eq!(task.refused(complete), Refused::Stale);
    }
    assert_eq!(task.task.output(0), None);
}

#[test]
fn complete_of_a_replaced_attempt_is_refused() {
    let mut task = in_turn(&["a"]);
    let late = task.complete(0, None);
    task.apply(task.fail(0, Failure::Lost));
    assert_eq!(task.refused(late), Refused::Stale);
}

#[test]
fn complete_of_a_timer_is_refused() {
    let mut task = begun(json!({}), vec![sub("a", json!({"action": {"wait": {"for": "1m"}}}))]);
    assert_eq!(task.refused(task.complete(0, None)), Refused::Stale);
}

#[test]
fn complete_when_the_clock_stepped_back_ends_no_earlier_than_it_started() {
    let mut task = in_turn(&["a"]);
    task.elapse(-60_000);
    task.apply(task.complete(0, None));
    assert_eq!((task.sub(0).completed_at, task.state().completed_at), (Some(START), Some(START)));
}

#[test]
fn fail_without_a_policy_fails_the_task() {
    let mut task = in_turn(&["a", "b"]);
    let change = task.apply(task.fail(0, broken(true)));
    assert_eq!((ended(&change), starts(&change)), (Some(TaskStatus::Failed), vec![]));
    assert_eq!(task.statuses(), [SubTaskStatus::Failed, SubTaskStatus::Pending]);
    assert_eq!(
        (task.sub(0).errors.as_slice(), &task.state().errors[0].error_code),
        ([fault()].as_slice(), &"BROKEN".to_owned())
    );
    assert_eq!((change.attempts[0].outcome, change.attempts[0].number), (Outcome::Failed, 1));
}

fn fault() -> Fault {
    Fault::new("BROKEN", "it broke")
}

#[test]
fn fail_with_a_workflow_error_wraps_what_failed() {
    let error = json!({"code": "VCF_ERROR", "message": "all wrong", "remediation": "call"});
    let mut task = begun(json!({"error": error}), vec![sub("a", json!({}))]);
    task.fail_for_good(0);
    let own = &task.state().errors[0];
    assert_eq!((own.error_code.as_str(), own.remediation_message.as_deref()), ("VCF_ERROR", Some("call")));
    assert_eq!((own.causes[0].kind.as_str(), own.causes[0].message.as_str()), ("BROKEN", "a: it broke"));
    assert_eq!(own.nested_errors, [fault()]);
}

#[test]
fn fail_with_attempts_left_pauses_and_tries_again() {
    let mut task = begun(json!({}), vec![sub("a", retried())]);
    let change = task.apply(task.fail(0, broken(true)));
    assert_eq!(
        (starts(&change), timers(&change), task.sub(0).status),
        (vec![], vec![1000], SubTaskStatus::Pending)
    );
    assert_eq!(task.task.record().waiting_for(), Some(WaitingFor::Retry(0, Timestamp(START.0 + 1000))));
    let change = task.due_after(1000);
    let [launch] = launches(&change).try_into().unwrap();
    assert_eq!(
        (launch.number, launch.token, launch.idempotency_key.ends_with("-0-0-2")),
        (2, Token(2), true)
    );
    assert_eq!(timers(&task.apply(task.fail(0, broken(true)))), [3000]);
    task.due_after(2000);
    assert_eq!(ended(&task.apply(task.fail(0, broken(true)))), Some(TaskStatus::Failed));
    assert_eq!(task.sub(0).attempt, 3);
}

#[test]
fn fail_for_good_uses_no_further_attempt() {
    let mut task = begun(json!({}), vec![sub("a", retried())]);
    assert_eq!(ended(&task.fail_for_good(0)), Some(TaskStatus::Failed));
}

#[test]
fn fail_of_one_that_goes_on_lets_the_others_run_and_warns() {
    let mut task = begun(json!({}), vec![sub("a", json!({"onFailure": "continue"})), sub("b", json!({}))]);
    assert_eq!(starts(&task.fail_for_good(0)), [1]);
    assert_eq!(ended(&task.apply(task.complete(1, None))), Some(TaskStatus::CompletedWithWarning));
    assert_eq!(task.statuses(), [SubTaskStatus::Failed, SubTaskStatus::Successful]);
}

#[test]
fn fail_leaves_running_ones_to_end_and_starts_no_other() {
    let subs = vec![
        sub("a", json!({"needs": []})),
        sub("b", json!({"needs": []})),
        sub("c", json!({"needs": ["b"]})),
    ];
    let mut task = begun(json!({}), subs);
    assert_eq!(ended(&task.fail_for_good(0)), None);
    assert_eq!(task.status(), TaskStatus::InProgress);
    let change = task.apply(task.complete(1, None));
    assert_eq!((starts(&change), ended(&change)), (vec![], Some(TaskStatus::Failed)));
    use SubTaskStatus::{Failed, Pending, Successful};
    assert_eq!(task.statuses(), [Failed, Successful, Pending]);
}

#[test]
fn fail_by_loss_starts_another_attempt_at_once_with_the_same_key() {
    let mut task = begun(json!({}), vec![sub("a", retried())]);
    let change = task.apply(task.fail(0, Failure::Lost));
    let [launch] = launches(&change).try_into().unwrap();
    assert_eq!((launch.number, launch.idempotency_key.ends_with("-0-0-1")), (2, true));
    assert_eq!(
        (change.attempts[0].outcome, change.attempts[0].error.as_ref().unwrap().error_code.as_str()),
        (Outcome::Lost, "LEASE_EXPIRED")
    );
}

#[test]
fn fail_by_loss_again_and_again_ends_at_last() {
    let mut task = in_turn(&["a"]);
    for _ in 0..9 {
        assert_eq!(starts(&task.apply(task.fail(0, Failure::Lost))), [0]);
    }
    assert_eq!(ended(&task.apply(task.fail(0, Failure::Lost))), Some(TaskStatus::Failed));
}

#[test]
fn fail_by_a_worker_that_stops_is_taken_over_at_once() {
    let mut task = in_turn(&["a"]);
    let change = task.apply(task.fail(0, Failure::Abandoned { fault: fault() }));
    assert_eq!((starts(&change), change.attempts[0].outcome), (vec![0], Outcome::Lost));
    assert_eq!(change.attempts[0].error, Some(fault()));
    assert!(launches(&change)[0].idempotency_key.ends_with("-0-0-1"));
}

#[test]
fn fail_of_unknown_outcome_is_tried_again_with_the_same_key() {
    for failure in [Failure::Timeout, Failure::Unknown { fault: fault() }] {
        let mut task = begun(json!({}), vec![sub("a", retried())]);
        task.apply(task.fail(0, failure));
        let change = task.due_after(1000);
        assert!(launches(&change)[0].idempotency_key.ends_with("-0-0-1"));
    }
}

#[test]
fn fail_of_unknown_outcome_parks_what_is_not_to_be_repeated() {
    let given_up = Failure::Abandoned { fault: fault() };
    for failure in [Failure::Lost, Failure::Timeout, Failure::Unknown { fault: fault() }, given_up] {
        let once = json!({"repeatable": false, "retry": {"attempts": 5}});
        let mut task = begun(json!({}), vec![sub("a", once)]);
        assert_eq!(ended(&task.apply(task.fail(0, failure))), Some(TaskStatus::Failed));
        assert!(task.sub(0).outcome_unknown);
        assert_eq!(task.sub(0).errors[0].error_code, "OUTCOME_UNKNOWN");
        assert_eq!(task.task.record().waiting_for(), Some(WaitingFor::Decision(0)));
        assert!(!task.task.record().is_retryable());
    }
}

#[test]
fn fail_with_an_error_of_what_is_not_to_be_repeated_is_known() {
    let once = json!({"repeatable": false, "retry": {"attempts": 2}});
    let mut task = begun(json!({}), vec![sub("a", once)]);
    task.apply(task.fail(0, broken(true)));
    assert_eq!(task.sub(0).status, SubTaskStatus::Pending);
}

#[test]
fn report_of_the_live_attempt_is_shown() {
    let mut task = in_turn(&["a", "b"]);
    let report = |token, progress| Command::Report {
        sub_task: 0,
        token: Token(token),
        progress,
        stages: None,
        by: None,
    };
    let change = task.apply(report(1, Some(250)));
    assert_eq!((change.sub_tasks.as_slice(), task.sub(0).progress), ([0].as_slice(), Some(100)));
    task.apply(report(1, Some(40)));
    assert_eq!(task.task.record().progress(), 20);
    assert_eq!(task.refused(report(2, Some(50))), Refused::Stale);
    task.apply(task.complete(0, None));
    assert_eq!(task.refused(report(1, Some(50))), Refused::Stale);
}

#[test]
fn hand_back_is_due_at_once_and_costs_no_try() {
    let mut task = begun(json!({}), vec![sub("a", json!({"retry": {"attempts": 1}}))]);
    let token = task.sub(0).token();
    let change = task.apply(Command::HandBack { sub_task: 0, token, by: None });
    assert_eq!((starts(&change), timers(&change), change.attempts.len()), (vec![], vec![0], 0));
    let change = task.due_after(0);
    let [launch] = launches(&change).try_into().unwrap();
    assert_eq!((launch.number, launch.idempotency_key.ends_with("-0-0-1")), (2, true));
}

#[test]
fn hand_back_of_a_cancelled_task_ends_it() {
    let mut task = in_turn(&["a"]);
    task.apply(cancel());
    let token = task.sub(0).token();
    assert_eq!(
        ended(&task.apply(Command::HandBack { sub_task: 0, token, by: None })),
        Some(TaskStatus::Cancelled)
    );
}

#[test]
fn what_starts_is_not_dated_before_the_end_of_what_it_needs() {
    // The sub-task that it needs ended at a node whose clock is a little ahead of this one's; a clock that
    // was wrong is not waited for.
    for (behind, earlier) in [(40, 0), (60_000, 60_000)] {
        let mut task = in_turn(&["a", "b"]);
        task.elapse(100_000);
        task.apply(task.complete(0, None));
        let ended = task.sub(0).completed_at.expect("ended").0;
        task.elapse(-behind);
        task.apply(Command::Recover { node: None });
        assert_eq!(task.sub(1).started_at.map(|at| at.0), Some(ended - earlier), "{behind} ms behind");
    }
}
