//! The façade: what the checks of identity need, in one place.

use std::sync::Arc;

use longhaul_crypto::{Keyring, password};
use longhaul_model::Env;
use longhaul_store::{Accounts, ApiKey, Basis};
use tokio::sync::Semaphore;

use crate::compact::Compact;
use crate::config::AuthConfig;
use crate::denied::{Denied, Reason};
use crate::directory::{Account, Directory};
use crate::error::StartError;
use crate::live::Live;
use crate::names::is_reserved;
use crate::noted::Refusals;
use crate::oidc::{Fetch, HttpFetch, Oidc, Shown};
use crate::password::{Hasher, Hashing, Verified};
use crate::principal::{Kind, Principal};
use crate::role::Role;
use crate::throttle::Throttle;
use crate::{access, api_key, bootstrap};

/// Logins that may wait for their password to be checked.
const WAITING: usize = 256;

/// Checks identities, gives tokens, keeps accounts.
pub struct Auth {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) env: Env,
    pub(crate) ring: Arc<Keyring>,
    pub(crate) config: AuthConfig,
    pub(crate) directory: Directory,
    pub(crate) live: Live,
    pub(crate) hasher: Hasher,
    pub(crate) verified: Verified,
    pub(crate) throttle: Throttle,
    pub(crate) refusals: Refusals,
    /// Places in the queue of passwords to be checked.
    pub(crate) queue: Semaphore,
    pub(crate) oidc: Option<Oidc>,
    /// Compared with where there is no account, so that its absence does not show in the time taken.
    pub(crate) decoy: String,
}

impl Auth {
    /// Reads the accounts. If there are none, makes the first administrator, `admin`; if it was given no
    /// password, one is made and told to `announce` before it counts, so that no crash can leave a password
    /// that nobody knows.
    pub async fn start(
        accounts: Arc<dyn Accounts>,
        env: Env,
        ring: Arc<Keyring>,
        config: AuthConfig,
        announce: impl FnOnce(&str, &str) + Send,
    ) -> Result<Arc<Auth>, StartError> {
        let fetch: Option<Arc<dyn Fetch>> = match &config.oidc {
            None => None,
            Some(oidc) => {
                let read = |path: &std::path::PathBuf| {
                    std::fs::read(path).map_err(|e| StartError::Oidc(format!("{}: {e}", path.display())))
                };
                let ca = oidc.ca_file.as_ref().map(read).transpose()?;
                Some(Arc::new(HttpFetch::new(ca.as_deref())?))
            }
        };
        Auth::start_with(accounts, env, ring, config, fetch, announce).await
    }

    /// Starts as [`Auth::start`] does, with another way to fetch the foreign issuer's keys.
    pub async fn start_with(
        accounts: Arc<dyn Accounts>,
        env: Env,
        ring: Arc<Keyring>,
        config: AuthConfig,
        fetch: Option<Arc<dyn Fetch>>,
        announce: impl FnOnce(&str, &str) + Send,
    ) -> Result<Arc<Auth>, StartError> {
        config.check()?;
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let hasher = Hasher::new(cores);
        let decoy = password::decoy();
        let oidc = match (&config.oidc, fetch) {
            (Some(oidc), Some(fetch)) => Some(Oidc::new(oidc.clone(), fetch, env.clone())),
            _ => None,
        };
        let auth = Auth {
            directory: Directory::open(accounts.clone(), env.clone())?,
            live: Live::new(accounts.clone(), env.clone()),
            throttle: Throttle::new(env.clone()),
            verified: Verified::new(),
            refusals: Refusals::default(),
            queue: Semaphore::new(WAITING),
            accounts,
            env,
            ring,
            config,
            hasher,
            oidc,
            decoy,
        };
        auth.renew_keys().await?;
        bootstrap::first_admin(&auth, announce).await?;
        Ok(Arc::new(auth))
    }

    /// Finds the principal that a credential belongs to. One of ours is decided at once, by the account as it
    /// is now. [`Denied::NeedsFetch`] means that the other issuer's keys must be fetched
    /// ([`Auth::fetch_keys`]) and the question asked once more.
    pub fn authenticate(&self, credential: &str) -> Result<Principal, Denied> {
        self.decided(|| self.decide(credential))
    }

