//! Refresh tokens.

use longhaul_model::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::super::failed::sql;
use super::super::lenient;
use super::standing::standing;
use crate::error::StoreError;
use crate::session::{Basis, RefreshToken, SessionId, SessionPage, SessionQuery, Whose};

const COLUMNS: &str = "hash, user, epoch, role, issuer, granted, means, origin, created_at, expires_at";

pub(super) fn put(connection: &Connection, token: &RefreshToken) -> Result<(), StoreError> {
    if let Basis::Account { epoch } = token.basis
        && standing(connection, &token.user)? != Some((epoch, false))
    {
        return Err(StoreError::NotFound);
    }
    let (epoch, role, issuer, granted) = token.basis.columns();
    connection
        .prepare_cached(&format!(
            "INSERT INTO refresh_tokens ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        ))
        .and_then(|mut s| {
            s.execute(params![
                &token.hash[..],
                token.user,
                epoch,
                role,
                issuer,
                granted,
                token.means,
                token.origin,
                token.created_at.0,
                token.expires_at.0
            ])
        })
        .map(|_| ())
        .map_err(sql)
}

pub(super) fn find(connection: &Connection, hash: &[u8; 32]) -> Result<Option<RefreshToken>, StoreError> {
    within(connection, (*hash, *hash))
}

pub(super) fn session(connection: &Connection, id: SessionId) -> Result<Option<RefreshToken>, StoreError> {
    within(connection, id.range())
}

pub(super) fn prolong(
    connection: &Connection,
    hash: &[u8; 32],
    until: Timestamp,
) -> Result<bool, StoreError> {
    connection
        .prepare_cached("UPDATE refresh_tokens SET expires_at = ?2 WHERE hash = ?1 AND expires_at < ?2")
        .and_then(|mut s| s.execute(params![&hash[..], until.0]))
        .map(|changed| changed > 0)
        .map_err(sql)
}

/// The first token with a digest in a range.
fn within(
    connection: &Connection,
    (least, greatest): ([u8; 32], [u8; 32]),
) -> Result<Option<RefreshToken>, StoreError> {
    let found = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM refresh_tokens WHERE hash BETWEEN ? AND ? LIMIT 1"))
        .and_then(|mut s| s.query_row([&least[..], &greatest[..]], read).optional())
        .map_err(sql)?;
    found.transpose()
}

/// Returns a page of sessions, newest first; a row that cannot be read is skipped.
pub(super) fn page(connection: &Connection, query: &SessionQuery) -> Result<SessionPage, StoreError> {
    let (filter, whose): (&str, Option<String>) = match &query.whose {
        Whose::Anybody => ("", None),
        Whose::Named(name) => (" AND user = ?", Some(name.clone())),
        // The first comparison finds the index.
        Whose::Of { name, external: false } => {
            (" AND user = ?2 AND user = ?2 COLLATE BINARY AND epoch IS NOT NULL", Some(name.clone()))
        }
        Whose::Of { name, external: true } => {
            (" AND user = ?2 AND user = ?2 COLLATE BINARY AND epoch IS NULL", Some(name.clone()))
        }
    };
    let mut values = vec![Value::Integer(query.now.0)];
    values.extend(whose.map(Value::Text));
    let total: i64 = connection
        .prepare_cached(&format!("SELECT count(*) FROM refresh_tokens WHERE expires_at > ?1{filter}"))
        .and_then(|mut s| s.query_row(params_from_iter(&values), |row| row.get(0)))
        .map_err(sql)?;
    values.push(Value::Integer(query.limit.into()));
    values.push(Value::Integer(i64::try_from(query.offset).unwrap_or(i64::MAX)));
    let text = format!(
        "SELECT {COLUMNS} FROM refresh_tokens WHERE expires_at > ?1{filter}
         ORDER BY created_at DESC, hash LIMIT ? OFFSET ?"
    );
    let mut statement = connection.prepare_cached(&text).map_err(sql)?;
    let rows = statement.query_map(params_from_iter(&values), read).map_err(sql)?;
    let mut sessions = Vec::new();
    for row in rows {
        match row {
            Ok(Err(StoreError::Corrupt(error))) => {
                tracing::error!(table = "refresh_tokens", error, "a row cannot be read and is passed over");
            }
            Ok(token) => sessions.push(token?),
            Err(e) => sessions.extend(lenient::whole("refresh_tokens", Err(e)).transpose()?),
        }
    }
    Ok(SessionPage { sessions, total: total.unsigned_abs() })
}

fn read(row: &Row) -> rusqlite::Result<Result<RefreshToken, StoreError>> {
    let basis = match Basis::read((row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?)) {
        Ok(basis) => basis,
        Err(why) => return Ok(Err(StoreError::Corrupt(why))),
    };
    Ok(Ok(RefreshToken {
        hash: row.get(0)?,
        user: row.get(1)?,
        basis,
        means: row.get(6)?,
        origin: row.get(7)?,
        created_at: Timestamp(row.get(8)?),
        expires_at: Timestamp(row.get(9)?),
    }))
}

pub(super) fn revoke(connection: &Connection, hash: &[u8; 32]) -> Result<bool, StoreError> {
    connection
        .prepare_cached("DELETE FROM refresh_tokens WHERE hash = ?")
        .and_then(|mut s| s.execute([&hash[..]]))
        .map(|rows| rows > 0)
        .map_err(sql)
}

/// Revokes all sessions of one account.
pub(super) fn revoke_all(connection: &Connection, user: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM refresh_tokens WHERE user = ?")
        .and_then(|mut s| s.execute([user]))
        .map(|_| ())
        .map_err(sql)
}

pub(super) fn prune(connection: &Connection, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM refresh_tokens WHERE hash IN
             (SELECT hash FROM refresh_tokens WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)",
        )
        .and_then(|mut s| s.execute(params![now.0, limit]))
        .map(|rows| rows as u64)
        .map_err(sql)
}
