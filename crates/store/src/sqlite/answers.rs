//! Answers to callers: they wait for the commit, or are given at once where a job is not run.

use super::errand::Turn;
use super::queue::Entry;
use super::writer::Job;
use crate::error::StoreError;
use crate::known::Workflows;

/// Tells a caller, once it is known what became of the batch.
pub(super) type Tell = Box<dyn FnOnce(Result<(), &StoreError>, &Workflows) + Send>;

/// An answer that depends on the commit.
pub(super) enum Told {
    Answer(Tell),
    /// Of a command that is run again if the reserve makes room for it.
    WayOut {
        entry: Box<Entry>,
        done: Result<(), StoreError>,
    },
}

impl Told {
    /// Answers whoever waits; `commit` is what became of the batch.
    pub(super) fn answer(self, commit: Result<(), &StoreError>, known: &Workflows) {
        match self {
            Told::Answer(answer) => answer(commit, known),
            Told::WayOut { entry, done } => {
                if let Job::Command(_, _, Some((answer, _))) = entry.job {
                    let result = done.and_then(|()| commit.map_err(StoreError::copy));
                    // Whoever asked may have gone; what was done is done.
                    let _ = answer.send(result);
                }
            }
        }
    }
}

/// Answers jobs that will not be run.
pub(super) fn refuse(entries: impl IntoIterator<Item = Entry>, e: &StoreError) {
    for Entry { job, .. } in entries {
        // Whoever asked may have gone.
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
