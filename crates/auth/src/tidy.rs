//! Hourly maintenance.

use std::sync::Arc;
use std::time::Duration;

use longhaul_store::StoreError;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::auth::Auth;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
/// Refresh tokens taken away in one transaction.
const SLICE: u32 = 1000;

impl Auth {
    /// Tidies up at once and every hour, until it is told to stop.
    pub fn spawn(self: &Arc<Self>, stop: CancellationToken) -> JoinHandle<()> {
        let auth = Arc::clone(self);
        tokio::spawn(async move {
            let (mut hours, mut minutes) = (tokio::time::interval(HOUR), tokio::time::interval(MINUTE));
            hours.set_missed_tick_behavior(MissedTickBehavior::Delay);
            minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let shared = auth.accounts.accounts_are_shared();
            loop {
                // Told to stop in the middle: what is left is done next time.
                tokio::select! {
                    () = stop.cancelled() => break,
                    _ = hours.tick() => drop(stop.run_until_cancelled(auth.tidy()).await),
                    // So that this node knows keys that others made before they sign.
                    _ = minutes.tick(), if shared => drop(stop.run_until_cancelled(auth.tidy_keys()).await),
                }
            }
            if let Err(e) = auth.directory.store_uses().await {
                tracing::warn!(error = %e, "the last uses of API keys were not stored");
            }
        })
    }

    async fn tidy_keys(&self) {
        match self.renew_keys().await {
            Ok(false) => {}
            Ok(true) => tracing::info!("the signing keys were rotated"),
            Err(e) => tracing::error!(error = %e, "the signing keys were not rotated; the old one goes on"),
        }
    }

    /// Rotates the signing keys if that is due, takes away what is over, stores when API keys were used, and
    /// fetches the other issuer's keys anew. What fails is logged, and tried again the next time.
    pub async fn tidy(&self) {
        let now = self.env.now();
        self.tidy_keys().await;
        self.verified.tidy(now);
        self.live.tidy();
        if let Err(e) = self.prune().await {
            tracing::warn!(error = %e, "refresh tokens that are over were not taken away");
        }
        if let Err(e) = self.directory.store_uses().await {
            tracing::warn!(error = %e, "the last uses of API keys were not stored");
        }
        if let Some(oidc) = &self.oidc {
            oidc.tidy().await;
        }
    }

    async fn prune(&self) -> Result<(), StoreError> {
        let now = self.env.now();
        while self.accounts.prune_refresh_tokens(now, SLICE).await? == u64::from(SLICE) {}
        Ok(())
    }
}
