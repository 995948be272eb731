//! Trust in the clock when old data is deleted ([`longhaul_model::lived`]): a mark of the time that was lived
//! through is kept with the tasks, and moved every minute and at the end.

use std::time::Duration;

use longhaul_model::lived::{Lived, Mark};
use longhaul_model::{Env, Span};
use longhaul_store::{Audit, Store, StoreError};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::error::EngineError;

/// Name of the setting that holds the mark.
const NAME: &str = "clock";
/// Interval between two moves of the mark.
const ROUND: Duration = Duration::from_secs(60);
/// Age of a mark in milliseconds up to which a round leaves it alone: another node of the store moved it.
const YOUNG: i64 = 30_000;

/// Time at which the mark is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// In the rounds of all nodes, unless another one moved it just now.
    InTurn,
    /// At the end, whatever others do.
    Last,
}

/// Knowledge about the clock: the time lived through, and the instant of its last update.
pub(crate) struct Clock(Mutex<(Lived, Instant)>);

fn kept(store: &dyn Store) -> Result<Option<Mark>, StoreError> {
    Ok(store.setting(NAME)?.and_then(|value| serde_json::from_value(value).ok()))
}

impl Clock {
    /// Judges the clock at a start, before anything is deleted by it.
    pub(crate) fn begin(store: &dyn Store, env: &Env) -> Result<Clock, StoreError> {
        let mark = kept(store)?;
        let now = env.now();
        let lived = Lived::begin(mark, now);
        env.set_doubt(lived.doubt());
        if let Some(mark) = mark.filter(|_| lived.doubt() > Span(0)) {
            tracing::warn!(
                clock = %now,
                last_at_work = %longhaul_model::Timestamp(mark.lived),
                "the clock is far ahead of when this store was last at work: until `longhaul clock confirm`, or as long at work, \
                 nothing is deleted that would be old by the clock alone"
            );
        }
        Ok(Clock(Mutex::new((lived, Instant::now()))))
    }
}

impl Engine {
    /// Returns how far the clock is suspected to be ahead; 0 while it is trusted.
    pub fn clock_doubt(&self) -> Span {
        self.inner.env.doubt()
    }

    /// Records an operator's confirmation that the clock is right: data that is old by the clock may be
    /// deleted.
    pub async fn confirm_clock(&self, audit: Audit) -> Result<(), EngineError> {
        let mut clock = self.inner.clock.0.lock().await;
        let now = self.inner.env.now();
        let mut confirmed = clock.0;
        confirmed.confirm(now);
        let audit = audit.detail(format!("{now}, {} ms ahead", clock.0.doubt().0));
        let kept = self.inner.store.put_setting(NAME, json!(confirmed.mark()), Some(audit)).await;
        kept.map_err(EngineError::Store)?;
        clock.0 = confirmed;
        self.inner.env.set_doubt(Span(0));
        Ok(())
    }

    /// Moves the mark by the elapsed time.
    pub(crate) async fn mark_clock(&self, when: Moved) {
        let mut clock = self.inner.clock.0.lock().await;
        let moved = async {
            let stored = self.beside(kept).await?;
            let (lived, since) = &mut *clock;
            let passed = Span(u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX));
            lived.pass(stored, self.inner.env.now(), passed);
            *since = Instant::now();
            if self.inner.env.doubt() > Span(0) && lived.doubt() == Span(0) {
                tracing::info!("the clock is believed again");
            }
            self.inner.env.set_doubt(lived.doubt());
            if when == Moved::InTurn && stored.is_some_and(|stored| is_young(stored, lived.mark())) {
                return Ok(());
            }
            self.inner.store.put_setting(NAME, json!(lived.mark()), None).await
        };
        if let Err(e) = moved.await {
            tracing::debug!(error = %e, "until when the store was at work was not kept");
        }
    }
}

/// Returns true if a stored mark says nearly all that a new one would say.
fn is_young(stored: Mark, new: Mark) -> bool {
    (0..YOUNG).contains(&new.lived.saturating_sub(stored.lived))
        && new.waited.abs_diff(stored.waited) < YOUNG as u64
}

/// Keeps moving the mark until stopped.
pub(crate) async fn keep(engine: Engine, stop: CancellationToken) {
    let rounds = async {
        loop {
            engine.mark_clock(Moved::InTurn).await;
            tokio::time::sleep(ROUND).await;
        }
    };
    stop.run_until_cancelled(rounds).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks that a round leaves a mark alone only if it is nearly the new one, and never one that goes
    /// back.
    #[test]
    fn only_a_young_mark_is_left_alone() {
        let mark = |lived, waited| Mark { lived, waited };
        for (stored, new, young) in [
            (mark(0, 0), mark(0, 0), true),
            (mark(0, 0), mark(YOUNG - 1, 0), true),
            (mark(0, 0), mark(YOUNG, 0), false),
            (mark(1, 0), mark(0, 0), false),
            (mark(0, 0), mark(0, YOUNG as u64), false),
            (mark(0, YOUNG as u64), mark(5, 0), false),
            (mark(0, 7), mark(5, 12), true),
        ] {
            assert_eq!(is_young(stored, new), young, "{stored:?} {new:?}");
        }
    }
}