    /// Decides by the accounts that are known here and, where another node may have changed them, once more
    /// by those of now.
    pub(crate) fn decided<T>(&self, decide: impl Fn() -> Result<T, Denied>) -> Result<T, Denied> {
        let known = self.directory.moment();
        match decide() {
            // Another node may have made or changed the account a moment ago.
            Err(
                denied @ Denied::Refused(
                    Reason::ApiKey | Reason::NoAccount | Reason::Disabled | Reason::Epoch,
                ),
            ) => match self.directory.is_renewed(known) {
                Ok(true) => decide(),
                Ok(false) => Err(denied),
                Err(e) => {
                    tracing::warn!(error = %e, "a credential is not known here, and the accounts cannot be read");
                    Err(Denied::Unavailable)
                }
            },
            decided => decided,
        }
    }

    fn decide(&self, credential: &str) -> Result<Principal, Denied> {
        if api_key::is_one(credential) {
            let account = self.directory.by_key(&api_key::digest(credential)).ok_or(Reason::ApiKey)?;
            return enabled(&account).map(|account| account.principal.clone()).map_err(Denied::from);
        }
        let token = Compact::parse(credential)?;
        match &self.oidc {
            Some(oidc) if token.header.alg != access::ALGORITHM => {
                self.unless_taken(oidc.verify(&token, Shown::Request)?.principal()?)
            }
            _ => self.session(&token),
        }
    }

    /// Authenticates as [`Auth::authenticate`] does, and fetches the foreign issuer's keys where they are
    /// needed.
    pub async fn authenticate_fetching(&self, credential: &str) -> Result<Principal, Denied> {
        match self.authenticate(credential) {
            Err(Denied::NeedsFetch) => {
                self.fetch_keys().await;
                self.authenticate(credential)
            }
            decided => decided,
        }
    }

    /// Fetches the other issuer's keys, unless that was tried within the last 30 seconds; waits for a fetch
    /// that is under way.
    pub async fn fetch_keys(&self) {
        if let Some(oidc) = &self.oidc {
            oidc.fetch().await;
        }
    }

    /// The API key that a credential is, if it is one of an account here.
    pub fn api_key(&self, credential: &str) -> Option<ApiKey> {
        let digest = api_key::is_one(credential).then(|| api_key::digest(credential))?;
        let account = self.directory.by_key(&digest)?;
        account.user.api_keys.iter().find(|key| key.hash == digest).cloned()
    }

    /// Returns the counts of hashed passwords, for metrics.
    pub fn hashing(&self) -> Hashing {
        self.hasher.hashing()
    }

    /// Returns the current principal of one of our own tokens.
    fn session(&self, token: &Compact) -> Result<Principal, Denied> {
        let claims = access::verify(&self.ring, token, self.env.wall())?;
        if claims.ep.is_none() && self.oidc.is_none() {
            return Err(Reason::Issuer.into());
        }
        // One of an earlier version, which knew no sessions: the refresh token gives one that can be ended.
        let sid = claims.sid.ok_or(Denied::Expired)?.parse().map_err(|()| Reason::Claims)?;
        let account = match claims.ep {
            None => None,
            Some(epoch) => {
                let account = self.directory.by_name(&claims.sub).ok_or(Reason::NoAccount)?;
                enabled(&account)?;
                if account.user.epoch != epoch {
                    return Err(Reason::Epoch.into());
                }
                Some(account)
            }
        };
        let lasting = self.live.find(sid).map_err(|e| {
            tracing::warn!(error = %e, "a session is not known here, and the store cannot be read");
            Denied::Unavailable
        })?;
        let lasting = lasting.ok_or(Reason::Session)?;
        if lasting.expires_at <= self.env.now() {
            return Err(Denied::Expired);
        }
        let external = matches!(lasting.basis, Basis::External { .. });
        if lasting.user != claims.sub || external != account.is_none() {
            return Err(Reason::Claims.into());
        }
        let who = match account {
            Some(account) => account.principal.clone(),
            None => {
                // What the token says of the role counts no more than what the configuration makes of the
                // session.
                claims.role.parse::<Role>().map_err(|_| Reason::Claims)?;
                let role = self.external_role(&lasting.basis).ok_or(Reason::Session)?;
                self.unless_taken(Principal::new(claims.sub.as_ref(), role, Kind::External))?
            }
        };
        Ok(Principal { session: Some(sid), ..who })
    }

    /// An external who has the name of an account here, or one that looks like it, would be taken for it in
    /// every log and list.
    pub(crate) fn unless_taken(&self, external: Principal) -> Result<Principal, Denied> {
        if is_reserved(&external.name) || self.directory.looking_like(&external.name).is_some() {
            return Err(Reason::NameTaken.into());
        }
        Ok(external)
    }
}

pub(crate) fn enabled(account: &Arc<Account>) -> Result<&Arc<Account>, Reason> {
    if account.user.disabled { Err(Reason::Disabled) } else { Ok(account) }
}
