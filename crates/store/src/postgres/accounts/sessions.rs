//! Refresh tokens.

use deadpool_postgres::GenericClient;
use longhaul_model::Timestamp;
use tokio_postgres::Row;

use super::{digest, folded, standing};
use crate::error::StoreError;
use crate::postgres::sql::{Sql, clean, column, execute, failed, query};
use crate::session::{Basis, RefreshToken, SessionId, SessionPage, SessionQuery, Whose};

const COLUMNS: &str = "hash, name, epoch, role, issuer, granted, means, origin, created_at, expires_at";

pub(super) async fn put(db: &impl GenericClient, token: &RefreshToken) -> Result<(), StoreError> {
    if let Basis::Account { epoch } = token.basis
        && standing(db, &token.user).await? != Some((epoch, false))
    {
        return Err(StoreError::NotFound);
    }
    let (epoch, role, issuer, granted) = token.basis.columns();
    let granted = granted.as_deref().map(clean);
    let statement = format!(
        "INSERT INTO refresh_tokens ({COLUMNS}, folded) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    );
    let (name, known_as) = (clean(&token.user), folded(&token.user));
    let RefreshToken { hash, means, origin, created_at, expires_at, .. } = token;
    let (hash, from, to) = (&hash[..], created_at.0, expires_at.0);
    execute(
        db,
        &statement,
        &[&hash, &name, &epoch, &role, &issuer, &granted, means, origin, &from, &to, &known_as],
    )
    .await
    .map(drop)
}

pub(super) async fn find(
    db: &impl GenericClient,
    hash: [u8; 32],
) -> Result<Option<RefreshToken>, StoreError> {
    within(db, (hash, hash)).await
}

pub(super) async fn session(
    db: &impl GenericClient,
    id: SessionId,
) -> Result<Option<RefreshToken>, StoreError> {
    within(db, id.range()).await
}

/// The first token with a digest in a range.
async fn within(
    db: &impl GenericClient,
    (least, greatest): ([u8; 32], [u8; 32]),
) -> Result<Option<RefreshToken>, StoreError> {
    let statement = format!("SELECT {COLUMNS} FROM refresh_tokens WHERE hash BETWEEN $1 AND $2 LIMIT 1");
    let rows = query(db, &statement, &[&&least[..], &&greatest[..]]).await?;
    rows.first().map(read).transpose()
}

/// Returns a page of sessions, newest first; a row that cannot be read is skipped.
pub(super) async fn page(db: &impl GenericClient, query: &SessionQuery) -> Result<SessionPage, StoreError> {
    let mut count = Sql::new("SELECT count(*) FROM refresh_tokens WHERE true");
    filter(&mut count, query);
    let total = db.query_one(&count.text, &count.parameters()).await.map_err(failed)?;
    let mut page = Sql::new(format!("SELECT {COLUMNS} FROM refresh_tokens WHERE true"));
    filter(&mut page, query);
    page.push(" ORDER BY created_at DESC, hash LIMIT ").bind(i64::from(query.limit));
    page.push(" OFFSET ").bind(i64::try_from(query.offset).unwrap_or(i64::MAX));
    let rows = db.query(&page.text, &page.parameters()).await.map_err(failed)?;
    let mut sessions = Vec::with_capacity(rows.len());
    for row in &rows {
        match read(row) {
            Err(StoreError::Corrupt(error)) => {
                tracing::error!(table = "refresh_tokens", error, "a row cannot be read and is passed over");
            }
            token => sessions.push(token?),
        }
    }
    Ok(SessionPage { sessions, total: column::<i64>(&total, 0)?.max(0) as u64 })
}

fn filter(sql: &mut Sql, query: &SessionQuery) {
    sql.and("expires_at > ", query.now.0);
    match &query.whose {
        Whose::Anybody => {}
        Whose::Named(name) => {
            sql.and("folded = ", folded(name));
        }
        Whose::Of { name, external } => {
            // The first comparison finds the index.
            sql.and("folded = ", folded(name)).and("name = ", clean(name));
            sql.and("(epoch IS NULL) = ", *external);
        }
    }
}

fn read(row: &Row) -> Result<RefreshToken, StoreError> {
    let basis = (column(row, 2)?, column(row, 3)?, column(row, 4)?, column(row, 5)?);
    Ok(RefreshToken {
        hash: digest(row, 0)?,
        user: column(row, 1)?,
        basis: Basis::read(basis).map_err(StoreError::Corrupt)?,
        means: column(row, 6)?,
        origin: column(row, 7)?,
        created_at: Timestamp(column(row, 8)?),
        expires_at: Timestamp(column(row, 9)?),
    })
}

pub(super) async fn prolong(
    db: &impl GenericClient,
    hash: [u8; 32],
    until: Timestamp,
) -> Result<bool, StoreError> {
    let statement = "UPDATE refresh_tokens SET expires_at = $2 WHERE hash = $1 AND expires_at < $2";
    Ok(execute(db, statement, &[&&hash[..], &until.0]).await? > 0)
}

pub(super) async fn revoke(db: &impl GenericClient, hash: [u8; 32]) -> Result<bool, StoreError> {
    let gone = execute(db, "DELETE FROM refresh_tokens WHERE hash = $1", &[&&hash[..]]).await?;
    Ok(gone > 0)
}

/// Revokes all sessions of one account.
pub(super) async fn revoke_all(db: &impl GenericClient, user: &str) -> Result<(), StoreError> {
    execute(db, "DELETE FROM refresh_tokens WHERE folded = $1", &[&folded(user)]).await.map(drop)
}

pub(super) async fn prune(db: &impl GenericClient, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let statement = "DELETE FROM refresh_tokens WHERE hash IN
         (SELECT hash FROM refresh_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
    execute(db, statement, &[&now.0, &i64::from(limit)]).await
}
