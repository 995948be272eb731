//! Users and their API keys.

use longhaul_model::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::failed::sql;
use super::super::lenient;
use super::super::settings;
use super::sessions;
use super::standing::standing;
use crate::accounts::{ADMIN, AccountRefused, ApiKey, MOST_API_KEYS, User, UserChange};
use crate::error::StoreError;
use crate::transfer::SIGNING_KEYS;

pub(super) fn revision(connection: &Connection) -> Result<i64, StoreError> {
    connection
        .prepare_cached("SELECT revision FROM account_state")
        .and_then(|mut s| s.query_row([], |row| row.get(0)))
        .map_err(|e| match sql(e) {
            StoreError::Corrupt(why) => StoreError::Corrupt(format!("the row of account_state: {why}")),
            other => other,
        })
}

pub(super) fn all(connection: &Connection) -> Result<Vec<User>, StoreError> {
    let mut users = {
        let mut statement = connection
            .prepare_cached(
                "SELECT name, role, kind, password_hash, disabled, epoch, created_at, bounds FROM users ORDER BY name",
            )
            .map_err(sql)?;
        let rows = statement.query_map([], read_user).map_err(sql)?;
        rows.filter_map(|row| lenient::whole("users", row)).collect::<Result<Vec<_>, _>>()?
    };
    let mut statement = connection
        .prepare_cached(
            "SELECT id, name, hash, created_at, last_used_at, user FROM api_keys ORDER BY user, created_at, id",
        )
        .map_err(sql)?;
    let rows = statement.query_map([], |row| Ok((read_key(row)?, row.get::<_, String>(5)?))).map_err(sql)?;
    // Both are in the order of names.
    let mut of = users.iter_mut().peekable();
    for row in rows.filter_map(|row| lenient::whole("api_keys", row)) {
        let (key, user) = row?;
        while of.peek().is_some_and(|next| !next.name.eq_ignore_ascii_case(&user)) {
            of.next();
        }
        if let Some(owner) = of.peek_mut() {
            owner.api_keys.push(key);
        }
    }
    Ok(users)
}

pub(super) fn find(connection: &Connection, name: &str) -> Result<User, StoreError> {
    let mut user = connection
        .prepare_cached(
            "SELECT name, role, kind, password_hash, disabled, epoch, created_at, bounds FROM users WHERE name = ?",
        )
        .and_then(|mut s| s.query_row([name], read_user).optional())
        .map_err(sql)?
        .ok_or(StoreError::NotFound)?;
    let mut statement = connection
        .prepare_cached(
            "SELECT id, name, hash, created_at, last_used_at FROM api_keys WHERE user = ? ORDER BY created_at, id",
        )
        .map_err(sql)?;
    let keys = statement.query_map([name], read_key).map_err(sql)?;
    user.api_keys = keys.filter_map(|key| lenient::whole("api_keys", key)).collect::<Result<_, _>>()?;
    Ok(user)
}

pub(super) fn create(connection: &Connection, mut user: User, now: Timestamp) -> Result<User, StoreError> {
    if standing(connection, &user.name)?.is_some() {
        return Err(AccountRefused::Exists.into());
    }
    if user.api_keys.len() > MOST_API_KEYS {
        return Err(AccountRefused::TooManyApiKeys.into());
    }
    user.epoch = next_epoch(connection, now)?;
    connection
        .prepare_cached(
            "INSERT INTO users (name, role, kind, password_hash, disabled, epoch, created_at, bounds)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut s| {
            s.execute(params![
                user.name,
                user.role,
                user.kind,
                user.password_hash,
                user.disabled,
                user.epoch,
                user.created_at.0,
                user.bounds
            ])
        })
        .map_err(sql)?;
    for key in &user.api_keys {
        insert_key(connection, &user.name, key)?;
    }
    changed(connection)?;
    Ok(user)
}

pub(super) fn change(
    connection: &Connection,
    name: &str,
    change: UserChange,
    now: Timestamp,
) -> Result<User, StoreError> {
    let before = find(connection, name)?;
    let (mut user, void) = before.changed(change)?;
    for gone in before.api_keys.iter().filter(|key| !user.has_key(&key.id)) {
        connection
            .prepare_cached("DELETE FROM api_keys WHERE id = ?")
            .and_then(|mut s| s.execute([&gone.id]))
            .map_err(sql)?;
    }
    for new in user.api_keys.iter().filter(|key| !before.has_key(&key.id)) {
        insert_key(connection, name, new)?;
    }
    if before.administers() && !user.administers() {
        keep_an_admin(connection, name)?;
    }
    if void {
        user.epoch = next_epoch(connection, now)?;
        sessions::revoke_all(connection, name)?;
    }
    connection
        .prepare_cached(
            "UPDATE users SET role = ?, password_hash = ?, disabled = ?, epoch = ?, bounds = ? WHERE name = ?",
        )
        .and_then(|mut s| s.execute(params![user.role, user.password_hash, user.disabled, user.epoch, user.bounds, name]))
        .map_err(sql)?;
    changed(connection)?;
    Ok(user)
}

