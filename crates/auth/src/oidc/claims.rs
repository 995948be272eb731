//! Claims of a foreign issuer's token, once its signature was checked.

use longhaul_model::Timestamp;
use serde_json::{Map, Value};

use super::Shown;
use crate::access::{LEEWAY, in_time};
use crate::config::OidcConfig;
use crate::denied::{Denied, Reason};
use crate::names::is_external_name;
use crate::principal::{Kind, Principal};
use crate::role::Role;

/// A user that the issuer vouches for, with the roles that it grants.
pub(crate) struct Vouched {
    /// Name of the user.
    pub(crate) name: String,
    /// The highest role that the user has here; `None` if no role of the issuer's means anything here.
    pub(crate) role: Option<Role>,
    /// The roles of the issuer that mean something here, by its own names.
    pub(crate) granted: Vec<String>,
    /// Time at which the issuer issued the token, in seconds since 1970 by its clock.
    issued_at: i64,
}

impl Vouched {
    /// Returns the principal that the user is here, if there is a role for it.
    pub(crate) fn principal(&self) -> Result<Principal, Denied> {
        let role = self.role.ok_or(Denied::NoRole)?;
        Ok(Principal::new(self.name.as_str(), role, Kind::External))
    }

    /// Returns true if the token was issued after a moment, as far as clocks can tell.
    pub(crate) fn is_news_after(&self, at: Timestamp) -> bool {
        self.issued_at.saturating_add(LEEWAY) >= at.0.div_euclid(1000)
    }
}

/// Checks the claims and returns the user that they stand for.
pub(super) fn check(
    config: &OidcConfig,
    claims: &[u8],
    shown: Shown,
    now: Timestamp,
) -> Result<Vouched, Denied> {
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
    let granted = granted(config, &claims);
    let role = highest(config, &granted);
    Ok(Vouched { name: name.to_owned(), role, granted, issued_at: iat })
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

/// The role here that a role of the issuer means.
fn meaning(config: &OidcConfig, name: &str) -> Option<Role> {
    if config.roles.is_empty() { name.parse().ok() } else { config.roles.get(name).copied() }
}

/// The roles in the claim that mean something here.
fn granted(config: &OidcConfig, claims: &Map<String, Value>) -> Vec<String> {
    let names: Vec<&str> = match at(claims, &config.roles_claim) {
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => one.split_whitespace().collect(),
        _ => Vec::new(),
    };
    names.into_iter().filter(|name| meaning(config, name).is_some()).map(str::to_owned).collect()
}

/// The highest role here of those that the issuer's mean; workers have only that one.
pub(super) fn highest(config: &OidcConfig, granted: &[String]) -> Option<Role> {
    let roles: Vec<Role> = granted.iter().filter_map(|name| meaning(config, name)).collect();
    [Role::Admin, Role::Operator, Role::Viewer, Role::Worker].into_iter().find(|role| roles.contains(role))
}

/// A member of that name, or else the one at the end of a path with dots: names of claims may have dots
/// themselves.
fn at<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(found) = claims.get(path) {
        return Some(found);
    }
    let mut names = path.split('.');
    let first = claims.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))
}
