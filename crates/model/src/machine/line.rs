//! Attempts that a node runs itself: one begins in the change that makes it ready if the node has a permit
//! for it; else the sub-task stays PENDING, in line at that node, and nothing of it counts until it begins.

use super::Step;
use crate::command::{Effect, Refused};
use crate::room::Permit;
use crate::status::TaskStatus;

impl Step<'_> {
    /// An attempt begins at this node.
    pub(super) fn run_here(&mut self, index: u32, permit: Permit) {
        self.begin_attempt(index, None);
        let mut launch = self.launch_of(index);
        launch.permit = permit;
        self.change.effects.push(Effect::Start(launch));
    }

    /// Puts a sub-task in line at this node, as there is no permit for it.
    pub(super) fn stand_in_line(&mut self, index: u32) {
        self.task.set_queued(index, Some(self.now));
        self.task.set_node(index, self.node);
        self.change.sub_tasks.push(index);
        self.change.effects.push(Effect::InLine { sub_task: index });
    }

    /// Starts a sub-task that stands in line at this node, with a permit.
    pub(super) fn start_in_line(&mut self, index: u32, permit: Permit) -> Result<(), Refused> {
        let record = &self.task.record;
        let sub = record.sub_tasks.get(index as usize).ok_or(Refused::Stale)?;
        let starts = record.state.status == TaskStatus::InProgress && self.may_start();
        let here = sub.node == self.node && record.definition(index).action.is_built_in();
        if sub.queued_at.is_none() || !starts || !here {
            return Err(Refused::Stale);
        }
        self.run_here(index, permit);
        self.task.set_queued(index, None);
        Ok(())
    }
}
