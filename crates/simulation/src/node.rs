//! A node: its machine, and its process with everything in memory, which a crash takes away.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use longhaul_model::liveness::Observer;
use longhaul_model::{NodeId, Permit, Room};

use crate::clock::Clocks;
use crate::event::{Call, Ending, Grant, Job, Key, NodeEvent, Started, Who};
use crate::shape::QUEUES;

/// A node.
pub(crate) struct Node {
    pub(crate) clocks: Clocks,
    /// True while the machine cannot reach the database.
    pub(crate) cut: bool,
    /// True while the process exists, whether it runs or is stopped.
    pub(crate) up: bool,
    /// Time since which the process is stopped, and true if its machine is suspended.
    pub(crate) halted: Option<(u64, bool)>,
    /// Number that rises with each process: events meant for an earlier process are lost.
    pub(crate) epoch: u64,
    pub(crate) id: NodeId,
    pub(crate) turn: u64,
    /// Events and calls that arrived while the process was stopped.
    pub(crate) backlog: Vec<Pending>,
    pub(crate) memory: Memory,
    /// Time of the last sign of life that the database saw, in the world's time.
    pub(crate) beaten: u64,
}

/// An event or call that waits for a stopped process.
pub(crate) enum Pending {
    Event(NodeEvent),
    Call(Call),
}

/// Memory of a process.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) jobs: VecDeque<Job>,
    pub(crate) committing: bool,
    /// Time at which the last commit is known; later commits are known later.
    pub(crate) known_at: u64,
    pub(crate) draining: bool,
    pub(crate) runs: BTreeMap<Key, Run>,
    /// Attempts that have started and wait for a permit: empty unless attempts begin without one.
    pub(crate) line: VecDeque<Key>,
    /// Sub-tasks that stand in line until there is room.
    pub(crate) places: Places,
    /// Number of attempts that have room.
    pub(crate) taken: Arc<AtomicUsize>,
    pub(crate) leases: BTreeMap<Key, Held>,
    pub(crate) queues: Queues,
    pub(crate) ticks: u64,
    /// Time of the last tick, by the monotonic clock.
    pub(crate) ticked: u64,
    /// Time at which the database was last reached, by the monotonic clock.
    pub(crate) heard: u64,
    /// Observer that tells which turns of other nodes are silent.
    pub(crate) observer: Observer<u64, u64>,
    pub(crate) living: Vec<NodeId>,
    /// Attempts and leases that were here at the last comparison.
    pub(crate) compared: BTreeSet<Key>,
    /// Answers to requests for work, kept for workers that did not receive them.
    pub(crate) answers: BTreeMap<(Who, u64), Vec<Grant>>,
    /// Tick at which other nodes were last told that a worker asked in vain.
    pub(crate) wanted: Option<u64>,
}

/// A built-in attempt.
pub(crate) struct Run {
    pub(crate) started: Started,
    /// Course of the attempt once it has a permit and is at work.
    pub(crate) course: Option<Course>,
    pub(crate) stop: bool,
}

/// Course of an attempt that is at work, in the world's time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    /// Time at which the attempt asks its target, if it ever does.
    pub(crate) acts_at: Option<u64>,
    pub(crate) ends_at: u64,
    pub(crate) ending: Ending,
}

/// A lease that is watched here; times are of the monotonic clock unless noted otherwise.
pub(crate) struct Held {
    pub(crate) who: Who,
    pub(crate) span: u64,
    pub(crate) expires: u64,
    pub(crate) deadline: Option<u64>,
    pub(crate) cancelled: bool,
    /// True once the end of the lease was posted and is yet to be stored.
    pub(crate) ending: bool,
    /// Time of the last extension, by the wall clock.
    pub(crate) wall: i64,
    /// Time of the last extension, in the world's time.
    pub(crate) extended: u64,
}

impl Node {
    pub(crate) fn new(off: i64) -> Node {
        Node {
            clocks: Clocks::new(off),
            cut: false,
            up: false,
            halted: None,
            epoch: 0,
            id: NodeId(0),
            turn: 0,
            backlog: Vec::new(),
            memory: Memory::default(),
            beaten: 0,
        }
    }

    /// True if the process is at work.
    pub(crate) fn runs(&self) -> bool {
        self.up && self.halted.is_none()
    }
}

/// Sub-tasks that stand in line at a node, in order.
#[derive(Default)]
pub(crate) struct Places {
    last: u64,
    line: BTreeMap<u64, (usize, u32)>,
    places: BTreeMap<(usize, u32), (u64, u64)>,
    /// Sub-tasks that left the line to start, and are not known to have started.
    starting: BTreeSet<(usize, u32)>,
}

