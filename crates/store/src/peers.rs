//! Events that the nodes of a store send each other. Nothing depends on their delivery: the store has the
//! truth, and an event that gets lost is found out there a little later.

use longhaul_model::{NodeId, TaskId, Token, WorkerId};
use serde::{Deserialize, Serialize};

/// Event that another node should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    /// An attempt that the node runs, or whose lease it watches, is to stop.
    #[serde(rename = "s")]
    Stop(TaskId, u32, Token),
    /// A sub-task has left the node's queue as of this revision of its task: a sub-task queued again later
    /// keeps waiting. Earlier versions send no revision.
    #[serde(rename = "u")]
    Unqueued(TaskId, u32, String, #[serde(default = "at_any_time")] u64),
    /// A lease that the node watched has ended.
    #[serde(rename = "l")]
    LeaseEnded(TaskId, u32, Token),
    /// A task ended: some may wait for that.
    #[serde(rename = "e")]
    Ended(TaskId),
    /// State of a queue at the sending node.
    #[serde(rename = "q")]
    Queue(QueueNews),
    /// Sub-tasks that are lent, by priority: the sending node has no free worker for them.
    #[serde(rename = "g")]
    Given(String, Vec<(TaskId, u32, i8)>),
    /// A worker was heard of at the sending node: its leases last longer.
    #[serde(rename = "b")]
    Beat(WorkerId, Vec<(TaskId, u32, Token)>),
    /// A worker that was heard of at the receiving node is to be told something.
    #[serde(rename = "w")]
    Worker(WorkerId),
    /// Data that rarely changes has changed.
    #[serde(rename = "c")]
    Changed(Rare),
    /// The session of a node is over: its work is to be taken over.
    #[serde(rename = "o")]
    Over,
    /// Tasks changed: the log of changes has more.
    #[serde(rename = "t")]
    Tasks,
    /// Events may have been lost.
    #[serde(rename = "x")]
    Gap,
}

impl News {
    /// Splits a list in two, for an event too long for one envelope.
    pub(crate) fn halves(self) -> Option<(News, News)> {
        fn split<T>(mut all: Vec<T>) -> Option<(Vec<T>, Vec<T>)> {
            let rest = all.split_off(all.len() / 2);
            (!all.is_empty()).then_some((all, rest))
        }
        match self {
            News::Given(queue, items) => split(items)
                .map(|(first, rest)| (News::Given(queue.clone(), first), News::Given(queue, rest))),
            News::Beat(worker, leases) => split(leases)
                .map(|(first, rest)| (News::Beat(worker.clone(), first), News::Beat(worker, rest))),
            _ => None,
        }
    }
}

fn at_any_time() -> u64 {
    u64::MAX
}

/// State of a queue at a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueNews {
    /// The queue.
    #[serde(rename = "n")]
    pub name: String,
    /// Number of attempts that workers wait for, who have asked and found none.
    #[serde(rename = "i", default)]
    pub wanted: u32,
    /// Sub-tasks that wait.
    #[serde(rename = "w", default)]
    pub waiting: u32,
    /// Attempts that workers have.
    #[serde(rename = "r", default)]
    pub running: u32,
    /// Workers that asked lately.
    #[serde(rename = "s", default)]
    pub serving: u32,
    /// Longest wait of a sub-task, in milliseconds.
    #[serde(rename = "o", default)]
    pub oldest: u64,
}

/// Kind of data that rarely changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rare {
    /// Workflows.
    #[serde(rename = "w")]
    Workflows,
    /// Settings.
    #[serde(rename = "s")]
    Settings,
    /// Accounts.
    #[serde(rename = "a")]
    Accounts,
}

/// Attempt that a node owns, and need not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// Task, sub-task and token.
    pub attempt: (TaskId, u32, Token),
    /// True if the attempt is over; otherwise it is to stop.
    pub over: bool,
}

/// Recipients of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// A single node.
    Node(NodeId),
    /// All other nodes.
    All,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_before_do_not_say_since_when_it_waits_no_more() {
        let id = TaskId::from_bytes([1; 16]);
        let before = format!(r#"{{"u":["{id}",2,"q"]}}"#);
        let news: News = serde_json::from_str(&before).expect("news");
        assert_eq!(news, News::Unqueued(id, 2, "q".to_owned(), u64::MAX));
    }
}
