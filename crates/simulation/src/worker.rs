//! A worker: it asks for work, gives signs of life, acts on the target, and repeats its reports until they
//! are answered.

use std::collections::BTreeMap;

use crate::event::{Answer, Call, Ending, Event, Grant, Key, Stands, Who, WorkerEvent};
use crate::node::Course;
use crate::world::{World, note};

/// Interval between two ticks of a worker, in milliseconds.
const TICK: u64 = 500;
/// Number of ticks until an unanswered request is sent again.
const PATIENCE: u64 = 3;

/// A worker and its process.
pub(crate) struct Worker {
    pub(crate) up: bool,
    pub(crate) halted: bool,
    /// Number that rises with each process.
    pub(crate) epoch: u64,
    pub(crate) backlog: Vec<WorkerEvent>,
    room: usize,
    ticks: u64,
    /// Node that the worker calls.
    node: usize,
    requests: u64,
    /// Request that waits for an answer.
    asked: Option<Request>,
    pub(crate) work: BTreeMap<Key, Doing>,
}

/// A request for work.
#[derive(Clone, Copy)]
struct Request {
    number: u64,
    /// Time at which the request was first sent. A lease is never older, so its span is counted from here.
    first: u64,
    /// Tick at which the request was last sent.
    tick: u64,
}

/// An attempt that a worker runs.
pub(crate) struct Doing {
    pub(crate) known_by: String,
    pub(crate) course: Course,
    /// Ending to report, once the attempt has ended, and the time since then.
    reports: Option<(Ending, u64)>,
}

impl Worker {
    pub(crate) fn new(room: usize) -> Worker {
        Worker {
            up: false,
            halted: false,
            epoch: 0,
            backlog: Vec::new(),
            room,
            ticks: 0,
            node: 0,
            requests: 0,
            asked: None,
            work: BTreeMap::new(),
        }
    }
}

impl World {
    pub(crate) fn worker_starts(&mut self, w: usize) {
        let node = self.rng.index(self.nodes.len());
        let worker = &mut self.workers[w];
        if worker.up {
            return;
        }
        worker.up = true;
        worker.epoch += 1;
        (worker.node, worker.asked, worker.ticks) = (node, None, 0);
        let epoch = worker.epoch;
        note!(self, "w{w} starts");
        self.agenda.plan(self.now, Event::Worker(w, epoch, WorkerEvent::Tick));
    }

    pub(crate) fn worker_dies(&mut self, w: usize) {
        let worker = &mut self.workers[w];
        worker.up = false;
        worker.halted = false;
        worker.epoch += 1;
        worker.backlog.clear();
        worker.work.clear();
        note!(self, "w{w} dies");
    }

    pub(crate) fn worker_resumes(&mut self, w: usize) {
        let worker = &mut self.workers[w];
        worker.halted = false;
        let epoch = worker.epoch;
        for event in std::mem::take(&mut worker.backlog) {
            self.agenda.plan(self.now, Event::Worker(w, epoch, event));
        }
    }

    pub(crate) fn worker_tick(&mut self, who: Who) {
        let w = who.0;
        self.agenda.plan(self.now + TICK, Event::Worker(w, who.1, WorkerEvent::Tick));
        if self.rng.chance(100) || !self.nodes[self.workers[w].node].up {
            self.workers[w].node = self.rng.index(self.nodes.len());
        }
        let worker = &mut self.workers[w];
        worker.ticks += 1;
        let node = worker.node;
        let live = |doing: &&Doing| doing.reports.is_none();
        let keys: Vec<Key> =
            worker.work.iter().filter(|(_, doing)| live(doing)).map(|(key, _)| *key).collect();
        let unheard: Vec<(Key, Ending)> =
            worker.work.iter().filter_map(|(key, doing)| Some((*key, doing.reports?.0))).collect();
        if !keys.is_empty() && worker.ticks.is_multiple_of(2) {
            self.send(node, Call::Beat { who, keys });
        }
        for (key, ending) in unheard {
            self.report(who, key, ending);
        }
        self.ask_for_work(who);
    }

