//! Work for workers: a ready sub-task waits in a queue until a worker leases it.

use std::sync::Arc;

use super::Step;
use crate::command::{Effect, Launch, Leased, Refused, Terms};
use crate::expr::Budget;
use crate::id::{Token, WorkerId};
use crate::record::{EffectKey, Lease};
use crate::room::Permit;
use crate::status::{SubTaskStatus, TaskStatus};
use crate::time::Span;
use crate::trace::TraceContext;
use crate::workflow::{CompiledAction, WorkerTemplate};

impl Step<'_> {
    /// Offers a ready sub-task of a `worker` action: the worker whose report made it so leases it at once if
    /// it may, else it waits in its queue. The sub-task stays PENDING until it is leased.
    pub(super) fn offer(&mut self, index: u32, work: &WorkerTemplate) {
        if let Some(terms) = self.terms.clone().filter(|terms| terms.cover(work)) {
            return self.grant(index, work, &terms);
        }
        self.task.set_queued(index, Some(self.now));
        self.task.set_node(index, self.node);
        self.change.sub_tasks.push(index);
        self.change.effects.push(queued(index, work));
    }

    /// Leases a waiting sub-task to a worker.
    pub(super) fn lease(&mut self, index: u32, terms: &Arc<Terms>) -> Result<(), Refused> {
        let record = &self.task.record;
        let sub = record.sub_tasks.get(index as usize).ok_or(Refused::Stale)?;
        let starts = record.state.status == TaskStatus::InProgress && self.task.tally.blocking == 0;
        if sub.queued_at.is_none() || !starts {
            return Err(Refused::Stale);
        }
        let workflow = record.workflow.clone();
        let own = self.task.record.own(index) as usize;
        let CompiledAction::Worker(work) = &workflow.sub_tasks[own].action else {
            return Err(Refused::Stale);
        };
        if !terms.queues.iter().any(|(queue, _)| *queue == work.queue) {
            return Err(Refused::Stale);
        }
        self.grant(index, work, terms);
        Ok(())
    }

    /// Repeats a lease for the call that got it, as its answer may be lost: the call gets the same again,
    /// which lasts its whole span from now.
    pub(super) fn lease_again(&mut self, index: u32, token: Token, terms: &Terms) -> Result<(), Refused> {
        self.check_live(index, token, Some(&terms.worker))?;
        let workflow = self.task.record.workflow.clone();
        let own = self.task.record.own(index) as usize;
        let CompiledAction::Worker(work) = &workflow.sub_tasks[own].action else {
            return Err(Refused::Stale);
        };
        let lease = self.task.record.sub_tasks[index as usize].lease.as_deref();
        let same = |lease: &&Lease| lease.request.is_some() && lease.request == terms.request;
        let Some(lease) = lease.filter(same).cloned() else { return Err(Refused::Stale) };
        let here = self.task.record.sub_tasks[index as usize].node == self.node;
        if !here || self.task.record.state.stopping.is_some() {
            // Another node watches the lease, or the sub-task is not to begin any more.
            return Err(Refused::Stale);
        }
        self.change.sub_tasks.push(index);
        let grant = self.launch_of(index);
        self.change.grants.push(grant);
        self.leased(index, token, lease, work);
        Ok(())
    }

    /// PENDING to IN_PROGRESS at a worker.
    fn grant(&mut self, index: u32, work: &WorkerTemplate, terms: &Terms) {
        let sub = &self.task.record.sub_tasks[index as usize];
        if sub.queued_at.is_some() && sub.node != self.node {
            // The sub-task waits at another node, too.
            let (queue, node) = (work.queue.clone(), sub.node);
            self.change.effects.push(Effect::Unqueued { sub_task: index, queue, node });
        }
        let token = self.begin_attempt(index, None);
        let span = terms.span_within(self.task.record.definition(index).timeout);
        let lease = Lease { worker: terms.worker.clone(), span, request: terms.request.clone() };
        self.task.set_queued(index, None);
        let sub = self.task.sub(index);
        sub.reported = None;
        sub.lease = Some(Box::new(lease.clone()));
        let grant = self.launch_of(index);
        self.change.grants.push(grant);
        self.leased(index, token, lease, work);
    }

    fn leased(&mut self, index: u32, token: Token, lease: Lease, work: &WorkerTemplate) {
        let definition = self.task.record.definition(index);
        let started_at = self.task.record.sub_tasks[index as usize].started_at.unwrap_or(self.now);
        let secrets = self.task.record.has_secrets();
        let (queue, timeout) = (work.queue.clone(), definition.timeout);
        let leased = Leased { sub_task: index, token, lease, queue, started_at, timeout, secrets };
        self.change.effects.push(Effect::Leased(Box::new(leased)));
    }

    /// The latest attempt is no worker's any more.
    pub(super) fn end_lease(&mut self, index: u32) {
        let sub = self.task.sub(index);
        let (token, node) = (sub.token(), sub.node);
        if sub.lease.take().is_some() {
            self.change.effects.push(Effect::LeaseEnded { sub_task: index, token, node });
        }
    }

    /// Takes over a sub-task of a node that is no more: if it waits, it is offered again here; if it is
    /// leased, its lease lasts its whole time again.
    pub(super) fn offer_again(&mut self, index: u32) {
        let workflow = self.task.record.workflow.clone();
        let definition = &workflow.sub_tasks[self.task.record.own(index) as usize];
        let node = self.node;
        self.task.set_node(index, node);
        self.change.sub_tasks.push(index);
        let sub = &self.task.record.sub_tasks[index as usize];
        let CompiledAction::Worker(work) = &definition.action else {
            self.change.effects.push(Effect::InLine { sub_task: index });
            return;
        };
        if sub.queued_at.is_some() {
            self.change.effects.push(queued(index, work));
        } else if let Some(lease) = &sub.lease {
            let (token, lease) = (sub.token(), Lease::clone(lease));
            self.leased(index, token, lease, work);
            if self.task.record.state.stopping.is_some() {
                self.change.effects.push(Effect::Stop { sub_task: index, token, node });
            }
        }
    }

    /// Ends the wait of a sub-task for a worker, or for a permit.
    pub(super) fn unqueue(&mut self, index: u32) {
        let sub = self.task.sub(index);
        if sub.queued_at.is_none() {
            return;
        }
        let node = sub.node;
        self.task.set_queued(index, None);
        self.change.sub_tasks.push(index);
        self.change.effects.push(match &self.task.record.definition(index).action {
            CompiledAction::Worker(work) => {
                Effect::Unqueued { sub_task: index, queue: work.queue.clone(), node }
            }
            _ => Effect::OutOfLine { sub_task: index, node },
        });
    }

    /// Checks that a report may count: it names the live attempt, and comes from the worker that has it, or
    /// from the server.
    pub(super) fn check_live(&self, index: u32, token: Token, by: Option<&WorkerId>) -> Result<(), Refused> {
        let sub = self.task.record.sub_tasks.get(index as usize).ok_or(Refused::Stale)?;
        let holder = sub.lease.as_ref().map(|lease| &lease.worker);
        let live = sub.status == SubTaskStatus::InProgress
            && sub.fan.is_none()
            && sub.token() == token
            && (by.is_none() || by == holder)
            && self.task.record.state.status == TaskStatus::InProgress;
        if live { Ok(()) } else { Err(Refused::Stale) }
    }

    /// Checks a report that ends the attempt, like [`Step::check_live`]; the same report sent again is told
    /// from another one.
    pub(super) fn check_report(
        &self,
        index: u32,
        token: Token,
        by: Option<&WorkerId>,
        report: Option<u64>,
    ) -> Result<(), Refused> {
        let live = self.check_live(index, token, by);
        let known =
            |sub: &crate::SubTask| sub.token() == token && sub.reported.is_some() && sub.reported == report;
        match self.task.record.sub_tasks.get(index as usize) {
            Some(sub) if live.is_err() && known(sub) => Err(Refused::Repeated),
            _ => live,
        }
    }

    /// Returns what the executor of the latest attempt is given.
    pub(super) fn launch_of(&mut self, index: u32) -> Launch {
        let workflow = self.task.record.workflow.clone();
        let definition = &workflow.sub_tasks[self.task.record.own(index) as usize];
        let id = self.task.record.id;
        let sub = &self.task.record.sub_tasks[index as usize];
        let (token, number, EffectKey { generation, run }) = (sub.token(), sub.attempt, sub.live_key());
        let trace = TraceContext::of_attempt(id, sub.generation, index, number);
        let constant = definition.action.is_constant();
        Launch {
            sub_task: index,
            token,
            number,
            item: sub.child.as_ref().map(|child| child.index),
            idempotency_key: format!("{id}-{index}-{generation}-{run}"),
            action: definition.action.clone(),
            timeout: definition.timeout,
            lease: sub.lease.as_ref().map(|lease| lease.span),
            repeatable: definition.repeatable,
            scope: if constant {
                Default::default()
            } else {
                self.task.scope_of(index).spending(Budget::default())
            },
            permit: Permit::default(),
            secrets: (!workflow.secrets.is_empty()).then(|| workflow.clone()),
            trace: Some(trace),
        }
    }
}

impl Terms {
    /// Returns true if work that just became ready may be leased ahead of what waits.
    fn cover(&self, work: &WorkerTemplate) -> bool {
        self.queues.iter().any(|(queue, floor)| *queue == work.queue && work.priority >= *floor)
    }

    /// Returns the span of a lease for an attempt with a timeout. A worker whose answer is late begins as
    /// long as the lease may last, so that a lease must not outlast the attempt: the server ends it at its
    /// timeout, and an operator who finds nobody at work then may decide that the work is to be done anew.
    fn span_within(&self, timeout: Option<Span>) -> Span {
        timeout.map_or(self.span, |timeout| timeout.min(self.span))
    }
}

fn queued(index: u32, work: &WorkerTemplate) -> Effect {
    Effect::Queued { sub_task: index, queue: work.queue.clone(), priority: work.priority }
}

/// Returns a number that is the same for the same report, in every version of the program (FNV-1a over its
/// JSON).
pub(super) fn digest(report: &impl serde::Serialize) -> u64 {
    struct Fnv(u64);
    impl std::io::Write for Fnv {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    // Neither the hash nor a value of JSON can fail.
    let _ = serde_json::to_writer(&mut hash, report);
    hash.0
}
