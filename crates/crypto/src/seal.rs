//! Sealing: secrets at rest, encrypted with AES-256-GCM. Each is bound to the place where it belongs (its
//! *context*, such as the id of a task and the name of a field), so that it cannot be moved to another place
//! and be opened there.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::base64url;
use crate::digest::HmacKey;
use crate::keyfile::KeyFile;

const NONCE: usize = 12;
const TAG: usize = 16;

/// Reason for which a sealed value cannot be opened.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SealError {
    /// The key ring does not have the key that sealed it.
    #[error("the key `{0}`, which sealed a value, is not in the key file: restore the file that has it")]
    UnknownKey(String),
    /// The value is not sealed, was changed, or belongs to another place.
    #[error("a sealed value is damaged or belongs elsewhere")]
    Damaged,
}

struct SealingKey {
    id: Box<str>,
    key: RandomizedNonceKey,
}

/// Seals with the newest sealing key of a ring, opens with any. Cheap to clone.
#[derive(Clone)]
pub struct Sealer {
    /// The last one seals.
    keys: Arc<[SealingKey]>,
    fingerprints: HmacKey,
}

impl Sealer {
    pub(crate) fn new(file: &KeyFile) -> Option<Self> {
        let key = |entry: &crate::keyfile::KeyEntry| {
            let key = RandomizedNonceKey::new(&AES_256_GCM, &*entry.secret()?).ok()?;
            Some(SealingKey { id: entry.id.as_str().into(), key })
        };
        let keys: Option<Arc<[SealingKey]>> = file.sealing.iter().map(key).collect();
        Some(Sealer { keys: keys?, fingerprints: HmacKey::new(&*file.fingerprint.secret()?) })
    }

    /// Encrypts, as `kid.base64url(nonce ‖ ciphertext ‖ tag)`. What is given as context is not in the result
    /// and must be given again to open it. The nonce is random: a key is good for 2^32 values.
    ///
    /// # Panics When the library cannot encrypt, which is when the system gives no randomness: nothing may be
    /// stored in clear then.
    pub fn seal(&self, plain: &[u8], context: &[u8]) -> String {
        let newest = &self.keys[self.keys.len() - 1];
        let mut text = Zeroizing::new(Vec::with_capacity(NONCE + plain.len() + TAG));
        text.extend_from_slice(plain);
        match newest.key.seal_in_place_append_tag(Aad::from(context), &mut *text) {
            Ok(nonce) => {
                let mut whole = nonce.as_ref().to_vec();
                whole.extend_from_slice(&text);
                format!("{}.{}", newest.id, base64url::encode(&whole))
            }
            Err(_) => panic!("a secret cannot be sealed"),
        }
    }

    /// Decrypts what [`Sealer::seal`] made, given the same context.
    pub fn open(&self, sealed: &str, context: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (id, text) = sealed.split_once('.').ok_or(SealError::Damaged)?;
        let key = self.keys.iter().find(|key| *key.id == *id);
        let key = key.ok_or_else(|| SealError::UnknownKey(id.chars().take(64).collect()))?;
        let whole = base64url::decode(text).ok_or(SealError::Damaged)?;
        let (nonce, text) = whole.split_at_checked(NONCE).ok_or(SealError::Damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Damaged)?;
        let mut text = Zeroizing::new(text.to_vec());
        let opened = key.key.open_in_place(nonce, Aad::from(context), &mut text);
        let length = opened.map_err(|_| SealError::Damaged)?.len();
        text.truncate(length);
        Ok(text)
    }

    /// A keyed digest of several parts, the same for as long as the key file lives: to compare secrets, or
    /// requests that hold some, without storing them.
    pub fn fingerprint(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.fingerprints.sign_parts(parts)
    }
}

#[cfg(test)]
#[path = "seal_test.rs"]
mod tests;
