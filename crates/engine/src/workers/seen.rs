//! Workers heard of lately, and the queues that they ask. All counts are kept up to date as they change, so
//! that a list or a metric does not hold up a caller that leases work.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use longhaul_model::{TaskId, Timestamp, WorkerId};
use tokio::sync::watch;
use tokio::time::Instant;

use super::short::SLICE;
use super::{State, Workers};
use crate::engine::Engine;
use crate::error::EngineError;

/// Silence after which a worker without a lease is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(300);

/// Time for which a worker that asked a queue for work counts as serving it, unless it promised to be heard
/// of earlier.
const SERVES: Duration = Duration::from_secs(75);

/// Time by which a call may be late.
const LATE: Duration = Duration::from_secs(2);

/// Attempts of a worker that a list names.
const NAMED: usize = 8;

/// Time after a noted call in which further calls are not noted again.
const SAME_MOMENT: Duration = Duration::from_secs(1);

/// Maximum number of queues and workers that one account may have at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerBounds {
    /// Maximum number of queues that its workers asked for work lately. Default 1,024.
    pub queues: usize,
    /// Maximum number of workers heard of within the last minutes. Default 16,384.
    pub workers: usize,
}

impl Default for WorkerBounds {
    fn default() -> Self {
        WorkerBounds { queues: 1_024, workers: 16_384 }
    }
}

/// Workers by name.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) bounds: WorkerBounds,
    workers: BTreeMap<WorkerId, One>,
    /// Number of workers that serve each queue.
    serving: BTreeMap<Arc<str>, usize>,
    /// Workers that serve queues, by the time until which they are to be heard of.
    due: BTreeSet<(Instant, WorkerId)>,
    accounts: BTreeMap<Box<str>, Account>,
}

/// Totals of one account's workers.
#[derive(Default)]
struct Account {
    workers: usize,
    /// Number of the account's workers that serve each queue.
    queues: BTreeMap<Arc<str>, usize>,
}

struct One {
    queues: Arc<[Arc<str>]>,
    last_seen: Timestamp,
    at: Instant,
    /// Time until which the worker serves its queues unless it is heard of before; `None` once that has
    /// passed.
    due: Option<Instant>,
    /// Longest silence that is allowed: as long as the worker waits for work, or as its leases last.
    patience: Duration,
    /// Host and process of the worker, as it reports them.
    origin: Option<Arc<Origin>>,
    /// Counter that rises whenever one of the worker's leases was cancelled or ended.
    news: watch::Sender<u64>,
}

/// Host and process of a worker, as it reports them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Name of the host.
    pub host: Option<Arc<str>>,
    /// ID of the process on the host.
    pub process: Option<u32>,
}

/// Facts about a worker in its request for work.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// Longest silence that is allowed from now on.
    pub(super) patience: Duration,
    pub(super) origin: Option<Arc<Origin>>,
}

/// Worker as a list shows it.
#[derive(Clone, Debug)]
pub struct WorkerSummary {
    /// Account and name.
    pub worker: WorkerId,
    /// Queues that the worker last asked for work.
    pub queues: Arc<[Arc<str>]>,
    /// Number of attempts that it has.
    pub running: usize,
    /// Some of these attempts: task and sub-task.
    pub work: Vec<(TaskId, u32)>,
    /// Time of the last call.
    pub last_seen: Timestamp,
    /// False once the worker was silent for longer than it announced, and has no lease.
    pub alive: bool,
    /// Host and process of the worker.
    pub origin: Option<Arc<Origin>>,
}

/// The account of a worker.
fn account(worker: &WorkerId) -> &str {
    worker.0.rsplit_once('/').map_or("", |(account, _)| account)
}

impl Seen {
    /// Notes that a worker is known to live, such as by a lease that it has.
    pub(super) fn touch(&mut self, worker: &WorkerId, wall: Timestamp) {
        self.one(worker, wall);
        self.lives(worker);
    }

