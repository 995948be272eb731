//! Workers whose leases another node watches: their heartbeats here are passed on, and the state of their
//! leases is read from the store.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use longhaul_model::{NodeId, Span, WorkerId};
use longhaul_store::peers::{News, To};
use longhaul_store::{StoreError, Stored};
use tokio::time::Instant;

use super::leases::{Key, LeaseState};
use super::name::LeaseName;
use super::short::SLICE;
use super::{State, Workers};
use crate::engine::Engine;
use crate::error::EngineError;

impl Workers {
    /// Notes that a worker was heard of at another node.
    pub(crate) fn heard_elsewhere(&self, at: NodeId, worker: &WorkerId, leases: &[Key]) {
        for slice in leases.chunks(SLICE) {
            let (mut state, now) = (self.state.lock(), Instant::now());
            state.visit(slice.len());
            for key in slice {
                state.leases.extend(key, worker, now);
                state.leases.heard_at(key, Some(at));
            }
        }
    }

    /// A worker's waiting heartbeat is to look again.
    pub(crate) fn wake(&self, worker: &WorkerId) {
        self.state.lock().seen.tell(worker);
    }

    /// Renews all leases for their whole span, after heartbeats may have gone unheard.
    pub(crate) fn pardon(&self) {
        self.state.lock().leases.pardon(Instant::now());
    }

    /// The leases that are watched here.
    pub(crate) fn leased_keys(&self) -> Vec<Key> {
        let mut all: Vec<Key> = Vec::new();
        loop {
            let mut state = self.state.lock();
            let slice = state.leases.keys_after(all.last(), SLICE);
            state.visit(slice.len());
            state.pass_on();
            let is_last = slice.len() < SLICE;
            all.extend(slice);
            if is_last {
                return all;
            }
        }
    }
}

/// Time for which a worker that was told to stop an attempt is not told again.
const TOLD: Duration = Duration::from_secs(120);

/// Number of entries that are looked at for each new one.
const LOOKS: usize = 4;

/// Leases watched elsewhere whose workers were told here to stop.
#[derive(Default)]
pub(super) struct Told {
    at: BTreeMap<Key, Instant>,
    /// Entries in the order of time; one may have been renewed since.
    order: VecDeque<(Instant, Key)>,
}

impl Told {
    /// Notes that a worker is told; returns true if it is for the first time.
    fn is_news(&mut self, key: &Key, now: Instant) -> bool {
        for _ in 0..LOOKS {
            let old = |(at, _): &(Instant, Key)| now.saturating_duration_since(*at) >= TOLD;
            let Some((at, key)) = self.order.front().copied().filter(old) else { break };
            self.order.pop_front();
            match self.at.get(&key).copied() {
                Some(renewed) if renewed > at => self.order.push_back((renewed, key)),
                _ => drop(self.at.remove(&key)),
            }
        }
        let is_news = self.at.insert(*key, now).is_none();
        if is_news {
            self.order.push_back((now, *key));
        }
        is_news
    }
}

impl State {
    /// Returns true if a worker has not been told yet the state of a lease that is watched elsewhere.
    pub(super) fn is_news_here(&mut self, key: &Key, state: &LeaseState, now: Instant) -> bool {
        match state {
            LeaseState::Live(_) => false,
            LeaseState::Lost => true,
            LeaseState::Cancelled(_) => self.told.is_news(key, now),
        }
    }

    /// Extends a lease that is watched here; returns `None` for others.
    pub(super) fn extend_here(&mut self, key: &Key, worker: &WorkerId, now: Instant) -> Option<LeaseState> {
        if !self.leases.has(key) {
            return None;
        }
        self.leases.heard_at(key, None);
        Some(self.leases.extend(key, worker, now))
    }
}

impl Engine {
    /// Returns the states of leases that are not watched here, by their names; those that live are extended.
    pub(super) fn extend_elsewhere(
        &self,
        worker: &WorkerId,
        names: &[LeaseName],
    ) -> Result<Vec<LeaseState>, EngineError> {
        if self.inner.store.peers() == 0 || names.is_empty() {
            return Ok(vec![LeaseState::Lost; names.len()]);
        }
        if !self.inner.store.is_in_touch() {
            let why = "the node that watches the lease is not reached".to_owned();
            return Err(EngineError::Store(StoreError::Unavailable(why)));
        }
        let mut beats: BTreeMap<NodeId, Vec<Key>> = BTreeMap::new();
        let mut states = Vec::with_capacity(names.len());
        for name in names {
            let state = self.stands_elsewhere(worker, name)?;
            if let Some((node, _)) = &state {
                beats.entry(*node).or_default().push(name.key);
            }
            states.push(state.map_or(LeaseState::Lost, |(_, state)| state));
        }
        for (node, keys) in beats {
            self.inner.store.tell(To::Node(node), News::Beat(worker.clone(), keys));
        }
        Ok(states)
    }

    /// Returns true if that worker has the lease, wherever it is watched.
    pub(crate) fn holds(&self, lease: LeaseName, worker: &WorkerId) -> bool {
        self.inner.dispatcher.workers().holds(lease, worker)
            || self.inner.store.peers() > 0
                && self.stands_elsewhere(worker, &lease).is_ok_and(|stands| stands.is_some())
    }

    fn stands_elsewhere(
        &self,
        worker: &WorkerId,
        name: &LeaseName,
    ) -> Result<Option<(NodeId, LeaseState)>, EngineError> {
        let (id, sub_task, token) = name.key;
        let record = match self.inner.store.get(id) {
            Ok(Stored::Own(record)) => record,
            Ok(Stored::Imported { .. } | Stored::Damaged(_)) | Err(StoreError::NotFound) => return Ok(None),
            Err(e) => return Err(EngineError::Store(e)),
        };
        let Some(sub) = record.sub_tasks.get(sub_task as usize).filter(|sub| sub.token() == token) else {
            return Ok(None);
        };
        let Some(lease) = sub.lease.as_ref().filter(|lease| lease.worker == *worker) else { return Ok(None) };
        let span = Span(lease.span.0);
        let state = match record.state.stopping {
            Some(_) => LeaseState::Cancelled(span),
            None => LeaseState::Live(span),
        };
        Ok(Some((sub.node, state)))
    }
}
