//! The life of a node's process: it starts, ticks, gives signs of life, takes over from others, and dies.

use std::time::Duration;

use longhaul_model::{Change, Command, NodeId, Outcome, TaskStatus, Token};

use crate::database::Turn;
use crate::event::{Event, Fault, Job, NodeEvent};
use crate::node::{Memory, Node, Pending};
use crate::plant::Plant;
use crate::world::{World, note};

/// Interval between two ticks of a node, in milliseconds.
const TICK: u64 = 250;
/// Ticks from one beat of a node to the next: it writes every two seconds that it lives.
const TICKS_PER_BEAT: u64 = 8;
/// Time between two ticks, in milliseconds, above which the process stood still.
const STOOD_STILL: u64 = 1_500;
/// Longest time that a node goes on without reaching the database, in milliseconds.
const ALONE: u64 = 7_000;
/// Time in milliseconds since a node's last sign of life within which it must not be declared dead.
const SURELY_ALIVE: u64 = 8_500;
/// Silence on the database's clock, in milliseconds, that a careless observer takes for death.
const SILENT: i64 = 10_000;

impl World {
    /// Starts a process on a node's machine.
    pub(crate) fn start(&mut self, n: usize) {
        if self.nodes[n].up {
            return;
        }
        if self.plan.cluster && self.nodes[n].cut {
            let after = self.rng.within(300, 1_000);
            return self.agenda.plan(self.now + after, Event::Fault(Fault::Start(n)));
        }
        let shown = self.plan.cluster.then(|| self.database_clock());
        let node = &mut self.nodes[n];
        node.up = true;
        node.halted = None;
        node.epoch += 1;
        node.memory = Memory::default();
        node.clocks.begin(self.now, shown);
        let mono = node.clocks.mono(self.now);
        (node.memory.ticked, node.memory.heard) = (mono, mono);
        if self.plan.cluster {
            self.begin_turn(n);
        } else if !self.is(Plant::NoRecovery) {
            self.recover(n);
            if self.is(Plant::RecoverAnew) {
                self.at(n, 30, NodeEvent::Recover);
            }
        }
        note!(self, "n{n} starts as {:?}, process {}", self.nodes[n].id, self.nodes[n].epoch);
        let after = self.rng.below(TICK);
        self.at(n, after, NodeEvent::Tick);
    }

    /// Recovers a single server's own store: attempts that ran when the process before it died are lost, but
    /// not those that have begun since.
    pub(crate) fn recover(&mut self, n: usize) {
        let running = |task: &&usize| self.database.record(**task).state.status == TaskStatus::InProgress;
        let running: Vec<usize> = self.database.open.iter().filter(running).copied().collect();
        for task in running {
            self.post(n, task, Command::Recover { node: None });
        }
    }

    /// Begins the turn of a process; the turn of the process before it on the same machine is over.
    fn begin_turn(&mut self, n: usize) {
        let before = self.nodes[n].turn;
        if let Some(turn) = self.database.turns.get_mut(&before) {
            turn.over = true;
        }
        self.database.last_turn += 1;
        let (turn, seen_at, node) =
            (self.database.last_turn, self.database_clock(), self.database.free_number());
        self.database.turns.insert(turn, Turn { node, over: false, beat: 0, seen_at });
        let living = self.living();
        let process = &mut self.nodes[n];
        (process.turn, process.id, process.beaten) = (turn, node, self.now);
        process.memory.living = living;
    }

    /// Returns the nodes whose turns are not over.
    fn living(&self) -> Vec<NodeId> {
        self.database.turns.values().filter(|turn| !turn.over).map(|turn| turn.node).collect()
    }

    /// Kills a process, with everything that it remembers and runs.
    pub(crate) fn kill(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        if !node.up {
            return;
        }
        note!(self, "n{n} dies");
        let node = &mut self.nodes[n];
        if let Some((since, true)) = node.halted {
            node.clocks.stood += self.now - since;
        }
        node.up = false;
        node.halted = None;
        node.epoch += 1;
        node.backlog.clear();
        let memory = std::mem::take(&mut node.memory);
        for key in memory.runs.into_keys() {
            self.oracle.run_ends(key);
        }
    }

