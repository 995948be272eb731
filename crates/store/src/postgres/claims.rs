//! Claims: a task gets all of its claims at once, by the rules of [`longhaul_model::Line`]. The cost of a
//! step does not depend on how many tasks wait: a claim is *clear* once no other stands before it on its key.
//! It stays clear, and an index finds the next ones to become so.
//!
//! Several nodes work on the same keys. A transaction that decides on a key locks it until it ends. It waits,
//! once and in the order of their hashes, for the keys known from its jobs; any further key it takes only if
//! it is free, and leaves for the next transaction otherwise. No two transactions therefore wait for each
//! other.

mod handing;
mod left;
mod list;
mod sweep;

use deadpool_postgres::GenericClient;
use longhaul_model::{Claim, ClaimMode, TaskId, Timestamp};
use uuid::Uuid;

pub(super) use handing::Open;
pub(super) use left::Left;
pub(super) use list::{blockers, list};
pub(super) use sweep::{Cursor, Stuck, stuck};

use super::sql::{clean, column, execute, query};
use crate::error::StoreError;

const SHARED: i16 = 0;
const EXCLUSIVE: i16 = 1;
const SLOT: i16 = 2;

/// Statement that derives which claims are clear, for a database filled without those marks.
pub(super) const DERIVE: &str = "
    UPDATE claims SET clear = held;
    UPDATE claims SET clear = true WHERE NOT clear AND mode = 1 AND NOT EXISTS (
      SELECT 1 FROM claims AS other WHERE other.key = claims.key AND other.ticket < claims.ticket);
    UPDATE claims SET clear = true WHERE NOT clear AND mode = 0 AND NOT EXISTS (
      SELECT 1 FROM claims AS other WHERE other.key = claims.key AND other.ticket < claims.ticket AND other.mode = 1);
    UPDATE claims SET clear = true WHERE NOT clear AND mode = 2 AND NOT EXISTS (
      SELECT 1 FROM claims AS other WHERE other.id = claims.id AND other.mode < 2 AND NOT other.clear);";

/// Returns the key of a claim as stored.
fn key(claim: &Claim) -> String {
    clean(&claim.key())
}

/// Locks `keys`, and all keys claimed by `tasks`, until the transaction ends; returns the locked keys.
async fn lock(db: &impl GenericClient, tasks: &[Uuid], keys: &[String]) -> Result<Vec<String>, StoreError> {
    let statement = "SELECT key, pg_advisory_xact_lock(hash) FROM (
           SELECT key, hashtextextended(key, 0) AS hash FROM (
             SELECT key FROM claims WHERE id = ANY($1) UNION SELECT unnest($2::text[])) AS wanted
           ORDER BY hash OFFSET 0) AS sorted";
    let rows = query(db, statement, &[&tasks, &keys]).await?;
    rows.iter().map(|row| column(row, 0)).collect()
}

/// Locks the keys that no other transaction has locked; returns them.
async fn try_lock(db: &impl GenericClient, keys: &[String]) -> Result<Vec<String>, StoreError> {
    let statement = "SELECT key, pg_try_advisory_xact_lock(hashtextextended(key, 0)) FROM unnest($1::text[]) AS wanted (key)";
    let rows = query(db, statement, &[&keys]).await?;
    let mut locked = Vec::with_capacity(rows.len());
    for row in &rows {
        if column(row, 1)? {
            locked.push(column(row, 0)?);
        }
    }
    Ok(locked)
}

/// Returns the tasks that hold or wait for any of the keys, which must be locked.
async fn others(db: &impl GenericClient, keys: &[String]) -> Result<Vec<TaskId>, StoreError> {
    let rows = query(db, "SELECT DISTINCT id FROM claims WHERE key = ANY($1) ORDER BY id", &[&keys]).await?;
    rows.iter().map(|row| column(row, 0).map(TaskId)).collect()
}

