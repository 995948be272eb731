//! Secrets: the parts of an input that its schema calls `writeOnly`. They are sealed before the store sees them, opened
//! for the attempt that needs them, and taken out of whatever the attempt says.

mod redact;

use longhaul_crypto::{SealError, Sealer};
use longhaul_model::workflow::Secrets;
use longhaul_model::{Failure, Fault, TaskId};
use serde_json::{Value, json};

pub(crate) use redact::Redactor;

/// What a secret is where it stays closed.
const CLOSED: &str = "<redacted>";

/// The member of the object that stands where a sealed secret was.
const SEALED: &str = "$sealed";

/// Seals and opens the secrets of inputs. Each is bound to its task and its place in the input.
#[derive(Clone)]
pub(crate) struct Vault(Sealer);

impl Vault {
    pub(crate) fn new(sealer: Sealer) -> Self {
        Vault(sealer)
    }

    /// Puts sealed secrets in the place of those in clear. Whatever a caller sent there is one, also something that
    /// looks sealed.
    pub(crate) fn seal(&self, id: TaskId, secrets: &Secrets, input: &mut Value) {
        secrets.visit(input, &mut |pointer, value| {
            let text = longhaul_crypto::Zeroizing::new(value.to_string());
            *value = json!({ SEALED: self.0.seal(text.as_bytes(), &context(id, pointer)) });
        });
    }

    /// Puts secrets in clear in the place of sealed ones; gives what takes them out of texts again.
    pub(crate) fn open(
        &self,
        id: TaskId,
        secrets: &Secrets,
        input: &mut Value,
    ) -> Result<Redactor, SealError> {
        let (mut redactor, mut failed) = (Redactor::default(), None);
        secrets.visit(input, &mut |pointer, value| match self.opened(id, pointer, value) {
            Ok(clear) => {
                redactor.learn(&clear);
                *value = clear;
            }
            Err(e) => failed = Some(e),
        });
        failed.map_or(Ok(redactor), Err)
    }

    fn opened(&self, id: TaskId, pointer: &str, value: &Value) -> Result<Value, SealError> {
        let sealed = value[SEALED].as_str().ok_or(SealError::Damaged)?;
        let clear = self.0.open(sealed, &context(id, pointer))?;
        serde_json::from_slice(&clear).map_err(|_| SealError::Damaged)
    }

    /// A keyed digest of a request that may hold secrets.
    pub(crate) fn fingerprint(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.0.fingerprint(parts)
    }
}

/// Puts a word in the place of every secret, for those who look.
pub(crate) fn hide(secrets: &Secrets, input: &mut Value) {
    secrets.visit(input, &mut |_, value| *value = Value::String(CLOSED.to_owned()));
}

/// Takes the secrets out of an input, and the members that held them.
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

/// The failure of an attempt whose secrets stay closed: the key file is not the one that sealed them.
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
        let redactor = vault.open(id, &secrets, &mut opened).unwrap();
        assert_eq!(opened, clear);
        assert_eq!(redactor.text("it said correct horse".to_owned()), "it said <redacted>");

        assert_eq!(vault.open(other, &secrets, &mut sealed.clone()).err(), Some(SealError::Damaged));
        let mut moved = sealed.clone();
        moved["pins"][0] = sealed["pins"][1].clone();
        assert!(vault.open(id, &secrets, &mut moved).is_err());
        let mut plain = clear;
        assert!(
            vault.open(id, &secrets, &mut plain).is_err(),
            "what is not sealed is not taken for a secret"
        );
    }

    #[test]
    fn hidden_secrets_are_a_word() {
        let mut input = json!({ "host": "h", "password": { "$sealed": "k.x" }, "pins": [1] });
        hide(&secrets(), &mut input);
        assert_eq!(input, json!({ "host": "h", "password": CLOSED, "pins": [CLOSED] }));
    }
}
