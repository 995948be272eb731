//! A queue: the sub-tasks that wait in it, in order, and the limits of what may go out. In memory only: it is
//! made again from the tasks at every start.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use longhaul_model::TaskId;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::abroad::Abroad;
use super::limits::{Bucket, QueueLimits};
use super::short::SLICE;

/// Longest wait of a sub-task before it goes ahead of work that only just became ready.
const PATIENCE: Duration = Duration::from_millis(500);

/// A sub-task that waits for a worker.
pub(super) type Item = (TaskId, u32);

/// Position among all that wait: the highest priority first, then the oldest.
pub(super) type Place = (Reverse<i8>, u64);

/// Sub-tasks that wait for workers, under one name.
#[derive(Default)]
pub(super) struct Queue {
    waiting: BTreeMap<Place, (Item, Instant)>,
    places: BTreeMap<Item, Place>,
    /// Revision of its task since which each of the queue's own items waits, also while it is lent.
    since: BTreeMap<Item, u64>,
    /// Attempts that workers have.
    pub(super) running: usize,
    /// Number of items that are taken out, and not leased yet.
    taken: usize,
    limits: QueueLimits,
    bucket: Option<Bucket>,
    /// True while the number of running attempts is not known yet.
    recovering: bool,
    /// Attempts that workers here wait for.
    pub(super) asking: usize,
    /// Calls that look for work here.
    pub(super) calls: usize,
    /// True once work waited or ran here, or an operator set limits: that makes a queue, asking for it does
    /// not.
    pub(super) is_real: bool,
    /// State of the queue at other nodes.
    pub(super) abroad: Abroad,
    /// Notifies a worker's call that waits for work that there may be some.
    pub(super) news: Arc<Notify>,
}

/// Sub-task that was taken out of a queue.
pub(super) struct Taken {
    pub(super) item: Item,
    pub(super) queue: Arc<str>,
    place: Place,
    since: Instant,
    revision: u64,
}

impl Queue {
    /// Adds an item, which waits since that revision of its task; 0 if only another node knows the revision.
    pub(super) fn offer(&mut self, item: Item, priority: i8, number: u64, revision: u64, now: Instant) {
        self.is_real = true;
        self.waits_since(item, revision);
        let place = (Reverse(priority), number);
        if let Some(before) = self.places.insert(item, place) {
            self.waiting.remove(&before);
        }
        self.waiting.insert(place, (item, now));
        self.news.notify_one();
    }

    fn waits_since(&mut self, item: Item, revision: u64) {
        let since = self.since.entry(item).or_default();
        *since = revision.max(*since);
    }

    /// Removes an item, unless it began to wait again after that revision of its task: the event of a lease
    /// at another node may arrive when the item already waits here again.
    pub(super) fn withdraw(&mut self, item: Item, revision: u64) {
        if self.since.get(&item).is_some_and(|since| *since > revision) {
            return;
        }
        self.since.remove(&item);
        self.abroad.forget(&item);
        if let Some(place) = self.places.remove(&item) {
            self.waiting.remove(&place);
        }
    }

    /// Returns the position of the next item, if one may be taken.
    pub(super) fn head(&mut self, now: Instant) -> Option<Place> {
        let running = self.running + self.taken + self.abroad.running();
        let full = self.limits.max_running.is_some_and(|most| self.recovering || running >= most as usize);
        if self.limits.paused || full || !self.bucket.as_mut().is_none_or(|bucket| bucket.holds_one(now)) {
            return None;
        }
        self.waiting.first_key_value().map(|(place, _)| *place)
    }

    /// Takes out the item at the position that [`Queue::head`] returned.
    pub(super) fn take(&mut self, queue: &Arc<str>) -> Option<Taken> {
        let (place, (item, since)) = self.waiting.pop_first()?;
        self.places.remove(&item);
        self.abroad.forget(&item);
        self.taken += 1;
        if let Some(bucket) = &mut self.bucket {
            bucket.take();
        }
        let revision = self.since.remove(&item).unwrap_or_default();
        Some(Taken { item, queue: queue.clone(), place, since, revision })
    }

