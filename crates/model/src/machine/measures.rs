//! Measurements of a change, derived from the moves of its sub-tasks, the attempts that it ended, and the
//! states of the task before and after it.

use crate::command::{Change, Command, Effect, Failure};
use crate::measure::{ActionKind, AttemptEnd, Ended, Measure, Measures, Move, Run, Wait};
use crate::record::Hold;
use crate::record::{Attempt, Outcome, Record, State};
use crate::resource::LockMode;
use crate::status::{Resolution, SubTaskStatus, TaskStatus};
use crate::task::Task;
use crate::time::{Span, Timestamp};
use crate::trace::TraceContext;

/// State of a task before a change, as far as measurements depend on it.
pub(super) struct Before {
    revision: u64,
    status: TaskStatus,
    hold: Hold,
    resolution: Resolution,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    /// Time since which the task waits for its claims, if it does.
    asked: Timestamp,
    lease_lost: bool,
}

impl Before {
    pub(super) fn of(task: &Task, command: &Command) -> Before {
        let state = &task.record.state;
        let lease_lost = match command {
            Command::Fail { sub_task, failure: Failure::Lost, .. } => {
                task.record.sub_tasks.get(*sub_task as usize).is_some_and(|sub| sub.lease.is_some())
            }
            _ => false,
        };
        let decided = state.decisions.last().filter(|_| state.generation > 0).map(|decision| decision.at);
        Before {
            revision: state.revision,
            status: state.status,
            hold: state.hold,
            resolution: state.resolution,
            started_at: state.started_at,
            completed_at: state.completed_at,
            asked: decided.max(state.not_before).max(Some(state.created_at)).unwrap_or_default(),
            lease_lost,
        }
    }
}

/// Adds the measurements of a change to its effects, if there are any.
pub(super) fn add(before: &Before, task: &Task, moves: Vec<Move>, now: Timestamp, change: &mut Change) {
    let record = &task.record;
    let mut all = Vec::new();
    of_start(before, record, now, &mut all);
    of_sub_tasks(record, &moves, now, change, &mut all);
    if before.lease_lost {
        all.push(Measure::LeaseLost);
    }
    for effect in &change.effects {
        if let Effect::Ended(status) = effect {
            let state = &record.state;
            let ran = state.started_at.map(|began| between(began, state.completed_at.unwrap_or(now)));
            let run = Some(Box::new(run_of(state, task.spec().caller, now)));
            all.push(Measure::TaskEnded { status: *status, ran, run });
        }
    }
    if !all.is_empty() {
        let measures = Measures { workflow: Some(record.workflow.clone()), all };
        // Ahead of the others: whoever learns of an end finds it counted.
        change.effects.insert(0, Effect::Measured(Box::new(measures)));
    }
}

/// Returns the run that ends in a state.
fn run_of(state: &State, caller: Option<TraceContext>, now: Timestamp) -> Run {
    let decided = state.decisions.last().filter(|_| state.generation > 0).map(|decision| decision.at);
    let failed = state.status == TaskStatus::Failed;
    Run {
        generation: state.generation,
        since: decided.unwrap_or(state.created_at),
        until: state.completed_at.unwrap_or(now),
        caller,
        error: state.errors.first().filter(|_| failed).map(|error| error.error_code.clone()),
    }
}

/// Returns an attempt that a move ended, with the code of its error.
fn ended_of(record: &Record, a: &Move, now: Timestamp, attempt: Option<&Attempt>) -> Box<Ended> {
    let sub = record.sub_tasks.get(a.index as usize);
    let error = attempt.and_then(|attempt| attempt.error.as_ref()).map(|error| error.error_code.clone());
    Box::new(Ended {
        sub_task: a.index,
        own: record.own(a.index),
        item: sub.and_then(|sub| sub.child.as_ref()).map(|child| child.index),
        number: a.attempt,
        generation: sub.map_or(0, |sub| sub.generation),
        since: a.started_at.unwrap_or(now),
        until: now,
        error,
    })
}

