//! Outside influences: clients that submit, operators that decide, and everything that breaks.

use std::collections::BTreeMap;

use longhaul_model::{
    Command, Spec, SubTaskStatus, Task, TaskId, TaskStatus, Timestamp, Verdict, time::Span,
};
use serde_json::json;

use crate::event::{Call, Event, Fault, Job};
use crate::random::Rng;
use crate::shape::workflow;
use crate::world::{World, note};

/// Longest wait of a client for an answer before it repeats its submission, in milliseconds.
const PATIENCE: u64 = 2_000;
/// Maximum number of retries of one task once everything is healed.
const RETRIES: u32 = 12;

impl World {
    /// Submits a client's task to a random node, again and again until it is confirmed.
    pub(crate) fn submit(&mut self, client: usize) {
        if self.confirmed[client] {
            return;
        }
        let node = self.rng.index(self.nodes.len());
        self.send(node, Call::Submit(client));
        self.agenda.plan(self.now + PATIENCE, Event::Submit(client));
    }

    /// Creates the task that a client submits to a node.
    pub(crate) fn new_task(&mut self, n: usize, client: usize) {
        let mut rng = Rng::new(client as u64 + 1_000 * self.plan.names);
        let mut name = |sort: &str| format!("{sort}{}", rng.below(self.plan.names));
        let (a, b, key) = (name("r"), name("r"), name("k"));
        let items: Vec<u64> = (0..self.plan.items).collect();
        let now = self.nodes[n].clocks.now(self.now);
        let later = rng.chance(100).then(|| now.after(Span(rng.within(1, 5_000))));
        let input = json!({ "a": a, "b": b, "key": key, "items": items });
        let spec = Spec { input, labels: BTreeMap::new(), requested_by: None, caller: None };
        let mut id = [0; 16];
        id[8..].copy_from_slice(&(client as u64).to_be_bytes());
        let made = workflow(self.plan.tasks[client].0);
        match Task::new(TaskId::from_bytes(id), made, spec, None, later, now) {
            Ok(task) => self.ask(n, Job::Submit { client, task: Box::new(task) }),
            Err(e) => self.oracle.breaks(format!("a task of the stock cannot be made: {e}")),
        }
    }

    pub(crate) fn confirm(&mut self, client: usize) {
        if let Some(confirmed) = self.confirmed.get_mut(client) {
            *confirmed = true;
        }
    }

    /// Lets an operator make a decision about a random task.
    pub(crate) fn operate(&mut self) {
        if self.database.tasks.is_empty() {
            return;
        }
        let task = self.rng.index(self.database.tasks.len());
        if let Some(command) = self.decision(task) {
            self.send_decision(task, command);
        }
    }

    fn send_decision(&mut self, task: usize, command: Command) {
        let node = self.rng.index(self.nodes.len());
        self.send(node, Call::Operate(task, Box::new(command)));
    }

    /// Draws a decision about a task.
    fn decision(&mut self, task: usize) -> Option<Command> {
        let by = || "operator".to_owned();
        let status = self.database.record(task).state.status;
        if !status.is_ended() {
            let grace = Span(self.rng.below(3_000));
            return Some(Command::Cancel { by: by(), grace });
        }
        if status != TaskStatus::Failed {
            return Some(Command::Retry { by: by() });
        }
        match self.rng.below(10) {
            0 => Some(Command::Release { by: by(), reason: by() }),
            1 => Some(Command::Resolve { by: by(), reason: by(), verdict: None }),
            2..4 => {
                let record = self.database.record(task);
                let failed = |sub: &longhaul_model::SubTask| sub.status == SubTaskStatus::Failed;
                let sub_task = record.sub_tasks.iter().position(failed)? as u32;
                Some(Command::Skip { sub_task, by: by(), reason: by() })
            }
            4..7 => Some(Command::Retry { by: by() }),
            _ => self.verdict(task),
        }
    }

    /// Returns the verdict of an operator who looks at the real world; none while somebody may still be at
    /// work.
    fn verdict(&self, task: usize) -> Option<Command> {
        let sub_task = self.database.record(task).undecided()?;
        if self.is_at_work(task, sub_task) {
            return None;
        }
        let done = self.target.effects(task, sub_task) > 0;
        let verdict = Some(Verdict { sub_task, done, output: None });
        Some(Command::Resolve { by: "operator".to_owned(), reason: "looked".to_owned(), verdict })
    }

    /// True if anybody is at work on a sub-task, even somebody who no longer should be.
    fn is_at_work(&self, task: usize, sub_task: u32) -> bool {
        let same = |key: &crate::event::Key| (key.0, key.1) == (task, sub_task);
        self.nodes.iter().any(|node| node.memory.runs.keys().any(same))
            || self.workers.iter().any(|worker| worker.work.keys().any(same))
    }

