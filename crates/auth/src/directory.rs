//! The accounts as they are now, in memory: every request asks for one. Made anew after each change made
//! here, and when the store's revision shows that something else changed them, which is looked at every five
//! seconds.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use longhaul_model::{Env, Timestamp};
use longhaul_store::{Accounts, StoreError, User, Users};
use parking_lot::{Mutex, RwLock};

use crate::bounds::Bounds;
use crate::names::Looks;
use crate::principal::{Kind, Principal};
use crate::role::Role;

/// Maximum age of the accounts in memory, in milliseconds.
const FRESH: i64 = 5000;

/// An account, ready for use.
pub(crate) struct Account {
    pub(crate) principal: Principal,
    pub(crate) user: User,
}

/// Last use of an API key, and the last use that the store knows.
struct Use {
    at: AtomicI64,
    stored: AtomicI64,
}

/// Point at which accounts were read: the history of the store, and the revision in it.
pub(crate) type Moment = (u64, i64);

/// All accounts, as of one point.
#[derive(Default)]
struct Snapshot {
    moment: Moment,
    /// Accounts by name in lower case.
    by_name: HashMap<Box<str>, Arc<Account>>,
    by_key: HashMap<[u8; 32], (Arc<Account>, Arc<Use>)>,
    /// Names by their appearance, each in two ways of writing it.
    by_look: HashMap<(bool, Box<str>), Arc<str>>,
}

pub(crate) struct Directory {
    accounts: Arc<dyn Accounts>,
    env: Env,
    snapshot: RwLock<Arc<Snapshot>>,
    checked_at: AtomicI64,
    /// The store's news of accounts when they were read last.
    news: AtomicU64,
    /// Start of the last look at the store's revision that a caller waited for.
    looked: Mutex<Option<Instant>>,
    /// Uses by the ID of the key; they outlive the snapshots.
    uses: Mutex<HashMap<String, Arc<Use>>>,
}

impl Directory {
    /// Reads all accounts.
    pub(crate) fn open(accounts: Arc<dyn Accounts>, env: Env) -> Result<Self, StoreError> {
        let directory = Directory {
            accounts,
            env,
            snapshot: RwLock::new(Arc::new(Snapshot { moment: (0, -1), ..Snapshot::default() })),
            checked_at: AtomicI64::new(0),
            news: AtomicU64::new(0),
            looked: Mutex::new(None),
            uses: Mutex::new(HashMap::new()),
        };
        directory.reload()?;
        Ok(directory)
    }

    /// An account by name, however it is written.
    pub(crate) fn by_name(&self, name: &str) -> Option<Arc<Account>> {
        let snapshot = self.fresh();
        if name.bytes().any(|c| c.is_ascii_uppercase()) {
            return snapshot.by_name.get(name.to_ascii_lowercase().as_str()).cloned();
        }
        snapshot.by_name.get(name).cloned()
    }

    /// The name of an account that a name is, or can be taken for.
    pub(crate) fn looking_like(&self, name: &str) -> Option<Arc<str>> {
        let snapshot = self.fresh();
        Looks::of(name).each().into_iter().find_map(|look| snapshot.by_look.get(&look).cloned())
    }

    /// The account of an API key by the key's digest; remembers that it was used.
    pub(crate) fn by_key(&self, hash: &[u8; 32]) -> Option<Arc<Account>> {
        let snapshot = self.fresh();
        let (account, used) = snapshot.by_key.get(hash)?;
        used.at.fetch_max(self.env.now().0, Ordering::Relaxed);
        Some(account.clone())
    }

