//! Public keys of others, as issuers of tokens publish them (JWK, RFC 7517). The algorithm is the key's own:
//! whoever writes a token chooses nothing. Symmetric keys are no public keys and are refused.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use thiserror::Error;

/// Reason for which a published key is not used.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct BadKey(String);

/// A key that verifies signatures.
pub struct PublicKey {
    id: Option<Box<str>>,
    key: DecodingKey,
    algorithm: Algorithm,
}

impl PublicKey {
    /// Reads one key of a published set. RSA keys (`RS256` unless the key says `PS256`), P-256 (`ES256`) and
    /// Ed25519 (`EdDSA`) are known; keys for encryption and all others are refused.
    pub fn from_jwk(value: &Value) -> Result<Self, BadKey> {
        let bad = |why: &str| BadKey(why.to_owned());
        let jwk: Jwk = serde_json::from_value(value.clone()).map_err(|e| BadKey(e.to_string()))?;
        if jwk.common.public_key_use.as_ref().is_some_and(|used| *used != PublicKeyUse::Signature) {
            return Err(bad("it is not for signatures"));
        }
        let stated = jwk.common.key_algorithm;
        let algorithm = match (&jwk.algorithm, stated) {
            (AlgorithmParameters::RSA(_), None | Some(KeyAlgorithm::RS256)) => Algorithm::RS256,
            (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::PS256)) => Algorithm::PS256,
            (AlgorithmParameters::EllipticCurve(key), None | Some(KeyAlgorithm::ES256))
                if key.curve == EllipticCurve::P256 =>
            {
                Algorithm::ES256
            }
            (AlgorithmParameters::OctetKeyPair(key), None | Some(KeyAlgorithm::EdDSA))
                if key.curve == EllipticCurve::Ed25519 =>
            {
                Algorithm::EdDSA
            }
            _ => return Err(bad("its algorithm is none of RS256, PS256, ES256, EdDSA")),
        };
        let key = DecodingKey::from_jwk(&jwk).map_err(|e| BadKey(e.to_string()))?;
        Ok(PublicKey { id: jwk.common.key_id.map(Into::into), key, algorithm })
    }

    /// Name of the key, if it has one.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Algorithm as token headers name it, such as `RS256`.
    pub fn algorithm(&self) -> &'static str {
        match self.algorithm {
            Algorithm::RS256 => "RS256",
            Algorithm::PS256 => "PS256",
            Algorithm::ES256 => "ES256",
            _ => "EdDSA",
        }
    }

    /// Returns true if the signature (base64url) is that of the message.
    pub fn verify(&self, message: &[u8], signature: &str) -> bool {
        jsonwebtoken::crypto::verify(signature, message, &self.key, self.algorithm).unwrap_or(false)
    }
}

#[cfg(test)]
#[path = "public_key_test.rs"]
mod tests;