    /// Notes that a worker asked for work; refused beyond the bounds of its account.
    pub(super) fn asked(
        &mut self,
        worker: &WorkerId,
        queues: &[Arc<str>],
        how: Asked,
        wall: Timestamp,
    ) -> Result<(), EngineError> {
        self.check_worker(worker)?;
        self.check_queues(worker, queues)?;
        let now = Instant::now();
        let one = self.one(worker, wall);
        one.patience = how.patience.saturating_add(LATE).min(SERVES);
        if how.origin.is_some() {
            one.origin = how.origin;
        }
        let due = now + one.patience;
        let same = one.due.is_some() && *one.queues == *queues;
        if same && one.due.is_some_and(|known| due.max(known) - due.min(known) < SAME_MOMENT) {
            return Ok(());
        }
        let before = one.due.replace(due);
        let old = std::mem::replace(&mut one.queues, queues.into());
        if let Some(at) = before {
            self.due.remove(&(at, worker.clone()));
        }
        self.due.insert((due, worker.clone()));
        if !same {
            if before.is_some() {
                self.count_out(worker, &old);
            }
            self.count_in(worker, queues);
        }
        Ok(())
    }

    /// Notes a sign of life: a worker that serves queues does so for longer.
    fn lives(&mut self, worker: &WorkerId) {
        let Some(one) = self.workers.get_mut(worker) else { return };
        let (Some(before), due) = (one.due, Instant::now() + one.patience) else { return };
        if due.saturating_duration_since(before) < SAME_MOMENT {
            return;
        }
        one.due = Some(due);
        self.due.remove(&(before, worker.clone()));
        self.due.insert((due, worker.clone()));
    }

    /// Notes that a lease of this span ended without a heartbeat: a worker that was silent for that long no
    /// longer serves its queues, whatever it announced.
    pub(super) fn missed(&mut self, worker: &WorkerId, span: Duration) {
        let Some(one) = self.workers.get_mut(worker).filter(|one| one.at.elapsed() >= span) else { return };
        let Some(due) = one.due.take() else { return };
        let queues = one.queues.clone();
        self.due.remove(&(due, worker.clone()));
        self.count_out(worker, &queues);
    }

    fn check_worker(&self, worker: &WorkerId) -> Result<(), EngineError> {
        let many = self.accounts.get(account(worker)).is_some_and(|of| of.workers >= self.bounds.workers);
        if many && !self.workers.contains_key(worker) {
            return Err(EngineError::TooManyWorkers { most: self.bounds.workers });
        }
        Ok(())
    }

    /// Checks the queues of a call against the bounds. The queues that the worker asked before count as well:
    /// it may have called twice at once.
    fn check_queues(&self, worker: &WorkerId, queues: &[Arc<str>]) -> Result<(), EngineError> {
        let of = self.accounts.get(account(worker));
        let known = |name: &&Arc<str>| of.is_some_and(|of| of.queues.contains_key(*name));
        let new = queues.iter().filter(|name| !known(name)).count();
        if new > 0 && of.map_or(0, |of| of.queues.len()) + new > self.bounds.queues {
            return Err(EngineError::TooManyQueues { most: self.bounds.queues });
        }
        Ok(())
    }

    fn count_in(&mut self, worker: &WorkerId, queues: &[Arc<str>]) {
        let of = self.accounts.entry(account(worker).into()).or_default();
        for name in queues {
            *self.serving.entry(name.clone()).or_default() += 1;
            *of.queues.entry(name.clone()).or_default() += 1;
        }
    }

