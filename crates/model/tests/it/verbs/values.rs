//! Values that enter a task: whatever way they take, what a task keeps is bounded in depth and bytes.

use longhaul_model::fault::code;
use longhaul_model::value::{DEEPEST, LARGEST_OUTPUT, is_deeper};
use longhaul_model::{
    Command, Failure, Fault, NotAccepted, Outcome, Refused, Spec, SubTaskStatus, Task, TaskId, TaskStatus,
    Unfit, Verdict,
};
use serde_json::{Value, json};

use crate::example::{START, begun, in_turn, sub};

/// Builds a value of so many levels.
fn deep(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, n| if n % 2 == 0 { json!([inner]) } else { json!({ "a": inner }) })
}

#[test]
fn output_of_any_depth_ends_its_attempt() {
    for levels in 0..=200 {
        let mut task = in_turn(&["a", "b"]);
        task.apply(task.complete(0, Some(deep(levels))));
        if levels <= DEEPEST {
            assert_eq!(task.statuses(), [SubTaskStatus::Successful, SubTaskStatus::InProgress], "{levels}");
            assert!(task.task.output(0).is_some());
        } else {
            assert_eq!(task.status(), TaskStatus::Failed, "{levels}");
            assert_eq!(task.sub(0).errors[0].error_code, code::OUTPUT_TOO_DEEP);
            assert_eq!(task.task.output(0), None);
        }
    }
}

#[test]
fn output_that_is_too_large_is_not_tried_again() {
    let retry = json!({"retry": {"attempts": 3, "backoff": "1s"}});
    let mut task = begun(json!({}), vec![sub("a", retry)]);
    let change = task.apply(task.complete(0, Some(json!("x".repeat(LARGEST_OUTPUT)))));
    assert_eq!(change.attempts[0].outcome, Outcome::Failed);
    assert_eq!(
        (task.status(), task.sub(0).errors[0].error_code.as_str()),
        (TaskStatus::Failed, code::OUTPUT_TOO_LARGE)
    );
}

#[test]
fn verdict_with_such_an_output_changes_nothing() {
    let mut task = begun(json!({}), vec![sub("a", json!({"repeatable": false}))]);
    task.apply(task.fail(0, Failure::Lost));
    let resolve = |output| Command::Resolve {
        by: "ada".into(),
        reason: "looked".into(),
        verdict: Some(Verdict { sub_task: 0, done: true, output: Some(output) }),
    };
    let unfit = Refused::Unfit { what: "output", unfit: Unfit::TooDeep };
    assert_eq!(task.refused(resolve(deep(DEEPEST + 1))), unfit);
    assert!(matches!(
        task.refused(resolve(json!("x".repeat(LARGEST_OUTPUT)))),
        Refused::Unfit { unfit: Unfit::TooLarge(_), .. }
    ));
    task.apply(resolve(deep(DEEPEST)));
    assert_eq!(task.status(), TaskStatus::Successful);
}

#[test]
fn input_that_is_too_deep_is_not_accepted() {
    let task = in_turn(&["a"]).task;
    let accept = |levels| {
        let spec = Spec { input: json!({ "of": "it", "deep": deep(levels - 1) }), ..task.spec().clone() };
        let workflow = task.record().workflow.clone();
        Task::new(TaskId::from_bytes([2; 16]), workflow, spec, None, None, START).map(drop)
    };
    assert_eq!(accept(DEEPEST), Ok(()));
    assert_eq!(accept(DEEPEST + 1), Err(NotAccepted::Input(Unfit::TooDeep)));
}

/// Values that each step wraps once more stop at the limit: the task fails there and keeps nothing deeper.
#[test]
fn values_that_grow_step_by_step_stop_at_the_limit() {
    for stride in [1, 7, 40] {
        let mut task = in_turn(&["a"]);
        let mut value = json!(1);
        while task.status() != TaskStatus::Failed {
            value = (0..stride).fold(value, |inner, _| json!([inner]));
            task = in_turn(&["a"]);
            task.apply(task.complete(0, Some(value.clone())));
        }
        assert!(is_deeper(&value, DEEPEST) && !is_deeper(&value, DEEPEST + stride));
    }
}

#[test]
fn items_are_bounded_and_lists_of_outputs_stay_readable() {
    let each = json!({"forEach": "{{ subTasks.a.output }}"});
    let mut task = begun(json!({}), vec![sub("a", json!({})), sub("b", each.clone())]);
    // The list itself is one of the levels.
    task.apply(task.complete(0, Some(json!([deep(DEEPEST - 1)]))));
    task.apply(task.complete(2, Some(deep(DEEPEST))));
    assert_eq!(task.status(), TaskStatus::Successful);
    let list = task.task.output(1).expect("a list");
    assert!(!is_deeper(list, DEEPEST + 1));

    let built = json!({"forEach": "{{ [[[subTasks.a.output]]] }}"});
    let mut task = begun(json!({}), vec![sub("a", json!({})), sub("b", built)]);
    task.apply(task.complete(0, Some(deep(DEEPEST - 1))));
    assert_eq!(task.status(), TaskStatus::Failed);
    assert!(task.sub(1).errors[0].message.contains("deeper than 100 levels"), "{:?}", task.sub(1).errors);

    let large = json!({"forEach": "{{ [subTasks.a.output, subTasks.a.output, subTasks.a.output, subTasks.a.output,
        subTasks.a.output, subTasks.a.output, subTasks.a.output, subTasks.a.output, subTasks.a.output] }}"});
    let mut task = begun(json!({}), vec![sub("a", json!({})), sub("b", large)]);
    task.apply(task.complete(0, Some(json!("x".repeat(LARGEST_OUTPUT - 2)))));
    assert!(task.sub(1).errors[0].message.contains("is the most"), "{:?}", task.sub(1).errors);
}

#[test]
fn errors_keep_no_deep_facts() {
    let mut task = in_turn(&["a"]);
    let inner = |fault: Fault| Fault { nested_errors: vec![fault], ..Fault::new("OUTER", "outer") };
    let mut fault = (0..30).fold(Fault::new("INNER", "inner"), |fault, _| inner(fault));
    fault.context.insert("deep".to_owned(), deep(150));
    fault.context.insert("flat".to_owned(), deep(3));
    task.apply(task.fail(0, Failure::Error { fault, retryable: false }));
    let kept = serde_json::to_value(task.state()).expect("JSON");
    assert!(!is_deeper(&kept, DEEPEST));
    let context = &task.sub(0).errors[0].context;
    assert!(context.contains_key("flat") && !context.contains_key("deep"));
}
