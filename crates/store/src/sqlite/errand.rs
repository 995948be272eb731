//! Errands: jobs that are too rare for a form of their own, each a function to run in the writer's
//! transaction with a channel for its answer.

use longhaul_model::Timestamp;

use super::batch::Batch;
use super::need::Need;
use super::writer::{Answer, Job, Writer};
use crate::error::StoreError;

/// Call of an errand by the writer.
pub(super) enum Turn<'a> {
    /// Runs the errand inside the transaction.
    Run(&'a mut Batch, &'a mut Writer),
    /// Tells the errand's caller that it will not be run.
    Refuse(&'a StoreError),
}

/// Errand on its way to the writer.
pub(super) type Errand = Box<dyn FnOnce(Turn<'_>) + Send>;

/// Makes the job of a function; its answer waits for the commit.
pub(super) fn errand<T: Send + 'static>(
    work: impl FnOnce(&mut Writer, Timestamp) -> Result<T, StoreError> + Send + 'static,
    answer: Answer<T>,
    need: Need,
) -> Job {
    let errand = move |turn: Turn<'_>| match turn {
        Turn::Run(batch, writer) => {
            let done = work(writer, batch.now());
            batch.tell(done, answer, |_, _| {});
        }
        // The caller may have gone.
        Turn::Refuse(e) => drop(answer.send(Err(e.copy()))),
    };
    Job::Errand(Box::new(errand), need)
}
