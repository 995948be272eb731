//! Invariants: functions that must hold for every task at every moment, used by debug assertions, by the
//! property test and by the check of stored tasks. The numbers are those of docs/reliability.md.

use crate::record::Hold;
use crate::record::Record;
use crate::status::{SubTaskStatus, TaskStatus};
use crate::task::Task;

/// A task of more sub-tasks is large.
const LARGE: usize = 100;

/// Returns every rule that a task breaks, in words; none for a sound one.
pub fn violations(task: &Task) -> Vec<String> {
    let mut broken = record_violations(task.record());
    // Beyond what every change can afford in a debug build, once in a while will do.
    if task.record.sub_tasks.len() > LARGE && !task.record.state.revision.is_multiple_of(64) {
        return broken;
    }
    let counted = Task::load(task.record.clone(), task.spec().clone(), task.outputs.clone());
    if counted.tally != task.tally {
        broken.push(format!("the tally is {:?}, counted are {:?}", task.tally, counted.tally));
    }
    if counted.fans != task.fans {
        broken.push(format!("the children are {:?}, counted are {:?}", task.fans, counted.fans));
    }
    if counted.record.state.children != task.record.state.children {
        let (has, counts) = (&task.record.state.children, &counted.record.state.children);
        broken.push(format!("the children in numbers are {has:?}, counted are {counts:?}"));
    }
    if counted.nodes != task.nodes {
        broken.push(format!("the nodes are {:?}, counted are {:?}", task.nodes, counted.nodes));
    }
    if task.due_at() != task.record.due_at() {
        broken.push("what is due first is not what the timers say".to_owned());
    }
    for (index, fan) in &task.fans {
        let runs = task.record.sub_tasks[*index as usize].status == SubTaskStatus::InProgress;
        if runs && fan.active == 0 {
            broken.push("I14: something of a running `forEach` is under way".to_owned());
        }
    }
    broken
}

/// The rules that need the record only.
pub fn record_violations(record: &Record) -> Vec<String> {
    let mut broken = Vec::new();
    let mut rule = |holds: bool, text: &str| {
        if !holds {
            broken.push(text.to_owned());
        }
    };
    let state = &record.state;
    let count = |status: SubTaskStatus| record.sub_tasks.iter().filter(|sub| sub.status == status).count();
    let (running, skipped) = (count(SubTaskStatus::InProgress), count(SubTaskStatus::Skipped));
    // The children of a parent that an operator passed over stay as they were.
    let own = || record.sub_tasks.iter().take(record.workflow.sub_tasks.len());
    let pending = own().filter(|sub| sub.status == SubTaskStatus::Pending).count();
    let failed = |goes_on: bool| {
        let subs = record.sub_tasks.iter().zip(&record.workflow.sub_tasks);
        subs.filter(|(sub, def)| sub.status == SubTaskStatus::Failed && def.goes_on == goes_on).count()
    };
    let (blocking, passed) = (failed(false), failed(true));
    let ended = state.status.is_ended();

    rule(record.is_whole(), "sub-tasks are those of the workflow, and their children");
    rule(ended == state.completed_at.is_some(), "I11: exactly an ended task has a completion time");
    rule(
        state.completed_at.is_none_or(|at| at >= state.created_at),
        "I11: nothing ends before it is created",
    );
    rule(!ended || running == 0, "I11: nothing of an ended task runs");
    rule(
        state.hold != Hold::Waiting || state.status == TaskStatus::Pending,
        "I9: only what is pending waits for what it claims",
    );
    let working = state.status == TaskStatus::InProgress;
    rule(!working || !record.has_claims() || state.hold == Hold::Held, "I9: what runs has what it claims");
    rule(!ended || state.hold == Hold::None || record.keeps_locks(), "I9: what has ended holds nothing");
    rule(!ended || state.deadline.is_none(), "an ended task has no deadline");
    match state.status {
        // A retried one waits for what it claims once more.
        TaskStatus::Pending => rule(
            state.hold == Hold::Waiting && running == 0
                || record
                    .sub_tasks
                    .iter()
                    .all(|sub| sub.status == SubTaskStatus::Pending && sub.attempt == 0),
            "I11: nothing of a pending task has started",
        ),
        TaskStatus::InProgress => rule(
            running > 0 || record.sub_tasks.iter().any(|sub| sub.due_at.is_some() || sub.queued_at.is_some()),
            "I14: something of a running task runs, waits for a worker or for room, or has a time at which it will",
        ),
        TaskStatus::Successful => {
            rule(pending + blocking + passed + skipped == 0, "I11: all of a successful task ended well");
        }
        TaskStatus::CompletedWithWarning => {
            rule(pending + blocking == 0 && passed + skipped > 0, "I11: a warning has a reason");
        }
        TaskStatus::Failed => rule(!state.errors.is_empty(), "I11: a failed task says why"),
        TaskStatus::Cancelled | TaskStatus::Skipped => {}
    }
    for (sub, index) in record.sub_tasks.iter().zip(0..) {
        let definition = record.definition(index);
        let name = record.sub_task_name(index);
        let mut of = |holds: bool, text: &str| {
            if !holds {
                broken.push(format!("{name}: {text}"));
            }
        };
        let done = matches!(sub.status, SubTaskStatus::Successful | SubTaskStatus::Failed);
        of(!done || sub.completed_at >= sub.started_at, "nothing ends before it starts");
        of(!ended || sub.due_at.is_none(), "nothing of an ended task is due");
        of(
            sub.queued_at.is_none() || sub.status == SubTaskStatus::Pending,
            "only what is pending waits for a worker or for room",
        );
        of(!ended || sub.queued_at.is_none(), "nothing of an ended task waits for a worker or for room");
        of(
            sub.lease.is_none() || sub.status == SubTaskStatus::InProgress,
            "I7: only a running attempt is leased",
        );
        of(sub.is_looked_after() || sub.node.is_only(), "what is not under way is no node's");
        of(sub.outcome_unknown <= (sub.status == SubTaskStatus::Failed), "an unknown outcome is a failure");
        of((sub.status == SubTaskStatus::Failed) <= !sub.errors.is_empty(), "a failed sub-task says why");
        let started = !matches!(sub.status, SubTaskStatus::Pending | SubTaskStatus::NotApplicable);
        let ready = definition.needs.iter().all(|&need| {
            let need_status = record.sub_tasks[need as usize].status;
            let goes_on = record.workflow.sub_tasks[need as usize].goes_on;
            match need_status {
                SubTaskStatus::Successful | SubTaskStatus::Skipped | SubTaskStatus::NotApplicable => true,
                SubTaskStatus::Failed => goes_on,
                // A retry sends one that was passed over back, while those behind it may have run.
                SubTaskStatus::Pending | SubTaskStatus::InProgress => goes_on,
            }
        });
        of(!started || ready, "I5: nothing starts before what it needs has ended");
        if let Some(policy) = &definition.retry {
            of(sub.tries <= policy.attempts, "I13: no more attempts than the policy allows");
        }
    }
    broken
}
