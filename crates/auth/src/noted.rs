//! Rows of the audit log: each login, each that failed, and each change of an account. Those that the
//! throttle refuses are noted once a minute for each name, as nobody must be able to fill the log.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use longhaul_model::Timestamp;
use longhaul_store::Audit;
use parking_lot::Mutex;

use crate::auth::Auth;
use crate::error::LoginError;
use crate::login::LoginRequest;
use crate::names::is_name;
use crate::principal::Principal;

/// The call that logs in.
const LOGIN: &str = "createToken";
/// The call that ends a session.
const LOGOUT: &str = "invalidateRefreshToken";
/// The call that ends any session.
const END: &str = "endSession";
const MINUTE: i64 = 60_000;
/// A call that a role does not allow is noted once in such a time.
const FORBIDDEN: i64 = 10 * MINUTE;
/// Names remembered; beyond, all are forgotten and noted once more.
const REMEMBERED: usize = 10_000;

/// Times at which refusals were last noted, by name.
#[derive(Default)]
pub(crate) struct Refusals {
    noted: Mutex<HashMap<String, Timestamp>>,
    forbidden: Mutex<HashMap<Call, Forbidden>>,
}

/// A call of an account.
type Call = (Arc<str>, &'static str);

/// Calls that a role does not allow.
struct Forbidden {
    noted: Timestamp,
    /// Number of those since that were not noted.
    since: u64,
}

impl Refusals {
    /// Returns true if a refusal is to be noted.
    fn is_news(&self, name: &str, now: Timestamp) -> bool {
        let mut noted = self.noted.lock();
        if noted.get(name).is_some_and(|at| now.0.abs_diff(at.0) < MINUTE.unsigned_abs()) {
            return false;
        }
        if noted.len() >= REMEMBERED {
            noted.clear();
        }
        noted.insert(name.to_owned(), now);
        true
    }
}

impl Refusals {
    /// Number of calls that this one is noted with, which are those left out since the last note; `None` if
    /// it is left out itself.
    fn forbidden(&self, call: Call, now: Timestamp) -> Option<u64> {
        let mut all = self.forbidden.lock();
        if let Some(known) = all.get_mut(&call)
            && now.0.abs_diff(known.noted.0) < FORBIDDEN.unsigned_abs()
        {
            known.since += 1;
            return None;
        }
        if all.len() >= REMEMBERED {
            all.clear();
        }
        let before = all.insert(call, Forbidden { noted: now, since: 0 });
        Some(before.map_or(0, |before| before.since))
    }
}

/// Returns the claimed name for the audit log, if it can be one: anything else may be a password in the wrong
/// field.
pub(crate) fn claimed(request: &LoginRequest) -> String {
    match request {
        LoginRequest::Password { username, .. } => claimed_name(username),
        LoginRequest::ApiKey(_) => "(API key)".to_owned(),
        LoginRequest::IdToken(_) => "(ID token)".to_owned(),
    }
}

/// Returns a name that was typed, as [`claimed`] does.
pub(crate) fn claimed_name(name: &str) -> String {
    if is_name(name) { name.to_owned() } else { "(no name)".to_owned() }
}

/// A note of a login.
pub(crate) fn login(name: &str, from: IpAddr) -> Audit {
    Audit::new(name.into(), Some(from), LOGIN).target(name)
}

/// A note that a session ends, as its owner's issuer gives them less now.
pub(crate) fn outranked(name: &str, from: IpAddr) -> Audit {
    Audit::new(name.into(), Some(from), END).target(name)
}

/// A note of a logout.
pub(crate) fn logout(name: &str, from: Option<IpAddr>) -> Audit {
    Audit::new(name.into(), from, LOGOUT).target(name)
}

impl Auth {
    /// Notes that somebody asked for what their role does not allow: once in ten minutes for each account and
    /// call, with the number of those left out, so that nobody can fill the log.
    pub async fn note_forbidden(&self, who: &Principal, from: IpAddr, action: &'static str, needed: &str) {
        let Some(more) = self.refusals.forbidden((who.name.clone(), action), self.env.now()) else { return };
        let more = if more > 0 { format!("; {more} more since the last note") } else { String::new() };
        let detail = format!("{} is not {needed}{more}", who.role.code());
        let note = Audit::new(who.name.clone(), Some(from), action).detail(detail).refused();
        if let Err(e) = self.accounts.note(note).await {
            tracing::warn!(error = %e, "a call that was not allowed could not be noted");
        }
    }

    /// Notes that somebody was not let in.
    pub(crate) async fn note_refused(&self, note: Audit, why: &LoginError) {
        let news = match why {
            LoginError::Unauthorized | LoginError::Worker => true,
            LoginError::TooMany { .. } => self.refusals.is_news(&note.by, self.env.now()),
            LoginError::Busy | LoginError::Store(_) | LoginError::Hash(_) => false,
        };
        if news && let Err(e) = self.accounts.note(note.detail(why.to_string()).refused()).await {
            tracing::warn!(error = %e, "a failed login could not be noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_calls_are_noted_once_in_a_while_and_counted() {
        let refusals = Refusals::default();
        let noted = |name: &str, at: i64| refusals.forbidden((name.into(), "putWorkflow"), Timestamp(at));
        assert_eq!(
            (noted("a", 0), noted("a", 1), noted("b", 2), noted("a", FORBIDDEN - 1)),
            (Some(0), None, Some(0), None)
        );
        assert_eq!((noted("a", FORBIDDEN), noted("a", FORBIDDEN + 1)), (Some(2), None));
        for n in 0..2 * REMEMBERED {
            noted(&n.to_string(), 0);
        }
        assert!(refusals.forbidden.lock().len() <= REMEMBERED);
    }

    #[test]
    fn refusals_are_news_once_a_minute() {
        let refusals = Refusals::default();
        let news = |name: &str, at: i64| refusals.is_news(name, Timestamp(at));
        assert!(
            news("a", 0) && !news("a", 59_999) && news("b", 1) && news("a", 60_000) && !news("a", 60_001)
        );
        for n in 0..2 * REMEMBERED {
            news(&n.to_string(), 0);
        }
        assert!(refusals.noted.lock().len() <= REMEMBERED);
    }
}
