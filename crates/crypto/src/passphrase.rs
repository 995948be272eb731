//! A text that a passphrase opens: for copies of keys that leave the machine.
//!
//! argon2id (RFC 9106, its second recommended choice: 64 MiB, 3 passes) makes a key of the passphrase,
//! AES-256-GCM seals with it.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{base64url, random};

/// Memory in KiB, passes, lanes.
const PARAMS: (u32, u32, u32) = (65_536, 3, 4);
/// The most memory that a file may ask for, in KiB: a crafted one must not take the machine's.
const MOST_MEMORY: u32 = 1 << 20;
/// The most passes that a file may ask for.
const MOST_PASSES: u32 = 64;
const FORMAT: &str = "longhaul-passphrase-1";
const NONCE: usize = 12;

/// Error of sealing or opening a text.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PassphraseError {
    /// The text was not made by [`seal`], or was changed.
    #[error("it is not sealed with a passphrase, or damaged")]
    Damaged,
    /// The file was sealed with another passphrase, or was changed.
    #[error("the passphrase does not open it")]
    Wrong,
    /// The key could not be derived for lack of memory.
    #[error("no key could be made of the passphrase: {0}")]
    NoKey(String),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sealed {
    format: String,
    memory_ki_b: u32,
    passes: u32,
    lanes: u32,
    salt: String,
    /// Nonce and ciphertext.
    sealed: String,
}

/// Seals a text; the result is JSON.
pub fn seal(plain: &[u8], passphrase: &str) -> Result<String, PassphraseError> {
    let (memory_ki_b, passes, lanes) = PARAMS;
    let salt = random::bytes::<16>();
    let key = key(passphrase, &salt, PARAMS)?;
    let mut text = Zeroizing::new(plain.to_vec());
    let no_key = |_| PassphraseError::NoKey("the system gives no randomness".into());
    let nonce = key.seal_in_place_append_tag(Aad::from(FORMAT), &mut *text).map_err(no_key)?;
    let mut whole = nonce.as_ref().to_vec();
    whole.extend_from_slice(&text);
    let sealed = Sealed {
        format: FORMAT.to_owned(),
        memory_ki_b,
        passes,
        lanes,
        salt: base64url::encode(&salt),
        sealed: base64url::encode(&whole),
    };
    serde_json::to_string_pretty(&sealed).map_err(|e| PassphraseError::NoKey(e.to_string()))
}

/// Returns true for a text that [`seal`] may have made.
pub fn is_sealed(text: &str) -> bool {
    serde_json::from_str::<Sealed>(text).is_ok_and(|sealed| sealed.format == FORMAT)
}

/// Opens what [`seal`] made.
pub fn open(sealed: &str, passphrase: &str) -> Result<Zeroizing<Vec<u8>>, PassphraseError> {
    let sealed: Sealed = serde_json::from_str(sealed).map_err(|_| PassphraseError::Damaged)?;
    let fits = sealed.format == FORMAT && sealed.memory_ki_b <= MOST_MEMORY && sealed.passes <= MOST_PASSES;
    let salt = base64url::decode(&sealed.salt).filter(|_| fits).ok_or(PassphraseError::Damaged)?;
    let whole = base64url::decode(&sealed.sealed).ok_or(PassphraseError::Damaged)?;
    let (nonce, text) = whole.split_at_checked(NONCE).ok_or(PassphraseError::Damaged)?;
    let key = key(passphrase, &salt, (sealed.memory_ki_b, sealed.passes, sealed.lanes))?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| PassphraseError::Damaged)?;
    let mut text = Zeroizing::new(text.to_vec());
    let opened = key.open_in_place(nonce, Aad::from(FORMAT), &mut text);
    let length = opened.map_err(|_| PassphraseError::Wrong)?.len();
    text.truncate(length);
    Ok(text)
}

fn key(
    passphrase: &str,
    salt: &[u8],
    (memory, passes, lanes): (u32, u32, u32),
) -> Result<RandomizedNonceKey, PassphraseError> {
    let params = Params::new(memory, passes, lanes, Some(32)).map_err(|_| PassphraseError::Damaged)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, &mut *key)
        .map_err(|e| PassphraseError::NoKey(e.to_string()))?;
    RandomizedNonceKey::new(&AES_256_GCM, &*key).map_err(|_| PassphraseError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_passphrase_only_and_unchanged() {
        let sealed = seal(b"{\"keys\": []}", "correct horse").unwrap();
        assert!(!sealed.contains("keys"));
        assert_eq!(**open(&sealed, "correct horse").unwrap(), *b"{\"keys\": []}");
        assert_eq!(open(&sealed, "correct horses"), Err(PassphraseError::Wrong));
        assert_ne!(sealed, seal(b"{\"keys\": []}", "correct horse").unwrap());
        let parsed: serde_json::Value = serde_json::from_str(&sealed).unwrap();
        for (member, value) in [
            ("format", serde_json::json!("other")),
            ("memoryKiB", serde_json::json!(u32::MAX)),
            ("passes", serde_json::json!(1_000_000)),
            ("lanes", serde_json::json!(0)),
            ("salt", serde_json::json!("*")),
            ("sealed", serde_json::json!("")),
        ] {
            let mut changed = parsed.clone();
            changed[member] = value;
            assert_eq!(
                open(&changed.to_string(), "correct horse"),
                Err(PassphraseError::Damaged),
                "{member}"
            );
        }
        assert_eq!(open("no JSON", "x"), Err(PassphraseError::Damaged));
    }
}
