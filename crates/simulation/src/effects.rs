//! Effects of a commit once its node knows of it: attempts start and stop, queues and leases are updated,
//! other nodes are told.

use longhaul_model::workflow::CompiledAction;
use longhaul_model::{Effect, Leased, NodeId, Timestamp};

use crate::event::{Answer, Done, Event, Key, News, NodeEvent, Reply, Started, Who, WorkerEvent};
use crate::node::{Held, Run};
use crate::plant::Plant;
use crate::shape::QUEUES;
use crate::world::{World, note};

/// Time in milliseconds within which a timer is kept in memory.
const NEAR: i64 = 60_000;
/// Longest wait of a timer in memory, in milliseconds, before the clock is checked again.
const PAUSE: i64 = 500;

impl World {
    /// Carries out the effects of a commit that is now known.
    pub(crate) fn known(&mut self, n: usize, done: Vec<Done>) {
        for Done { task, effects, revision, reply } in done {
            for effect in effects {
                self.carry_out(n, task, effect, revision);
            }
            match reply {
                Some(Reply::Client(client)) => self.confirm(client),
                Some(Reply::Worker(who, answer)) => self.reply(n, who, answer),
                None => {}
            }
        }
        self.serve_line(n);
    }

    fn carry_out(&mut self, n: usize, task: usize, effect: Effect, revision: u64) {
        let own = self.nodes[n].id;
        if let Some(node) = effect.node().filter(|node| *node != own) {
            return self.carry_out_elsewhere(n, node, task, &effect, revision);
        }
        match effect {
            Effect::Start(launch) => {
                let known_by = self.known_by(task, &launch);
                let started = Started::of(&launch, known_by);
                self.line_up(n, (task, launch.sub_task, launch.token), started);
            }
            Effect::InLine { sub_task } => {
                self.nodes[n].memory.places.line_up((task, sub_task), revision);
            }
            Effect::OutOfLine { sub_task, .. } => {
                self.nodes[n].memory.places.leave((task, sub_task), revision);
            }
            Effect::Stop { sub_task, token, .. } => self.stop(n, (task, sub_task, token)),
            Effect::Queued { sub_task, queue, priority } => {
                let queue = QUEUES.iter().position(|name| **name == *queue).unwrap_or(0);
                self.nodes[n].memory.queues.add(queue, (task, sub_task), priority, revision);
                let others: Vec<NodeId> = self.nodes[n].memory.living.clone();
                if self.nodes[n].memory.wanted.is_none() {
                    for other in others.into_iter().filter(|other| *other != own) {
                        self.tell_node(n, other, News::Given(queue, vec![(task, sub_task)]));
                    }
                }
            }
            Effect::Unqueued { sub_task, .. } => {
                self.nodes[n].memory.queues.withdraw((task, sub_task), revision);
            }
            Effect::Leased(leased) => self.leased(n, task, &leased),
            Effect::LeaseEnded { sub_task, token, .. } => {
                self.nodes[n].memory.leases.remove(&(task, sub_task, token));
            }
            Effect::Timer(at) => self.set_timer(n, task, at),
            Effect::Ended(_) | Effect::Measured(_) => {}
        }
    }

    fn carry_out_elsewhere(&mut self, n: usize, node: NodeId, task: usize, effect: &Effect, revision: u64) {
        let news = match effect {
            Effect::Stop { sub_task, token, .. } => News::Stop((task, *sub_task, *token)),
            Effect::Unqueued { sub_task, .. } => News::Unqueued(task, *sub_task, revision),
            // A sub-task in line there is refused when its turn comes.
            Effect::LeaseEnded { sub_task, token, .. } => News::LeaseEnded((task, *sub_task, *token)),
            _ => return,
        };
        self.tell_node(n, node, news);
    }

    /// Sends a notification of the database: it may be late, or lost, which the node notices once it listens
    /// again.
    pub(crate) fn tell_node(&mut self, n: usize, to: NodeId, news: News) {
        let Some(other) = self.node_of(to) else { return };
        let lost = !self.healed && self.rng.chance(self.plan.loss);
        let from = self.nodes[n].id;
        if lost || self.nodes[n].cut || self.nodes[other].cut {
            self.oracle.saw("news lost");
            return self.at(other, 1_500, NodeEvent::Hear(from, News::Gap));
        }
        let late = !self.healed && self.rng.chance(self.plan.loss);
        let after = if late { self.rng.within(250, 3_000) } else { self.rng.within(5, 250) };
        self.at(other, after, NodeEvent::Hear(from, news));
    }

    pub(crate) fn hear(&mut self, n: usize, from: NodeId, news: News) {
        note!(self, "n{n} hears from {from:?}: {news:?}");
        let now = self.now;
        match news {
            News::Stop(key) => self.stop(n, key),
            News::Unqueued(task, sub_task, revision) => {
                let revision = if self.is(Plant::LateWithdrawal) { u64::MAX } else { revision };
                self.nodes[n].memory.queues.withdraw((task, sub_task), revision);
            }
            News::LeaseEnded(key) => drop(self.nodes[n].memory.leases.remove(&key)),
            News::Beat(who, keys) => {
                for key in keys {
                    self.extend(n, key, who);
                }
            }
            News::Wanted(queues) => {
                for queue in queues {
                    let items = self.nodes[n].memory.queues.first(queue, 10);
                    if !items.is_empty() {
                        self.tell_node(n, from, News::Given(queue, items));
                    }
                }
            }
            News::Given(queue, items) => {
                let memory = &mut self.nodes[n].memory;
                for item in items {
                    memory.queues.give(queue, item, memory.ticks);
                }
            }
            News::Gap => {
                let node = &mut self.nodes[n];
                let mono = node.clocks.mono(now);
                for held in node.memory.leases.values_mut() {
                    held.expires = held.expires.max(mono + held.span);
                }
            }
        }
    }

