//! One queue at several nodes. What waits at one goes to another whose workers are free; that is said between the nodes, and
//! nothing of it is stored: whoever leases it first has it, and what nobody took goes back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use longhaul_model::{NodeId, TaskId};
use longhaul_store::peers::{News, QueueNews, To};
use tokio::time::Instant;

use super::queue::{Item, Place, Queue};
use super::{State, Workers};

/// What was given to another node and not taken there by then waits here again, and no more there.
const LENT: Duration = Duration::from_millis(1_500);
/// What another node said of a queue holds for so long.
const SAID: Duration = Duration::from_millis(3_500);

/// A queue elsewhere.
#[derive(Default)]
pub(super) struct Abroad {
    /// How it stands at other nodes, and since when that is known.
    nodes: HashMap<NodeId, (QueueNews, Instant)>,
    /// What was given to others, and when.
    lent: HashMap<Item, (Place, Instant, Instant)>,
    /// What others gave, and when.
    borrowed: HashMap<Item, Instant>,
}

/// What goes to other nodes.
pub(crate) type Gifts = Vec<(To, News)>;

impl Abroad {
    /// Attempts that workers of other nodes have.
    pub(super) fn running(&self) -> usize {
        self.sum(|said| said.running)
    }

    /// A number that the other nodes say of it, of all of them.
    pub(super) fn sum(&self, of: impl Fn(&QueueNews) -> u32) -> usize {
        self.nodes.values().map(|(news, _)| of(news) as usize).sum()
    }

    /// How long the oldest waits at other nodes.
    pub(super) fn oldest(&self) -> Option<Duration> {
        let waits = self.nodes.values().filter(|(news, _)| news.waiting > 0);
        waits.map(|(news, _)| Duration::from_millis(news.oldest)).max()
    }

    /// It waits nowhere any more.
    pub(super) fn forget(&mut self, item: &Item) {
        self.lent.remove(item);
        self.borrowed.remove(item);
    }

    /// How many others gave.
    pub(super) fn borrowed_len(&self) -> usize {
        self.borrowed.len()
    }

    /// Whether another node gave it.
    pub(super) fn is_borrowed(&self, item: &Item) -> bool {
        self.borrowed.contains_key(item)
    }
}

impl Queue {
    /// Gives what waits to nodes whose workers are free, while there are none here.
    fn give(&mut self, name: &Arc<str>, now: Instant) -> Gifts {
        let mut gifts = Vec::new();
        if self.asking > 0 || self.limits().paused || self.len() == 0 {
            return gifts;
        }
        let mut wanting: Vec<NodeId> = self
            .abroad
            .nodes
            .iter()
            .filter(|(_, (news, _))| news.wanted > 0)
            .map(|(node, _)| *node)
            .collect();
        wanting.sort_unstable();
        for node in wanting {
            let Some((news, _)) = self.abroad.nodes.get_mut(&node) else { continue };
            let wanted = std::mem::take(&mut news.wanted);
            let given = self.take_own(wanted as usize);
            if given.is_empty() {
                break;
            }
            let items = given.iter().map(|(place, item, _)| (item.0, item.1, place.0.0)).collect();
            gifts.push((To::Node(node), News::Given(name.to_string(), items)));
            for (place, item, since) in given {
                self.abroad.lent.insert(item, (place, since, now));
            }
        }
        gifts
    }

    /// How it stands here.
    fn stands(&self, name: &str, serving: usize, now: Instant) -> QueueNews {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let oldest = self.oldest().map_or(0, |since| now.saturating_duration_since(since).as_millis() as u64);
        QueueNews {
            name: name.to_owned(),
            // What waits here was given to them already, or is beyond a limit.
            wanted: if self.len() == 0 { count(self.asking) } else { 0 },
            waiting: count(self.own_len()),
            running: count(self.running),
            serving: count(serving),
            oldest,
        }
    }

