//! Jobs of the writer: what it is asked to do, who is answered, and how.

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

/// Who waits for a command, and what is noted of it.
pub(super) type Asked = (Answer<()>, Option<Box<Audit>>);

/// Lines for a log.
pub(super) struct Log {
    pub(super) id: TaskId,
    pub(super) sub_task: u32,
    pub(super) attempt: u32,
    pub(super) lines: Vec<LogLine>,
}

/// What the writer is asked to do.
pub(super) enum Job {
    Submit(Box<Submission>, Answer<Submitted>),
    Command(TaskId, Box<Command>, Option<Asked>),
    Work(Work, Answer<Worked>),
    Log(Log, Answer<()>),
    /// Claims are to be looked at.
    Settle(Left),
    Flush(Answer<()>),
    /// Nothing, to see whether anything can be written.
    Probe,
}

impl Job {
    /// The tasks that it is about, but for a new one.
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

    /// The task of a change that nobody waits for.
    pub(super) fn posted(&self) -> Option<TaskId> {
        if let Job::Command(id, _, None) = self { Some(*id) } else { None }
    }

    /// Whether somebody waited for it, and gave up.
    pub(super) fn is_forsaken(&self) -> bool {
        match self {
            Job::Submit(_, answer) => answer.is_closed(),
            Job::Command(_, _, Some((answer, _))) => answer.is_closed(),
            Job::Work(_, answer) => answer.is_closed(),
            // A log is written also if nobody waits for it.
            Job::Command(_, _, None) | Job::Log(..) | Job::Settle(_) | Job::Flush(_) | Job::Probe => false,
        }
    }

    /// Answers it; whoever asked may have gone.
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
            // Nobody waits, or the kinds do not fit, which the batch rules out.
            _ => {}
        }
    }
}

/// What a job came to.
pub(super) enum Done {
    Submitted(Result<Submitted, StoreError>),
    Command(Result<(), StoreError>),
    Work(Result<Worked, StoreError>),
}

/// A batch whose outcome is certain: its effects go out, then everybody is answered.
pub(super) struct Finished {
    pub(super) commits: Vec<Commit>,
    pub(super) answers: Vec<(Job, Result<Done, StoreError>)>,
}

impl Finished {
    /// Tells; on the runtime of those who wait, while the next batch is written.
    pub(super) fn tell(self, shared: &Shared) {
        shared.carry_out(self.commits);
        for (job, done) in self.answers {
            job.answer(done);
        }
    }
}
