//! Jobs that are too rare for a form of their own: a function to run in the writer's transaction, and where its
//! answer goes.

use longhaul_model::Timestamp;

use super::batch::Batch;
use super::need::Need;
use super::writer::{Answer, Job, Writer};
use crate::error::StoreError;

/// What the writer does with an errand.
pub(super) enum Turn<'a> {
    /// Runs it inside the transaction.
    Run(&'a mut Batch, &'a mut Writer),
    /// Tells its caller that it will not be run.
    Refuse(&'a StoreError),
}

/// An errand on its way to the writer.
pub(super) type Errand = Box<dyn FnOnce(Turn<'_>) + Send>;

/// The job of a function; its answer waits for the commit.
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
        // Whoever asked may have gone.
        Turn::Refuse(e) => drop(answer.send(Err(e.copy()))),
    };
    Job::Errand(Box::new(errand), need)
}
