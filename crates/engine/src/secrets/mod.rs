//! Secrets: the parts of an input that its schema calls `writeOnly`. They are sealed before the store sees
//! them, opened for the attempt that needs them, and removed from all that the attempt outputs.

mod check;
mod decode;
mod dump;
mod known;
mod needles;
#[cfg(test)]
mod needles_test;
mod redact;
mod search;

use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use longhaul_crypto::{SealError, Sealer};
use longhaul_model::workflow::{SEALED, Secrets, is_sealed};
use longhaul_model::{Failure, Fault, TaskId};
use serde_json::{Value, json};

pub use check::SecretCheck;
pub(crate) use known::Redactors;
pub(crate) use needles::Learner;
pub(crate) use redact::Redactor;

/// Text in the place of a secret that stays closed.
const CLOSED: &str = "<redacted>";

/// Seals and opens the secrets of inputs. Each is bound to its task and its place in the input.
#[derive(Clone)]
pub(crate) struct Vault {
    sealer: Sealer,
    prints: RandomState,
}

impl Vault {
    pub(crate) fn new(sealer: Sealer) -> Self {
        Vault { sealer, prints: RandomState::new() }
    }

    /// Seals the secrets of an input in place. Whatever a caller sent there is a secret in clear, also a
    /// value that looks sealed.
    pub(crate) fn seal(&self, id: TaskId, secrets: &Secrets, input: &mut Value) {
        secrets.visit(input, &mut |place, value| {
            let text = longhaul_crypto::Zeroizing::new(value.to_string());
            *value = json!({ SEALED: self.sealer.seal(text.as_bytes(), &context(id, place.pointer)) });
        });
    }

    /// Returns a number that is the same for the same sealed secrets, for as long as this process lives.
    pub(crate) fn print(&self, secrets: &Secrets, input: &mut Value) -> u64 {
        let mut hasher = self.prints.build_hasher();
        secrets.visit(input, &mut |place, value| (place.pointer, value.to_string()).hash(&mut hasher));
        hasher.finish()
    }

    /// Opens the sealed secrets of an input in place; returns the texts that a redactor is made of.
    pub(crate) fn open(
        &self,
        id: TaskId,
        secrets: &Secrets,
        input: &mut Value,
    ) -> Result<Learner, SealError> {
        let (mut learner, mut failed) = (Learner::default(), None);
        secrets.visit(input, &mut |place, value| match self.unseal(id, place.pointer, value) {
            Ok(()) => learner.learn(value, place.names),
            Err(e) => failed = Some(e),
        });
        failed.map_or(Ok(learner), Err)
    }

    /// Opens a sealed value. A value in clear was stored before its schema was known to call it a secret;
    /// sealed ones may be in it.
    fn unseal(&self, id: TaskId, pointer: &str, value: &mut Value) -> Result<(), SealError> {
        if is_sealed(value) {
            let sealed = value[SEALED].as_str().ok_or(SealError::Damaged)?;
            let clear = self.sealer.open(sealed, &context(id, pointer))?;
            *value = serde_json::from_slice(&clear).map_err(|_| SealError::Damaged)?;
            return Ok(());
        }
        let below = |name: &str| format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        match value {
            Value::Object(members) => {
                members.iter_mut().try_for_each(|(name, inner)| self.unseal(id, &below(name), inner))
            }
            Value::Array(items) => {
                let mut items = items.iter_mut().enumerate();
                items.try_for_each(|(n, inner)| self.unseal(id, &below(&n.to_string()), inner))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }

    /// A keyed digest of a request that may hold secrets.
    pub(crate) fn fingerprint(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.sealer.fingerprint(parts)
    }
}

/// Replaces every secret by a fixed text, for readers.
pub(crate) fn hide(secrets: &Secrets, input: &mut Value) {
    secrets.visit(input, &mut |_, value| *value = Value::String(CLOSED.to_owned()));
}

/// Removes the secrets from an input, with the members that held them.
pub(crate) fn remove(secrets: &Secrets, input: &mut Value) {
    secrets.visit(input, &mut |_, value| *value = Value::Null);
    without_nulls(input);
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Returns the failure of an attempt whose secrets stay closed: the key file is not the one that sealed them.
pub(crate) fn closed(e: &SealError) -> Failure {
    let fault = Fault::new("SECRET_UNREADABLE", format!("a secret of the input cannot be read: {e}"))
        .remedy("Restore the server's key file (keys.json), then retry");
    Failure::Local { fault, retryable: false }
}

fn context(id: TaskId, pointer: &str) -> Vec<u8> {
    [b"input:", id.as_bytes().as_slice(), pointer.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use longhaul_crypto::{Keyring, Rotation};

    use super::*;

    fn vault(directory: &tempfile::TempDir) -> Vault {
        let rotation = Rotation { after: 1 << 40, keep: 1 << 40 };
        Vault::new(Keyring::open(&directory.path().join("keys.json"), rotation, 1).unwrap().sealer())
    }

    fn secrets() -> Secrets {
        Secrets::of(&json!({ "properties": { "password": { "writeOnly": true }, "pins": {
            "type": "array", "items": { "writeOnly": true } } } }))
    }

    #[test]
    fn sealed_secrets_open_in_their_place_only() {
        let directory = tempfile::tempdir().unwrap();
        let (vault, secrets) = (vault(&directory), secrets());
        let (id, other) = (TaskId::from_bytes([1; 16]), TaskId::from_bytes([2; 16]));
        let clear = json!({ "host": "h", "password": "correct horse", "pins": [1234, { "$sealed": "x" }] });
        let mut sealed = clear.clone();
        vault.seal(id, &secrets, &mut sealed);
        assert!(!sealed.to_string().contains("horse") && !sealed.to_string().contains("1234"), "{sealed}");
        assert_eq!(sealed["host"], "h");

        let mut opened = sealed.clone();
        let redactor = Redactor::from(vault.open(id, &secrets, &mut opened).unwrap());
        assert_eq!(opened, clear);
        assert_eq!(redactor.text("it said correct horse".to_owned()), "it said <redacted>");

        assert_eq!(vault.open(other, &secrets, &mut sealed.clone()).err(), Some(SealError::Damaged));
        let mut moved = sealed.clone();
        moved["pins"][0] = sealed["pins"][1].clone();
        assert!(vault.open(id, &secrets, &mut moved).is_err());
        assert!(
            vault.open(id, &secrets, &mut clear.clone()).is_err(),
            "nobody can pass a value off as sealed"
        );
        // Stored in clear, when its schema was not yet known to call it a secret.
        let mut plain = json!({ "password": "correct horse" });
        let redactor = Redactor::from(vault.open(id, &secrets, &mut plain).unwrap());
        assert_eq!(redactor.text("correct horse".to_owned()), CLOSED);
    }

    #[test]
    fn hidden_secrets_are_a_word() {
        let mut input = json!({ "host": "h", "password": { "$sealed": "k.x" }, "pins": [1] });
        hide(&secrets(), &mut input);
        assert_eq!(input, json!({ "host": "h", "password": CLOSED, "pins": [CLOSED] }));
    }
}
