//! `forEach`: children, how many at once, and their failures.

use longhaul_model::{Command, Decided, Failure, Fault, Refused, SubTaskStatus as S, TaskStatus};
use serde_json::{Value, json};

use crate::example::{Example, begun, begun_with, cancel, ended, launches, retry, skip, starts, sub};

/// Builds a sub-task over three hosts, so many at once, and one behind it.
fn fan(parallel: u32, more: &Value) -> Example {
    let mut each =
        json!({"forEach": "{{ input.hosts }}", "parallel": parallel, "description": "of {{ item.fqdn }}"});
    for (member, value) in more.as_object().expect("members") {
        each[member] = value.clone();
    }
    begun(json!({}), vec![sub("each", each), sub("then", json!({"when": "subTasks.each.output[2] == 'c'"}))])
}

fn broken() -> Failure {
    Failure::Error { fault: Fault::new("BROKEN", "it broke"), retryable: false }
}

#[test]
fn children_run_so_many_at_once_and_their_outputs_become_the_parents_in_order() {
    let mut task = fan(2, &json!({}));
    assert_eq!(task.statuses(), [S::InProgress, S::Pending, S::InProgress, S::InProgress, S::Pending]);
    let record = task.task.record();
    assert_eq!((record.sub_task_name(3), record.sub_task_description(3)), ("each[1]", "of b"));
    assert_eq!(starts(&task.apply(task.complete(3, Some(json!("b"))))), [4]);
    assert_eq!(task.task.record().progress(), 16);
    assert_eq!(starts(&task.apply(task.complete(4, Some(json!("c"))))), Vec::<u32>::new());
    let change = task.apply(task.complete(2, None));
    assert_eq!(starts(&change), [1]);
    assert_eq!(task.task.output(0), Some(&json!([null, "b", "c"])));
    task.apply(task.complete(1, None));
    assert_eq!(task.status(), TaskStatus::Successful);
}

#[test]
fn child_knows_its_item_and_has_a_key_of_its_own() {
    let action = json!({"simulate": {"output": "{{ item.fqdn }} is {{ index }}"}});
    let title = json!({"action": action, "title": "Host {{ item.fqdn }}"});
    let mut task = fan(1, &title);
    let change = task.apply(task.complete(2, None));
    let launch = &launches(&change)[0];
    assert_eq!((launch.sub_task, launch.item), (3, Some(1)));
    assert!(launch.idempotency_key.ends_with("-3-0-1"), "{}", launch.idempotency_key);
    let longhaul_model::workflow::CompiledAction::Simulate(template) = &launch.action else { panic!() };
    let output = template.output.as_ref().expect("an output").value(&launch.scope).expect("a value");
    assert_eq!(output, json!("b is 1"));
    assert_eq!(task.task.record().sub_task_name(3), "Host b");
    assert_eq!(task.task.record().find_sub_task("Host b"), Some(3));
}

#[test]
fn failed_child_fails_its_parent_once_the_others_ended_and_a_retry_runs_it_only() {
    let mut task = fan(1, &json!({}));
    assert_eq!(starts(&task.apply(task.fail(2, broken()))), [3]);
    task.apply(task.complete(3, Some(json!("b"))));
    let change = task.apply(task.complete(4, Some(json!("c"))));
    assert_eq!(ended(&change), Some(TaskStatus::Failed));
    let error = &task.sub(0).errors[0];
    assert_eq!(
        (error.error_code.as_str(), error.message.as_str()),
        ("FOR_EACH_FAILED", "1 of 3 items failed")
    );
    assert_eq!(error.causes[0].message, "each[0]: it broke");
    assert_eq!(starts(&task.apply(retry())), [2]);
    assert_eq!(starts(&task.apply(task.complete(2, Some(json!("a"))))), [1]);
    assert_eq!(task.task.output(0), Some(&json!(["a", "b", "c"])));
}

#[test]
fn child_is_tried_again_as_its_policy_says() {
    let mut task = fan(3, &json!({"retry": {"attempts": 2, "backoff": "1s", "jitter": false}}));
    task.apply(task.fail(2, Failure::Error { fault: Fault::new("X", "x"), retryable: true }));
    assert_eq!(starts(&task.due_after(1_000)), [2]);
    assert_eq!(task.sub(2).tries, 2);
}

