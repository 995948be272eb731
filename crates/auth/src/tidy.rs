//! What is done every hour, beside the requests.

use std::sync::Arc;
use std::time::Duration;

use longhaul_store::StoreError;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::auth::Auth;

const HOUR: Duration = Duration::from_secs(3600);
/// Refresh tokens taken away in one transaction.
const SLICE: u32 = 1000;

impl Auth {
    /// Tidies up at once and every hour, until it is told to stop.
    pub fn spawn(self: &Arc<Self>, stop: CancellationToken) -> JoinHandle<()> {
        let auth = Arc::clone(self);
        tokio::spawn(async move {
            let mut hours = tokio::time::interval(HOUR);
            hours.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while stop.run_until_cancelled(hours.tick()).await.is_some() {
                // Told to stop in the middle: what is left is done next time.
                stop.run_until_cancelled(auth.tidy()).await;
            }
            if let Err(e) = auth.directory.store_uses().await {
                tracing::warn!(error = %e, "the last uses of API keys were not stored");
            }
        })
    }

    /// Rotates the signing keys if that is due, takes away what is over, stores when API keys were used, and fetches the
    /// other issuer's keys anew. What fails is logged, and tried again the next time.
    pub async fn tidy(&self) {
        let (ring, now) = (self.ring.clone(), self.env.now());
        match tokio::task::spawn_blocking(move || ring.rotate_if_due(now.0)).await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => tracing::info!("the signing keys were rotated"),
            Ok(Err(e)) => {
                tracing::error!(error = %e, "the signing keys were not rotated; the old one goes on")
            }
            Err(e) => tracing::error!(error = %e, "the signing keys were not looked after"),
        }
        self.verified.tidy(now);
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
