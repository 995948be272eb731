//! State of a queue at several nodes. Sub-tasks that wait at one node are lent to another whose workers are
//! free. Nodes tell each other so, and nothing of it is stored: whoever leases a sub-task first has it, and
//! what nobody took goes back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use longhaul_model::{NodeId, TaskId};
use longhaul_store::peers::{News, QueueNews, To};
use tokio::time::Instant;

use super::queue::{Item, Place, Queue};
use super::short::SLICE;
use super::{State, Workers};

/// Time after which a lent sub-task that was not leased at the other node waits here again, and no longer
/// there.
const LENT: Duration = Duration::from_millis(1_500);
/// Time for which another node's state of a queue holds.
const SAID: Duration = Duration::from_millis(3_500);

/// A queue elsewhere.
#[derive(Default)]
pub(super) struct Abroad {
    /// State of the queue at each other node, and since when it is known.
    nodes: BTreeMap<NodeId, (QueueNews, Instant)>,
    /// Sub-tasks that were lent to others, and when.
    lent: BTreeMap<Item, (Place, Instant, Instant)>,
    /// Sub-tasks that others lent, and when.
    borrowed: BTreeMap<Item, Instant>,
    /// Lent sub-tasks in the order of time; some may have been forgotten since.
    lent_order: VecDeque<(Instant, Item)>,
    borrowed_order: VecDeque<(Instant, Item)>,
}

/// Events to send to other nodes.
pub(crate) type Gifts = Vec<(To, News)>;

impl Abroad {
    /// Attempts that workers of other nodes have.
    pub(super) fn running(&self) -> usize {
        self.sum(|said| said.running)
    }

    /// Sums up a number of the queue over all other nodes.
    pub(super) fn sum(&self, of: impl Fn(&QueueNews) -> u32) -> usize {
        self.nodes.values().map(|(news, _)| of(news) as usize).sum()
    }

    /// Longest time that a sub-task has waited at other nodes.
    pub(super) fn oldest(&self) -> Option<Duration> {
        let waits = self.nodes.values().filter(|(news, _)| news.waiting > 0);
        waits.map(|(news, _)| Duration::from_millis(news.oldest)).max()
    }

    /// Forgets a sub-task that waits nowhere any more.
    pub(super) fn forget(&mut self, item: &Item) {
        self.lent.remove(item);
        self.borrowed.remove(item);
    }

    /// Returns true if nothing is known of other nodes here.
    pub(super) fn is_unknown(&self) -> bool {
        self.nodes.is_empty() && self.lent.is_empty() && self.borrowed.is_empty()
    }

    /// Count of sub-tasks that others lent.
    pub(super) fn borrowed_len(&self) -> usize {
        self.borrowed.len()
    }

    /// Returns true if another node lent the sub-task.
    pub(super) fn is_borrowed(&self, item: &Item) -> bool {
        self.borrowed.contains_key(item)
    }
}

impl Queue {
    /// Lends waiting sub-tasks to nodes whose workers are free, while there are none here.
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
                self.abroad.lent_order.push_back((now, item));
            }
        }
        gifts
    }

    /// State of the queue at this node.
    fn stands(&self, name: &str, serving: usize, now: Instant) -> QueueNews {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let oldest =
            self.oldest().0.map_or(0, |since| now.saturating_duration_since(since).as_millis() as u64);
        QueueNews {
            name: name.to_owned(),
            // The waiting items were lent to them already, or are beyond a limit.
            wanted: if self.len() == 0 { count(self.asking) } else { 0 },
            waiting: count(self.own_len()),
            running: count(self.running),
            serving: count(serving),
            oldest,
        }
    }

    /// Puts back a slice of the sub-tasks that nobody took, on either side. Returns the number of items
    /// visited.
    fn tidy(&mut self, now: Instant) -> usize {
        let late = |at: &Instant| now.saturating_duration_since(*at) >= LENT;
        let mut visited = 0;
        while let Some((at, item)) = self.abroad.lent_order.front().copied().filter(|(at, _)| late(at))
            && visited < SLICE / 2
        {
            visited += 1;
            self.abroad.lent_order.pop_front();
            // It may have been lent once more since.
            if self.abroad.lent.get(&item).is_some_and(|(.., lent)| *lent == at)
                && let Some((place, since, _)) = self.abroad.lent.remove(&item)
            {
                self.wait_again(item, place, since);
            }
        }
        while let Some((at, item)) = self.abroad.borrowed_order.front().copied().filter(|(at, _)| late(at))
            && visited < SLICE
        {
            visited += 1;
            self.abroad.borrowed_order.pop_front();
            if self.abroad.borrowed.get(&item) == Some(&at) {
                self.withdraw(item, u64::MAX);
            }
        }
        self.abroad.nodes.retain(|_, (_, at)| now.saturating_duration_since(*at) < SAID);
        visited
    }
}