    /// Replaces a process whose turn is over by a new one.
    pub(crate) fn begin_anew(&mut self, n: usize) {
        note!(self, "n{n} begins anew");
        self.kill(n);
        let after = self.rng.within(50, 500);
        self.agenda.plan(self.now + after, Event::Fault(Fault::Start(n)));
    }

    /// Ends a process that has drained, or whose time for that is over.
    pub(crate) fn exit(&mut self, n: usize) {
        note!(self, "n{n} exits");
        if !self.nodes[n].cut
            && let Some(turn) = self.database.turns.get_mut(&self.nodes[n].turn)
        {
            turn.over = true;
        }
        self.kill(n);
        let after = self.rng.within(200, 3_000);
        self.agenda.plan(self.now + after, Event::Fault(Fault::Start(n)));
    }

    /// Resumes a stopped process, or a suspended machine.
    pub(crate) fn resume(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let Some((since, suspended)) = node.halted.take() else { return };
        if suspended {
            node.clocks.stood += self.now - since;
        }
        note!(self, "n{n} goes on");
        let node = &mut self.nodes[n];
        let epoch = node.epoch;
        for pending in std::mem::take(&mut node.backlog) {
            let event = match pending {
                Pending::Event(event) => Event::Node(n, epoch, event),
                Pending::Call(call) => Event::Call(n, call),
            };
            self.agenda.plan(self.now, event);
        }
    }

    pub(crate) fn tick(&mut self, n: usize) {
        self.at(n, TICK, NodeEvent::Tick);
        let memory = &mut self.nodes[n].memory;
        memory.ticks += 1;
        let ticks = memory.ticks;
        memory.queues.give_back(ticks);
        if self.plan.cluster && !self.keep_turn(n, ticks.is_multiple_of(TICKS_PER_BEAT)) {
            return self.begin_anew(n);
        }
        self.watch_leases(n);
        self.serve_line(n);
        if ticks.is_multiple_of(2) {
            self.sweep_due(n);
        }
        if ticks.is_multiple_of(4) {
            self.sweep_claims(n);
            if self.plan.cluster && !self.nodes[n].cut {
                self.look_after_others(n);
                self.tell_untold(n);
            }
        }
        if ticks.is_multiple_of(20) && self.plan.cluster && !self.nodes[n].cut {
            self.compare(n);
        }
        let draining = self.nodes[n].memory.draining;
        if draining && self.nodes[n].memory.runs.is_empty() && self.nodes[n].memory.jobs.is_empty() {
            self.exit(n);
        }
    }

    /// Gives a sign of life, and learns which other nodes live; false if the node's turn is over, or may be.
    fn keep_turn(&mut self, n: usize, beat: bool) -> bool {
        let (now, shown) = (self.now, self.database_clock());
        let node = &mut self.nodes[n];
        let mono = node.clocks.mono(now);
        if mono - node.memory.heard >= ALONE {
            return false;
        }
        if !beat || node.cut {
            return true;
        }
        let Some(turn) = self.database.turns.get_mut(&node.turn) else { return false };
        if turn.over {
            return self.is(Plant::NoFence);
        }
        turn.beat += 1;
        turn.seen_at = shown;
        node.memory.heard = mono;
        node.beaten = now;
        node.clocks.refer(now, shown);
        let living = self.living();
        self.nodes[n].memory.living = living;
        true
    }

    /// Ends the turns of dead nodes, and takes over a share of what they looked after.
    fn look_after_others(&mut self, n: usize) {
        let mono = Duration::from_millis(self.nodes[n].clocks.mono(self.now));
        let careless = self.is(Plant::LifeByWallClock);
        let beats = self.database.turns.iter().map(|(number, turn)| (*number, turn.beat));
        self.nodes[n].memory.observer.look(mono, mono, beats);
        let turns: Vec<(u64, Turn)> =
            self.database.turns.iter().map(|(number, turn)| (*number, turn.clone())).collect();
        for (number, turn) in turns {
            if number == self.nodes[n].turn {
                continue;
            }
            let silent = match careless {
                true => (self.database_clock() - turn.seen_at).abs() > SILENT,
                false => self.nodes[n].memory.observer.is_silent(&number),
            };
            if silent && !turn.over {
                self.declare_dead(n, number);
            }
            if turn.over {
                self.take_over(n, number, turn.node);
            }
        }
    }