    fn ask_for_work(&mut self, who: Who) {
        let worker = &mut self.workers[who.0];
        let room = worker.room.saturating_sub(worker.work.len());
        let (ticks, node) = (worker.ticks, worker.node);
        let request = match worker.asked {
            Some(request) if ticks - request.tick < PATIENCE => return,
            // A repeated request is answered with the grants of the lost answer.
            Some(request) => Request { tick: ticks, ..request },
            None if room == 0 => return,
            None => {
                worker.requests += 1;
                Request { number: worker.requests, first: self.now, tick: ticks }
            }
        };
        worker.asked = Some(request);
        self.send(node, Call::Lease { who, request: request.number, room });
    }

    fn report(&mut self, who: Who, key: Key, ending: Ending) {
        let worker = &self.workers[who.0];
        let (node, room) = (worker.node, worker.room.saturating_sub(worker.work.len() - 1));
        self.send(node, Call::Report { who, key, ending, room });
    }

    pub(crate) fn worker_hears(&mut self, who: Who, answer: Answer) {
        note!(self, "w{}.{} hears an answer", who.0, who.1);
        match answer {
            Answer::Leased { request, grants } => {
                let worker = &mut self.workers[who.0];
                let Some(asked) = worker.asked.filter(|asked| asked.number == request) else { return };
                worker.asked = None;
                self.take_on(who, grants, asked.first);
            }
            Answer::Reported { key, grants } => {
                // A report that was sent twice is answered twice; either answer carries its grants.
                let doing = self.workers[who.0].work.remove(&key);
                if let Some((_, since)) = doing.and_then(|doing| doing.reports) {
                    self.take_on(who, grants, since);
                }
                self.ask_for_work(who);
            }
            Answer::Beaten(stands) => {
                for (key, stands) in stands {
                    self.worker_is_told(who, key, stands);
                }
            }
        }
    }

    /// Begins the granted attempts, except those whose answer took so long that their leases may be over: the
    /// spans are counted from the request.
    fn take_on(&mut self, who: Who, grants: Vec<Grant>, asked: u64) {
        for Grant { key, known_by, span } in grants {
            if self.workers[who.0].work.contains_key(&key) {
                continue;
            }
            if self.now - asked >= span {
                self.oracle.saw("leased too long ago");
                continue;
            }
            let mut course = self.course(None);
            if !self.healed && self.rng.chance(60) {
                let soon = self.now + self.rng.below(50);
                course = Course { acts_at: None, ends_at: soon, ending: Ending::HandedBack };
            }
            note!(self, "w{}.{} takes on {key:?}: {course:?}", who.0, who.1);
            self.oracle.worker_begins(key);
            self.workers[who.0].work.insert(key, Doing { known_by, course, reports: None });
            self.plan_worker_step(who, key, course);
        }
    }

    fn plan_worker_step(&mut self, who: Who, key: Key, course: Course) {
        let next = course.acts_at.unwrap_or(course.ends_at).min(course.ends_at);
        let event = Event::Worker(who.0, who.1, WorkerEvent::Step(key));
        self.agenda.plan(next.max(self.now), event);
    }

    pub(crate) fn worker_step(&mut self, who: Who, key: Key) {
        let Some(doing) = self.workers[who.0].work.get(&key) else { return };
        if doing.reports.is_some() {
            return;
        }
        let (mut course, known_by) = (doing.course, doing.known_by.clone());
        if course.acts_at.is_some_and(|at| at <= self.now.min(course.ends_at)) {
            self.asks(key, &known_by, &mut course);
        }
        let ends = course.ends_at <= self.now;
        if let Some(doing) = self.workers[who.0].work.get_mut(&key) {
            doing.course = course;
            doing.reports = ends.then_some((course.ending, self.now));
        }
        match ends {
            true => self.report(who, key, course.ending),
            false => self.plan_worker_step(who, key, course),
        }
    }

    fn worker_is_told(&mut self, who: Who, key: Key, stands: Stands) {
        let (obeys, now) = (self.rng.chance(700), self.now);
        let worker = &mut self.workers[who.0];
        let Some(doing) = worker.work.get_mut(&key).filter(|doing| doing.reports.is_none()) else { return };
        match stands {
            Stands::Live => {}
            // The worker gives up, and nobody waits for a report; some workers notice too late.
            Stands::Lost => {
                if obeys {
                    worker.work.remove(&key);
                }
            }
            Stands::Cancelled if obeys => {
                doing.course.acts_at = None;
                doing.reports = Some((Ending::Stopped, now));
                self.report(who, key, Ending::Stopped);
            }
            Stands::Cancelled => {}
        }
    }
}
