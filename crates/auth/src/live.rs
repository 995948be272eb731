//! Cache of the sessions that last: every request with an access token looks here. A session that is ended on
//! this node is refused from then on; one that another node ended is refused after the next look at the
//! store.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use longhaul_model::Env;
use longhaul_store::{Accounts, RefreshToken, SessionId, StoreError};
use parking_lot::RwLock;

/// Time for which a look at the store counts, in milliseconds.
const FRESH: u64 = 2000;
/// Sessions remembered; beyond, all are forgotten and looked up again.
const REMEMBERED: usize = 65_536;

/// A session, as far as this node knows.
#[derive(Clone)]
enum Known {
    Lasting(Arc<Lasting>),
    /// A session that was ended. It never comes back: identities are random.
    Over,
}

struct Lasting {
    token: Arc<RefreshToken>,
    looked_at: AtomicI64,
    /// True once somebody lets the session last longer.
    prolonging: AtomicBool,
}

/// The sessions that requests came with lately.
pub(crate) struct Live {
    accounts: Arc<dyn Accounts>,
    env: Env,
    known: RwLock<HashMap<SessionId, Known>>,
}

impl Live {
    pub(crate) fn new(accounts: Arc<dyn Accounts>, env: Env) -> Self {
        Live { accounts, env, known: RwLock::default() }
    }

    /// The refresh token of a session; `None` once the session was ended. It may be over by time: see
    /// `expires_at`.
    pub(crate) fn find(&self, id: SessionId) -> Result<Option<Arc<RefreshToken>>, StoreError> {
        let known = self.known.read().get(&id).cloned();
        match known {
            Some(Known::Over) => Ok(None),
            Some(Known::Lasting(known)) => {
                let now = self.env.now().0;
                if now.abs_diff(known.looked_at.load(Ordering::Relaxed)) < FRESH {
                    return Ok(Some(known.token.clone()));
                }
                // Others go on with what is known meanwhile.
                known.looked_at.store(now, Ordering::Relaxed);
                match self.accounts.session(id) {
                    Ok(found) => Ok(self.learn(id, found)),
                    Err(e) => {
                        tracing::warn!(error = %e, "the sessions cannot be read; those known go on");
                        Ok(Some(known.token.clone()))
                    }
                }
            }
            None => Ok(self.learn(id, self.accounts.session(id)?)),
        }
    }

    /// The refresh token with a digest, as [`Live::find`]. Anybody can make up a secret, so what never was a
    /// session is not remembered.
    pub(crate) fn with_digest(&self, hash: &[u8; 32]) -> Result<Option<Arc<RefreshToken>>, StoreError> {
        let id = SessionId::of(hash);
        let found = if self.known.read().contains_key(&id) {
            self.find(id)?
        } else {
            match self.accounts.refresh_token(hash)? {
                Some(token) => self.learn(id, Some(token)),
                None => None,
            }
        };
        Ok(found.filter(|token| token.hash == *hash))
    }

    /// Returns true to the first of those who would let a session last longer, until the next look at the
    /// store.
    pub(crate) fn is_first_to_prolong(&self, id: SessionId) -> bool {
        match self.known.read().get(&id) {
            Some(Known::Lasting(known)) => !known.prolonging.swap(true, Ordering::Relaxed),
            Some(Known::Over) | None => false,
        }
    }

    /// Takes note of what the store has.
    pub(crate) fn learn(&self, id: SessionId, found: Option<RefreshToken>) -> Option<Arc<RefreshToken>> {
        let mut all = self.known.write();
        if all.len() >= REMEMBERED {
            all.clear();
        }
        // A look that began before the end may be answered after it.
        if matches!(all.get(&id), Some(Known::Over)) {
            return None;
        }
        let token = found.map(Arc::new);
        let known = token.clone().map_or(Known::Over, |token| {
            let looked_at = AtomicI64::new(self.env.now().0);
            Known::Lasting(Arc::new(Lasting { token, looked_at, prolonging: AtomicBool::new(false) }))
        });
        all.insert(id, known);
        token
    }

    /// Takes note that a session was ended here.
    pub(crate) fn ended(&self, id: SessionId) {
        self.known.write().insert(id, Known::Over);
    }

    /// Forgets the sessions that are over by time; the others are looked up when they are needed.
    pub(crate) fn tidy(&self) {
        let now = self.env.now();
        self.known
            .write()
            .retain(|_, known| matches!(known, Known::Lasting(lasting) if lasting.token.expires_at > now));
    }
}
