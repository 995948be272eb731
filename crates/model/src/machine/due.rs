//! Time: waits end, pauses end, start times come, limits pass. The command may be repeated at will: timers
//! that are not due stay.

use super::Step;
use crate::command::{Failure, Refused};
use crate::record::StopReason;
use crate::status::{SubTaskStatus, TaskStatus};

impl Step<'_> {
    pub(super) fn due(&mut self) -> Result<(), Refused> {
        if self.task.due_at().is_none_or(|at| at > self.now) {
            return Err(Refused::Nothing);
        }
        let state = &self.task.record.state;
        if state.status == TaskStatus::Pending {
            return self.begin();
        }
        if let Some(stopping) = &state.stopping {
            let why = stopping.why;
            self.give_up(why);
            return Ok(());
        }
        if state.deadline.is_some_and(|at| at <= self.now) {
            self.out_of_time();
            return Ok(());
        }
        for index in self.task.due_by(self.now) {
            let sub = &self.task.record.sub_tasks[index as usize];
            // The end of those before may have removed the timer.
            if sub.due_at.is_some_and(|at| at <= self.now) {
                match sub.status {
                    SubTaskStatus::InProgress => self.succeeded(index, None),
                    SubTaskStatus::Pending => self.next_attempt(index),
                    SubTaskStatus::Successful
                    | SubTaskStatus::Failed
                    | SubTaskStatus::Skipped
                    | SubTaskStatus::NotApplicable => {}
                }
            }
        }
        Ok(())
    }

    fn next_attempt(&mut self, index: u32) {
        self.task.set_due(index, None);
        self.change.sub_tasks.push(index);
        if let Some(child) = &self.task.record.sub_tasks[index as usize].child {
            let parent = child.parent;
            if self.may_start() {
                // The child was under way, and keeps its place among those that are.
                self.launch_action(index);
            }
            return self.tend(parent);
        }
        self.advance(vec![index]);
    }

    /// Gives up attempts that did not stop in time; their late results are refused.
    pub(super) fn give_up(&mut self, why: StopReason) {
        for index in 0..self.task.record.sub_tasks.len() as u32 {
            let sub = &self.task.record.sub_tasks[index as usize];
            if sub.status == SubTaskStatus::InProgress && sub.fan.is_none() {
                // A cancelled task runs nothing again; of a timed out one, the outcome matters to its retry.
                self.attempt_failed(
                    index,
                    match why {
                        StopReason::Cancel => Failure::Stopped,
                        StopReason::Timeout | StopReason::Copy => Failure::Timeout,
                    },
                );
            }
        }
        self.tend_all();
        self.settle();
    }
}
