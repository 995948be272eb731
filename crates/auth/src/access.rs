//! Our own access tokens: made and checked here. Signed with HMAC-SHA-256 by a key of the ring that the
//! header names; the claims have the names that clients of the wire contract look for.

use std::borrow::Cow;

use longhaul_crypto::{Keyring, base64url, random};
use longhaul_model::{Span, Timestamp};
use longhaul_store::SessionId;
use serde::{Deserialize, Serialize};

use crate::compact::Compact;
use crate::denied::{Denied, Reason};
use crate::principal::{Kind, Principal};

/// Issuer and audience of our tokens.
const ISSUER: &str = "vcf-auth";
const AUDIENCE: &str = "sddc-services";
/// Type of our tokens: no other token signed with the same key is an access token.
const TYPE: &str = "access";
/// The algorithm of every key of the ring.
pub(crate) const ALGORITHM: &str = "HS256";
/// Clocks may differ by so many seconds.
pub(crate) const LEEWAY: i64 = 60;

#[derive(Serialize)]
struct NewHeader<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

#[derive(Serialize)]
struct NewClaims<'a> {
    jti: String,
    iat: i64,
    sub: &'a str,
    iss: &'static str,
    aud: &'static str,
    nbf: i64,
    exp: i64,
    user: &'a str,
    name: &'a str,
    scope: &'static [&'static str],
    role: &'static str,
    kind: &'static str,
    typ: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ep: Option<i64>,
    sid: String,
}

/// Claims of a token whose signature and times were checked.
#[derive(Deserialize)]
pub(crate) struct Claims<'a> {
    iat: i64,
    nbf: i64,
    exp: i64,
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(borrow)]
    aud: Cow<'a, str>,
    #[serde(borrow)]
    typ: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) sub: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) role: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) kind: Cow<'a, str>,
    /// The epoch of the account; externals have none.
    pub(crate) ep: Option<i64>,
    /// The session; tokens of earlier versions have none.
    #[serde(borrow)]
    pub(crate) sid: Option<Cow<'a, str>>,
}

/// Makes a token for somebody.
pub(crate) fn mint(
    ring: &Keyring,
    who: &Principal,
    session: SessionId,
    epoch: Option<i64>,
    life: Span,
    now: Timestamp,
) -> String {
    let key = ring.signer(now.0);
    let iat = seconds(now);
    let header = NewHeader { alg: ALGORITHM, typ: "JWT", kid: key.id() };
    let claims = NewClaims {
        jti: random::uuid().to_string(),
        iat,
        sub: &who.name,
        iss: ISSUER,
        aud: AUDIENCE,
        nbf: iat,
        exp: iat + (life.0 / 1000) as i64,
        user: &who.name,
        name: &who.name,
        scope: who.role.scopes(),
        role: who.role.code(),
        kind: who.kind.code(),
        typ: TYPE,
        ep: epoch,
        sid: session.to_string(),
    };
    // Structs of texts and numbers always have a form in JSON.
    let json = |part: Result<Vec<u8>, serde_json::Error>| base64url::encode(&part.unwrap_or_default());
    let mut token = format!("{}.{}", json(serde_json::to_vec(&header)), json(serde_json::to_vec(&claims)));
    let signature = key.sign(token.as_bytes());
    token.push('.');
    token.push_str(&base64url::encode(&signature));
    token
}

/// Checks that a token is ours, whole and in time; the caller looks its principal up.
pub(crate) fn verify<'a>(ring: &Keyring, token: &'a Compact, now: Timestamp) -> Result<Claims<'a>, Denied> {
    if token.header.alg != ALGORITHM {
        return Err(Reason::Algorithm.into());
    }
    if token.header.typ.as_deref() != Some("JWT") {
        return Err(Reason::Type.into());
    }
    let kid = token.header.kid.as_deref().ok_or(Reason::Header)?;
    let signature = base64url::decode(token.signature).ok_or(Reason::Form)?;
    if !ring.verify(kid, token.message, &signature, now.0) {
        return Err(Reason::Signature.into());
    }
    let claims: Claims = serde_json::from_slice(&token.claims).map_err(|_| Reason::Claims)?;
    if claims.typ != TYPE {
        return Err(Reason::Type.into());
    }
    if claims.iss != ISSUER {
        return Err(Reason::Issuer.into());
    }
    if claims.aud != AUDIENCE {
        return Err(Reason::Audience.into());
    }
    in_time(claims.exp, claims.iat.max(claims.nbf), now)?;
    // An account has an epoch, and nobody else has.
    if (claims.kind == Kind::External.code()) == claims.ep.is_some() {
        return Err(Reason::Claims.into());
    }
    Ok(claims)
}

/// Returns an error unless `now` lies between the given times, with some leeway.
pub(crate) fn in_time(exp: i64, begins: i64, now: Timestamp) -> Result<(), Denied> {
    let now = seconds(now);
    if begins > now.saturating_add(LEEWAY) {
        return Err(Reason::NotYet.into());
    }
    if exp.saturating_add(LEEWAY) <= now {
        return Err(Denied::Expired);
    }
    Ok(())
}

fn seconds(at: Timestamp) -> i64 {
    at.0.div_euclid(1000)
}
