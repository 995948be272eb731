//! Checks after everything is healed that nothing stands still that can go on (I14), and that all is well at
//! the end.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use longhaul_model::{Hold, SubTaskStatus, TaskId, TaskStatus, Timestamp};

use crate::event::Event;
use crate::node::Node;
use crate::world::World;

/// Longest time in milliseconds that something may stand still that can go on: with one server, and among
/// several.
const ALONE: u64 = 10_000;
const AMONG_SEVERAL: u64 = 15_000;
/// Time in milliseconds since the last lease within which workers count as being served.
const SERVED: u64 = 3_000;
/// Longest time in milliseconds that a run may take once healed: timers set by a clock that was ahead take so
/// long.
const LONGEST: u64 = 1_500_000;

/// Stuck work that could go on: its task, its sub-task, the reason, and the timer that is due, if it is one.
pub(crate) type Standing = (usize, u32, &'static str, Option<Timestamp>);

impl World {
    /// Checks for anything that stands still, once a second.
    pub(crate) fn look(&mut self) {
        let standing = self.standing_now();
        let limit = if self.plan.cluster { AMONG_SEVERAL } else { ALONE };
        let mut since = BTreeMap::new();
        for what in standing {
            let at = self.standing.get(&what).copied().unwrap_or(self.now);
            if self.now - at > limit {
                let (task, sub_task, why, _) = what;
                self.oracle.breaks(format!("I14: t{task} s{sub_task} stands still: {why}"));
            }
            since.insert(what, at);
        }
        self.standing = since;
        let left = self.bring_on();
        let all = self.confirmed.iter().all(|confirmed| *confirmed);
        self.quiet = !left && all && self.database.open.is_empty() && self.is_idle();
        if self.now > self.plan.chaos + LONGEST {
            self.oracle.breaks("I14: the run does not come to rest".to_owned());
        }
        self.agenda.plan(self.now + 1_000, Event::Look);
    }

    fn is_idle(&self) -> bool {
        self.nodes.iter().all(|node| node.memory.runs.is_empty() && node.memory.jobs.is_empty())
            && self.workers.iter().all(|worker| worker.work.is_empty())
    }

    fn standing_now(&self) -> Vec<Standing> {
        let nodes = (0..self.nodes.len()).filter(|n| self.nodes[*n].up);
        let now = nodes.map(|n| self.time_of(n)).min().unwrap_or(Timestamp(i64::MIN));
        let mut standing = Vec::new();
        let grantable = self.oracle.grantable();
        for task in &self.database.open {
            let before = standing.len();
            self.stands(*task, now, &grantable, &mut standing);
            let record = self.database.record(*task);
            let waits =
                record.state.hold == Hold::Waiting || self.database.tasks[*task].task.due_at().is_some();
            let under_way = |sub: &longhaul_model::SubTask| sub.is_active();
            if standing.len() == before && !waits && !record.sub_tasks.iter().any(under_way) {
                standing.push((*task, 0, "nothing of it is under way", None));
            }
        }
        standing
    }

    fn stands(&self, task: usize, now: Timestamp, grantable: &[TaskId], standing: &mut Vec<Standing>) {
        let record = self.database.record(task);
        // Of a fan-out, one child after the other becomes due: each is a timer of its own.
        if let Some(at) = self.database.tasks[task].task.due_at().filter(|at| *at <= now) {
            standing.push((task, 0, "it is due", Some(at)));
        }
        if record.state.hold == Hold::Waiting {
            if grantable.contains(&record.id) {
                standing.push((task, 0, "it can have what it claims", None));
            } else if self.database.claims.holds(task) {
                standing.push((task, 0, "it has what it claims", None));
            }
        }
        // While others are served before it, a sub-task waits in order.
        let idle =
            self.now - self.leased > SERVED && self.workers.iter().any(|worker| worker.work.is_empty());
        // A failed sub-task that blocks the task keeps all others from starting, until none of them runs.
        let goes_on = |index: u32| record.workflow.sub_tasks[index as usize].goes_on;
        let failed = |index: &u32| record.sub_tasks[*index as usize].status == SubTaskStatus::Failed;
        let blocked = (0..record.own_sub_tasks()).filter(failed).any(|index| !goes_on(index));
        for (sub, index) in record.sub_tasks.iter().zip(0..) {
            let key = (task, index, sub.token());
            if sub.queued_at.is_some() && record.definition(index).action.is_built_in() {
                let line = |node: &Node| node.up && node.memory.places.has((task, index));
                let room = |node: &Node| node.memory.taken.load(Ordering::Relaxed) < self.plan.permits;
                let starts = |node: &Node| node.memory.places.starts((task, index));
                let mut stood = self.nodes.iter().filter(|node| line(node));
                if !blocked
                    && (stood.clone().any(room) || stood.next().is_none() && !self.nodes.iter().any(starts))
                {
                    standing.push((task, index, "there is room for it", None));
                }
            } else if sub.queued_at.is_some() && !blocked {
                let offered = self.nodes.iter().any(|node| node.memory.queues.has((task, index)));
                if !offered || idle {
                    standing.push((task, index, "a worker is free", None));
                }
            }
            if sub.status != SubTaskStatus::InProgress || sub.fan.is_some() || sub.due_at.is_some() {
                continue;
            }
            let runs = self.nodes.iter().any(|node| node.memory.runs.contains_key(&key));
            if sub.lease.is_some() && !self.leases_live(key) {
                standing.push((task, index, "nobody watches its lease", None));
            } else if sub.lease.is_none() && !runs {
                standing.push((task, index, "nobody runs it", None));
            }
        }
    }

    /// Checks at the end that everything has come out right.
    pub(crate) fn take_stock(&mut self) {
        for client in 0..self.confirmed.len() {
            if self.confirmed[client] && !self.database.submitted.contains_key(&client) {
                self.oracle
                    .breaks(format!("I1: the submission of client {client} was confirmed, and is lost"));
            }
        }
        for task in 0..self.database.tasks.len() {
            self.take_stock_of(task);
        }
        let repeated: Vec<String> = self
            .target
            .repeated()
            .map(|((task, sub_task), keys)| format!("I15: t{task} s{sub_task} had its effect by {keys:?}"))
            .collect();
        repeated.into_iter().for_each(|text| self.oracle.breaks(text));
    }

    fn take_stock_of(&mut self, task: usize) {
        let record = self.database.record(task);
        let mut broken = Vec::new();
        for (sub, index) in record.sub_tasks.iter().zip(0..) {
            use longhaul_model::workflow::CompiledAction;
            let waits = matches!(record.definition(index).action, CompiledAction::Wait(_));
            let works = sub.fan.is_none() && !waits;
            if works && sub.status == SubTaskStatus::Successful && self.target.effects(task, index) == 0 {
                broken.push(format!("t{task} s{index} succeeded without its effect"));
            }
        }
        let holds = self.database.claims.holds(task);
        if holds != (record.state.hold == Hold::Held) {
            broken.push(format!("I9: t{task} says {:?} of what it claims", record.state.hold));
        }
        let status = record.state.status;
        if holds && status != TaskStatus::Failed {
            broken.push(format!("I9: t{task} is {status:?} and holds what it claimed"));
        }
        broken.into_iter().for_each(|text| self.oracle.breaks(text));
        self.oracle.saw(status.constant());
    }
}
