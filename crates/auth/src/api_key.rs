//! API keys: 256 random bits with a prefix by which scanners of leaked secrets know them. Only the digest is
//! kept.

use longhaul_crypto::{Zeroizing, digest, random};
use longhaul_model::Timestamp;
use longhaul_store::ApiKey;

/// Prefix of every key.
const PREFIX: &str = "lhk_";

/// A new key, and what is kept of it.
pub(crate) fn make(name: Option<String>, now: Timestamp) -> (Zeroizing<String>, ApiKey) {
    let key = Zeroizing::new(format!("{PREFIX}{}", random::token::<32>()));
    let kept = ApiKey {
        id: random::uuid().to_string(),
        name,
        hash: digest::sha256(key.as_bytes()),
        created_at: now,
        last_used_at: None,
    };
    (key, kept)
}

/// Returns true if a credential has the form of an API key.
pub(crate) fn is_one(credential: &str) -> bool {
    credential.starts_with(PREFIX)
}

/// Digest by which a key is found. There is no list to compare with in which the time taken would tell
/// anything: whoever does not know the key does not know its digest.
pub(crate) fn digest(key: &str) -> [u8; 32] {
    digest::sha256(key.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_long_and_kept_as_digest() {
        let (key, kept) = make(Some("CI".to_owned()), Timestamp(5));
        assert!(is_one(&key) && key.len() == 4 + 43, "{}", key.len());
        assert_eq!(kept.hash, digest(&key));
        assert_ne!(make(None, Timestamp(5)).1.hash, kept.hash);
        assert!(!is_one("eyJhbGciOiJIUzI1NiJ9.e30.x"));
    }
}
