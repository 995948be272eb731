//! The compact form of signed tokens (JWS, RFC 7515): three parts, read strictly. Nothing in here is
//! believed; what a header says chooses nothing but whose rules apply.

use serde::de::{Deserialize, Deserializer, IgnoredAny};

use longhaul_crypto::base64url;

use crate::denied::Reason;

/// Longer ones are not read.
pub(crate) const LONGEST: usize = 8 * 1024;

/// A token taken apart.
pub(crate) struct Compact<'a> {
    pub(crate) header: Header,
    /// Signed part of the token.
    pub(crate) message: &'a [u8],
    pub(crate) claims: Vec<u8>,
    /// Signature in base64url.
    pub(crate) signature: &'a str,
}

/// The header of a token. A member that is there twice is refused, as are those that would bring keys or
/// meanings of their own (RFC 8725, section 3.10).
#[derive(serde::Deserialize)]
pub(crate) struct Header {
    pub(crate) alg: String,
    pub(crate) typ: Option<String>,
    pub(crate) kid: Option<String>,
    #[serde(default)]
    crit: Present,
    #[serde(default)]
    jwk: Present,
    #[serde(default)]
    jku: Present,
    #[serde(default)]
    x5u: Present,
    #[serde(default)]
    b64: Present,
    #[serde(default)]
    zip: Present,
    #[serde(default)]
    enc: Present,
}

/// Presence of a member, whatever its value.
#[derive(Default)]
struct Present(bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Present(true))
    }
}

impl<'a> Compact<'a> {
    /// Takes a token apart.
    pub(crate) fn parse(token: &'a str) -> Result<Self, Reason> {
        if token.len() > LONGEST {
            return Err(Reason::TooLong);
        }
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Reason::Form);
        };
        let message = &token.as_bytes()[..header.len() + 1 + claims.len()];
        let header = base64url::decode(header).ok_or(Reason::Form)?;
        let claims = base64url::decode(claims).ok_or(Reason::Form)?;
        // Objects and nothing else; a list would be read member by member.
        if header.first() != Some(&b'{') || claims.first() != Some(&b'{') {
            return Err(Reason::Form);
        }
        let header: Header = serde_json::from_slice(&header).map_err(|_| Reason::Header)?;
        let Header { crit, jwk, jku, x5u, b64, zip, enc, .. } = &header;
        if [crit, jwk, jku, x5u, b64, zip, enc].iter().any(|member| member.0) {
            return Err(Reason::Header);
        }
        Ok(Compact { header, message, claims, signature })
    }
}