    /// Returns true if there is no account at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.fresh().by_name.is_empty()
    }

    /// Every account, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Account>> {
        let mut all: Vec<_> =
            self.fresh().by_name.iter().map(|(key, account)| (key.clone(), account.clone())).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all.into_iter().map(|(_, account)| account).collect()
    }

    /// Returns the last use of an API key.
    pub(crate) fn last_use(&self, id: &str) -> Option<Timestamp> {
        let at = self.uses.lock().get(id)?.at.load(Ordering::Relaxed);
        (at > 0).then_some(Timestamp(at))
    }

    /// Uses of API keys that the store does not know yet; it is asked to take them.
    pub(crate) async fn store_uses(&self) -> Result<(), StoreError> {
        let news: Vec<(String, Arc<Use>, i64)> = {
            let uses = self.uses.lock();
            let at = |of: &Use| of.at.load(Ordering::Relaxed);
            let new = uses.iter().filter(|(_, of)| at(of) > of.stored.load(Ordering::Relaxed));
            new.map(|(id, of)| (id.clone(), of.clone(), at(of))).collect()
        };
        if news.is_empty() {
            return Ok(());
        }
        let rows = news.iter().map(|(id, _, at)| (id.clone(), Timestamp(*at))).collect();
        self.accounts.touch_api_keys(rows).await?;
        for (_, of, at) in news {
            of.stored.fetch_max(at, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Reads all accounts anew; to be called after every change, before it is answered.
    pub(crate) fn reload(&self) -> Result<(), StoreError> {
        // Before the look: what comes in between is news still.
        let news = self.accounts.accounts_news();
        let snapshot = Arc::new(self.snapshot(self.accounts.users()?));
        let mut current = self.snapshot.write();
        // Two may read at once: the newer one stays.
        if snapshot.moment >= current.moment {
            *current = snapshot;
        }
        self.news.fetch_max(news, Ordering::SeqCst);
        self.checked_at.store(self.env.now().0, Ordering::Relaxed);
        Ok(())
    }

    fn snapshot(&self, Users { history, revision, users }: Users) -> Snapshot {
        let mut snapshot = Snapshot { moment: (history, revision), ..Snapshot::default() };
        let mut uses = self.uses.lock();
        let mut kept = HashMap::new();
        for user in users {
            let (Ok(role), Ok(kind)) = (user.role.parse(), user.kind.parse::<Kind>()) else {
                tracing::error!(
                    user = user.name,
                    role = user.role,
                    kind = user.kind,
                    "an account has a role or kind that is not known, and is left out"
                );
                continue;
            };
            let mut principal = Principal::new(user.name.as_str(), role, kind);
            if role == Role::Worker
                && let Some(text) = &user.bounds
            {
                let Some(bounds) = Bounds::read(text) else {
                    tracing::error!(
                        user = user.name,
                        "the bounds of an account cannot be read, and it is left out"
                    );
                    continue;
                };
                principal.bounds = Some(Arc::new(bounds));
            }
            let account = Arc::new(Account { principal, user });
            for key in &account.user.api_keys {
                let stored = key.last_used_at.map_or(0, |at| at.0);
                let used = uses.remove(&key.id).unwrap_or_else(|| {
                    Arc::new(Use { at: AtomicI64::new(stored), stored: AtomicI64::new(stored) })
                });
                kept.insert(key.id.clone(), used.clone());
                snapshot.by_key.insert(key.hash, (account.clone(), used));
            }
            for look in Looks::of(&account.user.name).each() {
                snapshot.by_look.insert(look, account.principal.name.clone());
            }
            snapshot.by_name.insert(account.user.name.to_ascii_lowercase().into(), account);
        }
        *uses = kept;
        snapshot
    }

    /// Returns the point as of which accounts are known.
    pub(crate) fn moment(&self) -> Moment {
        self.snapshot.read().moment
    }

    /// Looks whether another node changed accounts, and reads them anew if so; says whether more is known
    /// than at that moment. Those who ask at once share a look.
    pub(crate) fn is_renewed(&self, known: Moment) -> Result<bool, StoreError> {
        if !self.accounts.accounts_are_shared() {
            return Ok(false);
        }
        let asked = Instant::now();
        let mut looked = self.looked.lock();
        if looked.is_none_or(|at| at < asked) {
            let began = Instant::now();
            if self.accounts.accounts_revision()? != self.moment().1 {
                self.reload()?;
            }
            *looked = Some(began);
        }
        Ok(self.moment() > known)
    }

    /// Reads changed accounts anew, for callers that must see what any node has answered.
    pub(crate) fn look(&self) -> Result<(), StoreError> {
        self.is_renewed((u64::MAX, 0)).map(drop)
    }

    fn fresh(&self) -> Arc<Snapshot> {
        let news = self.accounts.accounts_news();
        if self.news.swap(news, Ordering::SeqCst) < news
            && let Err(e) = self.reload()
        {
            tracing::warn!(error = %e, "the accounts cannot be read; those known go on");
            self.checked_at.store(0, Ordering::Relaxed);
        }
        let now = self.env.now().0;
        if now.abs_diff(self.checked_at.load(Ordering::Relaxed)) >= FRESH as u64 {
            // Others go on with what they have meanwhile.
            self.checked_at.store(now, Ordering::Relaxed);
            let known = self.moment().1;
            let outcome = match self.accounts.accounts_revision() {
                Ok(revision) if revision == known => Ok(()),
                Ok(_) => self.reload(),
                Err(e) => Err(e),
            };
            if let Err(e) = outcome {
                tracing::warn!(error = %e, "the accounts cannot be read; those known go on");
            }
        }
        self.snapshot.read().clone()
    }
}
