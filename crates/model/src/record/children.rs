//! Counts of the children of a `forEach`: shown by lists, and known of a task without reading the children.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Record, SubTask};
use crate::status::SubTaskStatus;
use crate::time::Timestamp;

/// Counts of the children of one sub-task, which follow every change of one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Children {
    /// Count of children by status, in the order of [`SubTaskStatus::ALL`].
    #[serde(rename = "c")]
    counts: [u32; SubTaskStatus::ALL.len()],
    /// Sum of the children's progress, in percent.
    #[serde(rename = "p", default, skip_serializing_if = "super::is_zero")]
    percent: u32,
    /// Attempts that run: IN_PROGRESS, and not a timer.
    #[serde(rename = "r", default, skip_serializing_if = "super::is_zero")]
    pub(crate) running: u32,
    /// Count of children that wait for a worker.
    #[serde(rename = "q", default, skip_serializing_if = "super::is_zero")]
    pub(crate) queued: u32,
    /// Count of children with an unknown outcome.
    #[serde(rename = "u", default, skip_serializing_if = "super::is_zero")]
    pub(crate) unknown: u32,
    /// Earliest time at which a child's timer is due.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(crate) due: Option<Timestamp>,
}

impl Children {
    /// Counts children that have not started.
    pub(crate) fn pending(count: u32) -> Self {
        let mut all = Children::default();
        all.counts[SubTaskStatus::Pending as usize] = count;
        all
    }

    /// Returns the count of all children.
    pub fn total(&self) -> u32 {
        self.counts.iter().sum()
    }

    /// Returns the count of children by status; statuses that none has are left out.
    pub fn by_status(&self) -> impl Iterator<Item = (SubTaskStatus, u32)> + '_ {
        SubTaskStatus::ALL.into_iter().zip(self.counts).filter(|(_, count)| *count > 0)
    }

    /// Returns how much of the work is done, in percent.
    pub(crate) fn progress(&self) -> u8 {
        (self.percent / self.total().max(1)).min(100) as u8
    }

    /// Counts a child, or no longer counts it; not its timer.
    pub(crate) fn count(&mut self, sub: &SubTask, up: bool) {
        let add = |slot: &mut u32, n: u32| {
            *slot = if up { slot.saturating_add(n) } else { slot.saturating_sub(n) };
        };
        add(&mut self.counts[sub.status as usize], 1);
        add(&mut self.percent, u32::from(sub.own_progress().unwrap_or(0)));
        add(&mut self.running, u32::from(sub.status == SubTaskStatus::InProgress && sub.due_at.is_none()));
        add(&mut self.queued, u32::from(sub.queued_at.is_some()));
        add(&mut self.unknown, u32::from(sub.outcome_unknown));
    }
}

impl Record {
    /// The children of each `forEach` in numbers, counted.
    pub(crate) fn count_children(&self) -> BTreeMap<u32, Children> {
        let mut all = BTreeMap::new();
        for (sub, index) in self.sub_tasks.iter().zip(0..) {
            if sub.fan.is_some() {
                all.entry(index).or_insert_with(Children::default);
            }
            let Some(child) = &sub.child else { continue };
            let children: &mut Children = all.entry(child.parent).or_default();
            children.count(sub, true);
            children.due = children.due.into_iter().chain(sub.due_at).min();
        }
        all
    }

    /// Returns the counts of a sub-task's children; `None` if it has none.
    pub fn children_in_numbers(&self, index: u32) -> Option<Children> {
        self.sub_tasks[index as usize].fan.as_ref()?;
        let stored = self.state.children.get(&index).copied();
        stored.or_else(|| self.count_children().get(&index).copied())
    }

    /// Returns the record without its children, of which it keeps the counts.
    pub fn without_children(mut self) -> Self {
        if !self.leaves_out_children() {
            self.state.children = self.count_children();
            self.sub_tasks.truncate(self.workflow.sub_tasks.len());
        }
        self
    }

    /// Returns true if the record has children that are left out, with only their counts kept.
    pub fn leaves_out_children(&self) -> bool {
        let own = self.workflow.sub_tasks.len();
        self.sub_tasks.len() == own
            && self.sub_tasks.iter().any(|sub| sub.fan.as_ref().is_some_and(|fan| fan.count > 0))
    }

    /// Returns true if the record has the workflow's sub-tasks only, and the counts of all children that it
    /// leaves out.
    pub fn is_whole_in_numbers(&self) -> bool {
        self.sub_tasks.len() == self.workflow.sub_tasks.len()
            && self.sub_tasks.iter().zip(0..).all(|(sub, index)| {
                let counted = self.state.children.get(&index).map_or(0, Children::total);
                sub.child.is_none() && sub.fan.as_ref().is_none_or(|fan| fan.count == counted)
            })
    }

    /// Returns the parent of a child that is left out; the index itself if there is no such child.
    pub(super) fn parent_left_out(&self, index: u32) -> u32 {
        let has = |sub: &SubTask| sub.fan.as_ref().is_some_and(|fan| fan.children().contains(&index));
        self.sub_tasks.iter().position(has).map_or(index, |parent| parent as u32)
    }

    /// The numbers of children that are not here.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = (u32, &Children)> {
        let left_out = self.leaves_out_children();
        self.state.children.iter().filter(move |_| left_out).map(|(index, children)| (*index, children))
    }
}
