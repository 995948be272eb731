//! Results and progress of attempts: success, failure, progress. A result counts only with the token of the
//! live attempt.

use serde_json::Value;

use super::Step;
use super::lease::digest;
use crate::command::{Effect, Failure, Refused};
use crate::fault::{Fault, code};
use crate::id::{TaskId, Token, WorkerId};
use crate::record::{Attempt, Outcome, Stage, StopReason};
use crate::status::{StageStatus, SubTaskStatus};
use crate::time::Span;
use crate::workflow::{CompiledAction, RetryPolicy};

/// Number of lost attempts that one generation allows without a `retry`: a sub-task that kills its server
/// must not do so for ever.
const LOST_LIMIT: u32 = 10;

impl Step<'_> {
    pub(super) fn complete(
        &mut self,
        index: u32,
        token: Token,
        output: Option<Value>,
        by: Option<WorkerId>,
    ) -> Result<(), Refused> {
        let report = by.as_ref().map(|by| digest(&(by, &output)));
        self.check_report(index, token, by.as_ref(), report)?;
        if matches!(self.task.record.definition(index).action, CompiledAction::Wait(_)) {
            return Err(Refused::Stale);
        }
        self.task.sub(index).reported = report;
        match output.as_ref().map_or(Ok(()), |output| self.task.check_output(output)) {
            Ok(()) => self.succeeded(index, output),
            Err(unfit) => {
                // The work is done, and would have the same result again.
                self.attempt_failed(index, Failure::Local { fault: unfit.fault(), retryable: false });
                self.after_failure(index);
            }
        }
        Ok(())
    }

    /// Ends a sub-task successfully; those that need it may start.
    pub(super) fn succeeded(&mut self, index: u32, output: Option<Value>) {
        let now = self.now;
        self.task.sub(index).worker = self.task.sub(index).lease.as_ref().map(|lease| lease.worker.clone());
        self.end_lease(index);
        self.task.set_status(index, SubTaskStatus::Successful);
        let sub = self.task.sub(index);
        sub.completed_at = Some(now.max(sub.started_at.unwrap_or(now)));
        sub.progress = None;
        sub.outcome_unknown = false;
        sub.key = None;
        self.task.set_due(index, None);
        self.change.sub_tasks.push(index);
        if let Some(output) = output {
            self.task.set_output(index, output);
            self.change.outputs.push(index);
        }
        if let Some(child) = &self.task.record.sub_tasks[index as usize].child {
            let parent = child.parent;
            return self.tend(parent);
        }
        let dependents = self.task.record.workflow.sub_tasks[index as usize].dependents.clone();
        self.advance(dependents);
    }

    pub(super) fn fail(
        &mut self,
        index: u32,
        token: Token,
        failure: Failure,
        by: Option<WorkerId>,
    ) -> Result<(), Refused> {
        let report = by.as_ref().map(|by| failure.digest(by));
        self.check_report(index, token, by.as_ref(), report)?;
        self.task.sub(index).reported = report;
        self.attempt_failed(index, failure);
        self.after_failure(index);
        Ok(())
    }

    /// Goes on once a failure is recorded: sub-tasks behind one that goes on start, or the task ends.
    pub(super) fn after_failure(&mut self, index: u32) {
        if let Some(child) = &self.task.record.sub_tasks[index as usize].child {
            let parent = child.parent;
            self.tend(parent);
            return self.settle();
        }
        let definition = &self.task.record.workflow.sub_tasks[index as usize];
        let passed =
            self.task.record.sub_tasks[index as usize].status == SubTaskStatus::Failed && definition.goes_on;
        let candidates = if passed { definition.dependents.clone() } else { Vec::new() };
        self.advance(candidates);
    }

    /// Decides between another attempt, an unknown outcome and failure for good. Does not look at other
    /// sub-tasks.
    pub(super) fn attempt_failed(&mut self, index: u32, failure: Failure) {
        let workflow = self.task.record.workflow.clone();
        let definition = &workflow.sub_tasks[self.task.record.own(index) as usize];
        let in_doubt = match &failure {
            Failure::Error { .. } | Failure::Local { .. } => false,
            Failure::Unknown { .. } | Failure::Abandoned { .. } | Failure::Timeout | Failure::Lost => true,
            // Interrupted in its work by the task's timeout; a retry of the task would repeat it. A timer has
            // no work.
            Failure::Stopped => {
                let stopping = self.task.record.state.stopping.as_ref();
                stopping.is_some_and(|stopping| stopping.why == StopReason::Timeout)
                    && !matches!(definition.action, CompiledAction::Wait(_))
            }
        };
        let key = self.task.record.sub_tasks[index as usize].live_key();
        // Only the executor that was asked to do the work can say that it was not done: then the next attempt
        // asks with a new key.
        self.task.sub(index).key = (!matches!(failure, Failure::Error { .. })).then_some(key);
        let (outcome, fault, retryable) = match failure {
            Failure::Error { fault, retryable } | Failure::Local { fault, retryable } => {
                (Outcome::Failed, fault.bounded(), retryable)
            }
            Failure::Unknown { fault } => (Outcome::Failed, fault.bounded(), true),
            Failure::Abandoned { fault } => (Outcome::Lost, fault.bounded(), true),
            Failure::Timeout => (Outcome::TimedOut, timed_out(definition.timeout), true),
            Failure::Lost => (Outcome::Lost, self.lost(index), true),
            Failure::Stopped => (Outcome::Stopped, stopped(), false),
        };
        let unknown = in_doubt && !definition.repeatable;
        if in_doubt {
            self.task.sub(index).lost += 1;
        }
        let halted = self.task.record.state.stopping.is_some();
        if unknown {
            let fault = outcome_unknown(fault);
            self.failed_for_good(index, outcome, fault);
            self.task.sub(index).outcome_unknown = true;
        } else if halted || !retryable || !self.has_attempts_left(index, outcome, definition.retry.as_ref()) {
            self.failed_for_good(index, outcome, fault);
        } else {
            self.again(index, outcome, fault, definition.retry.as_ref());
        }
    }

    fn has_attempts_left(&self, index: u32, outcome: Outcome, policy: Option<&RetryPolicy>) -> bool {
        let sub = &self.task.record.sub_tasks[index as usize];
        match (policy, outcome) {
            (Some(policy), _) => sub.tries < policy.attempts,
            (None, Outcome::Lost) => sub.lost < LOST_LIMIT,
            (None, _) => false,
        }
    }

    /// Sets a sub-task back to PENDING: after a pause, or at once when the attempt was lost.
    fn again(&mut self, index: u32, outcome: Outcome, fault: Fault, policy: Option<&RetryPolicy>) {
        let asked = fault.retry_after().unwrap_or_default();
        self.remember(index, outcome, Some(fault));
        self.task.set_status(index, SubTaskStatus::Pending);
        self.change.sub_tasks.push(index);
        if outcome == Outcome::Lost {
            if self.task.tally.blocking == 0 {
                self.launch_action(index);
            }
            return;
        }
        let sub = &self.task.record.sub_tasks[index as usize];
        let (tries, id) = (sub.tries, self.task.record.id);
        let pause = policy.map_or(Span(0), |policy| policy.pause_after(asked, tries, id, index));
        let at = self.now.after(pause);
        self.task.set_due(index, Some(at));
        self.change.effects.push(Effect::Timer(at));
    }

    pub(super) fn failed_for_good(&mut self, index: u32, outcome: Outcome, fault: Fault) {
        self.remember(index, outcome, Some(fault.clone()));
        let now = self.now;
        self.task.set_status(index, SubTaskStatus::Failed);
        let sub = self.task.sub(index);
        sub.completed_at = Some(now.max(sub.started_at.unwrap_or(now)));
        sub.errors = vec![fault];
        self.task.set_due(index, None);
        self.change.sub_tasks.push(index);
    }

    /// Puts the latest attempt into the history.
    fn remember(&mut self, index: u32, outcome: Outcome, error: Option<Fault>) {
        if self.task.record.sub_tasks[index as usize].fan.is_some() {
            // A parent has no attempts of its own: its children have them.
            return;
        }
        let sub = &self.task.record.sub_tasks[index as usize];
        let started_at = sub.started_at.unwrap_or(self.now);
        self.change.attempts.push(Attempt {
            sub_task: index,
            number: sub.attempt,
            generation: sub.generation,
            started_at,
            ended_at: Some(self.now.max(started_at)),
            outcome,
            error,
            worker: sub.lease.as_ref().map(|lease| lease.worker.clone()),
        });
        self.end_lease(index);
    }

    pub(super) fn report(
        &mut self,
        index: u32,
        token: Token,
        progress: Option<u8>,
        stages: Option<Vec<Stage>>,
        by: Option<WorkerId>,
    ) -> Result<(), Refused> {
        self.check_live(index, token, by.as_ref())?;
        let now = self.now;
        let sub = self.task.sub(index);
        if let Some(percent) = progress {
            sub.progress = Some(percent.min(100));
        }
        if let Some(mut stages) = stages {
            // The reporter knows each stage's status; the time of the first report is ours to record.
            for stage in &mut stages {
                let before = sub.stages.iter().find(|before| before.name == stage.name);
                stage.created_at = before.map_or(now, |before| before.created_at);
                let ended = matches!(stage.status, StageStatus::Successful | StageStatus::Failed);
                stage.errors = std::mem::take(&mut stage.errors).into_iter().map(Fault::bounded).collect();
                stage.completed_at = ended.then(|| before.and_then(|b| b.completed_at).unwrap_or(now));
            }
            sub.stages = stages;
        }
        self.change.sub_tasks.push(index);
        Ok(())
    }

    /// Hands an attempt back. Its number stays used, so that tokens keep rising; the try does not count.
    pub(super) fn hand_back(
        &mut self,
        index: u32,
        token: Token,
        by: Option<WorkerId>,
    ) -> Result<(), Refused> {
        self.check_live(index, token, by.as_ref())?;
        self.end_lease(index);
        self.task.set_status(index, SubTaskStatus::Pending);
        let now = self.now;
        let stopping = self.task.record.state.stopping.is_some() || self.task.tally.blocking > 0;
        let sub = self.task.sub(index);
        sub.tries -= 1;
        sub.started_at = None;
        self.task.set_due(index, (!stopping).then_some(now));
        self.change.sub_tasks.push(index);
        if !stopping {
            self.change.effects.push(Effect::Timer(now));
        }
        self.tend_all();
        self.settle();
        Ok(())
    }

    /// Error of an attempt whose node or worker died, or was not heard of in time.
    fn lost(&self, index: u32) -> Fault {
        let Some(lease) = &self.task.record.sub_tasks[index as usize].lease else {
            let text = "the process that ran the attempt ended before it reported a result";
            return Fault::new(code::LEASE_EXPIRED, text);
        };
        let text = format!("the worker {} was not heard of for {}", lease.worker, lease.span);
        Fault::new(code::LEASE_EXPIRED, text)
            .remedy(
                "Find out whether the worker runs and reaches the server; another one takes over meanwhile",
            )
            .with("worker", lease.worker.to_string())
    }
}

