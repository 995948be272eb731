//! Jobs that are too rare for a form of their own: a function to run in the writer's transaction, and where its
//! answer goes.

use longhaul_model::Timestamp;

use super::batch::Batch;
use super::writer::{Answer, Job, Writer};
use crate::error::StoreError;

/// What the writer does with an errand.
pub(super) enum Turn<'a> {
    /// Runs it inside the transaction.
    Run(&'a mut Batch, &'a mut Writer),
    /// Tells its caller that it will not be run.
    Refuse(&'a str),
}

/// An errand on its way to the writer.
pub(super) type Errand = Box<dyn FnOnce(Turn<'_>) + Send>;

/// The job of a function; its answer waits for the commit.
pub(super) fn errand<T: Send + 'static>(
    work: impl FnOnce(&mut Writer, Timestamp) -> Result<T, StoreError> + Send + 'static,
    answer: Answer<T>,
) -> Job {
    Job::Errand(Box::new(move |turn| match turn {
        Turn::Run(batch, writer) => {
            let done = work(writer, batch.now());
            batch.tell(done, answer, |_, _| {});
        }
        // Whoever asked may have gone.
        Turn::Refuse(why) => drop(answer.send(Err(StoreError::Unavailable(why.to_owned())))),
    }))
}
