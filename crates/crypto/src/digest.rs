//! Digests: SHA-256, HMAC with SHA-256, and comparison in constant time.

use aws_lc_rs::{constant_time, digest, hmac};

use crate::random;

/// The SHA-256 of some bytes. For values with randomness enough of their own, such as tokens; never for
/// passwords.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// Compares without telling by its duration where the first difference is.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// A key of HMAC-SHA-256, prepared for use.
#[derive(Clone)]
pub struct HmacKey(hmac::Key);

impl HmacKey {
    /// A key of these bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        HmacKey(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// A new random key, which nobody else has.
    pub fn random() -> Self {
        HmacKey::new(&random::bytes())
    }

    /// The code of one message.
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        tag(hmac::sign(&self.0, message))
    }

    /// Returns true if the code is that of the message; in constant time.
    pub fn verify(&self, message: &[u8], code: &[u8]) -> bool {
        hmac::verify(&self.0, message, code).is_ok()
    }

    /// The code of several parts. Each goes in with its length, so that `ab, c` and `a, bc` differ.
    pub fn sign_parts(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        tag(context.sign())
    }
}

fn tag(tag: hmac::Tag) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(tag.as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn agrees_with_published_vectors() {
        // FIPS 180-4, and RFC 4231 (test case 3 with its key of 20 bytes filled up with zeros, as HMAC does
        // itself).
        assert_eq!(hex(&sha256(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let mut key = [0; 32];
        key[..20].fill(0xaa);
        let code = HmacKey::new(&key).sign(&[0xdd; 50]);
        assert_eq!(hex(&code), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    }

    #[test]
    fn parts_do_not_run_together() {
        let key = HmacKey::random();
        assert_eq!(key.sign_parts(&[b"ab", b"c"]), key.sign_parts(&[b"ab", b"c"]));
        assert_ne!(key.sign_parts(&[b"ab", b"c"]), key.sign_parts(&[b"a", b"bc"]));
        assert_ne!(key.sign_parts(&[b"ab"]), key.sign_parts(&[b"ab", b""]));
        assert_ne!(key.sign_parts(&[b"ab"]), HmacKey::random().sign_parts(&[b"ab"]));
    }

    #[test]
    fn codes_are_verified_whole() {
        let key = HmacKey::random();
        let code = key.sign(b"message");
        assert!(key.verify(b"message", &code));
        assert!(!key.verify(b"massage", &code) && !key.verify(b"message", &code[..31]));
        assert!(!key.verify(b"message", b""));
        assert!(equal(b"same", b"same") && !equal(b"same", b"sane") && !equal(b"same", b"sam"));
    }
}
