//! Answers of a node to its workers, and the watch over their leases.

use std::collections::BTreeMap;
use std::sync::Arc;

use longhaul_model::{Command, Failure, NodeId, Terms, time::Span};

use crate::attempts::said;
use crate::event::{Answer, Call, Ending, Event, Job, Key, News, Stands, Who, Work};
use crate::plant::Plant;
use crate::shape::QUEUES;
use crate::world::{World, note};

/// Time that a lease lasts without a heartbeat, in milliseconds.
pub(crate) const SPAN: u64 = 4_000;
/// Time in milliseconds before the end of a lease from which on it may end: clocks and ticks are that coarse.
const COARSE: u64 = 500;

impl World {
    /// Returns the terms of a worker's leases: it serves every queue, at any priority.
    pub(crate) fn terms(&self, who: Who) -> Arc<Terms> {
        let queues = QUEUES.iter().map(|queue| (Arc::from(*queue), i8::MIN)).collect();
        Arc::new(Terms { worker: World::worker_id(who), queues, span: Span(SPAN), request: None })
    }

    pub(crate) fn answer(&mut self, n: usize, call: Call) {
        match call {
            Call::Submit(client) => self.new_task(n, client),
            Call::Operate(task, command) => self.ask(n, Job::Command { task, command, client: true }),
            Call::Lease { who, request, room } => self.lease(n, who, request, room),
            Call::Report { who, key, ending, room } => self.reported(n, who, key, ending, room),
            Call::Beat { who, keys } => self.beat(n, who, &keys),
        }
    }

    fn lease(&mut self, n: usize, who: Who, request: u64, room: usize) {
        let memory = &mut self.nodes[n].memory;
        if memory.draining {
            return self.answer_worker(who, Answer::Leased { request, grants: Vec::new() });
        }
        if let Some(grants) = memory.answers.get(&(who, request)) {
            let grants = grants.clone();
            self.oracle.saw("request repeated");
            return self.answer_worker(who, Answer::Leased { request, grants });
        }
        let leases = memory.queues.take(room);
        if leases.is_empty() {
            self.want(n);
            return self.answer_worker(who, Answer::Leased { request, grants: Vec::new() });
        }
        self.ask(n, Job::Work(Work { who, request: Some(request), report: None, leases, room }));
    }

    /// Tells other nodes that work is wanted here, as a worker asked in vain.
    fn want(&mut self, n: usize) {
        let own = self.nodes[n].id;
        let ticks = self.nodes[n].memory.ticks;
        if self.nodes[n].memory.wanted.is_some_and(|before| ticks - before < 2) {
            return;
        }
        self.nodes[n].memory.wanted = Some(ticks);
        let others: Vec<NodeId> =
            self.nodes[n].memory.living.iter().filter(|other| **other != own).copied().collect();
        for other in others {
            self.tell_node(n, other, News::Wanted((0..QUEUES.len()).collect()));
        }
    }

    fn reported(&mut self, n: usize, who: Who, key: Key, ending: Ending, room: usize) {
        let mut command = said(key, ending, Some(World::worker_id(who)));
        if let Command::Complete { next, .. } = &mut command
            && room > 0
            && !self.nodes[n].memory.draining
        {
            *next = Some(self.terms(who));
        }
        let report = Some((key, Box::new(command)));
        self.ask(n, Job::Work(Work { who, request: None, report, leases: Vec::new(), room }));
    }

    fn beat(&mut self, n: usize, who: Who, keys: &[Key]) {
        let mut stands = Vec::new();
        let mut elsewhere: BTreeMap<NodeId, Vec<Key>> = BTreeMap::new();
        for key in keys {
            let here = self.nodes[n].memory.leases.get(key).filter(|held| held.who == who);
            let state = match here {
                Some(held) if held.ending => Stands::Lost,
                Some(held) => {
                    let state = if held.cancelled { Stands::Cancelled } else { Stands::Live };
                    self.extend(n, *key, who);
                    state
                }
                None if self.nodes[n].cut => return,
                None => match self.stands_elsewhere(*key, who) {
                    Some((node, state)) => {
                        elsewhere.entry(node).or_default().push(*key);
                        state
                    }
                    None => Stands::Lost,
                },
            };
            stands.push((*key, state));
        }
        for (node, keys) in elsewhere {
            self.oracle.saw("heard of elsewhere");
            self.tell_node(n, node, News::Beat(who, keys));
        }
        self.answer_worker(who, Answer::Beaten(stands));
    }

    /// Returns the state of a lease that is not watched here.
    fn stands_elsewhere(&self, key: Key, who: Who) -> Option<(NodeId, Stands)> {
        let record = self.database.record(key.0);
        let sub = record.sub_tasks.get(key.1 as usize).filter(|sub| sub.token() == key.2)?;
        sub.lease.as_ref().filter(|lease| lease.worker == World::worker_id(who))?;
        let stopping = record.state.stopping.is_some();
        Some((sub.node, if stopping { Stands::Cancelled } else { Stands::Live }))
    }

    /// Ends leases that nobody extends, and attempts whose deadline has passed.
    pub(crate) fn watch_leases(&mut self, n: usize) {
        let now = self.now;
        if self.stood_still(n) {
            let node = &mut self.nodes[n];
            let mono = node.clocks.mono(now);
            for held in node.memory.leases.values_mut() {
                held.expires = held.expires.max(mono + held.span);
            }
        }
        let mono = self.nodes[n].clocks.mono(now);
        let mut over = Vec::new();
        for (key, held) in &self.nodes[n].memory.leases {
            let late = held.deadline.is_some_and(|at| at <= mono);
            if !held.ending && (late || self.lease_is_over(n, held)) {
                let failure = if late { Failure::Timeout } else { Failure::Lost };
                over.push((*key, failure, held.extended + held.span));
            }
        }
        for (key, failure, held_until) in over {
            if let Some(held) = self.nodes[n].memory.leases.get_mut(&key) {
                held.ending = true;
            }
            note!(self, "n{n} ends the lease of {key:?}: {failure:?}");
            if failure == Failure::Lost && now + COARSE < held_until {
                self.oracle
                    .breaks(format!("the lease of {key:?} ends, though its worker was heard of just now"));
            }
            self.oracle.saw("lease over");
            self.post(n, key.0, Command::Fail { sub_task: key.1, token: key.2, failure, by: None });
        }
    }

    /// Sends a call to a node, which may get lost.
    pub(crate) fn send(&mut self, n: usize, call: Call) {
        let Some(after) = self.travel() else { return self.oracle.saw("request lost") };
        self.agenda.plan(self.now + after, Event::Call(n, call));
    }

    pub(crate) fn leases_live(&self, key: Key) -> bool {
        let watched = |node: &crate::node::Node| node.up && node.memory.leases.contains_key(&key);
        self.nodes.iter().any(watched) || self.is(Plant::LeaseFromMemory)
    }
}