    fn count_out(&mut self, worker: &WorkerId, queues: &[Arc<str>]) {
        fn less(counts: &mut BTreeMap<Arc<str>, usize>, name: &Arc<str>) {
            if let Some(count) = counts.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(name);
                }
            }
        }
        for name in queues {
            less(&mut self.serving, name);
        }
        if let Some(of) = self.accounts.get_mut(account(worker)) {
            queues.iter().for_each(|name| less(&mut of.queues, name));
        }
    }

    fn one(&mut self, worker: &WorkerId, wall: Timestamp) -> &mut One {
        let now = Instant::now();
        if !self.workers.contains_key(worker) {
            self.accounts.entry(account(worker).into()).or_default().workers += 1;
        }
        let fresh = || One {
            queues: Arc::new([]),
            last_seen: wall,
            at: now,
            due: None,
            patience: SERVES,
            origin: None,
            news: watch::Sender::new(0),
        };
        let one = self.workers.entry(worker.clone()).or_insert_with(fresh);
        (one.last_seen, one.at) = (wall, now);
        one
    }

    /// Wakes a worker's waiting heartbeat.
    pub(super) fn tell(&self, worker: &WorkerId) {
        if let Some(one) = self.workers.get(worker) {
            one.news.send_modify(|n| *n += 1);
        }
    }

    /// Notes that a worker called, and returns the counter that [`Seen::tell`] raises from now on.
    pub(super) fn news(
        &mut self,
        worker: &WorkerId,
        wall: Timestamp,
    ) -> Result<watch::Receiver<u64>, EngineError> {
        self.check_worker(worker)?;
        let news = self.one(worker, wall).news.subscribe();
        self.lives(worker);
        Ok(news)
    }

    /// Number of workers that serve a queue.
    pub(super) fn serving(&self, queue: &str) -> usize {
        self.serving.get(queue).copied().unwrap_or(0)
    }

    /// Number of workers heard of.
    pub(super) fn len(&self) -> usize {
        self.workers.len()
    }

    /// Removes workers that were not heard of in time from the counts, a slice of them; true if there may be
    /// more.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        for _ in 0..SLICE / 32 {
            let Some((due, worker)) = self.due.first().cloned() else { return false };
            if now < due {
                return false;
            }
            self.due.pop_first();
            let queues = self.workers.get_mut(&worker).map(|one| {
                one.due = None;
                one.queues.clone()
            });
            self.count_out(&worker, &queues.unwrap_or_default());
        }
        true
    }

    /// Forgets a worker.
    fn forget(&mut self, worker: &WorkerId) {
        let Some(one) = self.workers.remove(worker) else { return };
        if let Some(at) = one.due {
            self.due.remove(&(at, worker.clone()));
            self.count_out(worker, &one.queues);
        }
        if let Some(of) = self.accounts.get_mut(account(worker)) {
            of.workers -= 1;
            if of.workers == 0 {
                self.accounts.remove(account(worker));
            }
        }
    }

    fn after(&self, last: Option<&WorkerId>) -> impl Iterator<Item = (&WorkerId, &One)> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.workers.range::<WorkerId, _>((from, Bound::Unbounded))
    }
}

impl State {
    /// Forgets workers that are silent for long and have no lease, of a slice; returns the beginning of the
    /// next slice.
    pub(super) fn forget_silent(&mut self, last: Option<&WorkerId>) -> Option<WorkerId> {
        let (mut gone, mut reached, mut visited) = (Vec::new(), None, 0);
        for (worker, one) in self.seen.after(last).take(SLICE) {
            if one.at.elapsed() >= FORGOTTEN && self.leases.running(worker) == 0 {
                gone.push(worker.clone());
            }
            (visited, reached) = (visited + 1, Some(worker.clone()));
        }
        for worker in gone.iter().take(SLICE / 32) {
            self.seen.forget(worker);
        }
        // The rest beyond this slice goes in the next round.
        reached.filter(|_| visited == SLICE)
    }
}

impl Workers {
    /// Number of workers that serve a queue.
    pub(crate) fn serving(&self, queue: &str) -> usize {
        self.state.lock().seen.serving(queue)
    }

    /// Returns workers heard of, by name; read in slices, between which the lock is passed on.
    pub(super) fn heard_of(&self) -> Vec<WorkerSummary> {
        let mut all: Vec<WorkerSummary> = Vec::new();
        loop {
            let mut state = self.state.lock();
            let before = all.len();
            for (worker, one) in state.seen.after(all.last().map(|last| last.worker.clone()).as_ref()) {
                all.push(WorkerSummary {
                    worker: worker.clone(),
                    queues: one.queues.clone(),
                    running: state.leases.running(worker),
                    work: state.leases.some_of(worker, NAMED).iter().map(|key| (key.0, key.1)).collect(),
                    last_seen: one.last_seen,
                    alive: one.due.is_some() || state.leases.running(worker) > 0,
                    origin: one.origin.clone(),
                });
                if all.len() - before == SLICE {
                    break;
                }
            }
            let visited = all.len() - before;
            state.visit(visited);
            state.pass_on();
            if all.len() - before < SLICE {
                return all;
            }
        }
    }
}

impl Engine {
    /// Returns workers heard of within the last minutes, by name.
    pub fn workers(&self) -> Vec<WorkerSummary> {
        self.inner.dispatcher.workers().heard_of()
    }

    /// Number of workers heard of within the last minutes.
    pub fn worker_count(&self) -> usize {
        self.inner.dispatcher.workers().state.lock().seen.len()
    }