/// Inserts the claims of tasks, in order of arrival. The slot of a task without locks is clear at once.
async fn enter(
    db: &impl GenericClient,
    requests: &[(TaskId, Vec<Claim>)],
    now: Timestamp,
) -> Result<(), StoreError> {
    let (mut numbers, mut ids, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    let (mut kinds, mut names) = (Vec::new(), Vec::new());
    let (mut modes, mut mosts, mut clears) = (Vec::new(), Vec::new(), Vec::new());
    for (n, (id, claims)) in requests.iter().enumerate() {
        let locks = claims.iter().any(|claim| !matches!(claim.mode, ClaimMode::Slot(_)));
        for claim in claims {
            let (mode, most) = match claim.mode {
                ClaimMode::Shared => (SHARED, 0),
                ClaimMode::Exclusive => (EXCLUSIVE, 0),
                ClaimMode::Slot(most) => (SLOT, i64::from(most)),
            };
            numbers.push(n as i32 + 1);
            ids.push(id.0);
            keys.push(key(claim));
            kinds.push(clean(&claim.kind));
            names.push(clean(&claim.id));
            modes.push(mode);
            mosts.push(most);
            clears.push(mode == SLOT && !locks);
        }
    }
    let statement = "WITH drawn AS MATERIALIZED (
           SELECT array_agg(ticket) AS tickets FROM (
             SELECT nextval('tickets') AS ticket FROM generate_series(1, $1::integer)) AS t)
         INSERT INTO claims (key, ticket, id, kind, name, mode, most, held, since, clear)
         SELECT key, (SELECT tickets FROM drawn)[n], id, kind, name, mode, most, false, $2, clear
         FROM unnest($3::integer[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::smallint[], $9::bigint[], $10::boolean[])
           AS c (n, id, key, kind, name, mode, most, clear)";
    let count = requests.len() as i32;
    execute(db, statement, &[&count, &now.0, &numbers, &ids, &keys, &kinds, &names, &modes, &mosts, &clears])
        .await
        .map(drop)
}

/// Deletes all claims of tasks, held or waiting; returns the keys affected.
async fn leave(db: &impl GenericClient, tasks: &[Uuid]) -> Result<Vec<String>, StoreError> {
    let rows = query(db, "DELETE FROM claims WHERE id = ANY($1) RETURNING key", &[&tasks]).await?;
    rows.iter().map(|row| column(row, 0)).collect()
}

/// Returns true if a task holds or waits for anything.
pub(super) async fn holds(db: &impl GenericClient, id: TaskId) -> Result<bool, StoreError> {
    Ok(!query(db, "SELECT 1 FROM claims WHERE id = $1 LIMIT 1", &[&id.0]).await?.is_empty())
}

/// Task with no other before it on a lock.
struct Next {
    key: String,
    ticket: i64,
    task: Uuid,
    /// True if this transaction has locked the task for decisions on it.
    ours: bool,
}

/// Returns, for each lock, the first claim, or all shared claims before the first exclusive one, as far as
/// they are not marked clear yet; at most `most`.
async fn next(db: &impl GenericClient, keys: &[&String], most: i64) -> Result<Vec<Next>, StoreError> {
    let statement = "SELECT n.key, n.ticket, n.id, pg_try_advisory_xact_lock(hashtextextended(n.id::text, 1))
         FROM unnest($1::text[]) AS k (key)
         CROSS JOIN LATERAL (
           SELECT mode FROM claims WHERE claims.key = k.key ORDER BY ticket LIMIT 1) AS front
         LEFT JOIN LATERAL (
           SELECT ticket FROM claims WHERE claims.key = k.key AND mode = 1 ORDER BY ticket LIMIT 1) AS alone ON true
         CROSS JOIN LATERAL (
           SELECT key, ticket, id FROM claims WHERE claims.key = k.key AND mode < 2 AND NOT clear
             AND ticket < coalesce(alone.ticket + (front.mode = 1)::integer, 9223372036854775807)
           ORDER BY ticket LIMIT $2) AS n";
    let rows = query(db, statement, &[&keys, &most]).await?;
    let next = |row| -> Result<Next, StoreError> {
        Ok(Next {
            key: column(row, 0)?,
            ticket: column(row, 1)?,
            task: column(row, 2)?,
            ours: column(row, 3)?,
        })
    };
    rows.iter().map(next).collect()
}

/// Marks claims as clear.
async fn clear(db: &impl GenericClient, next: &[Next]) -> Result<(), StoreError> {
    let keys: Vec<&str> = next.iter().map(|next| next.key.as_str()).collect();
    let tickets: Vec<i64> = next.iter().map(|next| next.ticket).collect();
    let statement = "UPDATE claims SET clear = true FROM unnest($1::text[], $2::bigint[]) AS n (key, ticket)
         WHERE claims.key = n.key AND claims.ticket = n.ticket";
    execute(db, statement, &[&keys, &tickets]).await.map(drop)
}

/// Locks the tasks that no other transaction decides on; returns them.
async fn ours(db: &impl GenericClient, tasks: Vec<Uuid>) -> Result<Vec<Uuid>, StoreError> {
    if tasks.is_empty() {
        return Ok(tasks);
    }
    let statement = "SELECT id, pg_try_advisory_xact_lock(hashtextextended(id::text, 1)) FROM unnest($1::uuid[]) AS t (id)";
    let mut ours = Vec::new();
    for row in &query(db, statement, &[&tasks]).await? {
        if column(row, 1)? {
            ours.push(column(row, 0)?);
        }
    }
    Ok(ours)
}

/// Removes the `clear` marks of waiting tasks' locks; returns their keys, whose next inspection sets the
/// marks again.
async fn forget(db: &impl GenericClient, tasks: &[Uuid]) -> Result<Vec<String>, StoreError> {
    let statement =
        "UPDATE claims SET clear = false WHERE id = ANY($1) AND mode < 2 AND NOT held RETURNING key";
    query(db, statement, &[&tasks]).await?.iter().map(|row| column(row, 0)).collect()
}

/// Returns those of the waiting tasks that are clear on all their locks, each with the key of the slot it
/// requests.
async fn ready(db: &impl GenericClient, tasks: &[Uuid]) -> Result<Vec<(Uuid, Option<String>)>, StoreError> {
    let statement = "SELECT id, max(key) FILTER (WHERE mode = 2) FROM claims WHERE id = ANY($1) GROUP BY id
         HAVING bool_and(NOT held AND (mode = 2 OR clear)) ORDER BY min(ticket)";
    let rows = query(db, statement, &[&tasks]).await?;
    rows.iter().map(|row| Ok((column(row, 0)?, column(row, 1)?))).collect()
}

/// Marks the tasks as in line for their places.
async fn in_line(db: &impl GenericClient, tasks: &[Uuid]) -> Result<(), StoreError> {
    let statement = "UPDATE claims SET clear = true WHERE id = ANY($1) AND mode = 2 AND NOT clear";
    execute(db, statement, &[&tasks]).await.map(drop)
}

/// Candidate for a place of a key.
struct Place {
    key: String,
    task: Uuid,
    /// True if a slot is left for the task. If all candidates of a key get one, there may be more.
    goes: bool,
    /// Maximum number of candidates requested for the key.
    asked: i64,
}

/// Returns, for each key, the tasks that can get a slot, in order, and the first that cannot; at most `most`.
async fn next_places(db: &impl GenericClient, keys: &[&String], most: i64) -> Result<Vec<Place>, StoreError> {
    let statement = "SELECT k.key, r.id, bool_and(r.most > held.n + r.i) OVER (PARTITION BY k.key ORDER BY r.ticket), r.asked
         FROM unnest($1::text[]) AS k (key)
         CROSS JOIN LATERAL (SELECT most FROM claims WHERE claims.key = k.key AND mode = 2 AND clear AND NOT held
           ORDER BY ticket LIMIT 1) AS first
         CROSS JOIN LATERAL (SELECT count(*) AS n FROM claims WHERE claims.key = k.key AND held) AS held
         CROSS JOIN LATERAL (
           SELECT id, ticket, most, row_number() OVER (ORDER BY ticket) - 1 AS i,
                  least($2::bigint, first.most - held.n + 1) AS asked
           FROM (SELECT id, ticket, most FROM claims WHERE claims.key = k.key AND mode = 2 AND clear AND NOT held
                 ORDER BY ticket LIMIT least($2::bigint, greatest(first.most - held.n + 1, 0))) AS waiting) AS r
         WHERE first.most > held.n ORDER BY k.key, r.ticket";
    let rows = query(db, statement, &[&keys, &most]).await?;
    let place = |row| -> Result<Place, StoreError> {
        Ok(Place {
            key: column(row, 0)?,
            task: column(row, 1)?,
            goes: column(row, 2)?,
            asked: column(row, 3)?,
        })
    };
    rows.iter().map(place).collect()
}

/// Locks the rows of waiting tasks, skipping those that another transaction has locked; returns the locked
/// ones.
async fn lock_tasks(db: &impl GenericClient, tasks: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
    let statement = "SELECT id FROM history WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED";
    query(db, statement, &[&tasks]).await?.iter().map(|row| column(row, 0)).collect()
}

/// Grants tasks all their claims, and marks them as told only if they are in `told`, those notified by this
/// transaction. Returns the tasks that were still waiting.
async fn grant(
    db: &impl GenericClient,
    tasks: &[Uuid],
    told: &[Uuid],
    now: Timestamp,
) -> Result<Vec<Uuid>, StoreError> {
    let statement = "WITH given AS (UPDATE claims SET held = true, since = $2, told = id = ANY($3)
           WHERE id = ANY($1) AND NOT held RETURNING id) SELECT DISTINCT id FROM given";
    query(db, statement, &[&tasks, &now.0, &told]).await?.iter().map(|row| column(row, 0)).collect()
}

/// Marks the claims of a task as told: the task knows that they were granted.
pub(super) async fn told(db: &impl GenericClient, id: TaskId) -> Result<(), StoreError> {
    let statement = "UPDATE claims SET told = true WHERE id = $1 AND NOT told";
    execute(db, statement, &[&id.0]).await.map(drop)
}
