//! Built-in actions at a node without a free permit: sub-tasks that have not begun cost nothing.

use longhaul_model::{Command, Effect, NodeId, Permit, Refused, SubTaskStatus, TaskStatus, WaitingFor};
use serde_json::json;

use crate::example::{Example, accepted, cancel, ended, launches, retry, sub};

/// Creates a task of three sub-tasks that may run side by side, at a node without permits.
fn in_line(more: serde_json::Value) -> Example {
    let side = |name| sub(name, json!({"needs": [], "repeatable": false}));
    let mut task = accepted(more, vec![side("a"), side("b"), side("c")], None);
    let none = || None;
    let change = task.task.apply_in(NodeId(0), &Full(none), Command::Begin, task.now).expect("accepted");
    let line: Vec<u32> = change.effects.iter().filter_map(in_line_of).collect();
    assert_eq!((line, launches(&change).len()), (vec![0, 1, 2], 0));
    task
}

struct Full<F: Fn() -> Option<Permit>>(F);

impl<F: Fn() -> Option<Permit>> longhaul_model::Room for Full<F> {
    fn permit(&self) -> Option<Permit> {
        (self.0)()
    }
}

fn in_line_of(effect: &Effect) -> Option<u32> {
    match effect {
        Effect::InLine { sub_task } => Some(*sub_task),
        _ => None,
    }
}

fn start(sub_task: u32) -> Command {
    Command::Start { sub_task, permit: Permit::default() }
}

#[test]
fn start_of_what_stands_in_line_begins_its_first_attempt() {
    let mut task = in_line(json!({}));
    assert_eq!(task.task.record().waiting_for(), Some(WaitingFor::Capacity(0, task.now)));
    task.elapse(5_000);
    let change = task.apply(start(1));
    assert_eq!((launches(&change)[0].number, task.sub(1).started_at), (1, Some(task.now)));
    assert_eq!(task.sub(1).queued_at, None);
    assert_eq!(task.refused(start(1)), Refused::Stale);
    assert_eq!(task.task.record().waiting_for(), None);
}

#[test]
fn start_at_another_node_is_refused() {
    let mut task = in_line(json!({}));
    let elsewhere = task.task.apply_at(NodeId(7), start(0), task.now);
    assert_eq!(elsewhere.err(), Some(Refused::Stale));
}

#[test]
fn start_of_one_that_a_worker_is_to_run_is_refused() {
    let work = json!({"action": {"worker": {"queue": "q"}}});
    let mut task = accepted(json!({}), vec![sub("a", work)], None);
    task.apply(Command::Begin);
    assert_eq!(task.refused(start(0)), Refused::Stale);
}

#[test]
fn cancel_of_what_has_not_begun_counts_no_attempt() {
    let mut task = in_line(json!({}));
    let change = task.apply(cancel());
    assert_eq!((ended(&change), change.attempts.len()), (Some(TaskStatus::Cancelled), 0));
    let out = |effect: &&Effect| matches!(effect, Effect::OutOfLine { .. });
    assert_eq!(change.effects.iter().filter(out).count(), 3);
    assert!((0..3).all(|i| task.sub(i).attempt == 0 && task.sub(i).status == SubTaskStatus::Pending));
}

#[test]
fn timeout_of_what_has_not_begun_parks_nothing() {
    let mut task = in_line(json!({"timeout": "1s"}));
    task.apply(start(0));
    task.apply(task.complete(0, None));
    let change = task.due_after(1_000);
    assert_eq!((ended(&change), change.attempts.len()), (Some(TaskStatus::Failed), 0));
    assert_eq!(task.task.record().undecided(), None);
    // And its retry goes on from there.
    assert_eq!(launches(&task.apply(retry())).len(), 2);
}

#[test]
fn recover_of_what_has_not_begun_puts_it_in_line_again() {
    let mut task = in_line(json!({}));
    let change = task.apply(Command::Recover { node: None });
    let line: Vec<u32> = change.effects.iter().filter_map(in_line_of).collect();
    assert_eq!((line, change.attempts.len(), task.sub(0).attempt), (vec![0, 1, 2], 0, 0));
}

#[test]
fn permit_comes_back_with_a_change_that_was_refused() {
    let held = std::sync::Arc::new(());
    let mut task = in_line(json!({}));
    let permit = Permit::new(held.clone());
    let refused = task.refused(Command::Start { sub_task: 9, permit });
    assert_eq!((refused, std::sync::Arc::strong_count(&held)), (Refused::Stale, 1));
}