    /// True if a decision is still right when it arrives: an operator does not decide about a sub-task that
    /// has begun again meanwhile.
    pub(crate) fn is_true(&self, task: usize, command: &Command) -> bool {
        let Command::Resolve { verdict: Some(verdict), .. } = command else { return true };
        let done = self.target.effects(task, verdict.sub_task) > 0;
        done == verdict.done && !self.is_at_work(task, verdict.sub_task)
    }

    /// Has operators bring failed tasks on, once everything is healed; true if there is one to be brought on.
    pub(crate) fn bring_on(&mut self) -> bool {
        let mut left = false;
        for task in 0..self.database.tasks.len() {
            let record = self.database.record(task);
            if record.state.status != TaskStatus::Failed {
                continue;
            }
            let undecided = record.undecided().is_some();
            let retryable = record.is_retryable() && record.state.generation < RETRIES;
            let command = match undecided {
                true => self.verdict(task),
                false => retryable.then(|| Command::Retry { by: "operator".to_owned() }),
            };
            left |= undecided || retryable;
            if let Some(command) = command {
                self.send_decision(task, command);
            }
        }
        left
    }

    pub(crate) fn plan_faults(&mut self) {
        for _ in 0..self.plan.faults {
            let at = self.rng.below(self.plan.chaos);
            let n = self.rng.index(self.nodes.len());
            let w = self.rng.index(self.workers.len());
            let leap = self.rng.below(2 * self.plan.leap) as i64 - self.plan.leap as i64;
            let (long, short) = (self.rng.within(300, 15_000), self.rng.within(50, 6_000));
            let (fault, mended) = match self.rng.below(12) {
                0 => (Fault::Crash(n), None),
                1 => (Fault::Stop(n), Some((long, Fault::Resume(n)))),
                2 => (Fault::Suspend(n), Some((long, Fault::Resume(n)))),
                3 | 4 if self.plan.cluster => (Fault::Cut(n), Some((long, Fault::Mend(n)))),
                5 if self.plan.cluster => (Fault::DatabaseClock(leap), None),
                6 => (Fault::Drain(n), None),
                7 | 8 => (Fault::WorkerCrash(w), Some((short, Fault::WorkerStart(w)))),
                9 => (Fault::WorkerStop(w), Some((long, Fault::WorkerResume(w)))),
                10 => (Fault::Crash(n), None),
                _ => (Fault::Clock(n, leap), None),
            };
            self.agenda.plan(at, Event::Fault(fault));
            if let Some((after, mended)) = mended {
                self.agenda.plan(at + after, Event::Fault(mended));
            }
        }
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        note!(self, "fault: {fault:?}");
        let now = self.now;
        match fault {
            Fault::Start(n) => self.start(n),
            Fault::Crash(n) => self.crash(n),
            Fault::Stop(n) | Fault::Suspend(n) if self.healed => note!(self, "n{n} is not stopped any more"),
            Fault::Stop(n) if self.nodes[n].runs() => self.nodes[n].halted = Some((now, false)),
            Fault::Suspend(n) if self.nodes[n].runs() => self.nodes[n].halted = Some((now, true)),
            Fault::Stop(_) | Fault::Suspend(_) => {}
            Fault::Resume(n) => self.resume(n),
            Fault::Cut(n) => self.nodes[n].cut = true,
            Fault::Mend(n) => self.nodes[n].cut = false,
            Fault::Clock(n, leap) => self.nodes[n].clocks.off += leap,
            Fault::DatabaseClock(leap) => self.database.off += leap,
            Fault::Drain(n) => self.drain(n),
            Fault::WorkerCrash(w) => self.worker_dies(w),
            Fault::WorkerStart(w) => self.worker_starts(w),
            Fault::WorkerStop(w) => self.workers[w].halted = self.workers[w].up,
            Fault::WorkerResume(w) => self.worker_resumes(w),
        }
    }

    /// Kills a process, to be started again after a while.
    pub(crate) fn crash(&mut self, n: usize) {
        if self.nodes[n].up {
            self.kill(n);
            let after = self.rng.within(50, 4_000);
            self.agenda.plan(self.now + after, Event::Fault(Fault::Start(n)));
        }
    }

    fn drain(&mut self, n: usize) {
        if self.nodes[n].runs() && !self.nodes[n].memory.draining {
            self.nodes[n].memory.draining = true;
            self.admit(n);
            let after = self.rng.within(1_000, 8_000);
            self.at(n, after, crate::event::NodeEvent::Exit);
        }
    }

    /// Mends connections and restarts or resumes processes; nothing breaks from here on.
    pub(crate) fn heal(&mut self) {
        note!(self, "healed");
        self.healed = true;
        for n in 0..self.nodes.len() {
            self.nodes[n].cut = false;
            self.resume(n);
            self.start(n);
        }
        for w in 0..self.workers.len() {
            self.worker_resumes(w);
            self.worker_starts(w);
        }
        self.agenda.plan(self.now + 1_000, Event::Look);
    }

    /// Returns the node's own time.
    pub(crate) fn time_of(&self, n: usize) -> Timestamp {
        self.nodes[n].clocks.now(self.now)
    }
}
