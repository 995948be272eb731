//! A copy whose original lives on.

use longhaul_model::{Command, Failure, Hold, Refused, SubTaskStatus, TaskStatus, Timestamp, Verdict};
use serde_json::json;

use crate::example::{START, accepted, begun, cancel, ended, in_turn, starts, sub};

fn park() -> Command {
    Command::Park { by: "server".into(), reason: "a copy".into() }
}

#[test]
fn park_leaves_the_outcome_of_what_runs_open_also_where_it_may_be_repeated() {
    let subs = vec![
        sub("a", json!({"needs": []})),
        sub("b", json!({"needs": []})),
        sub("c", json!({"needs": ["a"]})),
    ];
    let mut task = begun(json!({}), subs);
    task.apply(task.complete(1, None));
    let late = task.complete(0, None);
    let change = task.apply(park());
    assert_eq!((starts(&change), ended(&change)), (vec![], Some(TaskStatus::Failed)));
    assert_eq!(task.statuses(), [SubTaskStatus::Failed, SubTaskStatus::Successful, SubTaskStatus::Pending]);
    assert!(task.sub(0).outcome_unknown);
    assert_eq!(task.task.record().state.errors[0].error_code, "TASK_COPIED");
    assert_eq!(task.refused(late), Refused::Stale);
    // Asked again, as by a start after a crash.
    assert_eq!(task.refused(park()), Refused::Nothing);
    assert!(matches!(task.refused(Command::Retry { by: "ada".into() }), Refused::Undecided(_)));
    let verdict = Some(Verdict { sub_task: 0, done: false, output: None });
    let change = task.apply(Command::Resolve { by: "ada".into(), reason: "here too".into(), verdict });
    assert_eq!(starts(&change), [0]);
}

#[test]
fn park_holds_what_only_waits_until_a_retry() {
    let later = Some(Timestamp(START.0 + 7));
    let timer = sub("a", json!({"action": {"wait": {"for": "1h"}}}));
    for mut task in [
        accepted(json!({}), vec![sub("a", json!({}))], later),
        begun(json!({}), vec![timer]),
        begun(json!({}), vec![sub("a", json!({"action": {"worker": {"queue": "q"}}}))]),
    ] {
        let change = task.apply(park());
        assert_eq!((starts(&change), ended(&change)), (vec![], Some(TaskStatus::Failed)));
        assert!(!task.sub(0).outcome_unknown && task.task.record().due_at().is_none());
        assert_eq!(task.refused(Command::Due), Refused::Nothing);
        task.apply(Command::Retry { by: "ada".into() });
        assert_ne!(task.task.record().state.status, TaskStatus::Failed);
    }
}

#[test]
fn park_treats_what_was_recovered_before_as_what_runs() {
    let mut task = in_turn(&["a"]);
    task.apply(Command::Recover { node: None });
    task.apply(park());
    assert!(task.sub(0).outcome_unknown);
}

#[test]
fn park_ends_what_is_being_cancelled() {
    let mut task = in_turn(&["a"]);
    task.apply(cancel());
    assert_eq!(ended(&task.apply(park())), Some(TaskStatus::Cancelled));
}

#[test]
fn park_of_an_ended_task_is_refused() {
    let mut task = in_turn(&["a"]);
    task.apply(task.complete(0, None));
    assert_eq!(task.refused(park()), Refused::Nothing);
}

#[test]
fn park_of_children_leaves_those_that_were_not_begun() {
    let each = json!({"forEach": "{{ input.hosts }}", "parallel": 1});
    let mut task = begun(json!({}), vec![sub("each", each), sub("then", json!({}))]);
    let change = task.apply(park());
    assert_eq!((starts(&change), ended(&change)), (vec![], Some(TaskStatus::Failed)));
    assert!(task.sub(2).outcome_unknown);
    assert_eq!((task.sub(0).status, task.sub(3).status), (SubTaskStatus::Failed, SubTaskStatus::Pending));
}

/// A retry that waits in line again for what it claims: the outcome in doubt keeps no lock that it does not
/// have.
#[test]
fn park_of_a_retry_in_line_leaves_the_line() {
    let resources = json!([{ "type": "HOST", "resourceId": "esx1" }]);
    let work = json!({"action": {"worker": {"queue": "q"}}});
    let mut task = accepted(json!({ "resources": resources, "timeout": "1s" }), vec![sub("a", work)], None);
    task.apply(Command::Begin);
    task.apply(Command::Acquired);
    task.apply(Command::Lease { sub_task: 0, terms: crate::verbs::lease::terms() });
    task.apply(task.fail(0, Failure::Lost));
    let change = task.due_after(60_000);
    assert_eq!(ended(&change), Some(TaskStatus::Failed));
    task.apply(Command::Retry { by: "ada".into() });
    assert_eq!(task.state().hold, Hold::Waiting);
    let change = task.apply(park());
    assert!(task.sub(0).outcome_unknown && change.releases);
    assert_eq!((ended(&change), task.state().hold), (Some(TaskStatus::Failed), Hold::None));
}
