//! Accounts: rare changes, each in a transaction of its own that locks the one row of `account_state`, so one
//! after the other; and point reads.

mod sessions;

use async_trait::async_trait;
use deadpool_postgres::GenericClient;
use longhaul_model::Timestamp;
use tokio_postgres::Row;

use super::errand::ERRANDS;
use super::sql::{clean, column, execute, query};
use super::{Postgres, audit, settings, shared};
use crate::accounts::{ADMIN, AccountRefused, Accounts, ApiKey, MOST_API_KEYS, User, UserChange, Users};
use crate::audit::Audit;
use crate::error::StoreError;
use crate::peers::Rare;
use crate::session::{RefreshToken, SessionId, SessionPage, SessionQuery};
use crate::transfer::SIGNING_KEYS;

#[async_trait]
impl Accounts for Postgres {
    fn accounts_revision(&self) -> Result<i64, StoreError> {
        self.read(|db, _| Box::pin(async move { revision(db).await }))
    }

    fn accounts_news(&self) -> u64 {
        self.shared.account_changes.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn accounts_are_shared(&self) -> bool {
        true
    }

    fn signing_keys(&self) -> Result<Option<String>, StoreError> {
        self.read(|db, _| {
            Box::pin(async move {
                let statement = format!("SELECT {KEPT_KEYS} FROM installation");
                query(db, &statement, &[]).await?.first().map_or(Ok(None), |row| column(row, 0))
            })
        })
    }

    async fn put_signing_keys(&self, before: Option<String>, after: String) -> Result<bool, StoreError> {
        self.errand(None, (before, after), |db, (before, after), _| {
            Box::pin(async move {
                let statement = format!(
                    "UPDATE installation SET signing_keys = $2 WHERE {KEPT_KEYS} IS NOT DISTINCT FROM $1"
                );
                Ok(execute(db, &statement, &[&before, &after]).await? > 0)
            })
        })
        .await
    }

    async fn void_all(&self, signing_keys: String) -> Result<(), StoreError> {
        self.errand(None, signing_keys, |db, keys, now| {
            Box::pin(async move { void_all(db, &keys, now).await })
        })
        .await
    }

    fn users(&self) -> Result<Users, StoreError> {
        // The count is read before the accounts: data of an older history is never taken for newer.
        let history = self.shared.forgotten();
        self.snapshot(move |db, _| {
            Box::pin(
                async move { Ok(Users { history, revision: revision(db).await?, users: all(db).await? }) },
            )
        })
    }

    fn user(&self, name: &str) -> Result<User, StoreError> {
        let name = name.to_owned();
        self.snapshot(move |db, _| Box::pin(async move { find(db, &name).await }))
    }

    async fn create_user(&self, user: User, note: Option<Audit>) -> Result<User, StoreError> {
        self.errand(note, user, |db, user, now| Box::pin(async move { create(db, user, now).await })).await
    }

    async fn change_user(
        &self,
        name: &str,
        asked: UserChange,
        note: Option<Audit>,
    ) -> Result<User, StoreError> {
        self.errand(note, (name.to_owned(), asked), |db, (name, asked), now| {
            Box::pin(async move { change(db, &name, asked, now).await })
        })
        .await
    }

    async fn delete_user(&self, name: &str, note: Option<Audit>) -> Result<(), StoreError> {
        self.errand(note, name.to_owned(), |db, name, _| Box::pin(async move { delete(db, &name).await }))
            .await
    }

    async fn touch_api_keys(&self, used: Vec<(String, Timestamp)>) -> Result<(), StoreError> {
        self.errand(None, used, |db, used, _| Box::pin(async move { touch(db, &used).await })).await
    }

    async fn put_refresh_token(&self, token: RefreshToken, note: Option<Audit>) -> Result<(), StoreError> {
        self.errand(note, token, |db, token, _| Box::pin(async move { sessions::put(db, &token).await }))
            .await
    }

    fn refresh_token(&self, hash: &[u8; 32]) -> Result<Option<RefreshToken>, StoreError> {
        let hash = *hash;
        self.read(move |db, _| Box::pin(async move { sessions::find(db, hash).await }))
    }

    fn session(&self, id: SessionId) -> Result<Option<RefreshToken>, StoreError> {
        self.read(move |db, _| Box::pin(async move { sessions::session(db, id).await }))
    }

    fn sessions(&self, query: &SessionQuery) -> Result<SessionPage, StoreError> {
        let query = query.clone();
        self.snapshot(move |db, _| Box::pin(async move { sessions::page(db, &query).await }))
    }

    async fn prolong_refresh_token(&self, hash: [u8; 32], until: Timestamp) -> Result<bool, StoreError> {
        self.errand(None, (), move |db, (), _| {
            Box::pin(async move { sessions::prolong(db, hash, until).await })
        })
        .await
    }

    async fn revoke_refresh_token(&self, hash: [u8; 32], note: Option<Audit>) -> Result<bool, StoreError> {
        self.errand(None, note, move |db, note, now| {
            Box::pin(async move {
                let revoked = sessions::revoke(db, hash).await?;
                if let Some(note) = note.filter(|_| revoked) {
                    audit::write(db, ERRANDS, &note, now).await?;
                }
                Ok(revoked)
            })
        })
        .await
    }

    async fn note(&self, note: Audit) -> Result<(), StoreError> {
        self.errand(Some(note), (), |_, (), _| Box::pin(async { Ok(()) })).await
    }

    async fn prune_refresh_tokens(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.errand(None, (), move |db, (), _| Box::pin(async move { sessions::prune(db, now, limit).await }))
            .await
    }
}

/// Signing keys that nodes share: those of a copy before it was moved here, if there are no others yet.
const KEPT_KEYS: &str =
    "coalesce(signing_keys, (SELECT doc::jsonb #>> '{}' FROM settings WHERE name = 'signingKeys'))";

/// Deletes all API keys and refresh tokens, begins a new epoch of every account, and stores other signing
/// keys.
async fn void_all(db: &impl GenericClient, keys: &str, now: Timestamp) -> Result<(), StoreError> {
    alone(db).await?;
    let epoch = next_epoch(db, now).await?;
    for statement in ["DELETE FROM api_keys", "DELETE FROM refresh_tokens"] {
        execute(db, statement, &[]).await?;
    }
    execute(db, "UPDATE users SET epoch = $1", &[&epoch]).await?;
    execute(db, "UPDATE installation SET signing_keys = $1", &[&keys]).await?;
    // The setting goes along if the tasks are moved to a store of the other engine.
    settings::put(db, SIGNING_KEYS, &keys.into()).await?;
    changed(db).await
}

/// Returns a name in the form in which names are compared.
pub(super) fn folded(name: &str) -> String {
    clean(name).to_ascii_lowercase()
}

async fn revision(db: &impl GenericClient) -> Result<i64, StoreError> {
    let rows = query(db, "SELECT revision FROM account_state", &[]).await?;
    rows.first().map_or(Ok(0), |row| column(row, 0))
}

const USER: &str = "name, role, kind, password_hash, disabled, epoch, created_at, bounds";
const KEY: &str = "id, name, hash, created_at, last_used_at";

async fn all(db: &impl GenericClient) -> Result<Vec<User>, StoreError> {
    let rows = query(db, &format!("SELECT {USER} FROM users ORDER BY folded"), &[]).await?;
    let mut users = rows.iter().map(read_user).collect::<Result<Vec<_>, _>>()?;
    let statement = format!("SELECT {KEY}, folded FROM api_keys ORDER BY folded, created_at, id");
    let rows = query(db, &statement, &[]).await?;
    // Both are in the order of names.
    let mut of = users.iter_mut().peekable();
    for row in &rows {
        let owner: &str = column(row, 5)?;
        while of.peek().is_some_and(|next| !next.name.eq_ignore_ascii_case(owner)) {
            of.next();
        }
        if let Some(user) = of.peek_mut() {
            user.api_keys.extend(whole_key(row)?);
        }
    }
    Ok(users)
}

async fn find(db: &impl GenericClient, name: &str) -> Result<User, StoreError> {
    let name = folded(name);
    let rows = query(db, &format!("SELECT {USER} FROM users WHERE folded = $1"), &[&name]).await?;
    let mut user = read_user(rows.first().ok_or(StoreError::NotFound)?)?;
    let statement = format!("SELECT {KEY} FROM api_keys WHERE folded = $1 ORDER BY created_at, id");
    let keys = query(db, &statement, &[&name]).await?;
    user.api_keys = keys.iter().filter_map(|row| whole_key(row).transpose()).collect::<Result<_, _>>()?;
    Ok(user)
}

/// Locks an account and returns its epoch, and true if it is disabled; both stay so until the transaction
/// ends.
pub(super) async fn standing(db: &impl GenericClient, name: &str) -> Result<Option<(i64, bool)>, StoreError> {
    let statement = "SELECT epoch, disabled FROM users WHERE folded = $1 FOR SHARE";
    let rows = query(db, statement, &[&folded(name)]).await?;
    rows.first().map(|row| Ok((column(row, 0)?, column(row, 1)?))).transpose()
}

/// Keeps other changes of the accounts out until the transaction ends.
async fn alone(db: &impl GenericClient) -> Result<(), StoreError> {
    query(db, "SELECT 1 FROM account_state FOR UPDATE", &[]).await.map(drop)
}

async fn create(db: &impl GenericClient, mut user: User, now: Timestamp) -> Result<User, StoreError> {
    alone(db).await?;
    if standing(db, &user.name).await?.is_some() {
        return Err(AccountRefused::Exists.into());
    }
    if user.api_keys.len() > MOST_API_KEYS {
        return Err(AccountRefused::TooManyApiKeys.into());
    }
    user.epoch = next_epoch(db, now).await?;
    let statement =
        "INSERT INTO users (folded, name, role, kind, password_hash, disabled, epoch, created_at, bounds)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let User { name, role, kind, password_hash, disabled, epoch, created_at, bounds, .. } = &user;
    let (known_as, at) = (folded(name), created_at.0);
    execute(db, statement, &[&known_as, name, role, kind, password_hash, disabled, epoch, &at, bounds])
        .await?;
    for key in &user.api_keys {
        insert_key(db, &user.name, key).await?;
    }
    changed(db).await?;
    Ok(user)
}

async fn change(
    db: &impl GenericClient,
    name: &str,
    change: UserChange,
    now: Timestamp,
) -> Result<User, StoreError> {
    alone(db).await?;
    let before = find(db, name).await?;
    let (mut user, void) = before.changed(change)?;
    if before.administers() && !user.administers() {
        keep_an_admin(db, name).await?;
    }
    for gone in before.api_keys.iter().filter(|key| !user.has_key(&key.id)) {
        execute(db, "DELETE FROM api_keys WHERE id = $1", &[&gone.id]).await?;
    }
    for new in user.api_keys.iter().filter(|key| !before.has_key(&key.id)) {
        insert_key(db, name, new).await?;
    }
    if void {
        user.epoch = next_epoch(db, now).await?;
        sessions::revoke_all(db, name).await?;
    }
    let statement = "UPDATE users SET role = $2, password_hash = $3, disabled = $4, epoch = $5, bounds = $6 WHERE folded = $1";
    let User { role, password_hash, disabled, epoch, bounds, .. } = &user;
    execute(db, statement, &[&folded(name), role, password_hash, disabled, epoch, bounds]).await?;
    changed(db).await?;
    Ok(user)
}

async fn delete(db: &impl GenericClient, name: &str) -> Result<(), StoreError> {
    alone(db).await?;
    let user = find(db, name).await?;
    if user.administers() {
        keep_an_admin(db, name).await?;
    }
    sessions::revoke_all(db, name).await?;
    for statement in ["DELETE FROM api_keys WHERE folded = $1", "DELETE FROM users WHERE folded = $1"] {
        execute(db, statement, &[&folded(name)]).await?;
    }
    changed(db).await
}

/// Notes when API keys were used. Nobody's copy of the accounts must follow, so the revision stays.
async fn touch(db: &impl GenericClient, used: &[(String, Timestamp)]) -> Result<(), StoreError> {
    let ids: Vec<String> = used.iter().map(|(id, _)| clean(id)).collect();
    let at: Vec<i64> = used.iter().map(|(_, at)| at.0).collect();
    let statement = "UPDATE api_keys SET last_used_at = greatest(last_used_at, u.at)
         FROM (SELECT id, max(at) AS at FROM unnest($1::text[], $2::bigint[]) AS u (id, at) GROUP BY id) AS u
         WHERE api_keys.id = u.id";
    execute(db, statement, &[&ids, &at]).await.map(drop)
}

/// Refuses a change unless somebody else administers, too.
async fn keep_an_admin(db: &impl GenericClient, leaving: &str) -> Result<(), StoreError> {
    let statement = "SELECT 1 FROM users
         WHERE role = $1 AND NOT disabled AND password_hash IS NOT NULL AND folded <> $2 LIMIT 1";
    let another = !query(db, statement, &[&ADMIN, &folded(leaving)]).await?.is_empty();
    if another { Ok(()) } else { Err(AccountRefused::LastAdmin.into()) }
}

/// Returns an epoch that no account had before, also not in an older copy of this database: time is part of
/// it.
async fn next_epoch(db: &impl GenericClient, now: Timestamp) -> Result<i64, StoreError> {
    let statement = "UPDATE account_state SET epoch = greatest(epoch + 1, $1) RETURNING epoch";
    let rows = query(db, statement, &[&now.0]).await?;
    column(rows.first().ok_or_else(|| StoreError::Corrupt("there is no account_state".to_owned()))?, 0)
}

async fn changed(db: &impl GenericClient) -> Result<(), StoreError> {
    execute(db, "UPDATE account_state SET revision = revision + 1", &[]).await?;
    shared::changed(db, Rare::Accounts).await
}

async fn insert_key(db: &impl GenericClient, user: &str, key: &ApiKey) -> Result<(), StoreError> {
    let statement = "INSERT INTO api_keys (id, folded, name, hash, created_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6)";
    let name = key.name.as_deref().map(clean);
    let last_used = key.last_used_at.map(|at| at.0);
    execute(db, statement, &[&key.id, &folded(user), &name, &&key.hash[..], &key.created_at.0, &last_used])
        .await
        .map(drop)
}

fn read_user(row: &Row) -> Result<User, StoreError> {
    Ok(User {
        name: column(row, 0)?,
        role: column(row, 1)?,
        kind: column(row, 2)?,
        password_hash: column(row, 3)?,
        disabled: column(row, 4)?,
        epoch: column(row, 5)?,
        created_at: Timestamp(column(row, 6)?),
        bounds: column(row, 7)?,
        api_keys: Vec::new(),
    })
}

/// Reads an API key; a damaged key is logged, and grants no access.
fn whole_key(row: &Row) -> Result<Option<ApiKey>, StoreError> {
    match read_key(row) {
        Err(StoreError::Corrupt(why)) => {
            tracing::error!(table = "api_keys", error = why, "a row cannot be read and is passed over");
            Ok(None)
        }
        key => key.map(Some),
    }
}

fn read_key(row: &Row) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        id: column(row, 0)?,
        name: column(row, 1)?,
        hash: digest(row, 2)?,
        created_at: Timestamp(column(row, 3)?),
        last_used_at: column::<Option<i64>>(row, 4)?.map(Timestamp),
    })
}

/// A column with a SHA-256.
pub(super) fn digest(row: &Row, n: usize) -> Result<[u8; 32], StoreError> {
    column::<&[u8]>(row, n)?
        .try_into()
        .map_err(|_| StoreError::Corrupt("a digest has not 32 bytes".to_owned()))
}
