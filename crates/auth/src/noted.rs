//! What goes to the audit log: each login, each that failed, and each change of an account. Those that the throttle
//! refuses are noted once a minute for each name, as nobody must be able to fill the log.

use std::collections::HashMap;
use std::net::IpAddr;

use longhaul_model::Timestamp;
use longhaul_store::Audit;
use parking_lot::Mutex;

use crate::auth::Auth;
use crate::error::LoginError;
use crate::login::LoginRequest;
use crate::names::is_name;

/// The call that logs in.
const LOGIN: &str = "createToken";
/// The call that ends a session.
const LOGOUT: &str = "invalidateRefreshToken";
const MINUTE: i64 = 60_000;
/// Names remembered; beyond, all are forgotten and noted once more.
const REMEMBERED: usize = 10_000;

/// When the throttle's refusals were noted last, by name.
#[derive(Default)]
pub(crate) struct Refusals {
    noted: Mutex<HashMap<String, Timestamp>>,
}

impl Refusals {
    /// Is this one to be noted?
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

/// Who wants to come in, as far as that can be said: what is no name may be a password in the wrong field.
pub(crate) fn claimed(request: &LoginRequest) -> String {
    match request {
        LoginRequest::Password { username, .. } if is_name(username) => username.clone(),
        LoginRequest::Password { .. } => "(no name)".to_owned(),
        LoginRequest::ApiKey(_) => "(API key)".to_owned(),
        LoginRequest::IdToken(_) => "(ID token)".to_owned(),
    }
}

/// A note of a login.
pub(crate) fn login(name: &str, from: IpAddr) -> Audit {
    Audit::new(name.into(), Some(from), LOGIN).target(name)
}

/// A note of a logout.
pub(crate) fn logout(name: &str, from: Option<IpAddr>) -> Audit {
    Audit::new(name.into(), from, LOGOUT).target(name)
}

impl Auth {
    /// Notes that somebody was not let in.
    pub(crate) async fn note_refused(&self, note: Audit, why: &LoginError) {
        let news = match why {
            LoginError::Unauthorized => true,
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
