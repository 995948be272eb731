//! Work of a worker: its reports are recorded and attempts leased to it, in one transaction. Sub-tasks that
//! became ready by a report are leased in the same change, so that a chain of sub-tasks costs one change
//! each.

use longhaul_model::Command;

use super::batch::Batch;
use super::writer::Writer;
use crate::error::StoreError;
use crate::store::Work;
use crate::stored::Worked;

impl Batch {
    pub(super) fn work(&mut self, writer: &mut Writer, work: Work) -> Result<Worked, StoreError> {
        let Work { reports, leases, again, terms, mut room } = work;
        let mut worked = Worked::default();
        for (id, mut command) in reports {
            if let Command::Complete { next, .. } = &mut command
                && room == 0
            {
                *next = None;
            }
            let done = match self.apart(writer, |batch, writer| batch.change(writer, id, command)) {
                Err(e @ (StoreError::Unavailable(_) | StoreError::Full)) => return Err(e),
                Err(e) => Err(e),
                Ok(grants) => {
                    room = room.saturating_sub(grants.len());
                    worked.grants.extend(grants);
                    Ok(())
                }
            };
            worked.reports.push(done);
        }
        let Some(terms) = terms else { return Ok(worked) };
        for (id, sub_task, token) in again {
            match self.change(writer, id, Command::LeaseAgain { sub_task, token, terms: terms.clone() }) {
                Ok(grants) => worked.grants.extend(grants),
                Err(e @ (StoreError::Unavailable(_) | StoreError::Full)) => return Err(e),
                // The task ended meanwhile, or cannot be read.
                Err(_) => {}
            }
        }
        for (id, sub_task) in leases {
            if room == 0 {
                worked.unused.push((id, sub_task));
                continue;
            }
            let command = Command::Lease { sub_task, terms: terms.clone() };
            match self.apart(writer, |batch, writer| batch.change(writer, id, command)) {
                Ok(grants) => {
                    room = room.saturating_sub(grants.len());
                    worked.grants.extend(grants);
                }
                Err(e @ (StoreError::Unavailable(_) | StoreError::Full)) => return Err(e),
                // The sub-task waits no more: leased, stopped, gone.
                Err(StoreError::Refused(_) | StoreError::NotFound) => {}
                Err(e) => {
                    tracing::error!(task.id = %id, error = %e, "a task cannot be read and is left as it is")
                }
            }
        }
        Ok(worked)
    }
}
