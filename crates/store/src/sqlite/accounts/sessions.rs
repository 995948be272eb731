//! Refresh tokens.

use longhaul_model::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::rows::sql;
use super::users;
use crate::accounts::{Basis, RefreshToken};
use crate::error::StoreError;

pub(super) fn put(connection: &Connection, token: &RefreshToken) -> Result<(), StoreError> {
    let (epoch, role) = match &token.basis {
        Basis::Account { epoch } => {
            let current = users::standing(connection, &token.user)?;
            if current != Some((*epoch, false)) {
                return Err(StoreError::NotFound);
            }
            (Some(*epoch), None)
        }
        Basis::External { role } => (None, Some(role)),
    };
    connection
        .prepare_cached(
            "INSERT INTO refresh_tokens (hash, user, epoch, role, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut s| {
            s.execute(params![
                &token.hash[..],
                token.user,
                epoch,
                role,
                token.created_at.0,
                token.expires_at.0
            ])
        })
        .map(|_| ())
        .map_err(sql)
}

pub(super) fn find(connection: &Connection, hash: &[u8; 32]) -> Result<Option<RefreshToken>, StoreError> {
    let found = connection
        .prepare_cached("SELECT user, epoch, role, created_at, expires_at FROM refresh_tokens WHERE hash = ?")
        .and_then(|mut s| s.query_row([&hash[..]], |row| read(row, *hash)).optional())
        .map_err(sql)?;
    found.transpose()
}

fn read(row: &Row, hash: [u8; 32]) -> rusqlite::Result<Result<RefreshToken, StoreError>> {
    let basis = match (row.get(1)?, row.get(2)?) {
        (Some(epoch), None) => Basis::Account { epoch },
        (None, Some(role)) => Basis::External { role },
        _ => return Ok(Err(StoreError::Corrupt("a refresh token rests on nothing".to_owned()))),
    };
    Ok(Ok(RefreshToken {
        hash,
        user: row.get(0)?,
        basis,
        created_at: Timestamp(row.get(3)?),
        expires_at: Timestamp(row.get(4)?),
    }))
}

pub(super) fn revoke(connection: &Connection, hash: &[u8; 32]) -> Result<bool, StoreError> {
    connection
        .prepare_cached("DELETE FROM refresh_tokens WHERE hash = ?")
        .and_then(|mut s| s.execute([&hash[..]]))
        .map(|rows| rows > 0)
        .map_err(sql)
}

/// All of one account.
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