#[test]
fn skipped_child_lets_its_parent_go_on_with_a_warning() {
    let mut task = fan(3, &json!({}));
    task.apply(task.fail(2, broken()));
    task.apply(task.complete(3, None));
    task.apply(task.complete(4, Some(json!("c"))));
    assert_eq!(task.status(), TaskStatus::Failed);
    assert_eq!(starts(&task.apply(skip(2))), [1]);
    assert_eq!(task.sub(0).status, S::Successful);
    task.apply(task.complete(1, None));
    assert_eq!(task.status(), TaskStatus::CompletedWithWarning);
}

#[test]
fn cancel_tells_running_children_and_starts_no_other() {
    let mut task = fan(2, &json!({}));
    task.apply(cancel());
    assert_eq!(starts(&task.apply(task.complete(2, None))), Vec::<u32>::new());
    let change = task.apply(task.fail(3, Failure::Stopped));
    assert_eq!(ended(&change), Some(TaskStatus::Cancelled));
    assert_eq!(task.statuses(), [S::Failed, S::Pending, S::Successful, S::Failed, S::Pending]);
}

#[test]
fn failure_beside_it_keeps_children_from_starting_until_the_retry() {
    let each = json!({"forEach": "{{ input.hosts }}", "parallel": 1});
    let beside = json!({"needs": []});
    let mut task = begun(json!({}), vec![sub("each", each), sub("beside", beside)]);
    task.apply(task.fail(1, broken()));
    let change = task.apply(task.complete(2, None));
    assert_eq!(ended(&change), Some(TaskStatus::Failed));
    assert_eq!(task.statuses(), [S::Pending, S::Failed, S::Successful, S::Pending, S::Pending]);
    let mut started = starts(&task.apply(retry()));
    started.sort_unstable();
    assert_eq!(started, [1, 3]);
}

#[test]
fn empty_list_is_a_success_and_what_is_no_list_a_failure() {
    let of =
        |list: &str| begun(json!({}), vec![sub("each", json!({"forEach": list})), sub("then", json!({}))]);
    let empty = of("{{ input.hosts[3:] }}");
    assert_eq!(
        (empty.statuses(), empty.task.output(0)),
        (vec![S::Successful, S::InProgress], Some(&json!([])))
    );
    let none = of("{{ input.of }}");
    assert_eq!(none.status(), TaskStatus::Failed);
    assert!(none.sub(0).errors[0].message.contains("gives no list"), "{:?}", none.sub(0).errors);
}

#[test]
fn parent_itself_takes_no_reports() {
    let mut task = fan(1, &json!({}));
    assert_eq!(task.refused(task.complete(0, None)), Refused::Stale);
    let late = task.complete(2, None);
    task.apply(late.clone());
    assert_eq!(task.refused(late), Refused::Stale);
    assert_eq!(
        task.refused(Command::Skip { sub_task: 9, by: "x".into(), reason: "y".into() }),
        Refused::NothingToDecide(TaskStatus::InProgress)
    );
}

/// A list of five of which four are in doubt.
fn in_doubt() -> Example {
    let each = json!({"forEach": "{{ input.hosts }}", "parallel": 3, "repeatable": false,
        "action": {"simulate": {"output": "{{ item.fqdn }}"}}});
    let mut task = begun(json!({}), vec![sub("all", each), sub("after", json!({}))]);
    for child in 2..=4 {
        task.apply(task.fail(child, Failure::Lost));
    }
    assert_eq!(task.status(), TaskStatus::Failed);
    task
}

fn decide(sub_tasks: Vec<u32>, what: Decided) -> Command {
    Command::Decide { sub_tasks, what, by: "ann".to_owned(), reason: "looked".to_owned() }
}

#[test]
fn decide_of_all_children_is_one_change_with_one_note() {
    for (what, word) in [(Decided::Done, "done"), (Decided::NotDone, "notDone"), (Decided::Skipped, "skip")] {
        let mut task = in_doubt();
        let revision = task.state().revision;
        let change = task.apply(decide(vec![4, 2, 3, 3], what));
        assert_eq!((task.state().revision, task.status()), (revision + 1, TaskStatus::InProgress));
        let note = &task.state().decisions[0];
        assert_eq!((note.what.as_str(), note.sub_task, note.count), (word, Some(0), Some(3)));
        let began: Vec<u32> = if what == Decided::NotDone { vec![2, 3, 4] } else { vec![1] };
        assert_eq!(starts(&change), began, "{what:?}");
    }
}

