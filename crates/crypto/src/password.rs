//! Passwords: argon2id, in the usual text form (`$argon2id$v=19$m=19456,t=2,p=1$salt$hash`). One hash takes
//! 19 MiB and some 20 ms of a core: callers bound how many run at once, and keep them off the threads that
//! answer requests.

use argon2::password_hash::{Error, phc::PasswordHash};
use argon2::{
    ARGON2ID_IDENT, Algorithm, Argon2, CustomizedPasswordHasher, Params, PasswordVerifier, Version,
};
use thiserror::Error;

use crate::{base64url, random};

/// Memory in KiB, passes, lanes: the first of the choices that OWASP gives for argon2id.
const PARAMS: (u32, u32, u32) = (19_456, 2, 1);

/// Neither a match nor a mismatch: there was no memory for the hash, or the stored hash is damaged.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a password cannot be hashed: {0}")]
pub struct HashError(String);

/// Hashes a password with a new salt.
pub fn hash(password: &str) -> Result<String, HashError> {
    let (memory, passes, lanes) = PARAMS;
    let params = Params::new(memory, passes, lanes, None).map_err(|e| HashError(e.to_string()))?;
    let salt = random::bytes::<16>();
    argon2()
        .hash_password_customized(password.as_bytes(), &salt, None, None, params)
        .map(|hashed| hashed.to_string())
        .map_err(|e| HashError(e.to_string()))
}

/// Returns a hash that takes as long to compare with as a real one, and matches nothing: made without
/// hashing, which would cost its memory at every start.
pub fn decoy() -> String {
    let (memory, passes, lanes) = PARAMS;
    // The text form has the other alphabet of Base64.
    let text = |bytes: &[u8]| base64url::encode(bytes).replace('-', "+").replace('_', "/");
    let (salt, hash) = (text(&random::bytes::<16>()), text(&random::bytes::<32>()));
    format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}")
}

/// Returns true if the password is the hashed one.
pub fn verify(password: &str, hash: &str) -> Result<bool, HashError> {
    match argon2().verify_password(password.as_bytes(), hash) {
        Ok(()) => Ok(true),
        Err(Error::PasswordInvalid) => Ok(false),
        Err(e) => Err(HashError(e.to_string())),
    }
}

/// Returns true if a hash has today's parameters ([`hash`]). Otherwise the password is hashed anew when it is
/// next at hand.
pub fn is_current(hash: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(hash) else { return false };
    let Ok(params) = Params::try_from(&parsed) else { return false };
    parsed.algorithm == ARGON2ID_IDENT
        && parsed.version == Some(Version::V0x13.into())
        && (params.m_cost(), params.t_cost(), params.p_cost()) == PARAMS
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vector of the reference implementation's own tests, with other parameters than today's.
    const OLD: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

    #[test]
    fn only_the_password_matches() {
        let hashed = hash("correct horse battery").expect("hashed");
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert_eq!(verify("correct horse battery", &hashed), Ok(true));
        assert_eq!(verify("correct horse batterz", &hashed), Ok(false));
        assert_eq!(verify("", &hashed), Ok(false));
        assert_ne!(hashed, hash("correct horse battery").expect("hashed"), "each hash has its own salt");
        assert!(is_current(&hashed));
    }

    #[test]
    fn decoy_is_a_hash_like_any_other() {
        for _ in 0..20 {
            let decoy = decoy();
            assert!(is_current(&decoy), "{decoy}");
        }
        assert_eq!(verify("correct horse battery", &decoy()), Ok(false));
    }

    #[test]
    fn other_parameters_verify_but_are_not_current() {
        assert_eq!(verify("password", OLD), Ok(true));
        assert!(!is_current(OLD));
    }

    #[test]
    fn damaged_hashes_are_neither_right_nor_wrong() {
        for damaged in
            ["", "plain", "$argon2id$v=19$m=19456,t", "$argon2id$v=19$m=1,t=2,p=1$c2FsdHNhbHQ$aGFzaA"]
        {
            assert!(verify("correct horse battery", damaged).is_err(), "{damaged}");
            assert!(!is_current(damaged), "{damaged}");
        }
    }
}
