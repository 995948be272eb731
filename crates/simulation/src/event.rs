//! Events and their agenda: everything else follows from the events, in order of their times.

use std::collections::BTreeMap;

use longhaul_model::{Command, Effect, Launch, NodeId, Permit, Task, Timestamp, Token};

/// Identity of an attempt: the index of its task in the database, its sub-task, its token.
pub(crate) type Key = (usize, u32, Token);

/// Identity of a worker's process: the worker, and the number of the process.
pub(crate) type Who = (usize, u64);

/// An event of the simulation.
pub(crate) enum Event {
    /// An event within a process of a node; lost if that process is gone.
    Node(usize, u64, NodeEvent),
    /// A call reaches a node.
    Call(usize, Call),
    /// An event within a process of a worker.
    Worker(usize, u64, WorkerEvent),
    /// A client submits its task, again if it had no answer.
    Submit(usize),
    /// An operator looks for something to decide, or decides at random.
    Operate,
    /// Fault, or its repair.
    Fault(Fault),
    /// From here on, nothing breaks any more.
    Heal,
    /// The world is checked for anything that stands still although it could go on.
    Look,
}

pub(crate) enum NodeEvent {
    /// A quarter of a second has passed: periodic work is done.
    Tick,
    /// The writer commits the waiting jobs.
    Commit,
    /// The effects and answers of a commit are known.
    Known(Vec<Done>),
    /// A timer set in memory fires.
    Timer(usize, Timestamp),
    /// News from another node arrives.
    Hear(NodeId, News),
    /// A built-in attempt takes its next step.
    Step(Key),
    /// The time to drain is over.
    Exit,
    /// Tasks in progress are recovered once more.
    Recover,
}

pub(crate) enum WorkerEvent {
    /// Half a second has passed.
    Tick,
    /// An attempt takes its next step.
    Step(Key),
    /// A node answers.
    Answer(Answer),
}

/// A request to a node.
pub(crate) enum Call {
    Submit(usize),
    Operate(usize, Box<Command>),
    Lease { who: Who, request: u64, room: usize },
    Report { who: Who, key: Key, ending: Ending, room: usize },
    Beat { who: Who, keys: Vec<Key> },
}

/// An answer to a worker.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Answer to a request for work.
    Leased { request: u64, grants: Vec<Grant> },
    /// Answer to a report: it was recorded, now or before, or never will be.
    Reported { key: Key, grants: Vec<Grant> },
    /// Answer to a heartbeat.
    Beaten(Vec<(Key, Stands)>),
}

/// Ending of an attempt, as far as its runner can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The attempt did its work.
    Done,
    /// The target refused: nothing was done.
    Refused { retryable: bool },
    /// The attempt failed on this side of the target, which may have done the work before.
    Local,
    /// Unknown outcome: the target may or may not have done the work.
    Unknown,
    /// The runner of the attempt shuts down.
    Abandoned,
    /// The attempt stopped as it was told to.
    Stopped,
    /// The attempt exceeded its timeout.
    Timeout,
    /// The attempt was handed back before it began.
    HandedBack,
}

/// State of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    Live,
    Cancelled,
    Lost,
}

/// Work that was leased.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) key: Key,
    /// Key by which the target knows the attempt's effects.
    pub(crate) known_by: String,
    /// Time for which the lease lasts, in milliseconds.
    pub(crate) span: u64,
}

/// Job that a node gives to its writer.
pub(crate) enum Job {
    Submit {
        client: usize,
        task: Box<Task>,
    },
    /// Posted unless a client waits for the answer.
    Command {
        task: usize,
        command: Box<Command>,
        client: bool,
    },
    Work(Work),
    /// Grants every claim that can be granted.
    SweepClaims,
}

/// A worker's report, and the leases it asks for.
pub(crate) struct Work {
    pub(crate) who: Who,
    pub(crate) request: Option<u64>,
    pub(crate) report: Option<(Key, Box<Command>)>,
    pub(crate) leases: Vec<(usize, u32)>,
    pub(crate) room: usize,
}

/// Outcome of a change in a commit, to be carried out once the commit is known.
pub(crate) struct Done {
    pub(crate) task: usize,
    pub(crate) effects: Vec<Effect>,
    /// The task's revision after the change: sub-tasks that began to wait later go on waiting.
    pub(crate) revision: u64,
    pub(crate) reply: Option<Reply>,
}

impl Done {
    /// Returns an answer without effects.
    pub(crate) fn reply(reply: Reply) -> Done {
        Done { task: 0, effects: Vec::new(), revision: 0, reply: Some(reply) }
    }
}

pub(crate) enum Reply {
    Client(usize),
    Worker(Who, Answer),
}

/// News between nodes, any of which may get lost.
#[derive(Clone, Debug)]
pub(crate) enum News {
    Stop(Key),
    /// A sub-task no longer waits, as of that revision of its task.
    Unqueued(usize, u32, u64),
    LeaseEnded(Key),
    /// A worker gave a sign of life: its leases last longer.
    Beat(Who, Vec<Key>),
    /// Workers of the node wait for work of these queues.
    Wanted(Vec<usize>),
    /// Work of a queue that waits at a node without a free worker.
    Given(usize, Vec<(usize, u32)>),
    /// News may have been lost.
    Gap,
}

/// Faults, and their repairs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Crash(usize),
    Start(usize),
    /// The process is stopped; the machine's clocks go on.
    Stop(usize),
    /// The machine is suspended: its monotonic clock stands still, too.
    Suspend(usize),
    Resume(usize),
    /// The node cannot reach the database.
    Cut(usize),
    Mend(usize),
    /// The clock of a node's machine is set forward or back by so many milliseconds.
    Clock(usize, i64),
    /// The clock of the database's machine is set forward or back by so many milliseconds.
    DatabaseClock(i64),
    Drain(usize),
    WorkerCrash(usize),
    WorkerStart(usize),
    WorkerStop(usize),
    WorkerResume(usize),
}

/// Planned events by time, then in the order in which they were planned.
#[derive(Default)]
pub(crate) struct Agenda {
    events: BTreeMap<(u64, u64), Event>,
    planned: u64,
}

impl Agenda {
    pub(crate) fn plan(&mut self, at: u64, event: Event) {
        self.planned += 1;
        self.events.insert((at, self.planned), event);
    }

    pub(crate) fn next(&mut self) -> Option<(u64, Event)> {
        self.events.pop_first().map(|((at, _), event)| (at, event))
    }
}

/// An attempt that the server runs itself.
pub(crate) struct Started {
    pub(crate) known_by: String,
    pub(crate) timeout: Option<u64>,
    /// Room of the attempt: free again once this is dropped.
    #[expect(dead_code, reason = "held until the attempt ends")]
    permit: Permit,
}

impl Started {
    pub(crate) fn of(launch: &Launch, known_by: String) -> Started {
        Started { known_by, timeout: launch.timeout.map(|span| span.0), permit: launch.permit.clone() }
    }
}
