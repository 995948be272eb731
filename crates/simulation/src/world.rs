//! The world of one run, and the events in it.

use std::collections::BTreeMap;

use longhaul_model::NodeId;

use crate::database::Database;
use crate::event::{Agenda, Call, Event, Fault, NodeEvent, Who, WorkerEvent};
use crate::look::Standing;
use crate::node::{Node, Pending};
use crate::oracle::Oracle;
use crate::plan::Plan;
use crate::plant::Plant;
use crate::random::Rng;
use crate::target::Target;
use crate::worker::Worker;

/// The world of one run.
pub(crate) struct World {
    /// Milliseconds since the beginning of the run.
    pub(crate) now: u64,
    pub(crate) plan: Plan,
    pub(crate) rng: Rng,
    pub(crate) plant: Option<Plant>,
    pub(crate) agenda: Agenda,
    pub(crate) database: Database,
    pub(crate) nodes: Vec<Node>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) target: Target,
    pub(crate) oracle: Oracle,
    /// True for each client whose submission was confirmed.
    pub(crate) confirmed: Vec<bool>,
    /// True once nothing breaks any more.
    pub(crate) healed: bool,
    /// True once everything has ended that can.
    pub(crate) quiet: bool,
    /// Sub-tasks that can go on and do not, the reason, and the time since when.
    pub(crate) standing: BTreeMap<Standing, u64>,
    /// Time of the last lease.
    pub(crate) leased: u64,
    /// Trace of all that happened, if requested.
    pub(crate) trace: Option<Vec<String>>,
    /// Number of changes that were committed.
    pub(crate) changes: u64,
}

/// Writes a line to the trace, if there is one.
macro_rules! note {
    ($world:expr, $($text:tt)*) => {
        if $world.trace.is_some() {
            let line = format!($($text)*);
            $world.write(line);
        }
    };
}
pub(crate) use note;

impl World {
    pub(crate) fn new(seed: u64, plant: Option<Plant>, traced: bool) -> World {
        let mut rng = Rng::new(seed);
        let plan = Plan::new(&mut rng);
        let off = |rng: &mut Rng| rng.below(2_000) as i64 - 1_000;
        let nodes = (0..plan.nodes).map(|_| Node::new(off(&mut rng))).collect();
        let workers = (0..plan.workers).map(|_| Worker::new(rng.within(1, 4) as usize)).collect();
        let confirmed = vec![false; plan.tasks.len()];
        let mut world = World {
            now: 0,
            plan,
            rng,
            plant,
            agenda: Agenda::default(),
            database: Database::default(),
            nodes,
            workers,
            target: Target::default(),
            oracle: Oracle::default(),
            confirmed,
            healed: false,
            quiet: false,
            standing: BTreeMap::new(),
            leased: 0,
            trace: traced.then(Vec::new),
            changes: 0,
        };
        world.prepare();
        world
    }

    /// Plans the events from outside.
    fn prepare(&mut self) {
        note!(self, "{:?}", self.plan);
        for node in 0..self.nodes.len() {
            let at = self.rng.below(50);
            self.agenda.plan(at, Event::Fault(Fault::Start(node)));
        }
        for worker in 0..self.workers.len() {
            let at = self.rng.below(200);
            self.agenda.plan(at, Event::Fault(Fault::WorkerStart(worker)));
        }
        let times: Vec<u64> = self.plan.tasks.iter().map(|(_, at)| *at).collect();
        for (client, at) in times.into_iter().enumerate() {
            self.agenda.plan(at, Event::Submit(client));
        }
        for _ in 0..self.plan.operations {
            let at = self.rng.below(self.plan.chaos);
            self.agenda.plan(at, Event::Operate);
        }
        self.plan_faults();
        self.agenda.plan(self.plan.chaos, Event::Heal);
    }

    /// Runs until all is quiet, or a rule is broken.
    pub(crate) fn run(&mut self) {
        while self.oracle.broken.is_empty()
            && let Some((at, event)) = self.agenda.next()
        {
            self.now = at;
            self.happen(event);
            if self.quiet {
                return self.take_stock();
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Node(n, epoch, event) => self.at_node(n, epoch, event),
            Event::Call(n, call) => self.call(n, call),
            Event::Worker(w, epoch, event) => self.at_worker((w, epoch), event),
            Event::Submit(client) => self.submit(client),
            Event::Operate => self.operate(),
            Event::Fault(fault) => self.fault(fault),
            Event::Heal => self.heal(),
            Event::Look => self.look(),
        }
    }

    fn at_node(&mut self, n: usize, epoch: u64, event: NodeEvent) {
        let node = &mut self.nodes[n];
        if node.epoch != epoch || !node.up {
            return;
        }
        if node.halted.is_some() {
            return node.backlog.push(Pending::Event(event));
        }
        match event {
            NodeEvent::Tick => self.tick(n),
            NodeEvent::Commit => self.commit(n),
            NodeEvent::Known(done) => self.known(n, done),
            NodeEvent::Timer(task, at) => self.timer(n, task, at),
            NodeEvent::Hear(from, news) => self.hear(n, from, news),
            NodeEvent::Step(key) => self.step(n, key),
            NodeEvent::Exit => self.exit(n),
            NodeEvent::Recover => self.recover(n),
        }
    }

    fn call(&mut self, n: usize, call: Call) {
        let node = &mut self.nodes[n];
        if !node.up {
            return;
        }
        if node.halted.is_some() {
            return node.backlog.push(Pending::Call(call));
        }
        self.answer(n, call);
    }

    fn at_worker(&mut self, who: Who, event: WorkerEvent) {
        let worker = &mut self.workers[who.0];
        if worker.epoch != who.1 || !worker.up {
            return;
        }
        if worker.halted {
            return worker.backlog.push(event);
        }
        match event {
            WorkerEvent::Tick => self.worker_tick(who),
            WorkerEvent::Step(key) => self.worker_step(who, key),
            WorkerEvent::Answer(answer) => self.worker_hears(who, answer),
        }
    }

    /// Plans an event within a node's process after a while.
    pub(crate) fn at(&mut self, n: usize, after: u64, event: NodeEvent) {
        let epoch = self.nodes[n].epoch;
        self.agenda.plan(self.now + after, Event::Node(n, epoch, event));
    }

    /// Draws the time that a message is on its way; `None` if it gets lost.
    pub(crate) fn travel(&mut self) -> Option<u64> {
        if !self.healed && self.rng.chance(self.plan.loss) {
            return None;
        }
        let late = !self.healed && self.rng.chance(self.plan.loss);
        Some(if late { self.rng.within(200, 6_000) } else { self.rng.within(1, 20) })
    }

    /// Returns the node with that number whose process runs.
    pub(crate) fn node_of(&self, id: NodeId) -> Option<usize> {
        self.nodes.iter().position(|node| node.up && node.id == id)
    }

    /// Returns the time of the database's clock.
    pub(crate) fn database_clock(&self) -> i64 {
        crate::clock::START + self.now as i64 + self.database.off
    }

    pub(crate) fn is(&self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }

    pub(crate) fn write(&mut self, line: String) {
        let now = self.now;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{now:>7} {line}"));
        }
    }
}
