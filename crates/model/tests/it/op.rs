//! Random operations, and the command of each for a task in its current state.

use std::sync::Arc;

use longhaul_model::{
    Command, Decided, Failure, Fault, NodeId, Permit, Record, Stage, StageStatus, SubTaskStatus, Terms,
    Timestamp, Token, Verdict, WorkerId, time::Span,
};
use proptest::option::weighted;
use proptest::prelude::*;
use serde_json::json;

/// The nodes that things happen at.
pub(crate) const NODES: u16 = 3;

/// Event in the life of a task. Numbers pick among what there is, modulo.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Begin,
    Complete {
        pick: u8,
        output: Option<u16>,
        /// True if the worker would take more.
        next: bool,
    },
    /// A worker leases a waiting sub-task.
    Lease {
        pick: u8,
        right: bool,
    },
    /// A node has a permit for a sub-task in line.
    Start {
        pick: u8,
    },
    /// The call that got a lease comes again, or one that is not the same.
    LeaseAgain {
        pick: u8,
        right: bool,
    },
    /// A worker's last report again.
    Repeat {
        pick: u8,
    },
    Fail {
        pick: u8,
        how: How,
    },
    HandBack {
        pick: u8,
    },
    Report {
        pick: u8,
        progress: Option<u8>,
        stages: bool,
    },
    /// A result has a token that is not the live one.
    Stale {
        sub_task: u8,
        token: u8,
        what: u8,
    },
    /// The clock moves, backwards too.
    Elapse(i32),
    /// The clock moves to the next due time, and that happens.
    Due,
    /// Asked too early, too late, or just so.
    DueNow,
    /// A node is no more; without a number, all of them are.
    Recover(Option<u16>),
    Acquired,
    Park,
    Release,
    Cancel {
        grace: u64,
    },
    Retry,
    Skip {
        sub_task: u8,
    },
    Resolve,
    /// Several sub-tasks are decided at once: those of unknown outcome, or all that failed.
    Decide {
        what: Decided,
        /// True to name one that cannot be decided among them.
        wrong: bool,
    },
    Verdict {
        sub_task: u8,
        done: bool,
        output: bool,
    },
}

/// Way in which an attempt fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Again,
    ForGood,
    Local,
    Unknown,
    Abandoned,
    Timeout,
    Lost,
    Stopped,
}

