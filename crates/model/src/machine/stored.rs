//! Stored outputs of sub-tasks that still count as under way: an output is stored only together with the
//! success of its sub-task, so a later write undid that success, and it is restored here.

use serde_json::Value;

use super::Step;
use crate::command::{Effect, Refused};
use crate::record::SubTask;
use crate::status::{SubTaskStatus, TaskStatus};

impl SubTask {
    /// Returns true if an output stored for this sub-task shows that its success was lost: it is under way,
    /// while only successful ones have an output.
    pub fn contradicts_stored_output(&self) -> bool {
        self.is_active()
    }
}

impl Step<'_> {
    /// Takes in stored outputs, and ends the sub-tasks whose success was lost.
    pub(super) fn outputs_stored(&mut self, outputs: Vec<(u32, Value)>) -> Result<(), Refused> {
        if self.task.record.state.status != TaskStatus::InProgress {
            return Err(Refused::Nothing);
        }
        for (index, output) in outputs {
            if self.is_under_way(index) {
                self.task.set_output(index, output);
            }
        }
        if !self.recover_successes() {
            return Err(Refused::Nothing);
        }
        self.settle();
        Ok(())
    }

    /// Ends every sub-task that has an output but counts as under way; returns true if there was one.
    pub(super) fn recover_successes(&mut self) -> bool {
        // Children have higher indexes than their parents, which end with the last of them.
        let outputs: Vec<u32> = self.task.outputs.keys().rev().copied().collect();
        let mut found = false;
        for index in outputs {
            if !self.is_under_way(index) {
                continue;
            }
            found = true;
            if self.task.record.sub_tasks[index as usize].fan.is_none() {
                self.recover_success(index);
                continue;
            }
            // The output of the parent is made of those of all its children: each of them has succeeded, with
            // or without one.
            let mut children = self.task.record.children(index);
            while let Some(child) = children.find(|child| self.is_under_way(*child)) {
                self.recover_success(child);
                // The place of a child that ended may have gone to any other.
                children = self.task.record.children(index);
            }
            self.tend(index);
        }
        found
    }

    /// Returns true if a sub-task with an output counts as under way.
    pub(super) fn has_lost_a_success(&self) -> bool {
        self.task.outputs.keys().any(|index| self.is_under_way(*index))
    }

    fn is_under_way(&self, index: u32) -> bool {
        let sub = self.task.record.sub_tasks.get(index as usize);
        sub.is_some_and(SubTask::contradicts_stored_output)
    }

    fn recover_success(&mut self, index: u32) {
        let sub = &self.task.record.sub_tasks[index as usize];
        if sub.is_looked_after() && sub.status == SubTaskStatus::InProgress && sub.lease.is_none() {
            // It may be a later attempt, which still runs.
            let (token, node) = (sub.token(), sub.node);
            self.change.effects.push(Effect::Stop { sub_task: index, token, node });
        }
        self.unqueue(index);
        let output = self.task.outputs.get(&index).cloned();
        self.succeeded(index, output);
    }
}
