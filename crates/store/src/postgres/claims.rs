//! Claims: a task gets all that it claims at once, in order of arrival. It has its turn when nobody with a lower ticket stands
//! in its way on any of its keys, whether that one holds or waits: so nobody waits for ever, and no two wait for each other.

use deadpool_postgres::GenericClient;
use longhaul_model::{Claim, ClaimMode, Record, TaskId, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

use super::rows::{execute, query};
use super::sql::{clean, column};
use crate::error::StoreError;
use crate::locks::{Lock, LockPage, LockQuery};

const SHARED: i16 = 0;
const EXCLUSIVE: i16 = 1;
const SLOT: i16 = 2;

/// Waiting tasks that are looked at when one key becomes free.
const LOOKED_AT: i64 = 1_000;

fn numbers(mode: ClaimMode) -> (i16, i64) {
    match mode {
        ClaimMode::Shared => (SHARED, 0),
        ClaimMode::Exclusive => (EXCLUSIVE, 0),
        ClaimMode::Slot(most) => (SLOT, i64::from(most)),
    }
}

/// Whoever looks at claims to decide on them does so alone, until its transaction ends.
async fn alone(db: &impl GenericClient) -> Result<(), StoreError> {
    execute(db, "LOCK TABLE claims IN SHARE ROW EXCLUSIVE MODE", &[]).await.map(drop)
}

/// Refuses a task that does not wait while others hold what it claims.
pub(super) async fn check(db: &impl GenericClient, record: &Record) -> Result<(), StoreError> {
    alone(db).await?;
    let keys: Vec<String> = record.claims().iter().map(|claim| clean(&claim.key())).collect();
    let rows = query(db, "SELECT DISTINCT id FROM claims WHERE key = ANY($1) ORDER BY id", &[&keys]).await?;
    let holders = rows.iter().map(|row| column(row, 0).map(TaskId)).collect::<Result<Vec<_>, _>>()?;
    if holders.is_empty() { Ok(()) } else { Err(StoreError::Locked(holders)) }
}

/// Enters what a task claims; true when it has all of it at once.
pub(super) async fn request(
    db: &impl GenericClient,
    record: &Record,
    now: Timestamp,
) -> Result<bool, StoreError> {
    alone(db).await?;
    let (mut keys, mut kinds, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let (mut modes, mut mosts) = (Vec::new(), Vec::new());
    for claim in record.claims() {
        let (mode, most) = numbers(claim.mode);
        keys.push(clean(&claim.key()));
        let Claim { kind, id, .. } = claim;
        kinds.push(clean(&kind));
        names.push(clean(&id));
        modes.push(mode);
        mosts.push(most);
    }
    let statement = "INSERT INTO claims (key, ticket, id, kind, name, mode, most, held, since)
         SELECT key, (SELECT nextval('tickets')), $1, kind, name, mode, most, false, $2
         FROM unnest($3::text[], $4::text[], $5::text[], $6::smallint[], $7::bigint[])
           AS c (key, kind, name, mode, most)";
    execute(db, statement, &[&record.id.0, &now.0, &keys, &kinds, &names, &modes, &mosts]).await?;
    grant(db, record.id.0, now).await
}

/// Gives a waiting task what it claims, if it has its turn on every key.
async fn grant(db: &impl GenericClient, id: Uuid, now: Timestamp) -> Result<bool, StoreError> {
    let statement = "UPDATE claims SET held = true, since = $2 WHERE id = $1 AND NOT EXISTS (
           SELECT 1 FROM claims AS mine WHERE mine.id = $1 AND CASE mine.mode
             WHEN 2 THEN mine.most <= (SELECT count(*) FROM claims AS other
               WHERE other.key = mine.key AND other.ticket < mine.ticket)
             ELSE EXISTS (SELECT 1 FROM claims AS other
               WHERE other.key = mine.key AND other.ticket < mine.ticket
               AND (mine.mode = 1 OR other.mode = 1))
           END)";
    Ok(execute(db, statement, &[&id, &now.0]).await? > 0)
}

/// A task lets go of all that it holds or asks for; gives the keys that are freer now.
pub(super) async fn release(db: &impl GenericClient, id: TaskId) -> Result<Vec<String>, StoreError> {
    alone(db).await?;
    let rows = query(db, "DELETE FROM claims WHERE id = $1 RETURNING key", &[&id.0]).await?;
    rows.iter().map(|row| column(row, 0)).collect()
}

/// Whether a task holds or waits for anything.
pub(super) async fn holds(db: &impl GenericClient, id: TaskId) -> Result<bool, StoreError> {
    Ok(!query(db, "SELECT 1 FROM claims WHERE id = $1 LIMIT 1", &[&id.0]).await?.is_empty())
}

/// The next of those who wait for a key that now have their turn; they are given what they claim.
pub(super) async fn next(
    db: &impl GenericClient,
    key: &str,
    now: Timestamp,
) -> Result<Vec<TaskId>, StoreError> {
    let statement = "SELECT id, mode FROM claims WHERE key = $1 AND NOT held ORDER BY ticket LIMIT $2";
    let mut granted = Vec::new();
    for row in &query(db, statement, &[&key, &LOOKED_AT]).await? {
        let id: Uuid = column(row, 0)?;
        if grant(db, id, now).await? {
            granted.push(TaskId(id));
        }
        // Whoever is behind one that wants it alone waits for that one.
        if column::<i16>(row, 1)? == EXCLUSIVE {
            break;
        }
    }
    Ok(granted)
}

/// Locks the row of a task that waits, unless another transaction has it: that one is not waited for.
pub(super) async fn lock_task(db: &impl GenericClient, id: TaskId) -> Result<bool, StoreError> {
    let statement = "SELECT 1 FROM history WHERE id = $1 FOR UPDATE SKIP LOCKED";
    Ok(!query(db, statement, &[&id.0]).await?.is_empty())
}

/// Notes whether a task knows that it has what it claims.
pub(super) async fn told(db: &impl GenericClient, id: TaskId, told: bool) -> Result<(), StoreError> {
    let statement = "UPDATE claims SET told = $2 WHERE id = $1 AND told <> $2";
    execute(db, statement, &[&id.0, &told]).await.map(drop)
}

const COLUMNS: &str =
    "claims.kind, claims.name, claims.mode, claims.most, claims.held, claims.since, claims.id,
    coalesce((SELECT name FROM hot WHERE hot.id = claims.id),
             (SELECT name FROM history WHERE history.id = claims.id), '')";

/// A page of all claims.
pub(super) async fn list(db: &impl GenericClient, asked: &LockQuery) -> Result<LockPage, StoreError> {
    let kind = asked.kind.as_ref().map(|kind| clean(kind).to_uppercase());
    let name = asked.name.as_ref().map(|name| clean(name).to_lowercase());
    let chosen = "($1::text IS NULL OR upper(kind) = $1) AND ($2::text IS NULL OR lower(claims.name) = $2)";
    let total = query(db, &format!("SELECT count(*) FROM claims WHERE {chosen}"), &[&kind, &name]).await?;
    let statement =
        format!("SELECT {COLUMNS} FROM claims WHERE {chosen} ORDER BY claims.key, ticket LIMIT $3 OFFSET $4");
    let offset = i64::try_from(asked.offset).unwrap_or(i64::MAX);
    let rows = query(db, &statement, &[&kind, &name, &i64::from(asked.limit), &offset]).await?;
    let total = total.first().map_or(Ok(0), |row| column::<i64>(row, 0))?;
    let locks = rows.iter().map(lock).collect::<Result<_, _>>()?;
    Ok(LockPage { locks, total: total.max(0) as u64 })
}

/// Who stands in a waiting task's way, at most so many.
pub(super) async fn blockers(
    db: &impl GenericClient,
    id: TaskId,
    most: u32,
) -> Result<Vec<Lock>, StoreError> {
    let statement = format!(
        "SELECT {COLUMNS} FROM claims JOIN claims AS mine ON mine.id = $1 AND mine.key = claims.key
         WHERE claims.ticket < mine.ticket AND (mine.mode <> 0 OR claims.mode = 1)
         ORDER BY claims.held DESC, claims.ticket LIMIT $2"
    );
    let rows = query(db, &statement, &[&id.0, &i64::from(most)]).await?;
    rows.iter().map(lock).collect()
}

fn lock(row: &Row) -> Result<Lock, StoreError> {
    let mode = match (column::<i16>(row, 2)?, column::<i64>(row, 3)?) {
        (SHARED, _) => ClaimMode::Shared,
        (SLOT, most) => ClaimMode::Slot(u32::try_from(most).unwrap_or(u32::MAX)),
        _ => ClaimMode::Exclusive,
    };
    Ok(Lock {
        kind: column(row, 0)?,
        name: column(row, 1)?,
        mode,
        held: column(row, 4)?,
        since: Timestamp(column(row, 5)?),
        task: TaskId(column(row, 6)?),
        task_name: column(row, 7)?,
    })
}