    /// Puts back what nobody took, on either side.
    fn tidy(&mut self, now: Instant) {
        let late = |at: &Instant| now.saturating_duration_since(*at) >= LENT;
        let back: Vec<Item> =
            self.abroad.lent.iter().filter(|(_, (.., at))| late(at)).map(|(item, _)| *item).collect();
        for item in back {
            if let Some((place, since, _)) = self.abroad.lent.remove(&item) {
                self.wait_again(item, place, since);
            }
        }
        let gone: Vec<Item> =
            self.abroad.borrowed.iter().filter(|(_, at)| late(at)).map(|(item, _)| *item).collect();
        for item in gone {
            self.withdraw(item, u64::MAX);
        }
        self.abroad.nodes.retain(|_, (_, at)| now.saturating_duration_since(*at) < SAID);
    }
}

impl Workers {
    /// What of a queue goes to other nodes just now.
    pub(crate) fn gifts(&self, name: &Arc<str>) -> Gifts {
        self.state.lock().queue(name).give(name, Instant::now())
    }

    /// Another node says how a queue stands there; gives what goes to it at once.
    pub(crate) fn heard_of_queue(&self, from: NodeId, news: QueueNews) -> Gifts {
        let (mut state, now) = (self.state.lock(), Instant::now());
        let name: Arc<str> = news.name.as_str().into();
        let queue = state.queue(&name);
        queue.abroad.nodes.insert(from, (news, now));
        queue.give(&name, now)
    }

    /// True if other nodes report leasable work in these queues.
    pub(super) fn wait_abroad(&self, names: &[Arc<str>]) -> bool {
        let mut state = self.state.lock();
        names.iter().any(|name| {
            let queue = state.queue(name);
            !queue.limits().paused && queue.abroad.sum(|said| said.waiting) > 0
        })
    }

    /// Another node gives what waits there, as workers are free here.
    pub(crate) fn given(&self, name: &str, items: Vec<(TaskId, u32, i8)>) {
        let (mut state, now) = (self.state.lock(), Instant::now());
        let name: Arc<str> = name.into();
        for (id, sub_task, priority) in items {
            state.number += 1;
            let number = state.number;
            let queue = state.queue(&name);
            queue.offer((id, sub_task), priority, number, 0, now);
            queue.abroad.borrowed.insert((id, sub_task), now);
        }
    }

    /// Workers wait for something out of these queues; says so to the other nodes, to whom it may be news.
    pub(super) fn asking(self: &Arc<Self>, names: &[Arc<str>], most: usize) -> (Asking, Gifts) {
        let (mut state, now) = (self.state.lock(), Instant::now());
        let mut news = Vec::new();
        for name in names {
            state.queue(name).asking += most;
            news.push(state.news_of(name, now));
        }
        (Asking { workers: self.clone(), names: names.to_vec(), most }, news)
    }

    /// What the other nodes should know of the queues, every second; what was given and not taken is put back.
    pub(crate) fn tick(&self, nodes: u32) -> Gifts {
        let (mut state, now) = (self.state.lock(), Instant::now());
        let names: Vec<Arc<str>> = state.queues.keys().cloned().collect();
        let mut news = Vec::new();
        for name in &names {
            let queue = state.queue(name);
            queue.tidy(now);
            queue.share_rate(nodes, now);
            news.extend(queue.give(name, now));
            let (To::All, News::Queue(stands)) = state.news_of(name, now) else { continue };
            let idle = QueueNews { name: stands.name.clone(), ..QueueNews::default() };
            if stands != idle {
                news.push((To::All, News::Queue(stands)));
            }
        }
        news
    }
}

impl State {
    fn news_of(&mut self, name: &Arc<str>, now: Instant) -> (To, News) {
        let serving = self.seen.serving(name);
        (To::All, News::Queue(self.queue(name).stands(name, serving, now)))
    }
}

/// Workers that wait for work.
pub(super) struct Asking {
    workers: Arc<Workers>,
    names: Vec<Arc<str>>,
    most: usize,
}

impl Drop for Asking {
    fn drop(&mut self) {
        let mut state = self.workers.state.lock();
        for name in &self.names {
            let queue = state.queue(name);
            queue.asking = queue.asking.saturating_sub(self.most);
        }
    }
}
