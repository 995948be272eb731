//! The key ring: the keys of one installation, in one file that nobody else may read. Signing keys rotate by
//! themselves; a key that was replaced goes on verifying for as long as anything that it signed may live.

mod error;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::digest::HmacKey;
use crate::keyfile::{KeyEntry, KeyFile};
use crate::seal::Sealer;

pub use error::KeyringError;

/// Times at which signing keys are made and retired, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// A key signs for so long.
    pub after: u64,
    /// A key that was replaced verifies for so long: at least as long as what it signed may live.
    pub keep: u64,
}

impl Default for Rotation {
    /// Every 30 days; a replaced key verifies for two hours, twice the life of an access token.
    fn default() -> Self {
        Rotation { after: 30 * 24 * 60 * 60 * 1000, keep: 2 * 60 * 60 * 1000 }
    }
}

/// A key that signs: HMAC with SHA-256 (`HS256`).
pub struct SigningKey {
    id: Box<str>,
    created_at: i64,
    key: HmacKey,
}

impl SigningKey {
    pub(crate) fn new(entry: &KeyEntry) -> Option<Self> {
        let key = HmacKey::new(&*entry.secret()?);
        Some(SigningKey { id: entry.id.as_str().into(), created_at: entry.created_at, key })
    }

    /// Name of the key, which goes into the header of what it signs.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Time of creation, in milliseconds since 1970.
    pub fn created_at(&self) -> i64 {
        self.created_at
    }

    /// The signature of a message.
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        self.key.sign(message)
    }
}

/// The keys of one installation.
pub struct Keyring {
    pub(crate) path: PathBuf,
    pub(crate) rotation: Rotation,
    /// The last one signs that has been known for long enough.
    pub(crate) signing: RwLock<Vec<Arc<SigningKey>>>,
    /// Time for which a new key must be known before it signs, in milliseconds.
    pub(crate) lead: AtomicI64,
    sealer: Sealer,
    /// Content of the file; locked while it changes.
    pub(crate) file: Mutex<KeyFile>,
}

impl Keyring {
    /// Reads the key file, or makes it with new keys if there is none, and rotates if that is due.
    /// After Ok: the file is on disk, mode 0600. Crash in the middle: there is a whole file or none.
    pub fn open(path: &Path, rotation: Rotation, now: i64) -> Result<Self, KeyringError> {
        let ring = Keyring::new(path, rotation, read_or_make(path, now)?)?;
        ring.rotate_if_due(now)?;
        Ok(ring)
    }

    /// Opens a ring whose signing keys are shared by several processes ([`Keyring::adopt`]): rotates nothing.
    pub fn open_to_share(path: &Path, rotation: Rotation, now: i64) -> Result<Self, KeyringError> {
        Keyring::new(path, rotation, read_or_make(path, now)?)
    }

    fn new(path: &Path, rotation: Rotation, file: KeyFile) -> Result<Self, KeyringError> {
        let malformed = || KeyringError::Malformed { path: path.to_owned(), why: "a key is damaged".into() };
        Ok(Keyring {
            path: path.to_owned(),
            rotation,
            signing: RwLock::new(signing_keys(&file).ok_or_else(malformed)?),
            lead: AtomicI64::new(0),
            sealer: Sealer::new(&file).ok_or_else(malformed)?,
            file: Mutex::new(file),
        })
    }

    /// The name of the ring: the same for as long as what it sealed can be opened and what it fingerprinted
    /// compared.
    pub fn id(&self) -> String {
        self.file.lock().fingerprint.id.clone()
    }

    /// The name of the ring whose key file has this content. Err: what is wrong with it, without anything
    /// secret.
    pub fn id_of(content: &[u8]) -> Result<String, String> {
        let text = std::str::from_utf8(content).map_err(|e| e.to_string())?;
        KeyFile::parse(text).map(|file| file.fingerprint.id.clone())
    }

