//! The keys that sign access tokens: in the key file of one server, shared by all nodes of a database, so
//! that each knows what the others sign, or stored by a copy, whose key file is that of its original, too.

use longhaul_crypto::KeyringError;
use longhaul_store::Audit;

use crate::auth::Auth;
use crate::error::RotateError;

/// Number of tries of a node that loses against others to store keys for all.
const TRIES: usize = 8;

impl Auth {
    /// Makes a new signing key. What was signed before stays good for as long as it lives. Where nodes share
    /// keys, it signs once all of them know it. After Ok: durable. The note follows the key.
    pub async fn rotate_signing_keys(&self, note: Audit) -> Result<(), RotateError> {
        if self.keys_are_stored()? {
            self.share_keys(true).await?;
        } else {
            let (ring, now) = (self.ring.clone(), self.env.now().0);
            let rotated = tokio::task::spawn_blocking(move || ring.rotate(now)).await;
            // Only a panic or the end of the runtime is no outcome.
            rotated.unwrap_or(Err(KeyringError::Stopping))?;
        }
        self.accounts.note(note).await?;
        Ok(())
    }

    /// Goes on with the keys as they should be by now; says whether there is a new one.
    pub(crate) async fn renew_keys(&self) -> Result<bool, RotateError> {
        if self.keys_are_stored()? {
            return self.share_keys(false).await;
        }
        let (ring, now) = (self.ring.clone(), self.env.now().0);
        let rotated = tokio::task::spawn_blocking(move || ring.rotate_if_due(now)).await;
        Ok(rotated.unwrap_or(Err(KeyringError::Stopping))?)
    }

    /// Returns true if the signing keys are stored with the accounts: those that nodes share, or of a copy.
    fn keys_are_stored(&self) -> Result<bool, RotateError> {
        Ok(self.accounts.accounts_are_shared() || self.accounts.signing_keys()?.is_some())
    }

    /// Has the ring adopt the keys that are stored, which are renewed if that is due or wished for.
    async fn share_keys(&self, wished: bool) -> Result<bool, RotateError> {
        for _ in 0..TRIES {
            let Some(kept) = self.accounts.signing_keys()? else {
                self.accounts.put_signing_keys(None, self.ring.shared_keys()?).await?;
                continue;
            };
            self.ring.adopt(&kept)?;
            let Some(next) = self.ring.renewed(&kept, self.env.now().0, wished)? else { return Ok(false) };
            if self.accounts.put_signing_keys(Some(kept), next.clone()).await? {
                self.ring.adopt(&next)?;
                return Ok(true);
            }
        }
        // Others are at it all the time, and their keys are as good.
        Ok(false)
    }
}
