//! Leases: how long they last, and what waits for their end.

use std::sync::Arc;

use longhaul_model::{Change, Command, Effect, Span, SubTaskStatus, TaskStatus, Terms};
use serde_json::{Value, json};

use crate::example::{Example, accepted, cancel, ended, sub};

const SPAN: u64 = 30_000;

/// A task with one sub-task for a worker, which has leased it.
fn leased(task: Value, more: Value) -> (Example, Change) {
    let mut own = json!({"action": {"worker": {"queue": "q"}}});
    let (Value::Object(own_map), Value::Object(more)) = (&mut own, more) else { panic!("objects") };
    own_map.extend(more);
    let mut example = accepted(task, vec![sub("a", own)], None);
    example.apply(Command::Begin);
    let change = example.apply(Command::Lease { sub_task: 0, terms: terms() });
    (example, change)
}

pub(super) fn terms() -> Arc<Terms> {
    Arc::new(Terms {
        worker: longhaul_model::WorkerId("svc/worker".into()),
        queues: vec![("q".into(), i8::MIN)],
        span: Span(SPAN),
        request: Some("call".into()),
    })
}

/// Returns the span that the worker is told, and the one that its node watches.
fn spans(change: &Change) -> (Option<u64>, Option<u64>) {
    let watched = change.effects.iter().find_map(|effect| match effect {
        Effect::Leased(leased) => Some(leased.lease.span.0),
        _ => None,
    });
    (change.grants[0].lease.map(|span| span.0), watched)
}

#[test]
fn lease_lasts_no_longer_than_its_attempt_may() {
    for (timeout, lasts) in [(None, SPAN), (Some("90s"), SPAN), (Some("30s"), SPAN), (Some("2s"), 2_000)] {
        let more = timeout.map_or(json!({}), |timeout| json!({ "timeout": timeout }));
        let (mut task, change) = leased(json!({}), more);
        assert_eq!(spans(&change), (Some(lasts), Some(lasts)), "{timeout:?}");
        // The same call again is told the same: it counts from when it was first sent.
        let token = task.sub(0).token();
        let again = task.apply(Command::LeaseAgain { sub_task: 0, token, terms: terms() });
        assert_eq!(spans(&again), (Some(lasts), Some(lasts)), "{timeout:?}");
    }
}

#[test]
fn timeout_of_a_task_gives_no_attempt_up_while_its_worker_may_still_begin() {
    for (grant, wait) in [(SPAN, 30_000), (120_000, 119_000)] {
        let mut task = accepted(
            json!({"timeout": "1s"}),
            vec![sub("a", json!({"action": {"worker": {"queue": "q"}}, "repeatable": false}))],
            None,
        );
        task.apply(Command::Begin);
        let terms = Terms { span: Span(grant), ..Terms::clone(&terms()) };
        task.apply(Command::Lease { sub_task: 0, terms: Arc::new(terms) });
        task.due_after(1_000);
        task.elapse(wait - 1);
        assert_eq!(task.refused(Command::Due), longhaul_model::Refused::Nothing, "a lease of {grant} ms");
        let change = task.due_after(1);
        assert_eq!((ended(&change), task.sub(0).status), (Some(TaskStatus::Failed), SubTaskStatus::Failed));
        assert_eq!(task.task.record().undecided(), Some(0));
    }
}

#[test]
fn cancel_waits_for_its_grace_only_as_nothing_runs_again_behind_it() {
    let (mut task, _) = leased(json!({}), json!({"repeatable": false}));
    task.apply(cancel());
    let give_up_at = task.state().stopping.as_ref().expect("it stops").give_up_at;
    let change = task.due_after(give_up_at.0 - task.now.0);
    assert_eq!(ended(&change), Some(TaskStatus::Cancelled));
}
