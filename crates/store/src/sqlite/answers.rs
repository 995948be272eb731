//! Answers to callers: sent after the commit, or at once for a job that is not run.

use super::errand::Turn;
use super::queue::Entry;
use super::writer::Job;
use crate::error::StoreError;
use crate::known::Workflows;

/// Answers a caller once the outcome of the batch is known.
pub(super) type Tell = Box<dyn FnOnce(Result<(), &StoreError>, &Workflows) + Send>;

/// An answer that depends on the commit.
pub(super) enum Told {
    Answer(Tell),
    /// Answer to a command that is run again if the reserve makes space for it.
    WayOut {
        entry: Box<Entry>,
        done: Result<(), StoreError>,
    },
}

impl Told {
    /// Answers the waiting caller; `commit` is the outcome of the batch.
    pub(super) fn answer(self, commit: Result<(), &StoreError>, known: &Workflows) {
        match self {
            Told::Answer(answer) => answer(commit, known),
            Told::WayOut { entry, done } => {
                if let Job::Command(_, _, Some((answer, _))) = entry.job {
                    let result = done.and_then(|()| commit.map_err(StoreError::copy));
                    // The caller may have gone; the change stands all the same.
                    let _ = answer.send(result);
                }
            }
        }
    }
}

/// Answers jobs that will not be run.
pub(super) fn refuse(entries: impl IntoIterator<Item = Entry>, e: &StoreError) {
    for Entry { job, .. } in entries {
        // The caller may have gone.
        match job {
            Job::Submit(_, answer) => drop(answer.send(Err(e.copy()))),
            Job::Command(_, _, Some((answer, _))) | Job::DeleteWorkflow(_, _, answer) => {
                drop(answer.send(Err(e.copy())))
            }
            Job::PutWorkflow(_, _, answer) => drop(answer.send(Err(e.copy()))),
            Job::Work(_, answer) => drop(answer.send(Err(e.copy()))),
            Job::Errand(errand, _) => errand(Turn::Refuse(e)),
            Job::Command(_, _, None) => {}
        }
    }
}