    /// Number of workers that asked a queue for work lately.
    pub fn serving(&self, queue: &str) -> usize {
        self.inner.dispatcher.workers().serving(queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> Vec<Arc<str>> {
        all.iter().map(|name| Arc::from(*name)).collect()
    }

    #[tokio::test]
    async fn counts_follow_what_workers_ask() {
        let mut seen = Seen::default();
        let (a, b) = (WorkerId("x/a".into()), WorkerId("x/b".into()));
        let ask = |seen: &mut Seen, worker: &WorkerId, queues: &[&str]| {
            let how = Asked { patience: SERVES, ..Asked::default() };
            seen.asked(worker, &names(queues), how, Timestamp(0)).unwrap();
        };
        ask(&mut seen, &a, &["p", "q"]);
        ask(&mut seen, &b, &["q"]);
        ask(&mut seen, &b, &["q"]);
        assert_eq!(["p", "q", "r"].map(|name| seen.serving(name)), [1, 2, 0]);
        ask(&mut seen, &a, &["r"]);
        assert_eq!(["p", "q", "r"].map(|name| seen.serving(name)), [0, 1, 1]);
        assert!(!seen.expire(Instant::now()));
        assert_eq!(seen.serving("q"), 1);
        seen.forget(&a);
        assert_eq!(seen.serving("r"), 0);
        ask(&mut seen, &a, &["r"]);
        while seen.expire(Instant::now() + SERVES) {}
        assert_eq!((seen.serving("q"), seen.serving("r"), seen.len()), (0, 0, 2), "they asked long ago");
        seen.forget(&a);
        seen.forget(&b);
        assert!(seen.serving.is_empty() && seen.accounts.is_empty() && seen.due.is_empty());
    }

    /// Silent workers are not counted: random calls and signs of life of some workers, against a plain count
    /// of those that kept their word.
    #[tokio::test(start_paused = true)]
    async fn silent_workers_are_not_counted() {
        let mut random = 7_u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % below
        };
        let mut seen = Seen::default();
        let mut until: [Option<Instant>; 4] = [None; 4];
        let mut patience = [Duration::ZERO; 4];
        for _ in 0..5_000 {
            let n = next(4) as usize;
            let worker = WorkerId(format!("x/{n}").into());
            match next(5) {
                0 => {
                    patience[n] = Duration::from_secs(1 + next(100));
                    let how = Asked { patience: patience[n], ..Asked::default() };
                    seen.asked(&worker, &names(&["q"]), how, Timestamp(0)).unwrap();
                    until[n] = Some(Instant::now() + (patience[n] + LATE).min(SERVES));
                }
                1 => {
                    let span = Duration::from_secs(1 + next(5));
                    let silent = seen.workers.get(&worker).is_some_and(|one| one.at.elapsed() >= span);
                    seen.missed(&worker, span);
                    until[n] = until[n].filter(|_| !silent);
                }
                2 => {
                    seen.touch(&worker, Timestamp(0));
                    until[n] = until[n].map(|_| Instant::now() + (patience[n] + LATE).min(SERVES));
                }
                _ => tokio::time::advance(Duration::from_secs(next(20))).await,
            }
            let now = Instant::now();
            while seen.expire(now) {}
            until.iter_mut().for_each(|at| *at = at.filter(|at| *at > now));
            assert_eq!(seen.serving("q"), until.iter().flatten().count());
        }
    }

    #[tokio::test]
    async fn account_has_so_many_queues_and_workers() {
        let mut seen = Seen { bounds: WorkerBounds { queues: 3, workers: 2 }, ..Seen::default() };
        let worker = |name: &str| WorkerId(name.into());
        let mut ask = |name: &str, queues: &[&str]| {
            seen.asked(&worker(name), &names(queues), Asked::default(), Timestamp(0))
        };
        ask("x/a", &["1", "2"]).unwrap();
        ask("x/b", &["2", "3"]).unwrap();
        assert!(matches!(ask("x/b", &["4"]), Err(EngineError::TooManyQueues { most: 3 })));
        assert!(matches!(ask("x/c", &["1"]), Err(EngineError::TooManyWorkers { most: 2 })));
        ask("y/a", &["4", "5", "6"]).unwrap();
        ask("x/a", &["1"]).unwrap();
        assert!(matches!(ask("x/b", &["1", "2", "4"]), Err(EngineError::TooManyQueues { .. })));
        assert!(
            seen.news(&worker("x/c"), Timestamp(0)).is_err()
                && seen.news(&worker("x/a"), Timestamp(0)).is_ok()
        );
    }
}
