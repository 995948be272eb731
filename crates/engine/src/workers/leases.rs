//! Live leases, with the worker and the deadline of each. Heartbeats change only this state, and none of it
//! is stored: after a restart every lease lasts its whole span again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use longhaul_model::{Failure, Leased, NodeId, Span, TaskId, Timestamp, Token, WorkerId};
use tokio::time::Instant;

use super::short::SLICE;

/// Interval at which a lease is looked at whose report is being judged.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Identity of an attempt at a worker.
pub(crate) type Key = (TaskId, u32, Token);

/// The leases.
#[derive(Default)]
pub(super) struct Leases {
    // Ordered maps, here and below: one that hashes stands still for milliseconds whenever it grows.
    all: BTreeMap<Key, Held>,
    /// Leases of each named call.
    calls: BTreeMap<Call, Vec<Key>>,
    /// Times at which leases are to be looked at; a lease may have been extended since.
    due: BTreeSet<(Instant, Key)>,
    /// The leases of each worker that has some.
    running: BTreeMap<WorkerId, BTreeSet<Key>>,
    /// Time at which the server last stood still: no lease ends before its span from then is over.
    pardoned: Option<Instant>,
}

/// Identity of a named call: the worker and its name for the call.
pub(super) type Call = (WorkerId, Arc<str>);

/// A lease.
pub(super) struct Held {
    pub(super) worker: WorkerId,
    pub(super) queue: Arc<str>,
    /// True if the worker may know secrets of the task.
    pub(super) secrets: bool,
    /// The worker's name for the call that returned this lease.
    request: Option<Arc<str>>,
    /// Node at which the worker was last heard of, if that is another one.
    pub(super) heard_at: Option<NodeId>,
    span: Duration,
    expires: Instant,
    /// Time at which the lease is looked at next.
    due: Instant,
    /// Deadline of the attempt, whatever the worker reports.
    deadline: Option<Instant>,
    /// Number of reports of it that have arrived and are not judged yet.
    reporting: u32,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Live,
    /// Cancelled; `told` once its worker knows.
    Cancelled {
        told: bool,
    },
    /// The lease ends as soon as that is stored.
    Ending,
}

/// State of a lease, as its worker is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// The lease lasts so long from now.
    Live(Span),
    /// The work is to stop; its report is still awaited, for this long.
    Cancelled(Span),
    /// The lease is no longer this worker's.
    Lost,
}

impl Leases {
    /// Adds the lease of a worker. `now` twice: deadlines are of the database's clock, watched by one that
    /// never jumps.
    pub(super) fn insert(&mut self, id: TaskId, leased: &Leased, wall: Timestamp, now: Instant) {
        let span = Duration::from_millis(leased.lease.span.0);
        let deadline = leased.timeout.map(|timeout| {
            let left = leased.started_at.after(timeout).0.saturating_sub(wall.0);
            now + Duration::from_millis(u64::try_from(left).unwrap_or(0))
        });
        let (expires, key) = (now + span, (id, leased.sub_task, leased.token));
        let due = deadline.map_or(expires, |deadline| deadline.min(expires));
        let held = Held {
            worker: leased.lease.worker.clone(),
            queue: leased.queue.clone(),
            secrets: leased.secrets,
            request: leased.lease.request.clone(),
            heard_at: None,
            span,
            expires,
            due,
            deadline,
            reporting: 0,
            state: State::Live,
        };
        // Heard of twice, it lasts from the second time on.
        self.remove(&key);
        self.running.entry(held.worker.clone()).or_default().insert(key);
        if let Some(request) = &held.request {
            self.calls.entry((held.worker.clone(), request.clone())).or_default().push(key);
        }
        self.due.insert((due, key));
        self.all.insert(key, held);
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Held> {
        let held = self.all.remove(key)?;
        self.due.remove(&(held.due, *key));
        if let Some(keys) = self.running.get_mut(&held.worker) {
            keys.remove(key);
            if keys.is_empty() {
                self.running.remove(&held.worker);
            }
        }
        if let Some(request) = &held.request {
            let call = (held.worker.clone(), request.clone());
            if let Some(given) = self.calls.get_mut(&call) {
                given.retain(|one| one != key);
                if given.is_empty() {
                    self.calls.remove(&call);
                }
            }
        }
        Some(held)
    }

    /// Returns the leases that a call got and its worker still has.
    pub(super) fn given(&self, call: &Call) -> Vec<Key> {
        let live = |key: &&Key| self.all.get(key).is_some_and(|held| held.state == State::Live);
        self.calls.get(call).map_or_else(Vec::new, |keys| keys.iter().filter(live).copied().collect())
    }

    /// Returns the lease, if it is that worker's.
    pub(super) fn of(&self, key: &Key, worker: &WorkerId) -> Option<&Held> {
        self.all.get(key).filter(|held| held.worker == *worker && held.state != State::Ending)
    }

    /// Cancels a lease; returns its worker, and the other node where that was heard of.
    pub(super) fn cancel(&mut self, key: &Key) -> Option<(WorkerId, Option<NodeId>)> {
        let held = self.all.get_mut(key)?;
        if held.state == State::Live {
            held.state = State::Cancelled { told: false };
        }
        Some((held.worker.clone(), held.heard_at))
    }

    /// Records a heartbeat, before the answer to it is known: the lease lasts its span from now.
    pub(super) fn touch(&mut self, key: &Key, worker: &WorkerId, now: Instant) {
        let found =
            self.all.get_mut(key).filter(|held| held.worker == *worker && held.state != State::Ending);
        if let Some(held) = found {
            held.expires = now + held.span;
        }
    }

    /// Extends a lease after a heartbeat: it lasts its span from now.
    pub(super) fn extend(&mut self, key: &Key, worker: &WorkerId, now: Instant) -> LeaseState {
        let found = self.all.get_mut(key).filter(|held| held.worker == *worker);
        let Some(held) = found else { return LeaseState::Lost };
        let span = Span(held.span.as_millis() as u64);
        match held.state {
            State::Ending => return LeaseState::Lost,
            State::Live => {}
            State::Cancelled { .. } => {
                held.state = State::Cancelled { told: true };
                held.expires = now + held.span;
                return LeaseState::Cancelled(span);
            }
        }
        held.expires = now + held.span;
        LeaseState::Live(span)
    }

    /// Notes the node where the lease's worker was heard of; `None` for this one.
    pub(super) fn heard_at(&mut self, key: &Key, node: Option<NodeId>) {
        if let Some(held) = self.all.get_mut(key) {
            held.heard_at = node;
        }
    }

    /// Returns at most `most` keys that follow `last`, in order.
    pub(super) fn keys_after(&self, last: Option<&Key>, most: usize) -> Vec<Key> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.all.range((from, Bound::Unbounded)).take(most).map(|(key, _)| *key).collect()
    }

