//! What happens, and when: everything else follows from these in order of their times.

use std::collections::BTreeMap;

use longhaul_model::{Command, Effect, Launch, NodeId, Permit, Task, Timestamp, Token};

/// An attempt: the index of its task in the database, its sub-task, its token.
pub(crate) type Key = (usize, u32, Token);

/// A worker's process: which worker, and which of its processes.
pub(crate) type Who = (usize, u64);

/// Something that happens.
pub(crate) enum Event {
    /// Within a process of a node; lost if that process is no more.
    Node(usize, u64, NodeEvent),
    /// A call reaches a node.
    Call(usize, Call),
    /// Within a process of a worker.
    Worker(usize, u64, WorkerEvent),
    /// A client submits its task, again if it had no answer.
    Submit(usize),
    /// An operator looks for something to decide, or decides at random.
    Operate,
    /// Something breaks, or is mended.
    Fault(Fault),
    /// From here on nothing breaks any more.
    Heal,
    /// Whether anything stands still that need not.
    Look,
}

pub(crate) enum NodeEvent {
    /// A quarter of a second has passed: everything that is done regularly.
    Tick,
    /// The writer commits what waits.
    Commit,
    /// A commit is known: its effects, and its answers.
    Known(Vec<Done>),
    /// A timer that was set in memory.
    Timer(usize, Timestamp),
    /// Another node says something.
    Hear(NodeId, News),
    /// A built-in attempt goes on.
    Step(Key),
    /// The time to drain is over.
    Exit,
    /// What runs is recovered once more.
    Recover,
}

pub(crate) enum WorkerEvent {
    /// Half a second has passed.
    Tick,
    /// An attempt goes on.
    Step(Key),
    /// A node answers.
    Answer(Answer),
}

/// A request.
pub(crate) enum Call {
    Submit(usize),
    Operate(usize, Box<Command>),
    Lease { who: Who, request: u64, room: usize },
    Report { who: Who, key: Key, ending: Ending, room: usize },
    Beat { who: Who, keys: Vec<Key> },
}

/// The answer to a worker.
#[derive(Clone)]
pub(crate) enum Answer {
    /// To a request for work.
    Leased { request: u64, grants: Vec<Grant> },
    /// To a report: it was recorded, now or before, or will never be.
    Reported { key: Key, grants: Vec<Grant> },
    /// To a heartbeat.
    Beaten(Vec<(Key, Stands)>),
}

/// How an attempt ends, as far as whoever runs it can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It did its work.
    Done,
    /// The target refused: nothing was done.
    Refused { retryable: bool },
    /// It failed on this side of the target, which may have done it before.
    Local,
    /// Nobody knows whether the target did it.
    Unknown,
    /// Whoever runs it stops.
    Abandoned,
    /// It stopped as it was told to.
    Stopped,
    /// It ran too long.
    Timeout,
    /// It was given back before it began.
    HandedBack,
}

/// How a lease stands.
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
    /// What its effects are known by.
    pub(crate) known_by: String,
}

/// What a node asks of the store.
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
    /// Whatever can be granted is.
    SweepClaims,
}

/// A worker's report, and what it takes.
pub(crate) struct Work {
    pub(crate) who: Who,
    pub(crate) request: Option<u64>,
    pub(crate) report: Option<(Key, Box<Command>)>,
    pub(crate) leases: Vec<(usize, u32)>,
    pub(crate) room: usize,
}

/// What a commit did, to be carried out once it is known.
pub(crate) struct Done {
    pub(crate) task: usize,
    pub(crate) effects: Vec<Effect>,
    /// The task's revision behind it: what began to wait later waits on.
    pub(crate) revision: u64,
    pub(crate) reply: Option<Reply>,
}

impl Done {
    /// An answer, and nothing else.
    pub(crate) fn reply(reply: Reply) -> Done {
        Done { task: 0, effects: Vec::new(), revision: 0, reply: Some(reply) }
    }
}

pub(crate) enum Reply {
    Client(usize),
    Worker(Who, Answer),
}

/// What nodes tell each other; any of it may get lost.
#[derive(Clone, Debug)]
pub(crate) enum News {
    Stop(Key),
    /// A sub-task waits no more since that revision of its task.
    Unqueued(usize, u32, u64),
    LeaseEnded(Key),
    /// A worker was heard of: what it has lasts longer.
    Beat(Who, Vec<Key>),
    /// Workers of the node wait for work of these queues.
    Wanted(Vec<usize>),
    /// Work that waits where no worker is free.
    Given(usize, Vec<(usize, u32)>),
    /// News may have been lost.
    Gap,
}

/// What breaks.
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
    /// Somebody sets the clock of a node's machine by so many milliseconds.
    Clock(usize, i64),
    /// Somebody sets the clock of the database's machine.
    DatabaseClock(i64),
    Drain(usize),
    WorkerCrash(usize),
    WorkerStart(usize),
    WorkerStop(usize),
    WorkerResume(usize),
}

/// What will happen, by time and then in the order in which it was planned.
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

/// An attempt that the server itself runs.
pub(crate) struct Started {
    pub(crate) known_by: String,
    pub(crate) timeout: Option<u64>,
    /// Its room: free again once this is dropped.
    #[expect(dead_code, reason = "held until the attempt ends")]
    permit: Permit,
}

impl Started {
    pub(crate) fn of(launch: &Launch, known_by: String) -> Started {
        Started { known_by, timeout: launch.timeout.map(|span| span.0), permit: launch.permit.clone() }
    }
}
