//! Signing keys that several processes share: kept, sealed, where all of them read them. A new key signs only
//! when everybody has had the time to learn of it, so that nobody meets a signature by a key that it does not
//! know.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::keyfile::KeyEntry;
use crate::keyring::KeyringError;
use crate::keyring::{Keyring, SigningKey};

/// Context that binds the sealed keys to their place.
const CONTEXT: &[u8] = b"shared signing keys";
/// A new key signs after so long, in milliseconds: ten times as long as anybody goes without looking.
pub(crate) const LEAD: i64 = 10 * 60 * 1000;

impl Keyring {
    /// The signing keys as they are to be kept for all, if they are not kept yet.
    pub fn shared_keys(&self) -> Result<String, KeyringError> {
        self.sealed(&self.file.lock().signing)
    }

    /// Returns new signing keys, as they are to be kept for all in place of any that were kept before.
    pub fn new_shared_keys(&self, now: i64) -> Result<String, KeyringError> {
        self.sealed(&[KeyEntry::new("k", now)])
    }

    /// Takes the keys that are kept for all as its own; the file stays as it is.
    /// Err: they cannot be opened; the ring goes on with what it has.
    pub fn adopt(&self, kept: &str) -> Result<(), KeyringError> {
        let entries = self.opened(kept)?;
        let keys: Option<Vec<_>> = entries.iter().map(|entry| SigningKey::new(entry).map(Arc::new)).collect();
        let keys = keys.filter(|keys| !keys.is_empty()).ok_or_else(|| self.unusable("a key is damaged"))?;
        *self.signing.write() = keys;
        self.lead.store(LEAD, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }

    /// Returns the text to keep in place of `kept`: with a new key, if one is due or wished for, and without
    /// expired ones. `None` if nothing changes.
    pub fn renewed(&self, kept: &str, now: i64, wished: bool) -> Result<Option<String>, KeyringError> {
        let mut entries = self.opened(kept)?;
        let before = entries.len();
        // In both directions: a key with a date in the future, of a clock that was wrong, must not sign for
        // ever.
        let old = entries.last().is_none_or(|last| last.created_at.abs_diff(now) >= self.rotation.after);
        if wished || old {
            entries.push(KeyEntry::new("k", now));
        }
        let renewed = wished || old;
        self.retain_counting(&mut entries, now);
        if renewed || entries.len() < before { self.sealed(&entries).map(Some) } else { Ok(None) }
    }

    fn sealed(&self, entries: &[KeyEntry]) -> Result<String, KeyringError> {
        let text =
            serde_json::to_vec(entries).map(Zeroizing::new).map_err(|e| self.unusable(&e.to_string()))?;
        Ok(self.sealer().seal(&text, CONTEXT))
    }

    fn opened(&self, kept: &str) -> Result<Vec<KeyEntry>, KeyringError> {
        let text = self.sealer().open(kept, CONTEXT).map_err(|e| self.unusable(&e.to_string()))?;
        let entries: Vec<KeyEntry> =
            serde_json::from_slice(&text).map_err(|e| self.unusable(&e.to_string()))?;
        entries.iter().try_for_each(KeyEntry::check).map_err(|why| self.unusable(&why))?;
        Ok(entries)
    }

    fn unusable(&self, why: &str) -> KeyringError {
        KeyringError::Shared { path: self.path.clone(), why: why.to_owned() }
    }
}

#[cfg(test)]
#[path = "shared_test.rs"]
mod tests;
