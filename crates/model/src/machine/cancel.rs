//! Cancel: a barrier. From its commit on no attempt starts; running ones are told, and given up after a grace
//! time.

use super::Step;
use crate::command::{Effect, Failure, Refused};
use crate::record::{Decision, StopReason, Stopping};
use crate::status::{SubTaskStatus, TaskStatus};
use crate::time::{Span, Timestamp};

/// Time that running attempts have to stop when a task's timeout passed.
const TIMEOUT_GRACE: Span = Span(30_000);

impl Step<'_> {
    pub(super) fn cancel(&mut self, by: String, grace: Span) -> Result<(), Refused> {
        let record = &self.task.record;
        let failed = record.state.status == TaskStatus::Failed;
        if failed && record.holds_locks() && record.credentials_operation().is_some() {
            return Err(Refused::CancelledByOwnCall);
        }
        if record.state.status.is_ended() {
            return Err(Refused::NotRunning(record.state.status));
        }
        if record.state.stopping.is_some() {
            return Err(Refused::Stopping);
        }
        if !record.workflow.definition.cancellable {
            return Err(Refused::NotCancellable);
        }
        self.decided("cancel", by, None, None);
        self.stop(StopReason::Cancel, self.now.after(grace));
        Ok(())
    }

    /// Ends a task whose timeout passed: like a cancel, but it ends FAILED.
    pub(super) fn out_of_time(&mut self) {
        let grace = self.now.after(TIMEOUT_GRACE);
        // A worker whose answer is late begins as long as its lease may last. Were its attempt given up
        // before, an operator might decide that the work is to be done anew, and it would be done twice.
        let leases = self.task.record.sub_tasks.iter().filter_map(|sub| {
            let lease = sub.lease.as_ref().filter(|_| sub.status == SubTaskStatus::InProgress)?;
            Some(sub.started_at?.after(lease.span))
        });
        let give_up_at = leases.fold(grace, Timestamp::max);
        self.stop(StopReason::Timeout, give_up_at);
    }

    fn stop(&mut self, why: StopReason, give_up_at: Timestamp) {
        self.task.record.state.stopping = Some(Stopping { why, at: self.now, give_up_at });
        for index in 0..self.task.record.sub_tasks.len() as u32 {
            let sub = &self.task.record.sub_tasks[index as usize];
            if sub.fan.is_some() {
                // A parent ends with its children.
                continue;
            }
            match (sub.status, sub.due_at) {
                // A timer has no executor to tell: it stops here.
                (SubTaskStatus::InProgress, Some(_)) => self.attempt_failed(index, Failure::Stopped),
                (SubTaskStatus::InProgress, None) => {
                    let (token, node) = (sub.token(), sub.node);
                    self.change.effects.push(Effect::Stop { sub_task: index, token, node });
                }
                (SubTaskStatus::Pending, Some(_)) => {
                    self.task.set_due(index, None);
                    self.change.sub_tasks.push(index);
                }
                (SubTaskStatus::Pending, None) => self.unqueue(index),
                (
                    SubTaskStatus::Successful
                    | SubTaskStatus::Failed
                    | SubTaskStatus::Skipped
                    | SubTaskStatus::NotApplicable,
                    _,
                ) => {}
            }
        }
        self.tend_all();
        if self.task.tally.running > 0 {
            self.change.effects.push(Effect::Timer(give_up_at));
        }
        self.settle();
    }

    /// Records a decision and its author.
    pub(super) fn decided(&mut self, what: &str, by: String, sub_task: Option<u32>, reason: Option<String>) {
        let decision = Decision { at: self.now, what: what.to_owned(), by, sub_task, count: None, reason };
        self.task.record.state.decisions.push(decision);
    }
}
