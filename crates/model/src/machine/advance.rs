//! Consequences of a change: sub-tasks that became ready start, and a task with nothing left to do ends.

use super::Step;
use super::park::copied;
use crate::command::{Effect, Refused};
use crate::expr::Template;
use crate::fault::{Fault, code};
use crate::id::Token;
use crate::record::Hold;
use crate::record::{Outcome, StopReason};
use crate::status::{Resolution, SubTaskStatus, TaskStatus};
use crate::time::{Span, Timestamp};
use crate::workflow::{CompiledAction, WaitTemplate};

impl Step<'_> {
    /// Begins a new task, which starts or waits for its start time.
    pub(super) fn begin(&mut self) -> Result<(), Refused> {
        let state = &self.task.record.state;
        let waits = state.hold == Hold::Waiting;
        if state.status != TaskStatus::Pending || state.stopping.is_some() || waits {
            return Err(Refused::Nothing);
        }
        if let Some(at) = state.not_before.filter(|at| *at > self.now) {
            self.change.effects.push(Effect::Timer(at));
            return Ok(());
        }
        self.start_or_wait();
        Ok(())
    }

    /// Starts a task: PENDING to IN_PROGRESS, or SKIPPED when the workflow's condition is false.
    pub(super) fn start_task(&mut self) {
        let workflow = self.task.record.workflow.clone();
        if let Some(when) = &workflow.when {
            match when.holds(&self.task.scope()) {
                Ok(true) => {}
                Ok(false) => return self.end(TaskStatus::Skipped),
                Err(e) => {
                    self.task.record.state.errors = vec![Fault::new(code::EXPRESSION, e.to_string())];
                    return self.end(TaskStatus::Failed);
                }
            }
        }
        self.resume();
    }

    /// The task runs (again): everything that is ready starts.
    pub(super) fn resume(&mut self) {
        let state = &mut self.task.record.state;
        state.status = TaskStatus::InProgress;
        state.started_at.get_or_insert(self.now);
        state.completed_at = None;
        state.errors.clear();
        state.stopping = None;
        state.deadline = self.task.record.workflow.definition.timeout.map(|timeout| self.now.after(timeout));
        if let Some(at) = self.task.record.state.deadline {
            self.change.effects.push(Effect::Timer(at));
        }
        let all = (0..self.task.record.own_sub_tasks()).collect();
        self.advance(all);
    }

    /// Starts the ready candidates and all that become ready by that; ends the task when nothing is left. The
    /// cost depends on the candidates, not on the size of the task.
    pub(super) fn advance(&mut self, mut candidates: Vec<u32>) {
        // Popped from the back: the order written is the order of starting.
        candidates.reverse();
        while let Some(index) = candidates.pop() {
            if self.may_start() && self.is_ready(index) && self.start(index) {
                let workflow = self.task.record.workflow.clone();
                candidates.extend(workflow.sub_tasks[index as usize].dependents.iter().rev());
            }
        }
        if self.task.tally.blocking > 0 {
            self.withdraw();
        }
        self.settle();
    }

    pub(super) fn may_start(&self) -> bool {
        self.task.tally.blocking == 0 && self.task.record.state.stopping.is_none()
    }

    fn is_ready(&self, index: u32) -> bool {
        let record = &self.task.record;
        let sub = &record.sub_tasks[index as usize];
        sub.status == SubTaskStatus::Pending
            && sub.due_at.is_none()
            && sub.queued_at.is_none()
            && record.workflow.sub_tasks[index as usize].needs.iter().all(|&need| self.ended_well(need))
    }

    /// Returns true if sub-tasks that need this one may go on.
    fn ended_well(&self, index: u32) -> bool {
        match self.task.record.sub_tasks[index as usize].status {
            SubTaskStatus::Successful | SubTaskStatus::Skipped | SubTaskStatus::NotApplicable => true,
            SubTaskStatus::Failed => self.task.record.workflow.sub_tasks[index as usize].goes_on,
            SubTaskStatus::Pending | SubTaskStatus::InProgress => false,
        }
    }

    /// Starts one sub-task. Returns true when it ended in the same moment, so that others may be ready.
    fn start(&mut self, index: u32) -> bool {
        let workflow = self.task.record.workflow.clone();
        let definition = &workflow.sub_tasks[index as usize];
        self.change.sub_tasks.push(index);
        if let Some(when) = &definition.when {
            match when.holds(&self.task.scope()) {
                Ok(true) => {}
                Ok(false) => {
                    self.task.set_status(index, SubTaskStatus::NotApplicable);
                    self.task.sub(index).completed_at = Some(self.now);
                    return true;
                }
                Err(e) => return self.spoiled(index, e.to_string()),
            }
        }
        self.launch(index)
    }

    /// Fails a sub-task that cannot even start; returns true when the task goes on without it.
    pub(super) fn spoiled(&mut self, index: u32, reason: String) -> bool {
        let fault = Fault::new(code::EXPRESSION, reason).remedy(
            "Correct the expression in a new version of the workflow, or start the task with another input",
        );
        let (starts, generation) = (self.starts(index), self.task.record.state.generation);
        let sub = self.task.sub(index);
        sub.started_at = Some(starts);
        sub.attempt += 1;
        sub.generation = generation;
        sub.tries += 1;
        self.task.set_status(index, SubTaskStatus::InProgress);
        self.failed_for_good(index, Outcome::Failed, fault);
        let is_child = self.task.record.sub_tasks[index as usize].child.is_some();
        !is_child && self.ended_well(index)
    }

    /// Starts a sub-task's work. Returns true only when that failed at once and the task goes on.
    fn launch(&mut self, index: u32) -> bool {
        if self.task.record.definition(index).for_each.is_some() {
            return self.open_fan(index);
        }
        self.launch_action(index)
    }

    /// Starts an attempt. Returns true only when that failed at once and the task goes on.
    pub(super) fn launch_action(&mut self, index: u32) -> bool {
        let workflow = self.task.record.workflow.clone();
        let definition = &workflow.sub_tasks[self.task.record.own(index) as usize];
        match &definition.action {
            CompiledAction::Wait(wait) => match self.wait_until(index, wait) {
                Ok(at) => {
                    self.begin_attempt(index, Some(at));
                    self.change.effects.push(Effect::Timer(at));
                }
                Err(reason) => return self.spoiled(index, reason),
            },
            CompiledAction::Worker(work) => self.offer(index, work),
            CompiledAction::Http(_) | CompiledAction::Command(_) | CompiledAction::Simulate(_) => {
                match self.room.permit() {
                    Some(permit) => self.run_here(index, permit),
                    None => self.stand_in_line(index),
                }
            }
        }
        false
    }

    /// Returns the start of a sub-task: now, and not before the end of what it needs, which may be dated by a
    /// node whose clock is a little ahead.
    fn starts(&self, index: u32) -> Timestamp {
        /// Maximum difference of a node's clock that is waited for, in milliseconds. A larger one was of a
        /// clock that was wrong.
        const AHEAD: i64 = 5_000;
        let record = &self.task.record;
        let needs = &record.workflow.sub_tasks[record.own(index) as usize].needs;
        let ended = needs.iter().filter_map(|need| record.sub_tasks[*need as usize].completed_at).max();
        ended.filter(|at| at.0 - self.now.0 <= AHEAD).map_or(self.now, |at| at.max(self.now))
    }

    /// Begins an attempt: PENDING to IN_PROGRESS; returns the attempt's token.
    pub(super) fn begin_attempt(&mut self, index: u32, due_at: Option<Timestamp>) -> Token {
        let (starts, generation) = (self.starts(index), self.task.record.state.generation);
        let node = self.node;
        let sub = self.task.sub(index);
        sub.started_at = Some(starts);
        sub.completed_at = None;
        sub.attempt += 1;
        sub.generation = generation;
        sub.tries += 1;
        sub.worker = None;
        sub.errors.clear();
        sub.stages.clear();
        sub.progress = None;
        let token = sub.token();
        self.task.set_due(index, due_at);
        self.task.set_status(index, SubTaskStatus::InProgress);
        self.task.set_node(index, node);
        self.change.sub_tasks.push(index);
        token
    }

    fn wait_until(&mut self, index: u32, wait: &WaitTemplate) -> Result<Timestamp, String> {
        let text = |step: &mut Self, template: &Template| {
            template.text(&step.task.scope_of(index)).map_err(|e| e.to_string())
        };
        match wait {
            WaitTemplate::For(template) => {
                let span: Span =
                    text(self, template)?.parse().map_err(|e: crate::time::BadSpan| e.to_string())?;
                Ok(self.now.after(span))
            }
            WaitTemplate::Until(template) => {
                text(self, template)?.parse().map_err(|e: crate::time::BadTimestamp| e.to_string())
            }
        }
    }

    /// Ends the task if nothing of it runs and nothing can start.
    pub(super) fn settle(&mut self) {
        let tally = self.task.tally;
        if tally.running > 0 || self.task.record.state.status.is_ended() {
            return;
        }
        if let Some(stopping) = &self.task.record.state.stopping {
            return match stopping.why {
                StopReason::Cancel => self.end(TaskStatus::Cancelled),
                StopReason::Timeout | StopReason::Copy => self.end(TaskStatus::Failed),
            };
        }
        if tally.blocking > 0 {
            self.end(TaskStatus::Failed);
        } else if tally.pending == 0 {
            let clean = tally.warnings == 0;
            self.end(if clean { TaskStatus::Successful } else { TaskStatus::CompletedWithWarning });
        }
    }

    fn end(&mut self, status: TaskStatus) {
        for index in 0..self.task.record.sub_tasks.len() as u32 {
            if self.task.sub(index).due_at.is_some() {
                self.task.set_due(index, None);
                self.change.sub_tasks.push(index);
            }
            self.unqueue(index);
        }
        let now = self.now;
        let errors = if status == TaskStatus::Failed { self.task_errors() } else { Vec::new() };
        let state = &mut self.task.record.state;
        state.status = status;
        state.completed_at = Some(now);
        state.deadline = None;
        if !errors.is_empty() {
            state.errors = errors;
        }
        let well = matches!(status, TaskStatus::Successful | TaskStatus::CompletedWithWarning);
        if well && state.generation > 0 {
            state.resolution = Resolution::Resolved;
        }
        self.let_go();
        self.change.effects.push(Effect::Ended(status));
    }

    /// Returns the errors of a failed task: the workflow's own, with those of the sub-tasks nested in it.
    fn task_errors(&self) -> Vec<Fault> {
        let record = &self.task.record;
        let mut nested: Vec<(String, Fault)> = Vec::new();
        for (sub, i) in record.sub_tasks.iter().zip(0..record.own_sub_tasks()) {
            let blocks =
                sub.status == SubTaskStatus::Failed && !record.workflow.sub_tasks[i as usize].goes_on;
            if blocks {
                nested.extend(sub.errors.iter().map(|e| (record.sub_task_name(i).to_owned(), e.clone())));
            }
        }
        let why = record.state.stopping.as_ref().map(|stopping| stopping.why);
        if why == Some(StopReason::Copy) {
            nested.insert(0, (record.name.clone(), copied()));
        } else if why.is_some() {
            let limit = record.workflow.definition.timeout.unwrap_or_default();
            let fault = Fault::new(code::TASK_TIMEOUT, format!("the task took longer than {limit}"))
                .remedy("Find out what was slow, then retry the task: it goes on where it stopped");
            nested.insert(0, (record.name.clone(), fault));
        }
        let Some(own) = &record.workflow.definition.error else {
            return nested.into_iter().map(|(_, fault)| fault).collect();
        };
        let mut fault = Fault::new(&own.code, &own.message);
        fault.remediation_message.clone_from(&own.remediation);
        for (name, inner) in nested {
            fault = fault.cause(&inner.error_code, format!("{name}: {}", inner.message));
            fault.nested_errors.push(inner);
        }
        vec![fault]
    }
}
