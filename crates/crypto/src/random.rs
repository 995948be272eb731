//! Randomness for what must not be guessed: keys, tokens, identities of refresh tokens.

use uuid::Uuid;

use crate::base64url;

/// Returns random bytes.
///
/// # Panics
/// When the system gives no randomness: nothing that is made of it may go on then.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// Overwrites a buffer with random bytes.
///
/// # Panics
/// As [`bytes`].
pub fn fill(buffer: &mut [u8]) {
    if aws_lc_rs::rand::fill(buffer).is_err() {
        panic!("the system gives no randomness");
    }
}

/// A UUID of version 4: 122 random bits.
pub fn uuid() -> Uuid {
    uuid::Builder::from_random_bytes(bytes()).into_uuid()
}

/// Returns random bytes as base64url text: `token::<32>()` has 43 characters and 256 bits.
pub fn token<const N: usize>() -> String {
    base64url::encode(&bytes::<N>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_differ_and_have_their_form() {
        assert_ne!(bytes::<32>(), bytes::<32>());
        assert_ne!(uuid(), uuid());
        assert_eq!(uuid().get_version_num(), 4);
        assert_eq!(uuid().get_variant(), uuid::Variant::RFC4122);
        assert_eq!(token::<32>().len(), 43);
    }
}
