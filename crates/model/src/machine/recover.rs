//! Recovery from the crash of a node: attempts that it ran itself are lost, those of workers are not. The
//! same functions as without a crash decide what follows.

use super::Step;
use crate::command::{Failure, Refused};
use crate::id::NodeId;
use crate::record::SubTask;
use crate::status::{SubTaskStatus, TaskStatus};

impl Step<'_> {
    pub(super) fn recover(&mut self, node: Option<NodeId>) -> Result<(), Refused> {
        let runs = |sub: &SubTask| sub.is_looked_after() && node.is_none_or(|node| sub.node == node);
        let record = &self.task.record;
        let lost = || record.sub_tasks.iter().any(runs) || self.has_lost_a_success();
        if record.state.status != TaskStatus::InProgress || !lost() {
            // Timers need nothing: due times are derived from stored state.
            return Err(Refused::Nothing);
        }
        // Sub-tasks that were under way before; those that start meanwhile are not lost.
        let all: Vec<u32> = (0..self.task.record.sub_tasks.len() as u32)
            .filter(|index| runs(&self.task.record.sub_tasks[*index as usize]))
            .collect();
        // Sub-tasks that are known to be done do not run again.
        self.recover_successes();
        for index in all {
            let sub = &self.task.record.sub_tasks[index as usize];
            if sub.queued_at.is_some() || sub.lease.is_some() {
                self.offer_again(index);
            } else if sub.status == SubTaskStatus::InProgress {
                // The recovery of those before may have withdrawn it.
                let stopping = self.task.record.state.stopping.is_some();
                self.attempt_failed(index, if stopping { Failure::Stopped } else { Failure::Lost });
                if self.task.record.sub_tasks[index as usize].status != SubTaskStatus::InProgress {
                    self.after_failure(index);
                }
            }
        }
        self.tend_all();
        self.settle();
        Ok(())
    }
}