    /// Settles a taken sub-task that is leased, or waits no more.
    pub(super) fn settle(&mut self) {
        self.taken = self.taken.saturating_sub(1);
    }

    /// Puts a taken sub-task back into its old position.
    pub(super) fn put_back(&mut self, taken: Taken) {
        self.settle();
        if let Some(bucket) = &mut self.bucket {
            bucket.put_back();
        }
        self.waits_since(taken.item, taken.revision);
        self.places.insert(taken.item, taken.place);
        self.waiting.insert(taken.place, (taken.item, taken.since));
        self.news.notify_one();
    }

    /// Takes out up to so many items that no other node lent, in order, among those that are next.
    pub(super) fn take_own(&mut self, most: usize) -> Vec<(Place, Item, Instant)> {
        let seen = self.waiting.iter().take(SLICE);
        let own = seen.filter(|(_, (item, _))| !self.abroad.is_borrowed(item));
        let taken: Vec<_> = own.take(most).map(|(place, (item, since))| (*place, *item, *since)).collect();
        for (place, item, _) in &taken {
            self.waiting.remove(place);
            self.places.remove(item);
        }
        taken
    }

    /// Puts a sub-task back that [`Queue::take_own`] took.
    pub(super) fn wait_again(&mut self, item: Item, place: Place, since: Instant) {
        self.places.insert(item, place);
        self.waiting.insert(place, (item, since));
        self.news.notify_one();
    }

    /// Sets whether the number of running attempts is still unknown.
    pub(super) fn recovering(&mut self, is: bool) {
        self.recovering = is;
        // As many attempts may be leased as wait: a woken caller wakes nobody else.
        for _ in 0..self.waiting.len().min(SLICE) {
            self.news.notify_one();
        }
    }

    /// Counts one attempt less at a worker.
    pub(super) fn ended(&mut self) {
        self.running = self.running.saturating_sub(1);
        if self.limits.max_running.is_some() && !self.waiting.is_empty() {
            self.news.notify_one();
        }
    }

    /// Returns the lowest priority that may be leased ahead of waiting items; in a limited queue one that no
    /// item has.
    pub(super) fn floor(&self, now: Instant) -> i8 {
        if self.limits != QueueLimits::default() {
            return i8::MAX;
        }
        let Some(((Reverse(highest), _), (_, since))) = self.waiting.first_key_value() else {
            return i8::MIN;
        };
        let kept_waiting = now.duration_since(*since) >= PATIENCE;
        if kept_waiting { highest.saturating_add(1) } else { *highest }
    }

    /// Divides the rate among `nodes` nodes.
    pub(super) fn share_rate(&mut self, nodes: u32, now: Instant) {
        if let Some(bucket) = &mut self.bucket {
            bucket.share(nodes, now);
        }
    }

    /// Time until the rate allows one more; `None` if the queue does not wait for its rate.
    pub(super) fn pause(&mut self, now: Instant) -> Option<Duration> {
        if self.waiting.is_empty() || self.limits.paused {
            return None;
        }
        self.bucket.as_mut().and_then(|bucket| bucket.pause(now))
    }

    pub(super) fn limits(&self) -> QueueLimits {
        self.limits
    }