impl Op {
    /// Returns the command; `None` where there is nothing to pick. Moves the clock.
    pub(crate) fn command(&self, record: &Record, now: &mut Timestamp) -> Option<Command> {
        let by = || "somebody".to_owned();
        let reason = || "why not".to_owned();
        // One beyond the last, so that a sub-task that does not exist is asked for as well.
        let sub = |n: u8| u32::from(n) % (record.sub_tasks.len() as u32 + 1);
        Some(match *self {
            Op::Begin => Command::Begin,
            Op::Complete { pick, output, next } => {
                let (sub_task, token) = running(record, pick)?;
                let by = holder(record, sub_task);
                let next = by.as_ref().filter(|_| next).map(|_| terms("even", 3));
                Command::Complete { sub_task, token, output: output.map(|n| json!(n)), by, next }
            }
            Op::Lease { pick, right } => {
                let waiting = indexes(record, |i| waits(record, i) == Some(false) || !right);
                let sub_task = *waiting.get(usize::from(pick) % waiting.len().max(1))?;
                let queue = if record.own(sub_task).is_multiple_of(2) == right { "even" } else { "odd" };
                Command::Lease { sub_task, terms: terms(queue, 100) }
            }
            Op::LeaseAgain { pick, right } => {
                let (sub_task, token) = running(record, pick)?;
                let mut terms = Terms::clone(&terms("even", 100));
                terms.request = terms.request.filter(|_| right);
                Command::LeaseAgain { sub_task, token, terms: Arc::new(terms) }
            }
            Op::Start { pick } => {
                let waiting = indexes(record, |i| waits(record, i) == Some(true) || pick >= 240);
                let sub_task = *waiting.get(usize::from(pick) % waiting.len().max(1))?;
                Command::Start { sub_task, permit: Permit::default() }
            }
            Op::Repeat { pick } => {
                let reported = indexes(record, |i| record.sub_tasks[i].reported.is_some());
                let sub_task = *reported.get(usize::from(pick) % reported.len().max(1))?;
                let token = record.sub_tasks[sub_task as usize].token();
                let by = Some(worker());
                // Word for word where it was a success without an output, or a failure of the first kind.
                match record.sub_tasks[sub_task as usize].status {
                    SubTaskStatus::Successful => {
                        Command::Complete { sub_task, token, output: None, by, next: None }
                    }
                    _ => Command::Fail { sub_task, token, failure: How::Again.failure(), by },
                }
            }
            Op::Fail { pick, how } => {
                let (sub_task, token) = running(record, pick)?;
                Command::Fail { sub_task, token, failure: how.failure(), by: holder(record, sub_task) }
            }
            Op::HandBack { pick } => {
                let (sub_task, token) = running(record, pick)?;
                Command::HandBack { sub_task, token, by: None }
            }
            Op::Report { pick, progress, stages } => {
                let (sub_task, token) = running(record, pick)?;
                Command::Report {
                    sub_task,
                    token,
                    progress,
                    stages: stages.then(|| vec![stage(*now)]),
                    by: None,
                }
            }
            Op::Stale { sub_task, token, what } => stale(record, sub(sub_task), token, what),
            Op::Elapse(ms) => {
                now.0 += i64::from(ms);
                return None;
            }
            Op::Due => {
                *now = record.due_at()?.max(*now);
                Command::Due
            }
            Op::DueNow => Command::Due,
            Op::Recover(node) => Command::Recover { node: node.map(NodeId) },
            Op::Acquired => Command::Acquired,
            Op::Park => Command::Park { by: by(), reason: reason() },
            Op::Release => Command::Release { by: by(), reason: reason() },
            Op::Cancel { grace } => Command::Cancel { by: by(), grace: Span(grace) },
            Op::Retry => Command::Retry { by: by() },
            Op::Skip { sub_task } => Command::Skip { sub_task: sub(sub_task), by: by(), reason: reason() },
            Op::Resolve => Command::Resolve { by: by(), reason: reason(), verdict: None },
            Op::Decide { what, wrong } => {
                let skip = what == Decided::Skipped;
                let mut sub_tasks = indexes(record, |i| {
                    let sub = &record.sub_tasks[i];
                    sub.outcome_unknown || skip && sub.status == SubTaskStatus::Failed
                });
                if wrong {
                    sub_tasks.push(record.sub_tasks.len() as u32);
                }
                Command::Decide { sub_tasks, what, by: by(), reason: reason() }
            }
            Op::Verdict { sub_task, done, output } => {
                // Mostly one that is to be decided.
                let open: Vec<u32> = indexes(record, |i| record.sub_tasks[i].outcome_unknown);
                let sub_task = open.get(usize::from(sub_task) % 8).copied().unwrap_or_else(|| sub(sub_task));
                let verdict = Verdict { sub_task, done, output: output.then(|| json!("seen")) };
                Command::Resolve { by: by(), reason: reason(), verdict: Some(verdict) }
            }
        })
    }
}

impl How {
    pub(crate) fn failure(self) -> Failure {
        let fault = Fault::new("BROKEN", "it broke");
        match self {
            How::Again => Failure::Error { fault, retryable: true },
            How::ForGood => Failure::Error { fault, retryable: false },
            How::Local => Failure::Local { fault, retryable: true },
            How::Unknown => Failure::Unknown { fault },
            How::Abandoned => Failure::Abandoned { fault },
            How::Timeout => Failure::Timeout,
            How::Lost => Failure::Lost,
            How::Stopped => Failure::Stopped,
        }
    }
}

/// The sub-tasks of a kind.
pub(crate) fn indexes(record: &Record, is: impl Fn(usize) -> bool) -> Vec<u32> {
    (0..record.sub_tasks.len()).filter(|&i| is(i)).map(|i| i as u32).collect()
}

/// Returns true if a waiting sub-task waits in line at its node, rather than for a worker.
pub(crate) fn waits(record: &Record, index: usize) -> Option<bool> {
    record.sub_tasks[index].queued_at.map(|_| record.definition(index as u32).action.is_built_in())
}

/// Returns the sub-tasks of which an attempt runs somewhere: not timers, which run themselves.
pub(crate) fn attempts(record: &Record) -> Vec<(u32, Token)> {
    let runs = |i: usize| {
        let sub = &record.sub_tasks[i];
        sub.status == SubTaskStatus::InProgress && sub.due_at.is_none() && sub.fan.is_none()
    };
    indexes(record, runs).into_iter().map(|i| (i, record.sub_tasks[i as usize].token())).collect()
}

/// The worker that has a sub-task's attempt.
fn holder(record: &Record, sub_task: u32) -> Option<WorkerId> {
    record.sub_tasks[sub_task as usize].lease.as_ref().map(|lease| lease.worker.clone())
}