impl Failure {
    /// Digest that tells this worker's report from any other.
    fn digest(&self, by: &WorkerId) -> u64 {
        match self {
            Failure::Error { fault, retryable } => digest(&(by, "error", fault, retryable)),
            Failure::Local { fault, retryable } => digest(&(by, "local", fault, retryable)),
            Failure::Unknown { fault } => digest(&(by, "unknown", fault)),
            Failure::Abandoned { fault } => digest(&(by, "abandoned", fault)),
            Failure::Timeout => digest(&(by, "timeout")),
            Failure::Lost => digest(&(by, "lost")),
            Failure::Stopped => digest(&(by, "stopped")),
        }
    }
}

impl RetryPolicy {
    /// Returns the pause after so many tries. A failed attempt may ask for a longer one, up to the longest of
    /// the policy.
    pub fn pause_after(&self, asked: Span, tries: u32, task: TaskId, sub_task: u32) -> Span {
        self.pause(tries, task, sub_task).max(asked.min(self.max))
    }

    /// Returns the pause after so many tries. Jitter comes from the attempt's identity, so that the machine
    /// stays a function of its inputs.
    pub fn pause(&self, tries: u32, task: TaskId, sub_task: u32) -> Span {
        let grown = self.backoff.0 as f64 * self.factor.powi(tries.saturating_sub(1).min(64) as i32);
        let pause = grown.min(self.max.0 as f64) as u64;
        if !self.jitter {
            return Span(pause);
        }
        let mut seed = task.0.as_u128() as u64 ^ (u64::from(sub_task) << 32 | u64::from(tries));
        seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Span(pause + (seed ^ (seed >> 31)) % (pause / 2 + 1))
    }
}

fn timed_out(limit: Option<Span>) -> Fault {
    let limit = limit.unwrap_or_default();
    Fault::new(code::TIMEOUT, format!("the attempt took longer than {limit}"))
        .remedy("Look at what it was waiting for, or give the sub-task a longer `timeout`")
}

pub(super) fn stopped() -> Fault {
    Fault::new(code::CANCELLED, "the attempt was stopped with its task")
}

pub(super) fn outcome_unknown(why: Fault) -> Fault {
    Fault::new(
        code::OUTCOME_UNKNOWN,
        "whether the attempt did its work is unknown, and a second run may do harm",
    )
    .cause(why.error_code, why.message)
    .remedy("Look at the real world, then resolve the sub-task as done, failed or not done, or skip it")
}