    pub(super) fn limit(&mut self, limits: QueueLimits, now: Instant) {
        self.limits = limits;
        self.is_real |= limits != QueueLimits::default();
        self.bucket = limits.rate.map(|rate| Bucket::new(rate, now));
        // As many may go out as wait: each of those who are woken wakes nobody else.
        for _ in 0..self.waiting.len().min(SLICE) {
            self.news.notify_one();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Count of waiting sub-tasks, without those that other nodes lent.
    pub(super) fn own_len(&self) -> usize {
        self.waiting.keys().len().saturating_sub(self.abroad.borrowed_len())
    }

    /// Start of the oldest wait, and the count of items looked at to know it.
    pub(super) fn oldest(&self) -> (Option<Instant>, usize) {
        let (mut oldest, mut visited, mut from) = (None::<Instant>, 0, (Reverse(i8::MAX), 0));
        // The first of each priority is the oldest of it.
        while let Some(((priority, _), (_, since))) = self.waiting.range(from..).next() {
            visited += 1;
            oldest = Some(oldest.map_or(*since, |so_far| so_far.min(*since)));
            let Some(next) = priority.0.checked_sub(1) else { break };
            from = (Reverse(next), 0);
        }
        (oldest, visited)
    }

    /// Returns true if nothing waits, runs or is looked for here, and nothing is set.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
            && self.running == 0
            && self.taken == 0
            && self.asking == 0
            && self.calls == 0
            && self.abroad.is_unknown()
            && self.limits == QueueLimits::default()
    }

    /// Returns true if operators are to see the queue.
    pub(super) fn is_shown(&self) -> bool {
        self.is_real || self.abroad.sum(|said| said.waiting.saturating_add(said.running)) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workers::limits::Rate;

    fn item(n: u8) -> Item {
        (TaskId::from_bytes([n; 16]), 0)
    }

    fn taken(queue: &mut Queue, now: Instant) -> Vec<u8> {
        let name: Arc<str> = "q".into();
        let mut all = Vec::new();
        while queue.head(now).is_some() {
            all.push(queue.take(&name).unwrap().item.0.as_bytes()[0]);
        }
        all
    }

    #[tokio::test]
    async fn highest_priority_goes_first_then_the_oldest() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for (n, priority) in [(1, 0), (2, 5), (3, 0), (4, 5), (5, -1)] {
            queue.offer(item(n), priority, u64::from(n), 1, now);
        }
        queue.withdraw(item(3), 2);
        assert_eq!(taken(&mut queue, now), [2, 4, 1, 5]);
        assert_eq!(queue.len(), 0);
    }

    #[tokio::test]
    async fn what_waits_anew_is_not_withdrawn_by_late_news() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.offer(item(1), 0, 1, 4, now);
        assert_eq!(queue.take_own(1).len(), 1, "given to another node, and leased there with revision 5");
        queue.offer(item(1), 0, 2, 6, now);
        queue.withdraw(item(1), 5);
        assert_eq!(taken(&mut queue, now), [1]);
        queue.offer(item(1), 0, 3, 8, now);
        queue.withdraw(item(1), 9);
        assert_eq!((taken(&mut queue, now), queue.since.len()), (vec![], 0));
    }

    #[tokio::test]
    async fn what_is_put_back_keeps_its_place() {
        let (mut queue, now, name) = (Queue::default(), Instant::now(), Arc::from("q"));
        for n in [1, 2, 3] {
            queue.offer(item(n), 0, u64::from(n), 1, now);
        }
        let first = queue.take(&name).unwrap();
        queue.put_back(first);
        assert_eq!(taken(&mut queue, now), [1, 2, 3]);
    }

    #[tokio::test]
    async fn limits_hold_what_is_taken_and_what_runs() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for n in 0..10 {
            queue.offer(item(n), 0, u64::from(n), 1, now);
        }
        queue.limit(QueueLimits { max_running: Some(3), ..QueueLimits::default() }, now);
        queue.running = 1;
        assert_eq!(taken(&mut queue, now).len(), 2);
        queue.ended();
        assert_eq!(taken(&mut queue, now).len(), 1);
        queue.limit(QueueLimits { paused: true, ..QueueLimits::default() }, now);
        assert_eq!(taken(&mut queue, now).len(), 0);
        let rate = Rate { count: 2, per: longhaul_model::Span(1_000) };
        queue.limit(QueueLimits { rate: Some(rate), ..QueueLimits::default() }, now);
        assert_eq!(taken(&mut queue, now).len(), 2);
        assert!(queue.pause(now).is_some_and(|pause| pause <= Duration::from_millis(502)));
        assert_eq!(taken(&mut queue, now + Duration::from_millis(501)).len(), 1);
    }

    #[tokio::test]
    async fn work_kept_waiting_goes_before_what_just_became_ready() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        assert_eq!(queue.floor(now), i8::MIN);
        queue.offer(item(1), 5, 1, 1, now);
        assert_eq!(queue.floor(now), 5);
        assert_eq!(queue.floor(now + PATIENCE), 6);
    }
}