    fn leased(&mut self, n: usize, task: usize, leased: &Leased) {
        let now = self.now;
        self.leased = now;
        let Some(who) = who(&leased.lease.worker.0) else { return };
        let node = &mut self.nodes[n];
        let mono = node.clocks.mono(now);
        let left = leased.timeout.map(|timeout| {
            let left = leased.started_at.after(timeout).0 - node.clocks.now(now).0;
            mono + left.max(0) as u64
        });
        let span = leased.lease.span.0;
        let held = Held {
            who,
            span,
            expires: mono + span,
            deadline: left,
            cancelled: false,
            ending: false,
            wall: node.clocks.wall(now),
            extended: now,
        };
        node.memory.leases.insert((task, leased.sub_task, leased.token), held);
    }

    fn set_timer(&mut self, n: usize, task: usize, at: Timestamp) {
        let left = at.0 - self.nodes[n].clocks.now(self.now).0;
        if left <= NEAR {
            self.at(n, left.clamp(0, PAUSE) as u64, NodeEvent::Timer(task, at));
        }
    }

    pub(crate) fn timer(&mut self, n: usize, task: usize, at: Timestamp) {
        if self.nodes[n].clocks.now(self.now) < at {
            return self.set_timer(n, task, at);
        }
        self.post(n, task, longhaul_model::Command::Due);
    }

    /// Compares the attempts that have run here since the last comparison with the database.
    pub(crate) fn compare(&mut self, n: usize) {
        let memory = &mut self.nodes[n].memory;
        let here = memory.runs.keys().chain(memory.leases.keys()).copied().collect();
        let before = std::mem::replace(&mut memory.compared, here);
        for key in before {
            let memory = &self.nodes[n].memory;
            if !memory.runs.contains_key(&key) && !memory.leases.contains_key(&key) {
                continue;
            }
            let over = !self.is_live(key);
            if over || self.database.record(key.0).state.stopping.is_some() {
                self.oracle.saw("stopped by comparison");
                self.stop(n, key);
                if over {
                    self.nodes[n].memory.leases.remove(&key);
                }
            }
        }
    }

    /// True if an attempt is the live one of its sub-task, according to the database.
    pub(crate) fn is_live(&self, (task, sub_task, token): Key) -> bool {
        let sub = self.database.record(task).sub_tasks.get(sub_task as usize);
        sub.is_some_and(|sub| sub.status == longhaul_model::SubTaskStatus::InProgress && sub.token() == token)
    }

    fn reply(&mut self, n: usize, who: Who, answer: Answer) {
        if let Answer::Leased { request, grants } = &answer {
            self.nodes[n].memory.answers.insert((who, *request), grants.clone());
        }
        self.answer_worker(who, answer);
    }

    /// Sends an answer to a worker, which may get lost.
    pub(crate) fn answer_worker(&mut self, who: Who, answer: Answer) {
        let Some(after) = self.travel() else { return self.oracle.saw("answer lost") };
        self.agenda.plan(self.now + after, Event::Worker(who.0, who.1, WorkerEvent::Answer(answer)));
    }

    /// Queues a sub-task that waits for a worker.
    pub(crate) fn put_into_queue(&mut self, n: usize, task: usize, sub_task: u32) {
        if let CompiledAction::Worker(work) = &self.database.record(task).definition(sub_task).action {
            let queue = QUEUES.iter().position(|name| **name == *work.queue).unwrap_or(0);
            let revision = self.database.record(task).state.revision;
            self.nodes[n].memory.queues.add(queue, (task, sub_task), work.priority, revision);
        }
    }

    /// Adds an attempt that has started to those that wait for a permit.
    fn line_up(&mut self, n: usize, key: Key, started: Started) {
        self.oracle.lined_up(key);
        let memory = &mut self.nodes[n].memory;
        memory.runs.insert(key, Run { started, course: None, stop: false });
        memory.line.push_back(key);
        self.admit(n);
    }

    /// Stops an attempt that runs here, or whose lease is watched here.
    fn stop(&mut self, n: usize, key: Key) {
        if self.nodes[n].memory.runs.contains_key(&key) {
            return self.stop_run(n, key);
        }
        if let Some(held) = self.nodes[n].memory.leases.get_mut(&key) {
            held.cancelled = true;
        }
    }

    /// Extends a worker's lease after a sign of life: it lasts its span from now.
    pub(crate) fn extend(&mut self, n: usize, key: Key, who: Who) {
        let now = self.now;
        let node = &mut self.nodes[n];
        let (mono, wall) = (node.clocks.mono(now), node.clocks.wall(now));
        if let Some(held) = node.memory.leases.get_mut(&key).filter(|held| held.who == who && !held.ending) {
            held.expires = mono + held.span;
            (held.wall, held.extended) = (wall, now);
        }
    }

    pub(crate) fn lease_is_over(&self, n: usize, held: &Held) -> bool {
        let clocks = &self.nodes[n].clocks;
        if self.is(Plant::LeasesByWallClock) {
            return clocks.wall(self.now) >= held.wall + held.span as i64;
        }
        held.expires <= clocks.mono(self.now)
    }
}

/// Parses the name of a worker into the worker and its process.
fn who(name: &str) -> Option<Who> {
    let (worker, process) = name.strip_prefix("svc/")?.split_once('.')?;
    Some((worker.parse().ok()?, process.parse().ok()?))
}