/// Measures what the task itself began, and what it had waited for.
fn of_start(before: &Before, record: &Record, now: Timestamp, all: &mut Vec<Measure>) {
    let state = &record.state;
    if before.revision == 0 {
        all.push(Measure::TaskAccepted);
    }
    if before.hold == Hold::Waiting && state.hold == Hold::Held {
        waited(claimed(record), before.asked, now, all);
    }
    if before.started_at.is_none() && state.started_at.is_some() {
        all.push(Measure::TaskStarted);
        if let Some(at) = state.not_before {
            waited(Wait::Start, state.created_at, at, all);
        }
    }
    let dealt_with = state.status != TaskStatus::Failed
        || state.completed_at != before.completed_at
        || state.resolution != before.resolution;
    let open = before.status == TaskStatus::Failed && before.resolution == Resolution::Unresolved;
    if let Some(failed) = before.completed_at.filter(|_| open && dealt_with) {
        waited(Wait::Person, failed, now, all);
    }
}

/// Returns the kind of claims that a task waits for.
fn claimed(record: &Record) -> Wait {
    let definition = &record.workflow.definition;
    let locks = definition.credentials.is_some()
        || definition.resources.iter().any(|resource| resource.lock != LockMode::None);
    if locks { Wait::Lock } else { Wait::Concurrency }
}

fn of_sub_tasks(record: &Record, moves: &[Move], now: Timestamp, change: &Change, all: &mut Vec<Measure>) {
    // The attempts of the change are in the order of the moves that ended them.
    let mut ended = change.attempts.iter().peekable();
    for a in moves {
        let action = ActionKind::from(&record.definition(a.index).action);
        if a.before != a.after && is_end(a.after) {
            all.push(Measure::SubTaskEnded(a.after));
        }
        if a.is_parent {
            // Its children have the attempts.
            continue;
        }
        match (a.before, a.after) {
            (SubTaskStatus::Pending, SubTaskStatus::Pending) => {
                if let Some(at) = a.due.filter(|_| action != ActionKind::Wait) {
                    waited(Wait::Retry, now, at, all);
                }
            }
            (SubTaskStatus::Pending, SubTaskStatus::InProgress) => {
                if let Some(since) = a.queued_at {
                    let kind = if action == ActionKind::Worker { Wait::Queue } else { Wait::Permit };
                    waited(kind, since, now, all);
                }
                all.push(Measure::AttemptStarted(action));
            }
            (SubTaskStatus::InProgress, SubTaskStatus::Successful) => {
                let took = between(a.started_at.unwrap_or(now), now);
                if action == ActionKind::Wait {
                    waited(Wait::Timer, a.started_at.unwrap_or(now), now, all);
                }
                let attempt = ended_of(record, a, now, None);
                all.push(Measure::AttemptEnded { action, end: AttemptEnd::Successful, took, attempt });
            }
            (SubTaskStatus::InProgress, _) => {
                let is_this = |attempt: &&Attempt| (attempt.sub_task, attempt.number) == (a.index, a.attempt);
                let known = ended.next_if(is_this);
                let end = known.map_or(AttemptEnd::HandedBack, |attempt| end_of(attempt.outcome));
                let took = between(a.started_at.unwrap_or(now), now);
                let attempt = ended_of(record, a, now, known);
                all.push(Measure::AttemptEnded { action, end, took, attempt });
            }
            _ => {}
        }
    }
}

fn is_end(status: SubTaskStatus) -> bool {
    !matches!(status, SubTaskStatus::Pending | SubTaskStatus::InProgress)
}

fn end_of(outcome: Outcome) -> AttemptEnd {
    match outcome {
        Outcome::Successful => AttemptEnd::Successful,
        Outcome::Running | Outcome::Failed => AttemptEnd::Failed,
        Outcome::TimedOut => AttemptEnd::TimedOut,
        Outcome::Lost => AttemptEnd::Lost,
        Outcome::Stopped => AttemptEnd::Stopped,
    }
}

/// Adds a wait, unless it took no time: what is granted at once was not waited for.
fn waited(kind: Wait, since: Timestamp, until: Timestamp, all: &mut Vec<Measure>) {
    let span = between(since, until);
    if span.0 > 0 {
        all.push(Measure::Waited(kind, span));
    }
}

fn between(since: Timestamp, until: Timestamp) -> Span {
    Span(until.0.saturating_sub(since.0).max(0).unsigned_abs())
}
