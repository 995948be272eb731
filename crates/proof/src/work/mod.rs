//! Workers under proof: a worker process that tells what it does, the record of all of them, and what must be
//! true of it.

pub mod check;
pub mod child;
pub mod deed;
pub mod plant;
pub mod program;
pub mod sdk;
pub mod side;

use std::collections::HashMap;

use uuid::Uuid;

use crate::dump::Dump;
use crate::history::Effect;

/// Lease, as its name on the wire has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lease {
    /// The task.
    pub task: Uuid,
    /// The place of the sub-task.
    pub sub: usize,
    /// The fencing token.
    pub token: u64,
}

impl Lease {
    /// Reads `task.sub.token`.
    pub fn parse(text: &str) -> Option<Lease> {
        let mut parts = text.split('.');
        let lease = Lease {
            task: parts.next()?.parse().ok()?,
            sub: parts.next()?.parse().ok()?,
            token: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(lease)
    }
}

/// Operation of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A lease was given.
    Granted,
    /// The effect was made.
    Did,
    /// A success was reported, and answered with this status.
    Completed(u16),
    /// A failure was reported, and answered with this status.
    Failed(u16),
}

/// Line of a worker, in the order heard.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Number of the process.
    pub worker: usize,
    /// About which lease.
    pub lease: Lease,
    /// Operation.
    pub deed: Deed,
}

/// Evidence of a run.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Tasks that were accepted.
    pub tasks: Vec<Uuid>,
    /// Lines of the workers.
    pub events: Vec<Event>,
    /// Calls that the effect counter received.
    pub effects: Vec<Effect>,
    /// The server's word in the end.
    pub dump: Dump,
}

impl Evidence {
    /// Returns the lines by sub-task.
    fn by_sub_task(&self) -> HashMap<(Uuid, usize), Vec<Event>> {
        let mut all: HashMap<_, Vec<Event>> = HashMap::new();
        for event in &self.events {
            all.entry((event.lease.task, event.lease.sub)).or_default().push(*event);
        }
        all
    }
}
