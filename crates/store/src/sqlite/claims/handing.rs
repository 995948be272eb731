//! Hand-over of claims in a batch: released claims go to the next tasks in line.

use std::collections::BTreeSet;

use longhaul_model::{Change, Command, Task};

use super::super::batch::Batch;
use super::super::errand::Turn;
use super::super::need::Need;
use super::super::writer::{Job, Writer};
use super::{Settled, forget, has_its_turn, release, request, settle, task};
use crate::error::StoreError;

/// Maximum claims touched in one batch: further waiters are served by the next, behind jobs that arrived
/// meanwhile.
const TOUCHED: usize = 128;

/// Keys and tasks still to be settled in a batch. Undoing a job restores them.
#[derive(Clone)]
pub(in crate::sqlite) struct Open {
    /// Keys with released claims. Locks sort before places.
    keys: BTreeSet<String>,
    /// Tasks that may have nobody ahead of them.
    tasks: Vec<i64>,
    /// Number of claims that may still be touched.
    room: usize,
    /// Keys left for another batch.
    left: BTreeSet<String>,
}

impl Open {
    pub(in crate::sqlite) fn new() -> Self {
        Open { keys: BTreeSet::new(), tasks: Vec::new(), room: TOUCHED, left: BTreeSet::new() }
    }

    /// Adds keys with released claims, to be settled.
    pub(in crate::sqlite) fn free(&mut self, keys: impl IntoIterator<Item = String>) {
        self.keys.extend(keys);
    }

    /// Takes out the keys left for another batch.
    pub(in crate::sqlite) fn take_left(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.left)
    }
}

/// Returns a job that settles keys, and tasks that may have nobody ahead of them.
pub(in crate::sqlite) fn errand(keys: impl IntoIterator<Item = String>, tasks: Vec<i64>) -> Job {
    let keys: Vec<String> = keys.into_iter().collect();
    let errand = move |turn: Turn<'_>| {
        // If the job is refused, the sweep finds them again.
        if let Turn::Run(batch, _) = turn {
            batch.claims.keys.extend(keys);
            batch.claims.tasks.extend(tasks);
        }
    };
    Job::Errand(Box::new(errand), Need::Record)
}

impl Batch {
    /// Settles the claims of a change: requests new ones, granted at once if free, and hands released ones to
    /// others.
    pub(in crate::sqlite) fn settle_claims(
        &mut self,
        writer: &Writer,
        seq: i64,
        task: &mut Task,
        change: &mut Change,
    ) -> Result<(), StoreError> {
        if change.claims && request(&writer.connection, seq, task.record(), self.now())? {
            let next = self.apply(writer, task, Command::Acquired)?;
            change.and(next);
        }
        if change.releases {
            self.claims.keys.extend(release(&writer.connection, seq)?);
        }
        Ok(())
    }

    /// Grants released claims to the next tasks in line, which may release theirs at once.
    pub(in crate::sqlite) fn hand_on(&mut self, writer: &mut Writer) -> Result<(), StoreError> {
        for seq in std::mem::take(&mut self.claims.tasks) {
            let locks = forget(&writer.connection, seq)?;
            let mut settled = Settled::default();
            if locks.is_empty() {
                has_its_turn(&writer.connection, seq, self.now(), &mut settled)?;
            }
            self.claims.keys.extend(locks.into_iter().chain(settled.keys));
            self.tell_granted(writer, settled.granted)?;
        }
        while let Some(key) = self.claims.keys.pop_first() {
            if self.claims.room == 0 {
                self.claims.left.insert(key);
                continue;
            }
            let settled = self.apart(writer, |batch, writer| {
                settle(&writer.connection, &key, batch.claims.room, batch.now())
            });
            let settled = match settled {
                Err(e @ StoreError::Corrupt(_)) => {
                    tracing::error!(key, error = %e, "claims cannot be read and are left as they are");
                    continue;
                }
                settled => settled?,
            };
            self.claims.room = self.claims.room.saturating_sub(settled.touched);
            self.claims.keys.extend(settled.keys);
            if settled.more {
                self.claims.left.insert(key);
            }
            self.tell_granted(writer, settled.granted)?;
        }
        Ok(())
    }

    /// Tells tasks that their claims are granted, so that they go on.
    fn tell_granted(&mut self, writer: &mut Writer, granted: Vec<i64>) -> Result<(), StoreError> {
        for seq in granted {
            let Some(id) = task(&writer.connection, seq)? else {
                tracing::error!(seq, "claims of a task that is not there are let go of");
                self.claims.keys.extend(release(&writer.connection, seq)?);
                continue;
            };
            match self.apart(writer, |batch, writer| batch.change(writer, id, Command::Acquired)) {
                Ok(_) | Err(StoreError::Refused(_) | StoreError::NotFound) => {}
                Err(e @ StoreError::Corrupt(_)) => {
                    tracing::error!(task.id = %id, error = %e, "a task cannot be read and is left as it is");
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}
