//! Jobs of the writer, and how their callers are answered.

use longhaul_model::{Command, TaskId};
use tokio::sync::oneshot;

use super::Shared;
use super::claims::Left;
use crate::audit::Audit;
use crate::error::StoreError;
use crate::logs::LogLine;
use crate::store::{Commit, Submission, Work};
use crate::stored::{Submitted, Worked};

pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// Answer channel of a command, and its audit entry.
pub(super) type Asked = (Answer<()>, Option<Box<Audit>>);

/// Lines for a log.
pub(super) struct Log {
    pub(super) id: TaskId,
    pub(super) sub_task: u32,
    pub(super) attempt: u32,
    pub(super) lines: Vec<LogLine>,
}

/// A request to the writer.
pub(super) enum Job {
    Submit(Box<Submission>, Answer<Submitted>),
    Command(TaskId, Box<Command>, Option<Asked>),
    Work(Work, Answer<Worked>),
    Log(Log, Answer<()>),
    /// Looks at claims left by an earlier transaction.
    Settle(Left),
    Flush(Answer<()>),
    /// Probes whether anything can be written, and changes nothing.
    Probe,
}

impl Job {
    /// Returns the tasks that the job is about, except a new one.
    pub(super) fn tasks(&self) -> Vec<TaskId> {
        match self {
            Job::Command(id, ..) => vec![*id],
            Job::Log(log, _) => vec![log.id],
            Job::Work(work, _) => {
                let reported = work.reports.iter().map(|(id, _)| *id);
                let again = work.again.iter().map(|(id, ..)| *id);
                reported.chain(again).chain(work.leases.iter().map(|(id, _)| *id)).collect()
            }
            Job::Submit(..) | Job::Settle(_) | Job::Flush(_) | Job::Probe => Vec::new(),
        }
    }

    /// Returns the task of a change whose result no caller awaits.
    pub(super) fn posted(&self) -> Option<TaskId> {
        if let Job::Command(id, _, None) = self { Some(*id) } else { None }
    }

    /// Returns true if the caller has stopped waiting for the result.
    pub(super) fn is_forsaken(&self) -> bool {
        match self {
            Job::Submit(_, answer) => answer.is_closed(),
            Job::Command(_, _, Some((answer, _))) => answer.is_closed(),
            Job::Work(_, answer) => answer.is_closed(),
            // A log is written even if no caller waits for it.
            Job::Command(_, _, None) | Job::Log(..) | Job::Settle(_) | Job::Flush(_) | Job::Probe => false,
        }
    }

    /// Answers the job's caller, who may be gone.
    pub(super) fn answer(self, done: Result<Done, StoreError>) {
        match (self, done) {
            (Job::Submit(_, answer), Ok(Done::Submitted(done))) => drop(answer.send(done)),
            (Job::Work(_, answer), Ok(Done::Work(done))) => drop(answer.send(done)),
            (
                Job::Command(_, _, Some((answer, _))) | Job::Log(_, answer) | Job::Flush(answer),
                Ok(Done::Command(done)),
            ) => drop(answer.send(done)),
            (Job::Submit(_, answer), Err(e)) => drop(answer.send(Err(e))),
            (Job::Work(_, answer), Err(e)) => drop(answer.send(Err(e))),
            (Job::Command(_, _, Some((answer, _))) | Job::Log(_, answer) | Job::Flush(answer), Err(e)) => {
                drop(answer.send(Err(e)));
            }
            // No caller waits, or the types do not match, which the batch excludes.
            _ => {}
        }
    }
}

/// Result of a job.
pub(super) enum Done {
    Submitted(Result<Submitted, StoreError>),
    Command(Result<(), StoreError>),
    Work(Result<Worked, StoreError>),
}

/// Batch whose outcome is certain: its effects are carried out, then its callers are answered.
pub(super) struct Finished {
    pub(super) commits: Vec<Commit>,
    /// True if tasks changed.
    pub(super) changed: bool,
    pub(super) answers: Vec<(Job, Result<Done, StoreError>)>,
}

impl Finished {
    /// Carries out the effects and answers the callers; on the callers' runtime, while the next batch is
    /// written.
    pub(super) fn tell(self, shared: &Shared) {
        shared.turn.agenda.changed();
        if self.changed {
            shared.tasks_changed();
        }
        shared.carry_out(self.commits);
        for (job, done) in self.answers {
            job.answer(done);
        }
    }
}
