//! Reasons for which a task does not proceed: everything that it waits for, with the tasks, workers or limits
//! that hold it up.

use std::collections::BTreeMap;

use longhaul_model::workflow::CompiledAction;
use longhaul_model::{
    Attempt, Fault, Record, Stopping, SubTaskStatus, TaskId, TaskStatus, Timestamp, WaitingFor,
};
use longhaul_store::{Lock, Stored};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::{LineSummary, QueueSummary};

/// Maximum number of reasons of one kind.
const TOLD: usize = 20;

/// A reason for which a task does not proceed.
#[derive(Clone, Debug)]
pub enum Reason {
    /// The task was imported and is history.
    Imported,
    /// The stored task cannot be read.
    Unreadable(String),
    /// The task has ended, other than by a failure.
    Ended(TaskStatus, Option<Timestamp>),
    /// The task failed; an operator may retry or resolve it.
    Failed {
        /// Error that the task failed with.
        error: Option<Box<Fault>>,
        /// True if a retry would be accepted.
        retryable: bool,
    },
    /// The outcome of a sub-task is unknown: an operator must decide.
    Decision(String),
    /// The task is being stopped; its running attempts have until this instant.
    Stop(Timestamp),
    /// The server is paused, and starts nothing.
    Paused,
    /// The server is stopping.
    Draining,
    /// The task waits for locks or a slot, and these tasks are ahead of it.
    Lock(Vec<Obstacle>),
    /// The task has a start time.
    Start(Timestamp),
    /// A sub-task has a timer.
    Timer(String, Timestamp),
    /// A sub-task is tried again.
    Retry {
        /// The sub-task.
        sub_task: String,
        /// Time of the next attempt.
        at: Timestamp,
        /// Attempts made so far in this run of the task.
        tries: u32,
        /// Maximum number of attempts in one run of the task.
        most: Option<u32>,
        /// Error of the latest attempt.
        error: Option<Box<Fault>>,
    },
    /// Sub-tasks wait for a worker of a queue.
    Worker {
        /// The first of them.
        sub_task: String,
        /// Number of sub-tasks that wait.
        count: usize,
        /// Time since which the first of them waits.
        since: Timestamp,
        /// State of the queue; `None` if nothing is known of it here.
        queue: Box<QueueSummary>,
    },
    /// A sub-task waits for a permit among the attempts that run at once.
    Capacity(String, Timestamp, LineSummary),
    /// An attempt runs.
    Running {
        /// The sub-task.
        sub_task: String,
        /// Time since which the attempt runs.
        since: Option<Timestamp>,
        /// The number of the attempt.
        attempt: u32,
        /// Worker that has the attempt; `None` for the server itself.
        worker: Option<String>,
    },
}

/// Task that is ahead of another one for a lock or slot.
#[derive(Clone, Debug)]
pub struct Obstacle {
    /// The lock or place that the task holds or waits for.
    pub lock: Lock,
    /// Status of the task; `None` if it is not known.
    pub status: Option<TaskStatus>,
    /// True if the task keeps its locks until an operator decides.
    pub awaits_decision: bool,
}

impl Engine {
    /// Returns the first reason for which a task waits here, as far as its record and the state of the server
    /// tell it.
    pub fn waiting_for(&self, record: &Record) -> Option<WaitingFor> {
        match self.is_paused() {
            true => record.waiting_for_while_paused(),
            false => record.waiting_for(),
        }
    }

    /// Returns the reasons for which a task does not proceed, in the order in which they are shown. Empty for
    /// a task that proceeds without waiting.
    pub async fn why(&self, id: TaskId) -> Result<Vec<Reason>, EngineError> {
        let record = match self.get(id)? {
            Stored::Own(record) => record,
            Stored::Imported { .. } => return Ok(vec![Reason::Imported]),
            Stored::Damaged(damaged) => return Ok(vec![Reason::Unreadable(damaged.why)]),
        };
        if record.state.status.is_ended() {
            return Ok(of_ended(&record));
        }
        let mut reasons = Vec::new();
        if self.is_paused() {
            reasons.push(Reason::Paused);
        }
        if self.is_draining() {
            reasons.push(Reason::Draining);
        }
        if let Some(Stopping { give_up_at, .. }) = &record.state.stopping {
            reasons.push(Reason::Stop(*give_up_at));
        } else {
            match record.waiting_for() {
                Some(WaitingFor::Lock) => reasons.push(Reason::Lock(self.obstacles(id).await?)),
                Some(WaitingFor::Start(at)) => reasons.push(Reason::Start(at)),
                _ => {
                    self.queued(&record, &mut reasons);
                    // Attempts are read for the errors of those that are tried again only.
                    if record.sub_tasks.iter().any(|sub| sub.due_at.is_some()) {
                        let attempts = self.attempts(id).await?.attempts;
                        timed(&record, &attempts, &mut reasons);
                    }
                }
            }
        }
        running(&record, &mut reasons);
        Ok(reasons)
    }

