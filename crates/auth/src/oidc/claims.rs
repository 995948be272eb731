//! What another issuer's token says, once it is known to be that issuer's.

use longhaul_model::Timestamp;
use serde_json::{Map, Value};

use super::Shown;
use crate::access::in_time;
use crate::config::OidcConfig;
use crate::denied::{Denied, Reason};
use crate::names::is_external_name;
use crate::principal::{Kind, Principal};
use crate::role::Role;

/// Checks the claims and gives whom they stand for.
pub(super) fn check(
    config: &OidcConfig,
    claims: &[u8],
    shown: Shown,
    now: Timestamp,
) -> Result<Principal, Denied> {
    let claims: Map<String, Value> = serde_json::from_slice(claims).map_err(|_| Reason::Claims)?;
    if text(&claims, "iss") != Some(&config.issuer) {
        return Err(Reason::Issuer.into());
    }
    if !is_for(&claims, &config.audiences) {
        return Err(Reason::Audience.into());
    }
    let exp = instant(&claims, "exp")?.ok_or(Reason::Claims)?;
    let iat = instant(&claims, "iat")?.ok_or(Reason::Claims)?;
    let nbf = instant(&claims, "nbf")?.unwrap_or(iat);
    in_time(exp, iat.max(nbf), now)?;
    check_purpose(&claims, shown)?;
    let sub = text(&claims, "sub").filter(|sub| !sub.is_empty()).ok_or(Reason::Claims)?;
    let name = text(&claims, "preferred_username").unwrap_or(sub);
    if !is_external_name(name) {
        return Err(Reason::Claims.into());
    }
    let role = role(config, &claims).ok_or(Denied::NoRole)?;
    Ok(Principal::new(name, role, Kind::External))
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

/// Seconds since 1970, which may have a fraction.
fn instant(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, Reason> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64));
    seconds.map(Some).ok_or(Reason::Claims)
}

fn is_for(claims: &Map<String, Value>, audiences: &[String]) -> bool {
    let ours = |value: &Value| value.as_str().is_some_and(|one| audiences.iter().any(|ours| ours == one));
    match claims.get("aud") {
        Some(Value::Array(several)) => several.iter().any(ours),
        Some(one) => ours(one),
        None => false,
    }
}

/// Issuers sign other things with the same keys. Where a token says what it is, that must fit.
fn check_purpose(claims: &Map<String, Value>, shown: Shown) -> Result<(), Reason> {
    // A notice that somebody logged out.
    if claims.contains_key("events") {
        return Err(Reason::Type);
    }
    let fits = match (text(claims, "typ"), shown) {
        (None, _) => true,
        (Some(typ), Shown::Login) => typ.eq_ignore_ascii_case("ID"),
        (Some(typ), Shown::Request) => {
            ["Bearer", "JWT", "at+jwt"].iter().any(|ok| ok.eq_ignore_ascii_case(typ))
        }
    };
    if fits { Ok(()) } else { Err(Reason::Type) }
}

/// The highest of the roles that the claim gives; workers have only that one.
fn role(config: &OidcConfig, claims: &Map<String, Value>) -> Option<Role> {
    let known = |name: &str| {
        if config.roles.is_empty() { name.parse().ok() } else { config.roles.get(name).copied() }
    };
    let roles: Vec<Role> = match at(claims, &config.roles_claim)? {
        Value::Array(several) => several.iter().filter_map(Value::as_str).filter_map(known).collect(),
        Value::String(one) => one.split_whitespace().filter_map(known).collect(),
        _ => return None,
    };
    [Role::Admin, Role::Operator, Role::Viewer, Role::Worker].into_iter().find(|role| roles.contains(role))
}

/// A member of that name, or else the one at the end of a path with dots: names of claims may have dots themselves.
fn at<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(found) = claims.get(path) {
        return Some(found);
    }
    let mut names = path.split('.');
    let first = claims.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))
}
