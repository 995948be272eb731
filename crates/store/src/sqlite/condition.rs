//! Condition of the writer as seen from outside: whether a job is worth asking for, and the facts for
//! readiness and metrics.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::need::Need;
use crate::error::StoreError;
use crate::health::{Health, SetAside, Trouble};

/// Time of one piece of work after which the writer counts as stuck: the storage does not answer.
const STUCK: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Condition(Mutex<State>);

#[derive(Default)]
struct State {
    /// Reason of a storage failure that must not be retried as if nothing had happened: writing has stopped.
    broken: Option<String>,
    full: bool,
    /// Reason for the failure of the last batch.
    failing: Option<String>,
    /// Start of the writer's current work, and arrival of the oldest of its jobs.
    at_work: Option<(Instant, Instant)>,
    repeated: usize,
    oldest_repeated: Option<Instant>,
    set_aside: Vec<SetAside>,
    reserve: bool,
}

impl State {
    fn trouble(&self) -> Option<Trouble> {
        if let Some(why) = &self.broken {
            return Some(Trouble::Broken(why.clone()));
        }
        let stuck = self.at_work.map(|(began, _)| began.elapsed()).filter(|time| *time > STUCK);
        if let Some(time) = stuck {
            return Some(Trouble::Stuck(time));
        }
        if self.full {
            return Some(Trouble::Full);
        }
        self.failing.clone().map(Trouble::Failing)
    }
}

impl Condition {
    /// Refuses at once a job that cannot be written at the moment.
    pub(super) fn admit(&self, need: Need) -> Result<(), StoreError> {
        match self.0.lock().trouble() {
            Some(Trouble::Full) if need == Need::Room => Err(StoreError::Full),
            Some(trouble @ (Trouble::Broken(_) | Trouble::Stuck(_))) => {
                Err(StoreError::Unavailable(trouble.to_string()))
            }
            // A failing storage is tried with each job: the quickest way to notice that it is sound again.
            _ => Ok(()),
        }
    }

    /// Returns the facts for readiness and metrics; `queued` is the arrival of the oldest job in the queue.
    pub(super) fn health(&self, queued: Option<Instant>, closed: bool) -> Health {
        let state = self.0.lock();
        let trouble = if closed { Some(Trouble::Closed) } else { state.trouble() };
        let oldest = queued
            .into_iter()
            .chain(state.at_work.map(|(_, oldest)| oldest))
            .chain(state.oldest_repeated)
            .min();
        Health {
            trouble,
            oldest_wait: oldest.map_or(Duration::ZERO, |since| since.elapsed()),
            repeated: state.repeated,
            set_aside: state.set_aside.clone(),
            reserve: Some(state.reserve),
            ..Health::default()
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.0.lock().trouble().is_none()
    }

    pub(super) fn is_broken(&self) -> bool {
        self.0.lock().broken.is_some()
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.lock().full
    }

    pub(super) fn is_failing(&self) -> bool {
        self.0.lock().failing.is_some()
    }

    pub(super) fn breaks(&self, why: &str) {
        self.0.lock().broken.get_or_insert_with(|| why.to_owned());
    }

    pub(super) fn fills(&self, full: bool) {
        self.0.lock().full = full;
    }

    pub(super) fn has_reserve(&self, there: bool) {
        self.0.lock().reserve = there;
    }

    /// Notes that the writer begins to work; `oldest` is the arrival of its oldest job.
    pub(super) fn begins(&self, oldest: Instant) {
        self.0.lock().at_work = Some((Instant::now(), oldest));
    }

    /// Notes that the writer is idle.
    pub(super) fn rests(&self) {
        self.0.lock().at_work = None;
    }

    /// Notes that a batch was written.
    pub(super) fn wrote(&self) {
        self.0.lock().failing = None;
    }

    /// Notes that a batch failed.
    pub(super) fn failed(&self, why: &StoreError) {
        if !matches!(why, StoreError::Full) {
            self.0.lock().failing = Some(why.to_string());
        }
    }

    /// Notes the changes that wait to be written again.
    pub(super) fn waits(&self, repeated: usize, oldest: Option<Instant>, set_aside: Option<Vec<SetAside>>) {
        let mut state = self.0.lock();
        state.repeated = repeated;
        state.oldest_repeated = oldest;
        if let Some(set_aside) = set_aside {
            state.set_aside = set_aside;
        }
    }
}