fn worker() -> WorkerId {
    WorkerId("svc/worker".into())
}

fn terms(queue: &str, floor: i8) -> Arc<Terms> {
    Arc::new(Terms {
        worker: worker(),
        queues: vec![(queue.into(), floor)],
        span: Span(30_000),
        request: Some("call".into()),
    })
}

fn running(record: &Record, pick: u8) -> Option<(u32, Token)> {
    let all = attempts(record);
    all.get(usize::from(pick) % all.len().max(1)).copied()
}

fn stage(now: Timestamp) -> Stage {
    Stage {
        name: "stage".to_owned(),
        kind: "STAGE".to_owned(),
        description: String::new(),
        status: StageStatus::InProgress,
        created_at: now,
        completed_at: None,
        errors: Vec::new(),
    }
}

/// Returns a result for a sub-task that nobody runs, or with another token than that of its live attempt.
fn stale(record: &Record, sub_task: u32, token: u8, what: u8) -> Command {
    let live = record.sub_tasks.get(sub_task as usize).map_or(0, |sub| sub.token().0);
    let runs =
        record.sub_tasks.get(sub_task as usize).is_some_and(|sub| sub.status == SubTaskStatus::InProgress);
    let token = match token % 4 {
        0 if !runs => live,
        1 => live + 1,
        2 => u64::MAX,
        _ => live.wrapping_sub(1),
    };
    let token = Token(token);
    // From a worker that has no lease, too.
    match what % 5 {
        4 if runs => {
            let live = record.sub_tasks[sub_task as usize].token();
            let by = Some(WorkerId("svc/another".into()));
            Command::Fail { sub_task, token: live, failure: How::Lost.failure(), by }
        }
        0 => Command::Complete { sub_task, token, output: Some(json!("stale")), by: None, next: None },
        1 => Command::Fail { sub_task, token, failure: How::Lost.failure(), by: None },
        2 => Command::Report { sub_task, token, progress: Some(1), stages: None, by: None },
        _ => Command::HandBack { sub_task, token, by: None },
    }
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        4 => Just(How::Again),
        2 => Just(How::ForGood),
        1 => Just(How::Local),
        1 => Just(How::Unknown),
        1 => Just(How::Abandoned),
        1 => Just(How::Timeout),
        2 => Just(How::Lost),
        1 => Just(How::Stopped),
    ]
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let pick = any::<u8>;
    prop_oneof![
        1 => Just(Op::Begin),
        9 => (pick(), weighted(0.7, any::<u16>()), any::<bool>())
            .prop_map(|(pick, output, next)| Op::Complete { pick, output, next }),
        9 => (pick(), proptest::bool::weighted(0.9)).prop_map(|(pick, right)| Op::Lease { pick, right }),
        7 => pick().prop_map(|pick| Op::Start { pick }),
        3 => (pick(), proptest::bool::weighted(0.9)).prop_map(|(pick, right)| Op::LeaseAgain { pick, right }),
        1 => pick().prop_map(|pick| Op::Repeat { pick }),
        7 => (pick(), how()).prop_map(|(pick, how)| Op::Fail { pick, how }),
        1 => pick().prop_map(|pick| Op::HandBack { pick }),
        1 => (pick(), weighted(0.5, any::<u8>()), any::<bool>())
            .prop_map(|(pick, progress, stages)| Op::Report { pick, progress, stages }),
        2 => (pick(), pick(), pick()).prop_map(|(sub_task, token, what)| Op::Stale { sub_task, token, what }),
        3 => (-500..3000_i32).prop_map(Op::Elapse),
        5 => Just(Op::Due),
        1 => Just(Op::DueNow),
        1 => weighted(0.7, 0..NODES).prop_map(Op::Recover),
        5 => Just(Op::Acquired),
        1 => Just(Op::Park),
        1 => Just(Op::Release),
        1 => prop_oneof![Just(0), 1..5000_u64].prop_map(|grace| Op::Cancel { grace }),
        4 => Just(Op::Retry),
        1 => pick().prop_map(|sub_task| Op::Skip { sub_task }),
        1 => Just(Op::Resolve),
        2 => (prop_oneof![Just(Decided::Done), Just(Decided::NotDone), Just(Decided::Failed), Just(Decided::Skipped)], proptest::bool::weighted(0.1))
            .prop_map(|(what, wrong)| Op::Decide { what, wrong }),
        3 => (pick(), any::<bool>(), any::<bool>())
            .prop_map(|(sub_task, done, output)| Op::Verdict { sub_task, done, output }),
    ]
}