    /// Seals and opens with the keys of this ring.
    pub fn sealer(&self) -> Sealer {
        self.sealer.clone()
    }

    /// The key that signs now.
    pub fn signer(&self, now: i64) -> Arc<SigningKey> {
        let (keys, lead) = (self.signing.read(), self.lead.load(Ordering::Relaxed));
        let known = keys.iter().rposition(|key| lead == 0 || now.saturating_sub(key.created_at) >= lead);
        // There is always one: `KeyFile::check`, `rotate` and `adopt` see to it.
        Arc::clone(&keys[known.unwrap_or(0)])
    }

    /// Returns true if the signature is that of the message, by the key of that ID, and the key still counts.
    pub fn verify(&self, id: &str, message: &[u8], signature: &[u8], now: i64) -> bool {
        let keys = self.signing.read();
        let Some(at) = keys.iter().position(|key| *key.id == *id) else { return false };
        let counts = keys.get(at + 1).is_none_or(|next| self.still_counts(next.created_at, now));
        counts && keys[at].key.verify(message, signature)
    }

    /// Makes a new signing key and signs with it from now on. Blocks for the disk.
    /// After Ok: on disk. Err: the old key goes on signing. Crash in the middle: either.
    pub fn rotate(&self, now: i64) -> Result<(), KeyringError> {
        self.change(now, true).map(|_| ())
    }

    /// Rotates if the key in use is old enough, and takes away keys that count no more; says whether it
    /// rotated. Blocks for the disk.
    pub fn rotate_if_due(&self, now: i64) -> Result<bool, KeyringError> {
        // In both directions: a key with a date in the future, of a clock that was wrong, must not sign for
        // ever.
        let due = self.signer(now).created_at.abs_diff(now) >= self.rotation.after;
        self.change(now, due)
    }

    fn change(&self, now: i64, rotate: bool) -> Result<bool, KeyringError> {
        let mut held = self.file.lock();
        let mut file = held.clone();
        if rotate {
            file.signing.push(KeyEntry::new("k", now));
        }
        self.retain_counting(&mut file.signing, now);
        if !rotate && file.signing.len() == held.signing.len() {
            return Ok(false);
        }
        file.write(&self.path)?;
        if let Some(keys) = signing_keys(&file) {
            *self.signing.write() = keys;
        }
        *held = file;
        Ok(rotate)
    }

    /// Takes away those that were replaced too long ago.
    pub(crate) fn retain_counting(&self, keys: &mut Vec<KeyEntry>, now: i64) {
        let replaced: Vec<i64> = keys.iter().skip(1).map(|next| next.created_at).collect();
        let mut replaced = replaced.into_iter();
        keys.retain(|_| replaced.next().is_none_or(|at| self.still_counts(at, now)));
    }

    fn still_counts(&self, replaced_at: i64, now: i64) -> bool {
        // For as long as the next one did not sign yet, it did.
        let keep = i64::try_from(self.rotation.keep).unwrap_or(i64::MAX);
        now.saturating_sub(replaced_at) < keep.saturating_add(self.lead.load(Ordering::Relaxed))
    }
}

/// Reads the file, or makes it: if several processes do so at once, one succeeds, and all get its keys.
fn read_or_make(path: &Path, now: i64) -> Result<KeyFile, KeyringError> {
    if let Some(file) = KeyFile::read(path)? {
        return Ok(file);
    }
    let file = KeyFile::new(now);
    if file.create(path)? {
        return Ok(file);
    }
    let gone = || io::Error::from(io::ErrorKind::NotFound);
    KeyFile::read(path)?.ok_or_else(|| KeyringError::Io {
        doing: "read",
        path: path.to_owned(),
        source: gone(),
    })
}

fn signing_keys(file: &KeyFile) -> Option<Vec<Arc<SigningKey>>> {
    file.signing.iter().map(|entry| SigningKey::new(entry).map(Arc::new)).collect()
}

#[cfg(test)]
#[path = "keyring_test.rs"]
mod tests;