    async fn obstacles(&self, id: TaskId) -> Result<Vec<Obstacle>, EngineError> {
        let stands = |lock: Lock| {
            let (status, awaits_decision) = match self.get(lock.task) {
                Ok(Stored::Own(record)) => (Some(record.state.status), lock.held && record.awaits_decision()),
                Ok(Stored::Damaged(damaged)) => (damaged.status, lock.held),
                Ok(Stored::Imported { .. }) | Err(_) => (None, false),
            };
            Obstacle { lock, status, awaits_decision }
        };
        Ok(self.blockers(id).await?.into_iter().map(stands).collect())
    }

    /// Adds sub-tasks in queues of workers, by queue, and those that wait for a permit here.
    fn queued(&self, record: &Record, reasons: &mut Vec<Reason>) {
        let mut queues: BTreeMap<&str, (u32, Timestamp, usize)> = BTreeMap::new();
        let waits = record.sub_tasks.iter().zip(0..).filter_map(|(sub, index)| Some((index, sub.queued_at?)));
        let mut in_line = Vec::new();
        for (index, since) in waits {
            match &record.definition(index).action {
                CompiledAction::Worker(work) => {
                    queues.entry(&work.queue).or_insert((index, since, 0)).2 += 1;
                }
                _ => in_line.push((index, since)),
            }
        }
        let known = if queues.is_empty() { Vec::new() } else { self.queues() };
        for (name, (index, since, count)) in queues.into_iter().take(TOLD) {
            let queue = known.iter().find(|queue| &*queue.name == name).cloned();
            let queue = Box::new(queue.unwrap_or_else(|| QueueSummary::unused(name, self.serving(name))));
            let sub_task = record.sub_task_name(index).to_owned();
            reasons.push(Reason::Worker { sub_task, count, since, queue });
        }
        // A paused server has room, and starts nothing all the same: the pause is the reason.
        let in_line = if self.is_paused() { Vec::new() } else { in_line };
        for (index, since) in in_line.into_iter().take(TOLD) {
            reasons.push(Reason::Capacity(record.sub_task_name(index).to_owned(), since, self.line()));
        }
    }
}

fn of_ended(record: &Record) -> Vec<Reason> {
    let state = &record.state;
    if state.status != TaskStatus::Failed {
        return vec![Reason::Ended(state.status, state.completed_at)];
    }
    let unknown = (0..).zip(&record.sub_tasks).filter(|(_, sub)| sub.outcome_unknown);
    let unknown: Vec<Reason> = unknown
        .take(TOLD)
        .map(|(index, _)| Reason::Decision(record.sub_task_name(index).to_owned()))
        .collect();
    if !unknown.is_empty() {
        return unknown;
    }
    let error = state.errors.first().cloned().map(Box::new);
    vec![Reason::Failed { error, retryable: record.is_retryable() }]
}

/// Returns sub-tasks with a timer, and those that are tried again, the earliest first.
fn timed(record: &Record, attempts: &[Attempt], reasons: &mut Vec<Reason>) {
    let due = record.sub_tasks.iter().zip(0..).filter_map(|(sub, index)| Some((sub.due_at?, index, sub)));
    let mut due: Vec<_> = due.collect();
    due.sort_by_key(|(at, index, _)| (*at, *index));
    for (at, index, sub) in due.into_iter().take(TOLD) {
        let sub_task = record.sub_task_name(index).to_owned();
        if sub.status == SubTaskStatus::InProgress {
            reasons.push(Reason::Timer(sub_task, at));
            continue;
        }
        let latest = attempts.iter().filter(|attempt| attempt.sub_task == index && attempt.error.is_some());
        let error = latest.max_by_key(|attempt| attempt.number).and_then(|attempt| attempt.error.clone());
        let most = record.definition(index).retry.as_ref().map(|retry| retry.attempts);
        let error = error.map(Box::new);
        reasons.push(Reason::Retry { sub_task, at, tries: sub.tries, most, error });
    }
}

/// Attempts that run.
fn running(record: &Record, reasons: &mut Vec<Reason>) {
    let runs = |sub: &&(u32, &longhaul_model::SubTask)| {
        sub.1.status == SubTaskStatus::InProgress && sub.1.due_at.is_none() && sub.1.fan.is_none()
    };
    let all: Vec<(u32, &longhaul_model::SubTask)> = (0..).zip(&record.sub_tasks).collect();
    for (index, sub) in all.iter().filter(runs).take(TOLD) {
        reasons.push(Reason::Running {
            sub_task: record.sub_task_name(*index).to_owned(),
            since: sub.started_at,
            attempt: sub.attempt,
            worker: sub.lease.as_ref().map(|lease| lease.worker.0.to_string()),
        });
    }
}