    /// Returns true if the lease is watched here.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.all.contains_key(key)
    }

    /// Returns true if a worker has to be told something about a lease that it does not know yet.
    pub(super) fn is_news(&self, key: &Key, worker: &WorkerId) -> bool {
        match self.all.get(key).filter(|held| held.worker == *worker) {
            Some(held) => matches!(held.state, State::Ending | State::Cancelled { told: false }),
            None => true,
        }
    }

    /// Returns leases whose time is over, and how they end; each is named once. Looks at a slice of them:
    /// true if there may be more.
    pub(super) fn over(&mut self, now: Instant) -> (Vec<(Key, WorkerId, Failure)>, bool) {
        let mut over = Vec::new();
        for _ in 0..SLICE {
            let Some((due, key)) = self.due.first().copied().filter(|(due, _)| *due <= now) else {
                return (over, false);
            };
            self.due.remove(&(due, key));
            let Some(held) = self.all.get_mut(&key).filter(|held| held.state != State::Ending) else {
                continue;
            };
            if held.reporting > 0 {
                // Whatever the report takes to be searched and stored, it arrived in time.
                held.due = now + LOOK_AGAIN;
                self.due.insert((held.due, key));
                continue;
            }
            let late = held.deadline.is_some_and(|at| at <= now);
            let pardoned = self.pardoned.map_or(held.expires, |at| held.expires.max(at + held.span));
            if late || pardoned <= now {
                held.state = State::Ending;
                let failure = if late { Failure::Timeout } else { Failure::Lost };
                over.push((key, held.worker.clone(), failure));
            } else {
                held.due = held.deadline.map_or(pardoned, |deadline| deadline.min(pardoned));
                self.due.insert((held.due, key));
            }
        }
        (over, true)
    }

    /// Notes that a report of a lease has arrived, or is judged: meanwhile, the lease does not end by itself.
    pub(super) fn reporting(&mut self, key: &Key, worker: &WorkerId, arrived: bool) {
        let Some(held) = self.all.get_mut(key).filter(|held| held.worker == *worker) else { return };
        held.reporting = if arrived { held.reporting + 1 } else { held.reporting.saturating_sub(1) };
    }

    /// Renews all leases, as the server itself stood still and could not hear heartbeats: every lease lasts
    /// its whole span again, as after a restart.
    pub(super) fn pardon(&mut self, now: Instant) {
        self.pardoned = Some(now);
    }

    /// Number of attempts that a worker has.
    pub(super) fn running(&self, worker: &WorkerId) -> usize {
        self.running.get(worker).map_or(0, BTreeSet::len)
    }

    /// Returns the time for which a lease lasts without a sign of life.
    pub(super) fn span(&self, key: &Key) -> Option<Duration> {
        self.all.get(key).map(|held| held.span)
    }

    /// Some of the attempts that a worker has.
    pub(super) fn some_of(&self, worker: &WorkerId, most: usize) -> Vec<Key> {
        self.running.get(worker).into_iter().flatten().take(most).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> Key {
        (TaskId::from_bytes([n; 16]), 0, Token(1))
    }

    fn leases(timeout: Option<Span>, now: Instant) -> (Leases, WorkerId) {
        let worker = WorkerId("a/w".into());
        let lease =
            longhaul_model::Lease { worker: worker.clone(), span: Span(1_000), request: Some("r".into()) };
        let leased = Leased {
            sub_task: 0,
            token: Token(1),
            lease,
            queue: "q".into(),
            started_at: Timestamp(0),
            timeout,
            secrets: false,
        };
        let mut leases = Leases::default();
        leases.insert(TaskId::from_bytes([1; 16]), &leased, Timestamp(400), now);
        (leases, worker)
    }

    #[tokio::test]
    async fn heartbeats_keep_a_lease_alive_and_silence_ends_it_once() {
        let now = Instant::now();
        let (mut leases, worker) = leases(None, now);
        let at = |ms| now + Duration::from_millis(ms);
        assert_eq!(leases.extend(&key(1), &worker, at(900)), LeaseState::Live(Span(1_000)));
        assert!(leases.over(at(1_500)).0.is_empty());
        assert_eq!(leases.over(at(1_900)).0.len(), 1);
        assert!(leases.over(at(9_000)).0.is_empty());
        assert_eq!(leases.extend(&key(1), &worker, at(1_901)), LeaseState::Lost);
        assert!(leases.is_news(&key(1), &worker) && leases.of(&key(1), &worker).is_none());
    }

    #[tokio::test]
    async fn sign_of_life_keeps_a_lease_alive_and_leaves_what_is_to_be_told() {
        let now = Instant::now();
        let (mut leases, worker) = leases(None, now);
        let at = |ms| now + Duration::from_millis(ms);
        leases.cancel(&key(1));
        leases.touch(&key(1), &worker, at(900));
        leases.touch(&key(1), &WorkerId("b/w".into()), at(5_000));
        assert!(leases.is_news(&key(1), &worker) && leases.over(at(1_899)).0.is_empty());
        assert_eq!(leases.over(at(1_900)).0.len(), 1);
        leases.touch(&key(1), &worker, at(1_901));
        assert_eq!(leases.extend(&key(1), &worker, at(1_902)), LeaseState::Lost);
    }

    #[tokio::test]
    async fn heartbeats_do_not_move_the_deadline() {
        let now = Instant::now();
        let (mut leases, worker) = leases(Some(Span(900)), now);
        let _ = leases.extend(&key(1), &worker, now + Duration::from_millis(450));
        let (over, _) = leases.over(now + Duration::from_millis(501));
        assert!(matches!(over[..], [(_, _, Failure::Timeout)]));
    }

    #[tokio::test]
    async fn lease_whose_report_is_being_judged_does_not_end() {
        let now = Instant::now();
        let (mut leases, worker) = leases(Some(Span(2_000)), now);
        let at = |ms| now + Duration::from_millis(ms);
        leases.reporting(&key(1), &WorkerId("b/w".into()), true);
        leases.reporting(&key(1), &worker, true);
        leases.reporting(&key(1), &worker, true);
        leases.reporting(&key(1), &worker, false);
        assert!(leases.over(at(60_000)).0.is_empty(), "neither lost nor timed out");
        leases.reporting(&key(1), &worker, false);
        assert_eq!(leases.over(at(60_600)).0.len(), 1, "the report was refused, and its time is over");
    }

    #[tokio::test]
    async fn lease_is_its_workers_only_and_a_cancel_is_told_once() {
        let now = Instant::now();
        let (mut leases, worker) = leases(None, now);
        let other = WorkerId("b/w".into());
        assert_eq!(leases.extend(&key(1), &other, now), LeaseState::Lost);
        assert!(!leases.is_news(&key(1), &worker));
        assert_eq!(leases.cancel(&key(1)), Some((worker.clone(), None)));
        assert!(leases.is_news(&key(1), &worker));
        assert_eq!(leases.extend(&key(1), &worker, now), LeaseState::Cancelled(Span(1_000)));
        assert!(!leases.is_news(&key(1), &worker));
    }

    #[tokio::test]
    async fn what_a_call_was_given_is_known_by_its_name_while_it_lives() {
        let now = Instant::now();
        let (mut leases, worker) = leases(None, now);
        let call = |name: &str| (worker.clone(), Arc::from(name));
        assert_eq!(leases.given(&call("r")), [key(1)]);
        assert!(leases.given(&call("s")).is_empty());
        assert!(leases.given(&(WorkerId("b/w".into()), "r".into())).is_empty());
        assert_eq!(leases.over(now + Duration::from_secs(2)).0.len(), 1);
        assert!(leases.given(&call("r")).is_empty());
        leases.remove(&key(1));
        assert!(leases.calls.is_empty());
    }

    #[tokio::test]
    async fn pause_of_the_server_costs_nobody_a_lease() {
        let now = Instant::now();
        let (mut leases, _) = leases(None, now);
        let later = now + Duration::from_secs(5);
        leases.pardon(later);
        assert!(leases.over(later + Duration::from_millis(999)).0.is_empty());
        assert_eq!(leases.over(later + Duration::from_millis(1_000)).0.len(), 1);
    }
}