pub(super) fn delete(connection: &Connection, name: &str) -> Result<(), StoreError> {
    let user = find(connection, name)?;
    if user.administers() {
        keep_an_admin(connection, name)?;
    }
    sessions::revoke_all(connection, name)?;
    for statement in ["DELETE FROM api_keys WHERE user = ?", "DELETE FROM users WHERE name = ?"] {
        connection.prepare_cached(statement).and_then(|mut s| s.execute([name])).map_err(sql)?;
    }
    changed(connection)
}

/// Deletes all API keys and refresh tokens, begins a new epoch of every account, and stores other signing
/// keys.
pub(super) fn void_all(connection: &Connection, keys: &str, now: Timestamp) -> Result<(), StoreError> {
    let epoch = next_epoch(connection, now)?;
    for statement in ["DELETE FROM api_keys", "DELETE FROM refresh_tokens"] {
        connection.execute(statement, []).map_err(sql)?;
    }
    connection.execute("UPDATE users SET epoch = ?", [epoch]).map_err(sql)?;
    settings::put(connection, SIGNING_KEYS, &keys.into())?;
    changed(connection)
}

pub(super) fn signing_keys(connection: &Connection) -> Result<Option<String>, StoreError> {
    let kept = settings::get(connection, SIGNING_KEYS)?;
    Ok(kept.and_then(|keys| keys.as_str().map(str::to_owned)))
}

/// Stores signing keys in place of others; returns false if those are not the stored ones.
pub(super) fn put_signing_keys(
    connection: &Connection,
    before: Option<&str>,
    after: &str,
) -> Result<bool, StoreError> {
    if signing_keys(connection)?.as_deref() != before {
        return Ok(false);
    }
    settings::put(connection, SIGNING_KEYS, &after.into()).map(|()| true)
}

/// Notes when API keys were used. Nobody's copy of the accounts must follow, so the revision stays.
pub(super) fn touch(connection: &Connection, used: &[(String, Timestamp)]) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare_cached(
            "UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, ?1), ?1) WHERE id = ?2",
        )
        .map_err(sql)?;
    for (id, at) in used {
        statement.execute(params![at.0, id]).map_err(sql)?;
    }
    Ok(())
}

/// Refuses a change unless somebody else administers, too.
fn keep_an_admin(connection: &Connection, leaving: &str) -> Result<(), StoreError> {
    let another = connection
        .prepare_cached(
            "SELECT 1 FROM users WHERE role = ? AND NOT disabled AND password_hash IS NOT NULL AND name <> ? LIMIT 1",
        )
        .and_then(|mut s| s.exists([ADMIN, leaving]))
        .map_err(sql)?;
    if another { Ok(()) } else { Err(AccountRefused::LastAdmin.into()) }
}

/// Returns an epoch that no account had before, also not in an older copy of this database: time is part of
/// it.
fn next_epoch(connection: &Connection, now: Timestamp) -> Result<i64, StoreError> {
    connection
        .prepare_cached("UPDATE account_state SET epoch = max(epoch + 1, ?) RETURNING epoch")
        .and_then(|mut s| s.query_row([now.0], |row| row.get(0)))
        .map_err(sql)
}

fn changed(connection: &Connection) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE account_state SET revision = revision + 1")
        .and_then(|mut s| s.execute([]))
        .map(|_| ())
        .map_err(sql)
}

fn insert_key(connection: &Connection, user: &str, key: &ApiKey) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO api_keys (id, user, name, hash, created_at, last_used_at) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut s| {
            let last_used = key.last_used_at.map(|at| at.0);
            s.execute(params![key.id, user, key.name, &key.hash[..], key.created_at.0, last_used])
        })
        .map(|_| ())
        .map_err(sql)
}

fn read_user(row: &Row) -> rusqlite::Result<User> {
    Ok(User {
        name: row.get(0)?,
        role: row.get(1)?,
        kind: row.get(2)?,
        password_hash: row.get(3)?,
        disabled: row.get(4)?,
        epoch: row.get(5)?,
        created_at: Timestamp(row.get(6)?),
        bounds: row.get(7)?,
        api_keys: Vec::new(),
    })
}

fn read_key(row: &Row) -> rusqlite::Result<ApiKey> {
    Ok(ApiKey {
        id: row.get(0)?,
        name: row.get(1)?,
        hash: row.get(2)?,
        created_at: Timestamp(row.get(3)?),
        last_used_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
    })
}