impl Places {
    pub(crate) fn line_up(&mut self, item: (usize, u32), revision: u64) {
        self.leave(item, u64::MAX);
        self.last += 1;
        self.line.insert(self.last, item);
        self.places.insert(item, (self.last, revision));
    }

    /// Removes an item, unless it began to wait anew after that revision.
    pub(crate) fn leave(&mut self, item: (usize, u32), revision: u64) {
        if let Some((place, since)) = self.places.get(&item).copied()
            && since <= revision
        {
            self.places.remove(&item);
            self.line.remove(&place);
        }
    }

    /// Takes the first item out of the line, to start it.
    pub(crate) fn start(&mut self) -> Option<(usize, u32)> {
        let (_, item) = self.line.pop_first()?;
        self.places.remove(&item);
        self.starting.insert(item);
        Some(item)
    }

    /// Notes that an item has started, or will not.
    pub(crate) fn started(&mut self, item: (usize, u32)) {
        self.starting.remove(&item);
    }

    pub(crate) fn has(&self, item: (usize, u32)) -> bool {
        self.places.contains_key(&item)
    }

    pub(crate) fn starts(&self, item: (usize, u32)) -> bool {
        self.starting.contains(&item)
    }
}

/// The room for attempts at a node.
pub(crate) struct Limited {
    pub(crate) taken: Arc<AtomicUsize>,
    pub(crate) most: usize,
}

impl Room for Limited {
    fn permit(&self) -> Option<Permit> {
        if self.taken.load(Ordering::Relaxed) >= self.most {
            return None;
        }
        self.taken.fetch_add(1, Ordering::Relaxed);
        Some(Permit::new(Taken(self.taken.clone())))
    }
}

/// Room that is taken until this is dropped.
struct Taken(Arc<AtomicUsize>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Position of a waiting item: its queue, its place there, and the revision of its task since which it waits.
type Waits = (usize, (i16, u64), u64);

/// Work that waits for workers.
#[derive(Default)]
pub(crate) struct Queues {
    last: u64,
    waiting: [BTreeMap<(i16, u64), (usize, u32)>; QUEUES.len()],
    places: BTreeMap<(usize, u32), Waits>,
    /// Items given by the node that looks after them, and the tick of that.
    given: BTreeMap<(usize, u32), u64>,
}

impl Queues {
    pub(crate) fn add(&mut self, queue: usize, item: (usize, u32), priority: i8, revision: u64) {
        self.remove(item);
        self.last += 1;
        let place = (-i16::from(priority), self.last);
        self.waiting[queue].insert(place, item);
        self.places.insert(item, (queue, place, revision));
    }

    /// Adds an item given by another node: the first node to lease it has it, as the model refuses the other
    /// one.
    pub(crate) fn give(&mut self, queue: usize, item: (usize, u32), tick: u64) {
        if !self.has(item) {
            self.add(queue, item, 0, 0);
            self.given.insert(item, tick);
        }
    }

    pub(crate) fn remove(&mut self, item: (usize, u32)) {
        self.given.remove(&item);
        if let Some((queue, place, _)) = self.places.remove(&item) {
            self.waiting[queue].remove(&place);
        }
    }

    /// Removes an item, unless it began to wait anew after that revision.
    pub(crate) fn withdraw(&mut self, item: (usize, u32), revision: u64) {
        if self.places.get(&item).is_some_and(|(.., since)| *since <= revision) {
            self.remove(item);
        }
    }

    pub(crate) fn has(&self, item: (usize, u32)) -> bool {
        self.places.contains_key(&item)
    }

    /// Takes out the items that have waited longest at the highest priority, at most `most`.
    pub(crate) fn take(&mut self, most: usize) -> Vec<(usize, u32)> {
        let mut taken = Vec::new();
        for queue in 0..QUEUES.len() {
            while taken.len() < most
                && let Some((_, item)) = self.waiting[queue].pop_first()
            {
                self.places.remove(&item);
                self.given.remove(&item);
                taken.push(item);
            }
        }
        taken
    }

    /// Drops items that were given and not taken in time, so that they wait only where they came from.
    pub(crate) fn give_back(&mut self, tick: u64) {
        let late = |(item, since): (&(usize, u32), &u64)| (tick - since >= 6).then_some(*item);
        let late: Vec<(usize, u32)> = self.given.iter().filter_map(late).collect();
        late.into_iter().for_each(|item| self.remove(item));
    }

    /// Returns the first few of the node's own items in a queue, which stay in it.
    pub(crate) fn first(&self, queue: usize, most: usize) -> Vec<(usize, u32)> {
        self.waiting[queue]
            .values()
            .filter(|item| !self.given.contains_key(item))
            .take(most)
            .copied()
            .collect()
    }
}
