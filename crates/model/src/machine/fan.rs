//! `forEach`: a sub-task whose children each run its action for one item. All of them run, whatever becomes
//! of the others; if some failed, so does the parent, and a retry runs those only.

use serde_json::Value;

use super::Step;
use super::attempt::stopped;
use super::titles::distinct;
use crate::fault::{Fault, code};
use crate::record::{Child, Outcome, SubTask, made};
use crate::status::SubTaskStatus;
use crate::task::with_item;
use crate::value::{self, LARGEST_LIST, LONGEST_NAME};
use crate::workflow::MOST_ITEMS;

/// Maximum number of children whose failures the parent's error names.
const NAMED: usize = 20;

impl Step<'_> {
    /// Starts a `forEach`, or resumes it after a retry: its children are made the first time. Returns true
    /// only when it ended at once and those behind it were not looked at.
    pub(super) fn open_fan(&mut self, index: u32) -> bool {
        if self.task.record.sub_tasks[index as usize].fan.is_none() {
            match self.make_children(index) {
                Ok(children) => {
                    let first = self.task.record.sub_tasks.len() as u32;
                    self.change.sub_tasks.extend(first..first + children.len() as u32);
                    self.task.add_children(index, children);
                }
                Err(reason) => return self.spoiled(index, reason),
            }
        }
        self.begin_attempt(index, None);
        self.tend(index);
        false
    }

    fn make_children(&mut self, parent: u32) -> Result<Vec<SubTask>, String> {
        let workflow = self.task.record.workflow.clone();
        let definition = &workflow.sub_tasks[parent as usize];
        let scope = self.task.scope();
        let list = definition.for_each.as_ref().map(|list| list.value(&scope)).transpose();
        let items = match list.map_err(|e| format!("`forEach`: {e}"))? {
            Some(Value::Array(items)) => items,
            _ => return Err("`forEach`: the expression gives no list".to_owned()),
        };
        if items.len() > MOST_ITEMS as usize {
            return Err(format!(
                "`forEach`: the list has {} items, and {MOST_ITEMS} is the most",
                items.len()
            ));
        }
        let bytes: usize = items.iter().map(value::size).sum();
        if bytes > LARGEST_LIST {
            return Err(format!(
                "`forEach`: the items are {bytes} bytes of JSON, and {LARGEST_LIST} is the most"
            ));
        }
        let child = |(index, item): (u32, Value)| {
            value::check_depth(&item).map_err(|unfit| format!("`forEach`: the item {index} is {unfit}"))?;
            let child = Child { parent, index, item };
            let scope = with_item(&scope, &child);
            let title = match &definition.title {
                Some(title) => {
                    title.short(&scope, LONGEST_NAME).map_err(|e| format!("`title` of item {index}: {e}"))?
                }
                None => format!("{}[{index}]", definition.name),
            };
            let description = made(&definition.description, &scope)
                .map_err(|e| format!("`description` of item {index}: {e}"))?;
            Ok((title, child, description))
        };
        let children: Vec<_> = (0..).zip(items).map(child).collect::<Result<_, String>>()?;
        let titles = children.iter().map(|(title, ..)| title.clone()).collect();
        let record = &self.task.record;
        let taken = (0..record.sub_tasks.len() as u32).map(|index| record.sub_task_name(index));
        let titles = distinct(titles, taken);
        let child = |((_, child, description), title)| SubTask::of_item(child, title, description);
        Ok(children.into_iter().zip(titles).map(child).collect())
    }

    /// Starts children up to the limit of parallel ones, and ends the parent when nothing of it is under way
    /// and nothing more starts. The cost depends on what it starts, not on the number of children.
    pub(super) fn tend(&mut self, parent: u32) {
        if self.task.record.sub_tasks[parent as usize].status != SubTaskStatus::InProgress {
            return;
        }
        let parallel = self.task.record.definition(parent).parallel as usize;
        while self.may_start() && self.fan(parent).active < parallel {
            let Some(child) = self.next_child(parent) else { break };
            self.launch_action(child);
        }
        if self.fan(parent).active == 0 {
            self.close_fan(parent);
        }
    }

    /// Withdraws the waiting children of each `forEach` when something holds the task up: nothing starts,
    /// neither at a worker nor for a next attempt.
    pub(super) fn withdraw(&mut self) {
        let open: Vec<u32> = self.task.fans.keys().copied().collect();
        for parent in open {
            if self.task.record.sub_tasks[parent as usize].status != SubTaskStatus::InProgress {
                continue;
            }
            for child in self.task.record.children(parent) {
                let sub = &self.task.record.sub_tasks[child as usize];
                if sub.status == SubTaskStatus::Pending && sub.due_at.is_some() {
                    self.task.set_due(child, None);
                    self.change.sub_tasks.push(child);
                }
                self.unqueue(child);
            }
            self.tend(parent);
        }
    }

    /// Starts children of every running `forEach`, or ends it.
    pub(super) fn tend_all(&mut self) {
        let open: Vec<u32> = self.task.fans.keys().copied().collect();
        for parent in open {
            self.tend(parent);
        }
    }

    fn fan(&self, parent: u32) -> crate::task::FanTally {
        self.task.fans.get(&parent).copied().unwrap_or_default()
    }

    fn next_child(&mut self, parent: u32) -> Option<u32> {
        let children = self.task.record.children(parent);
        let from = self.fan(parent).next.max(children.start);
        let idle = |index: &u32| {
            let sub = &self.task.record.sub_tasks[*index as usize];
            sub.status == SubTaskStatus::Pending && !sub.is_active()
        };
        let found = (from..children.end).find(idle);
        if let Some(fan) = self.task.fans.get_mut(&parent) {
            fan.next = found.map_or(children.end, |index| index + 1);
        }
        found
    }

    /// Ends a `forEach` of which nothing is under way and nothing more starts: it ends as its children did.
    fn close_fan(&mut self, parent: u32) {
        let fan = self.fan(parent);
        if fan.failed > 0 {
            let fault = self.fan_fault(parent, fan.failed);
            self.failed_for_good(parent, Outcome::Failed, fault);
        } else if fan.idle == 0 {
            let output = self.fan_output(parent);
            return self.succeeded(parent, output);
        } else if self.task.record.state.stopping.is_some() {
            self.failed_for_good(parent, Outcome::Stopped, stopped());
        } else {
            // Another sub-task holds the task up: what was not begun begins with the retry.
            self.task.set_status(parent, SubTaskStatus::Pending);
            let sub = self.task.sub(parent);
            sub.started_at = None;
            sub.tries -= 1;
            self.change.sub_tasks.push(parent);
            return self.settle();
        }
        self.after_failure(parent);
    }

    fn fan_fault(&self, parent: u32, failed: usize) -> Fault {
        let record = &self.task.record;
        let children = record.children(parent);
        let text = format!("{failed} of {} items failed", children.len());
        let fault = Fault::new(code::FOR_EACH, text)
            .remedy("Look at the sub-tasks that failed; a retry of the task runs those only")
            .with("failed", failed);
        let failures =
            children.filter(|child| record.sub_tasks[*child as usize].status == SubTaskStatus::Failed);
        failures.take(NAMED).fold(fault, |fault, child| {
            let Some(inner) = record.sub_tasks[child as usize].errors.first() else { return fault };
            fault.cause(&inner.error_code, format!("{}: {}", record.sub_task_name(child), inner.message))
        })
    }

    /// Returns the outputs of the children, in order; `None` if they are too large to be passed on.
    fn fan_output(&self, parent: u32) -> Option<Value> {
        let all = || self.task.record.children(parent).map(|child| self.task.outputs.get(&child));
        let size: usize = all().map(|output| output.map_or(0, value::size)).sum();
        let copied = || all().map(|output| output.cloned().unwrap_or_default()).collect();
        (size <= LARGEST_LIST).then(|| Value::Array(copied()))
    }

    /// Handles an operator's decision about a failed child: once there is no other, its parent goes on, too.
    pub(super) fn child_decided(&mut self, index: u32) {
        let child = self.task.record.sub_tasks[index as usize].child.as_ref();
        let Some(parent) = child.map(|child| child.parent) else { return };
        if self.fan(parent).failed == 0
            && self.task.record.sub_tasks[parent as usize].status == SubTaskStatus::Failed
        {
            self.back_to_pending(parent);
        }
    }
}