#[test]
fn decide_as_failed_makes_the_outcome_known_and_allows_a_retry() {
    let mut task = in_doubt();
    let change = task.apply(decide(vec![2, 3, 4], Decided::Failed));
    assert_eq!(starts(&change), Vec::<u32>::new());
    assert_eq!((task.status(), task.task.record().undecided()), (TaskStatus::Failed, None));
    assert_eq!(task.state().decisions[0].what, "failed");
    let known = task.refused(decide(vec![3], Decided::Failed));
    assert!(matches!(known, Refused::OutcomeKnown(_)), "{known:?}");
    let change = task.apply(Command::Retry { by: "ann".to_owned() });
    assert_eq!(starts(&change), vec![2, 3, 4]);
}

#[test]
fn decide_of_some_children_leaves_the_others_to_be_decided() {
    let mut task = in_doubt();
    task.apply(decide(vec![2, 4], Decided::Done));
    assert_eq!((task.status(), task.task.record().undecided()), (TaskStatus::Failed, Some(3)));
}

#[test]
fn decide_of_one_that_cannot_be_decided_changes_none() {
    let mut task = in_doubt();
    assert!(matches!(task.refused(decide(vec![2, 1], Decided::Done)), Refused::SubTaskNotFailed(_)));
    assert!(matches!(task.refused(decide(vec![2, 0], Decided::Done)), Refused::DecidedByChildren(_)));
    assert!(matches!(task.refused(decide(vec![2, 9], Decided::Skipped)), Refused::NoSubTask(_)));
    assert_eq!(task.refused(decide(Vec::new(), Decided::Done)), Refused::Nothing);
}

#[test]
fn items_and_texts_that_an_expression_makes_too_large_fail_the_sub_task_and_count_as_its_attempt() {
    let text = "x".repeat(900_000);
    for (each, reason) in [
        (json!({"forEach": "{{ [0] * input.n }}"}), "`forEach`: in the expression `[0] * input.n`"),
        (
            json!({"forEach": "{{ [input.text] * 10000 }}"}),
            "`forEach`: in the expression `[input.text] * 10000`",
        ),
        (
            json!({"forEach": "{{ [0] * 10000 }}", "description": "{{ input.text }}"}),
            "`description` of item 0",
        ),
        (json!({"forEach": "{{ [0] * 10000 }}", "title": "{{ input.text }}"}), "`title` of item 0"),
        (
            json!({"forEach": "{{ [0] * 10000 }}", "description": "{{ input.text[:60000] }}"}),
            "`description` of item",
        ),
        (
            json!({"forEach": "{{ [0] * 10000 }}", "description": "{{ 'y' * 60000 }}"}),
            "`description` of item",
        ),
    ] {
        let subs = vec![sub("each", each.clone()), sub("then", json!({}))];
        let task = begun_with(json!({"of": "it", "n": 100_000_000, "text": text}), subs);
        let each = task.sub(0);
        assert_eq!((each.status, each.attempt), (S::Failed, 1), "{each:?}");
        let error = &each.errors[0];
        assert_eq!(error.error_code, "EXPRESSION_ERROR");
        assert!(error.message.contains(reason) && error.message.len() < 1_000, "{}", error.message);
        assert_eq!(task.status(), TaskStatus::Failed);
    }
}

#[test]
fn outputs_of_one_task_are_bounded_together() {
    let more = json!({"forEach": "{{ [0] * 200 }}", "parallel": 200, "onFailure": "continue"});
    let mut task = begun(json!({}), vec![sub("each", more)]);
    let output = json!("x".repeat(1_000_000));
    for child in 1..=200 {
        task.apply(task.complete(child, Some(output.clone())));
    }
    let failed: Vec<u32> = (1..=200).filter(|child| task.sub(*child).status == S::Failed).collect();
    assert_eq!(failed, (135..=200).collect::<Vec<u32>>());
    assert_eq!(task.sub(200).errors[0].error_code, "OUTPUT_TOO_LARGE");
}
