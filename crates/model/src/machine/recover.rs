//! After a crash: attempts of this server are lost, timers are armed again. The same functions as without a crash
//! decide what follows.

use super::Step;
use crate::command::{Effect, Failure, Refused};
use crate::status::{SubTaskStatus, TaskStatus};

impl Step<'_> {
    pub(super) fn recover(&mut self) -> Result<(), Refused> {
        if self.task.record.state.status.is_ended() {
            return Err(Refused::Nothing);
        }
        if let Some(at) = self.task.record.due_at() {
            self.change.effects.push(Effect::Timer(at));
        }
        if self.task.record.state.status == TaskStatus::Pending {
            return Ok(());
        }
        for index in 0..self.task.record.sub_tasks.len() as u32 {
            let sub = &self.task.record.sub_tasks[index as usize];
            if sub.status == SubTaskStatus::InProgress && sub.due_at.is_none() {
                let stopping = self.task.record.state.stopping.is_some();
                self.attempt_failed(index, if stopping { Failure::Stopped } else { Failure::Lost });
                if self.task.record.sub_tasks[index as usize].status != SubTaskStatus::InProgress {
                    self.after_failure(index);
                }
            }
        }
        self.settle();
        Ok(())
    }
}
