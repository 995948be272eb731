//! What the nodes of a store tell each other. Nothing rests on it: what is true is in the store, and news that get lost are found
//! out there a little later.

use longhaul_model::{NodeId, TaskId, Token, WorkerId};
use serde::{Deserialize, Serialize};

/// Something that another node should know.
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
    /// How a queue stands at the node.
    #[serde(rename = "q")]
    Queue(QueueNews),
    /// Sub-tasks that wait for workers, by priority: no worker is free where they are.
    #[serde(rename = "g")]
    Given(String, Vec<(TaskId, u32, i8)>),
    /// A worker was heard of at the node: what it has lasts longer.
    #[serde(rename = "b")]
    Beat(WorkerId, Vec<(TaskId, u32, Token)>),
    /// Something is to be told a worker that was heard of at the node.
    #[serde(rename = "w")]
    Worker(WorkerId),
    /// Something that is rarely changed is not as it was.
    #[serde(rename = "c")]
    Changed(Rare),
    /// The turn of a node is over: what it looked after is to be taken over.
    #[serde(rename = "o")]
    Over,
    /// News may have been lost.
    #[serde(rename = "x")]
    Gap,
}

impl News {
    /// Splits a list in two, for news too long for one letter.
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

/// How a queue stands at a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueNews {
    /// The queue.
    #[serde(rename = "n")]
    pub name: String,
    /// Attempts that workers wait for, who have asked and found none.
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
    /// How long the oldest waits, in milliseconds.
    #[serde(rename = "o", default)]
    pub oldest: u64,
}

/// What is rarely changed.
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

/// An attempt that a node looks after, and need not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// Task, sub-task and token.
    pub attempt: (TaskId, u32, Token),
    /// It is over; otherwise it is to stop.
    pub over: bool,
}

/// For whom news are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// One node.
    Node(NodeId),
    /// All others.
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