impl Workers {
    /// Events of a queue that go to other nodes just now.
    pub(crate) fn gifts(&self, name: &Arc<str>) -> Gifts {
        let mut state = self.state.lock();
        state.queues.get_mut(name).map_or_else(Vec::new, |queue| queue.give(name, Instant::now()))
    }

    /// Handles another node's state of a queue; returns the events that go to it at once.
    pub(crate) fn heard_of_queue(&self, from: NodeId, news: QueueNews) -> Gifts {
        let (mut state, now) = (self.state.lock(), Instant::now());
        let name: Arc<str> = news.name.as_str().into();
        let queue = state.queue(&name);
        queue.abroad.nodes.insert(from, (news, now));
        queue.give(&name, now)
    }

    /// Returns true if other nodes report leasable work in these queues.
    pub(super) fn wait_abroad(&self, names: &[Arc<str>]) -> bool {
        let state = self.state.lock();
        names
            .iter()
            .filter_map(|name| state.queues.get(name))
            .any(|queue| !queue.limits().paused && queue.abroad.sum(|said| said.waiting) > 0)
    }

    /// Adds sub-tasks that another node lends, as workers are free here.
    pub(crate) fn given(&self, name: &str, items: Vec<(TaskId, u32, i8)>) {
        let name: Arc<str> = name.into();
        for slice in items.chunks(SLICE) {
            let (mut state, now) = (self.state.lock(), Instant::now());
            state.visit(slice.len());
            for (id, sub_task, priority) in slice.iter().copied() {
                state.number += 1;
                let number = state.number;
                let queue = state.queue(&name);
                queue.offer((id, sub_task), priority, number, 0, now);
                queue.abroad.borrowed.insert((id, sub_task), now);
                queue.abroad.borrowed_order.push_back((now, (id, sub_task)));
            }
        }
    }

    /// Notes workers that wait for work of these queues; tells the other nodes, if they do not know it yet.
    pub(super) fn asking(self: &Arc<Self>, names: &[Arc<str>], most: usize) -> (Asking, Gifts) {
        let (mut state, now) = (self.state.lock(), Instant::now());
        let mut news = Vec::new();
        for name in names {
            state.queue(name).asking += most;
            news.push(state.news_of(name, now));
        }
        (Asking { workers: self.clone(), names: names.to_vec(), most }, news)
    }

    /// Events that tell the other nodes the state of the queues, every second; sub-tasks that were lent and
    /// not taken are put back.
    pub(crate) fn tick(&self, nodes: u32) -> Gifts {
        let mut news = Vec::new();
        let now = Instant::now();
        self.each_queue(|name, queue, seen| {
            let mut visited = 1 + queue.tidy(now);
            queue.share_rate(nodes, now);
            let gifts = queue.give(name, now);
            visited += gifts.iter().map(|(_, news)| given_by(news)).sum::<usize>();
            news.extend(gifts);
            let stands = queue.stands(name, seen.serving(name), now);
            let idle = QueueNews { name: stands.name.clone(), ..QueueNews::default() };
            if stands != idle {
                news.push((To::All, News::Queue(stands)));
            }
            visited
        });
        news
    }
}

/// The number of items in a gift.
fn given_by(news: &News) -> usize {
    if let News::Given(_, items) = news { items.len() } else { 0 }
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
            if let Some(queue) = state.queues.get_mut(name) {
                queue.asking = queue.asking.saturating_sub(self.most);
            }
        }
    }
}