    fn declare_dead(&mut self, by: usize, number: u64) {
        note!(self, "n{by} ends turn {number}");
        if let Some(turn) = self.database.turns.get_mut(&number) {
            turn.over = true;
        }
        let alive = self.nodes.iter().position(|node| node.up && node.turn == number);
        if let Some(alive) = alive.filter(|alive| self.now - self.nodes[*alive].beaten < SURELY_ALIVE) {
            let text = format!("n{alive} is declared dead by n{by}, though it gave a sign of life just now");
            self.oracle.breaks(text);
        }
        self.oracle.saw("declared dead");
    }

    fn take_over(&mut self, n: usize, number: u64, node: NodeId) {
        let looks_after = |task: &&usize| self.database.tasks[**task].task.nodes().any(|other| other == node);
        let left: Vec<usize> = self.database.open.iter().filter(looks_after).copied().collect();
        if left.is_empty() {
            self.database.turns.remove(&number);
            return;
        }
        let recovered = if self.is(Plant::RecoverAll) { None } else { Some(node) };
        let living = &self.nodes[n].memory.living;
        let (parts, part) = (living.len().max(1), living.iter().position(|id| *id == self.nodes[n].id));
        // After a while, any node also recovers the share of another.
        let all = self.nodes[n].memory.ticks.is_multiple_of(16);
        for task in left {
            if all || Some(task % parts) == part {
                self.oracle.saw("taken over");
                self.post(n, task, Command::Recover { node: recovered });
            }
        }
    }

    /// Checks that a recovery takes nothing from a living node.
    pub(crate) fn check_lost(&mut self, task: usize, change: &Change) {
        for attempt in change.attempts.iter().filter(|attempt| attempt.outcome == Outcome::Lost) {
            let key = (task, attempt.sub_task, Token(u64::from(attempt.number)));
            let lives = |node: &Node| {
                let over = self.database.turns.get(&node.turn).is_none_or(|turn| turn.over);
                node.runs() && !(self.plan.cluster && over) && node.memory.runs.contains_key(&key)
            };
            if self.nodes.iter().any(lives) {
                self.oracle
                    .breaks(format!("{key:?} is lost by a recovery, though the node that runs it lives"));
            }
        }
    }

    /// True if the process stood still since its last tick.
    pub(crate) fn stood_still(&mut self, n: usize) -> bool {
        let node = &mut self.nodes[n];
        let mono = node.clocks.mono(self.now);
        let before = std::mem::replace(&mut node.memory.ticked, mono);
        mono - before > STOOD_STILL
    }

    fn sweep_due(&mut self, n: usize) {
        if self.is(Plant::TimersForgotten) || self.nodes[n].cut {
            return;
        }
        let now = self.nodes[n].clocks.now(self.now);
        let due: Vec<usize> = self.database.due.range(..=(now, usize::MAX)).map(|(_, task)| *task).collect();
        for task in due.into_iter().take(1_000) {
            self.post(n, task, Command::Due);
        }
    }

    fn sweep_claims(&mut self, n: usize) {
        let careless = self.is(Plant::WakeFirstFew) || self.is(Plant::LostWakeUp);
        if !careless && !self.nodes[n].cut && self.database.claims.len() > 0 {
            self.ask(n, Job::SweepClaims);
        }
    }

    /// Tells tasks that their claims were granted, if the node that granted them did not live to do so.
    fn tell_untold(&mut self, n: usize) {
        let late = |(task, since): (&usize, &u64)| (self.now - since > 1_000).then_some(*task);
        let untold: Vec<usize> = self.database.untold.iter().filter_map(late).collect();
        for task in untold {
            self.post(n, task, Command::Acquired);
        }
    }
}
