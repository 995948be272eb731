//! Refresh tokens.

use deadpool_postgres::GenericClient;
use longhaul_model::Timestamp;

use super::accounts::{folded, standing};
use super::rows::{execute, query};
use super::sql::{clean, column};
use crate::accounts::{Basis, RefreshToken};
use crate::error::StoreError;

pub(super) async fn put(db: &impl GenericClient, token: &RefreshToken) -> Result<(), StoreError> {
    let (epoch, role) = match &token.basis {
        Basis::Account { epoch } => {
            if standing(db, &token.user).await? != Some((*epoch, false)) {
                return Err(StoreError::NotFound);
            }
            (Some(*epoch), None)
        }
        Basis::External { role } => (None, Some(role)),
    };
    let statement = "INSERT INTO refresh_tokens (hash, name, folded, epoch, role, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let (name, known_as) = (clean(&token.user), folded(&token.user));
    let (created_at, expires_at) = (token.created_at.0, token.expires_at.0);
    execute(db, statement, &[&&token.hash[..], &name, &known_as, &epoch, &role, &created_at, &expires_at])
        .await
        .map(drop)
}

pub(super) async fn find(
    db: &impl GenericClient,
    hash: [u8; 32],
) -> Result<Option<RefreshToken>, StoreError> {
    let statement = "SELECT name, epoch, role, created_at, expires_at FROM refresh_tokens WHERE hash = $1";
    let rows = query(db, statement, &[&&hash[..]]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let basis = match (column(row, 1)?, column(row, 2)?) {
        (Some(epoch), None) => Basis::Account { epoch },
        (None, Some(role)) => Basis::External { role },
        _ => return Err(StoreError::Corrupt("a refresh token rests on nothing".to_owned())),
    };
    let (created_at, expires_at) = (Timestamp(column(row, 3)?), Timestamp(column(row, 4)?));
    Ok(Some(RefreshToken { hash, user: column(row, 0)?, basis, created_at, expires_at }))
}

pub(super) async fn revoke(db: &impl GenericClient, hash: [u8; 32]) -> Result<bool, StoreError> {
    let gone = execute(db, "DELETE FROM refresh_tokens WHERE hash = $1", &[&&hash[..]]).await?;
    Ok(gone > 0)
}

/// All of one account.
pub(super) async fn revoke_all(db: &impl GenericClient, user: &str) -> Result<(), StoreError> {
    execute(db, "DELETE FROM refresh_tokens WHERE folded = $1", &[&folded(user)]).await.map(drop)
}

pub(super) async fn prune(db: &impl GenericClient, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let statement = "DELETE FROM refresh_tokens WHERE hash IN
         (SELECT hash FROM refresh_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
    execute(db, statement, &[&now.0, &i64::from(limit)]).await
}
