//! Leases and their handlers: begun, ended, asked to stop.

use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::Instant;

use super::Desk;
use super::attempt::{Report, Running, did_not_stop};
use crate::action_error::ActionError;
use crate::context::{Context, StopReason};
use crate::handler::Outcome;
use crate::panic::panicked;
use crate::wire::{Beats, Lease, LeaseName, LeaseState};

impl Desk {
    /// Begins the work of a lease, unless the worker stops.
    pub(super) fn begin(&mut self, mut lease: Lease) {
        let name: LeaseName = std::mem::take(&mut lease.lease).into();
        let handler = self.orders.handlers.get(&lease.queue).filter(|_| self.is_working()).cloned();
        let Some(handler) = handler else {
            self.ended.push_back(Report::released(name));
            return;
        };
        let (span, input) = (Duration::from_millis(lease.expires_in_ms), lease.input.take());
        let context = Context::new(&mut lease, name.clone(), self.news.clone());
        tracing::debug!(lease = &*name, sub_task = context.sub_task(), "an attempt begins");
        let (of, known) = (name.clone(), context.clone());
        let work = async move { (of, handler(known, input).await) };
        let handler = self.attempts.spawn_on(work, &self.runtime);
        let since = Instant::now();
        self.running.insert(name, Running { context, handler, span, since, stop_by: None });
    }

    /// A handler returned, or ended in another way.
    pub(super) fn joined(&mut self, joined: Result<(LeaseName, Outcome), JoinError>) {
        match joined {
            Ok((name, outcome)) => self.end(&name, outcome),
            Err(e) => {
                // One that was broken off is not known any more.
                let found = self.running.iter().find(|(_, running)| running.id() == e.id());
                let Some(name) = found.map(|(name, _)| name.clone()) else { return };
                let outcome = match e.try_into_panic() {
                    Ok(panic) => panicked(panic.as_ref()),
                    Err(_) => {
                        ActionError::new("WORKER_STOPPED", "the worker's runtime ended").outcome_unknown()
                    }
                };
                self.end(&name, Err(outcome));
            }
        }
    }

    fn end(&mut self, name: &LeaseName, outcome: Outcome) {
        let Some(running) = self.running.remove(name) else { return };
        let context = running.context;
        context.close();
        if context.stop_reason() == Some(StopReason::Lost) {
            return;
        }
        if let Err(error) = &outcome {
            tracing::info!(lease = &**name, sub_task = context.sub_task(), %error, "an attempt failed");
        }
        self.ended.push_back(Report::ended(context, outcome));
    }

    /// Breaks off handlers that were asked to stop and did not.
    pub(super) fn break_off(&mut self, now: Instant) {
        let late = self.running.iter().filter(|(_, running)| running.stop_by.is_some_and(|at| at <= now));
        for name in late.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            if let Some(running) = self.running.get(&name) {
                tracing::warn!(lease = &*name, "a handler does not stop, and is broken off");
                running.handler.abort();
            }
            self.end(&name, Err(did_not_stop(self.orders.cleanup)));
        }
    }

    /// Learns how leases stand.
    pub(super) fn heard(&mut self, beats: Beats) {
        let cleanup = self.orders.cleanup;
        for beat in beats.leases {
            let running = self.running.get_mut(&*beat.lease);
            match (beat.state, running) {
                (LeaseState::Live, Some(running)) => {
                    running.span = beat.expires_in_ms.map_or(running.span, Duration::from_millis);
                }
                (LeaseState::Live | LeaseState::Cancelled, None) => {}
                (LeaseState::Cancelled, Some(running)) => {
                    running.stop(StopReason::Cancelled, cleanup);
                }
                (LeaseState::Lost, Some(running)) => {
                    if running.is_ours() {
                        tracing::warn!(lease = beat.lease, "the lease is lost; its work is to stop");
                    }
                    running.stop(StopReason::Lost, cleanup);
                    running.context.forget();
                }
                (LeaseState::Lost, None) => self.ended.retain(|report| *report.lease != *beat.lease),
            }
        }
    }
}
