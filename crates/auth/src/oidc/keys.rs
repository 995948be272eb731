//! The issuer's keys, kept in memory. A token with a key that is not known has them fetched again, but not
//! more often than every 30 seconds, whatever anybody sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use longhaul_crypto::PublicKey;
use longhaul_model::{Env, Timestamp};
use parking_lot::RwLock;
use serde::Deserialize;
use serde_json::Value;

use super::fetch::{Fetch, FetchError};
use crate::denied::{Denied, Reason};

/// Pause between two fetches, in milliseconds.
const PAUSE: u64 = 30_000;
/// Older keys are fetched again when nobody waits for it.
const OLD: u64 = 3_600_000;
/// Still older ones are not believed: a key that the issuer took back must not stay because it cannot be
/// reached.
const OLDEST: u64 = 24 * 3_600_000;
/// Keys that are read of one set.
const MOST: usize = 100;

pub(super) struct Keys {
    issuer: String,
    jwks_uri: Option<String>,
    fetch: Arc<dyn Fetch>,
    env: Env,
    known: RwLock<Known>,
    tried_at: AtomicI64,
    fetching: AtomicBool,
    /// Held by the one who fetches.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct Known {
    keys: Arc<[PublicKey]>,
    at: i64,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// A key of a set.
pub(super) struct Found {
    keys: Arc<[PublicKey]>,
    at: usize,
}

impl std::ops::Deref for Found {
    type Target = PublicKey;

    fn deref(&self) -> &PublicKey {
        &self.keys[self.at]
    }
}

impl Keys {
    pub(super) fn new(issuer: String, jwks_uri: Option<String>, fetch: Arc<dyn Fetch>, env: Env) -> Self {
        Keys {
            issuer,
            jwks_uri,
            fetch,
            env,
            known: RwLock::default(),
            tried_at: AtomicI64::new(i64::MIN),
            fetching: AtomicBool::new(false),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// The key of that name, if its algorithm is the one that the token states. A token without a name of a
    /// key is taken if one key alone can have signed it.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: &str, now: Timestamp) -> Result<Found, Denied> {
        if !matches!(algorithm, "RS256" | "PS256" | "ES256" | "EdDSA") {
            return Err(Reason::Algorithm.into());
        }
        let Known { keys, at } = self.known.read().clone();
        let believed = now.0.abs_diff(at) < OLDEST;
        let fits = |key: &PublicKey| kid.is_none_or(|kid| key.id() == Some(kid));
        let mut fitting = keys.iter().enumerate().filter(|(_, key)| believed && fits(key));
        let Some((at, key)) = fitting.next() else {
            return Err(if self.may_fetch(now) { Denied::NeedsFetch } else { Reason::Signature.into() });
        };
        if fitting.next().is_some() {
            return Err(Reason::Header.into());
        }
        if key.algorithm() != algorithm {
            return Err(Reason::Algorithm.into());
        }
        drop(fitting);
        Ok(Found { keys, at })
    }

    pub(super) fn are_old(&self, now: Timestamp) -> bool {
        now.0.abs_diff(self.known.read().at) >= OLD
    }

    /// Fetches the keys, or waits for whoever does; nothing if that was tried a moment ago. Goes on though
    /// nobody waits any more: who breaks off does not keep the keys from others.
    pub(super) async fn fetch(self: &Arc<Self>) {
        let keys = Arc::clone(self);
        let fetched = tokio::spawn(async move { keys.fetch_in_turn().await });
        if let Err(e) = fetched.await {
            tracing::error!(issuer = self.issuer, error = %e, "fetching the issuer's keys ended early");
        }
    }

    async fn fetch_in_turn(&self) {
        let _turn = self.turn.lock().await;
        let now = self.env.wall();
        if !self.is_due(now) {
            return;
        }
        self.fetching.store(true, Ordering::SeqCst);
        self.tried_at.store(now.0, Ordering::SeqCst);
        match self.download().await {
            Ok(keys) => *self.known.write() = Known { keys, at: now.0 },
            Err(e) => {
                let issuer = &self.issuer;
                tracing::warn!(issuer, error = %e, "the issuer's keys cannot be fetched; those known go on");
            }
        }
        self.fetching.store(false, Ordering::SeqCst);
    }

    fn may_fetch(&self, now: Timestamp) -> bool {
        self.is_due(now) || self.fetching.load(Ordering::SeqCst)
    }

    fn is_due(&self, now: Timestamp) -> bool {
        now.0.abs_diff(self.tried_at.load(Ordering::SeqCst)) >= PAUSE
    }

    async fn download(&self) -> Result<Arc<[PublicKey]>, FetchError> {
        let uri = match &self.jwks_uri {
            Some(uri) => uri.clone(),
            None => {
                let at = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
                let body = self.fetch.get(&at).await?;
                let found: Discovery = serde_json::from_slice(&body)
                    .map_err(|e| FetchError(format!("{at} is no description of an issuer: {e}")))?;
                if found.issuer != self.issuer {
                    let said = found.issuer.escape_debug();
                    return Err(FetchError(format!("{at} describes another issuer, `{said}`")));
                }
                found.jwks_uri
            }
        };
        let body = self.fetch.get(&uri).await?;
        let set: KeySet =
            serde_json::from_slice(&body).map_err(|e| FetchError(format!("{uri} is no set of keys: {e}")))?;
        let mut keys = Vec::new();
        for key in set.keys.iter().take(MOST) {
            match PublicKey::from_jwk(key) {
                Ok(key) => keys.push(key),
                // Issuers publish keys for other purposes, too.
                Err(e) => {
                    tracing::debug!(issuer = self.issuer, error = %e, "a key of the issuer is not used")
                }
            }
        }
        if keys.is_empty() {
            return Err(FetchError(format!("{uri} has no key that can be used")));
        }
        tracing::info!(issuer = self.issuer, keys = keys.len(), "the issuer's keys were fetched");
        Ok(keys.into())
    }
}
