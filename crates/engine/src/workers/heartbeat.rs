//! Heartbeats: they extend leases and report progress and log lines, and the answer tells the worker which
//! leases were cancelled or lost. Extending a lease writes nothing.

use std::time::Duration;

use longhaul_model::{Command, Stage, TaskId, WorkerId};
use tokio::time::Instant;

use super::Workers;
use super::leases::LeaseState;
use super::name::LeaseName;
use super::short::SLICE;
use super::texts;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::logs::LogLine;

/// Longest wait of a heartbeat until the data sent with it is written.
const PATIENCE: Duration = Duration::from_secs(2);

/// A worker's sign of life for several leases.
#[derive(Clone, Debug)]
pub struct Beats {
    /// Worker that sends the heartbeat.
    pub worker: WorkerId,
    /// Entry for each lease.
    pub leases: Vec<Beat>,
    /// Longest wait of the answer for a cancelled or lost lease.
    pub wait: Duration,
}

/// Heartbeat of one lease.
#[derive(Clone, Debug)]
pub struct Beat {
    /// Lease that the entry is about.
    pub lease: LeaseName,
    /// Percent done.
    pub progress: Option<u8>,
    /// All stages, if they changed.
    pub stages: Option<Vec<Stage>>,
    /// New lines of the attempt's log.
    pub log: Vec<LogLine>,
}

impl Engine {
    /// Extends leases; returns the state of each, in their order.
    pub async fn heartbeat(&self, beats: Beats) -> Result<Vec<LeaseState>, EngineError> {
        let Beats { worker, leases, wait } = beats;
        let until = Instant::now() + wait;
        let workers = self.inner.dispatcher.workers().clone();
        let names: Vec<LeaseName> = leases.iter().map(|beat| beat.lease).collect();
        self.touch(&worker, &names);
        self.recover_leases(names.iter().copied()).await?;
        let mut news = workers.state.lock().seen.news(&worker, self.inner.env.now())?;
        let patience = Instant::now() + PATIENCE;
        for beat in leases {
            self.told(&worker, beat, patience).await?;
        }
        // News known by now counts as seen: only later ones wake.
        loop {
            news.borrow_and_update();
            let (here, mut is_news) = workers.extend(&worker, &names);
            let away: Vec<LeaseName> =
                names.iter().zip(&here).filter(|(_, state)| state.is_none()).map(|(name, _)| *name).collect();
            let mut elsewhere = self.extend_elsewhere(&worker, &away)?.into_iter();
            {
                let (mut state, now) = (workers.state.lock(), Instant::now());
                for (name, stands) in away.iter().zip(elsewhere.as_slice()) {
                    is_news |= state.is_news_here(&name.key, stands, now);
                }
            }
            let extended: Vec<LeaseState> = here
                .into_iter()
                .map(|state| state.or_else(|| elsewhere.next()).unwrap_or(LeaseState::Lost))
                .collect();
            if is_news || Instant::now() >= until || self.inner.timers_stopped() {
                return Ok(extended);
            }
            tokio::select! {
                _ = news.changed() => {}
                () = tokio::time::sleep_until(until) => {}
                () = self.inner.stopped() => {}
            }
        }
    }

    /// Recovers leases of an earlier process, so that they are known before they are looked up.
    pub(super) async fn recover_leases(
        &self,
        leases: impl Iterator<Item = LeaseName>,
    ) -> Result<(), EngineError> {
        let unknown: Vec<TaskId> = {
            let state = self.inner.dispatcher.workers().state.lock();
            leases.map(|lease| lease.key).filter(|key| !state.leases.has(key)).map(|(id, ..)| id).collect()
        };
        self.inner.recover_first(unknown.into_iter()).await
    }

    /// Extends leases before any data sent with the heartbeat is written: the life of a worker must not
    /// depend on whether its reports can be stored.
    fn touch(&self, worker: &WorkerId, names: &[LeaseName]) {
        let mut away: Vec<LeaseName> = Vec::new();
        for slice in names.chunks(SLICE) {
            let (mut state, now) = (self.inner.dispatcher.workers().state.lock(), Instant::now());
            state.visit(slice.len());
            slice.iter().for_each(|name| state.leases.touch(&name.key, worker, now));
            away.extend(slice.iter().filter(|name| !state.leases.has(&name.key)).copied());
        }
        // An error here occurs again below, where it is reported.
        let _ = self.extend_elsewhere(worker, &away);
    }

    /// Passes on an attempt's progress and log lines. Waits for the lines to be stored until `patience` is
    /// over; after that, they are still on their way.
    async fn told(&self, worker: &WorkerId, beat: Beat, patience: Instant) -> Result<(), EngineError> {
        let Beat { lease, progress, stages, log } = beat;
        if progress.is_none() && stages.is_none() && log.is_empty() {
            return Ok(());
        }
        let redactor = match self.redactor(worker, lease) {
            Ok(redactor) => redactor,
            // The other leases of the call are heard all the same.
            Err(EngineError::NoTask(_)) => return Ok(()),
            Err(EngineError::Unreadable { id, why }) => {
                tracing::error!(task.id = %id, error = why, "a heartbeat's texts are not kept: its task cannot be read");
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        let redactor = redactor.as_deref();
        if progress.is_some() || stages.is_some() {
            let clean = |stage| match redactor {
                Some(redactor) => redactor.stage(stage),
                None => stage,
            };
            let stages = stages
                .map(|stages| stages.into_iter().map(|stage| texts::kept_stage(clean(stage))).collect());
            let (id, sub_task, token) = lease.key;
            let by = Some(worker.clone());
            self.inner.store.post(id, Command::Report { sub_task, token, progress, stages, by }).await;
        }
        let _ = tokio::time::timeout_at(patience, self.log(lease, worker, log, redactor)).await;
        Ok(())
    }
}

impl Workers {
    /// Extends the leases that are watched here, `None` for others; returns true if the worker has to be told
    /// something.
    fn extend(&self, worker: &WorkerId, names: &[LeaseName]) -> (Vec<Option<LeaseState>>, bool) {
        let (mut here, mut is_news) = (Vec::with_capacity(names.len()), false);
        for slice in names.chunks(SLICE) {
            let (mut state, now) = (self.state.lock(), Instant::now());
            state.visit(slice.len());
            for name in slice {
                is_news |= state.leases.has(&name.key) && state.leases.is_news(&name.key, worker);
                here.push(state.extend_here(&name.key, worker, now));
            }
        }
        (here, is_news)
    }
}
