//! Random workflows, random commands. `PROPTEST_CASES` sets the number; a failure prints the shortest
//! sequence found.

use std::cell::RefCell;
use std::collections::BTreeMap;

use longhaul_model::{Command, Hold, NodeId, Permit, Record, Refused, TaskStatus, Timestamp, Verdict};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::observer::Observer;
use crate::op::{NODES, Op, attempts, op, waits};
use crate::shape::{Shape, shape};

const START: Timestamp = Timestamp(1_700_000_000_000);

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000)
}

#[test]
fn apply_of_any_sequence_keeps_every_invariant() {
    let config = Config { cases: cases(), failure_persistence: None, ..Config::default() };
    let strategy = (shape(), vec((0..NODES, room(), op()), 0..40));
    let seen = RefCell::new(BTreeMap::new());
    let result = TestRunner::new(config).run(&strategy, |(shape, ops)| {
        run(&shape, &ops, &mut seen.borrow_mut());
        Ok(())
    });
    if let Err(e) = result {
        panic!("{e}");
    }
    // A test that never gets somewhere proves nothing about that place.
    let seen = seen.into_inner();
    let missing: Vec<_> = PLACES.iter().filter(|place| !seen.contains_key(**place)).collect();
    assert!(cases() < 1000 || missing.is_empty(), "never seen: {missing:?} among {seen:?}");
}

/// Cases that a run of the test must have come across: commands and how they were answered, and ends of
/// tasks.
const PLACES: [&str; 50] = [
    "Begin accepted",
    "Begin Nothing",
    "Complete accepted",
    "Complete Stale",
    "Fail accepted",
    "Fail Stale",
    "Complete Repeated",
    "Fail Repeated",
    "Lease accepted",
    "Lease Stale",
    "LeaseAgain accepted",
    "LeaseAgain Stale",
    "Start accepted",
    "Start Stale",
    "Report accepted",
    "Report Stale",
    "HandBack accepted",
    "HandBack Stale",
    "Due accepted",
    "Due Nothing",
    "Acquired accepted",
    "Acquired Nothing",
    "Release accepted",
    "Release HoldsNothing",
    "Recover accepted",
    "Recover Nothing",
    "Cancel accepted",
    "Cancel NotRunning",
    "Cancel Stopping",
    "Cancel NotCancellable",
    "Retry accepted",
    "Retry NotFailed",
    "Retry NotRetryable",
    "Retry Undecided",
    "Skip accepted",
    "Skip NothingToDecide",
    "Skip SubTaskNotFailed",
    "Skip NoSubTask",
    "Decide accepted",
    "Decide NothingToDecide",
    "Decide NoSubTask",
    "Resolve accepted",
    "Resolve NothingToDecide",
    "Resolve DecidedByChildren",
    "ended Successful",
    "ended CompletedWithWarning",
    "ended Failed",
    "ended Cancelled",
    "ended Skipped",
    "brought to success",
];

fn run(shape: &Shape, ops: &[(u16, u32, Op)], seen: &mut BTreeMap<String, u32>) {
    let mut see = |place: String| *seen.entry(place).or_default() += 1;
    let not_before = shape.not_before.map(|ms| Timestamp(START.0 + ms as i64));
    let mut observer = Observer::new(
        shape.workflow(),
        json!({"yes": true, "lists": [[], [1], [1, 2], [1, 2, 3]]}),
        not_before,
        START,
    );
    observer.room = ops.first().map_or(u32::MAX, |(_, room, _)| *room);
    let _ = observer.apply(Command::Begin);
    for (node, room, op) in ops {
        (observer.node, observer.room) = (NodeId(*node), *room);
        let mut now = observer.now;
        let command = op.command(observer.record(), &mut now);
        observer.now = now;
        let Some(command) = command else { continue };
        let name = word(&command);
        let result = observer.apply(command);
        see(format!("{name} {}", result.as_ref().map_or_else(word, |_| "accepted".to_owned())));
        if matches!(op, Op::Stale { .. }) {
            assert!(matches!(result, Err(Refused::Stale)), "I8: a stale result was accepted: {op:?}");
        }
    }
    finish(&mut observer);
    let status = observer.record().state.status;
    see(format!("ended {status:?}"));
    if shape.is_sound() {
        bring_to_success(&mut observer);
        if status == TaskStatus::Failed && observer.record().state.status != status {
            see("brought to success".to_owned());
        }
    }
}

/// Generates the number of permits for attempts at a node: mostly enough.
fn room() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(u32::MAX), 2 => 0..4_u32]
}

/// The name of a variant.
fn word(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// Checks I14: when every attempt ends and every instant comes, the task ends.
fn finish(observer: &mut Observer) {
    for _ in 0..400 {
        let record = observer.record();
        if record.state.status.is_ended() {
            return;
        }
        let command = match (attempts(record).first(), record.due_at()) {
            (Some(&(sub_task, token)), _) => {
                Command::Complete { sub_task, token, output: None, by: None, next: None }
            }
            (None, Some(at)) => {
                observer.now = observer.now.max(at);
                Command::Due
            }
            (None, None) if record.state.hold == Hold::Waiting => Command::Acquired,
            (None, None) => match record.sub_tasks.iter().position(|sub| sub.queued_at.is_some()) {
                Some(i) if waits(record, i) == Some(true) => {
                    observer.node = record.sub_tasks[i].node;
                    Command::Start { sub_task: i as u32, permit: Permit::default() }
                }
                Some(i) => Op::Lease { pick: 0, right: true }
                    .command(record, &mut Timestamp(0))
                    .unwrap_or_else(|| panic!("sub-task {i} waits")),
                None => Command::Begin,
            },
        };
        observer.apply(command).expect("I14: accepted, as it is due");
    }
    panic!("I14: the task does not end: {:?}", observer.record());
}

/// Checks that a failed task never is a dead end: decided, retried and with attempts that succeed it ends
/// well.
fn bring_to_success(observer: &mut Observer) {
    for _ in 0..20 {
        let record = observer.record();
        if record.state.status != TaskStatus::Failed {
            return assert_ended_as_can_be(record);
        }
        let by = || "operator".to_owned();
        let command = match record.undecided() {
            Some(sub_task) => {
                let verdict = Some(Verdict { sub_task, done: true, output: None });
                Command::Resolve { by: by(), reason: by(), verdict }
            }
            None if record.is_retryable() => Command::Retry { by: by() },
            None => return,
        };
        observer.apply(command).expect("accepted, as the task says");
        finish(observer);
    }
    panic!("the task cannot be brought to an end: {:?}", observer.record());
}

fn assert_ended_as_can_be(record: &Record) {
    assert!(record.state.status.is_ended(), "{record:?}");
    assert_eq!(record.due_at(), None);
    assert!(!record.is_cancellable());
}
