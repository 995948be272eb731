//! Repair of a database: data that follows from the tasks is rebuilt, each part in a transaction of its own,
//! while no node is active.

use std::collections::{BTreeMap, BTreeSet};

use deadpool_postgres::Transaction;
use longhaul_model::{Env, Record, Task, TaskId, TaskStatus, Timestamp};
use uuid::Uuid;

use super::schema;
use crate::check::expected_claims;
use crate::counters::{Counted, Counters};
use crate::error::StoreError;
use crate::known::Workflows;
use crate::postgres::claims::DERIVE;
use crate::postgres::errand::ERRANDS;
use crate::postgres::rows;
use crate::postgres::sql::{clean, column, execute, failed, query};
use crate::postgres::transfer::Database;
use crate::postgres::{shard, totals, writes};
use crate::stored::Stored;

/// Tasks that are read at once.
const AT_ONCE: i64 = 500;

/// Repairs a database on which no node is active.
pub(crate) fn repair(url: &str, env: &Env) -> Result<Vec<String>, StoreError> {
    let database = Database::existing(url, None, env)?;
    let mut done = database.transaction(async |db| indexes(db).await)?;
    done.extend(database.transaction(async |db| found_by(db).await)?);
    done.push(database.transaction(async |db| recount(db).await)?);
    done.push(database.transaction(async |db| claims(db, env.now()).await)?);
    Ok(done)
}

/// Rebuilds all indexes, and creates those that are missing.
async fn indexes(db: &Transaction<'_>) -> Result<Vec<String>, StoreError> {
    let missing = schema::missing(db).await?;
    for (name, statement) in &missing {
        db.batch_execute(&format!("DROP INDEX IF EXISTS {name}; {statement}")).await.map_err(failed)?;
    }
    for table in schema::tables(db).await? {
        db.batch_execute(&format!("REINDEX TABLE {table}")).await.map_err(failed)?;
    }
    let names: Vec<String> = missing.into_keys().collect();
    let made = (!names.is_empty()).then(|| format!("these were missing, and are made: {}", names.join(", ")));
    Ok(made.into_iter().chain(["all indexes were made anew".to_owned()]).collect())
}

/// Sets the columns by which tasks are found, and the nodes that own them.
async fn found_by(db: &Transaction<'_>) -> Result<Option<String>, StoreError> {
    let known = Workflows::default();
    let mut changed = 0;
    for table in ["hot", "history"] {
        let mut after = Uuid::nil();
        loop {
            let text = format!("SELECT id, name, resources FROM {table} WHERE id > $1 ORDER BY id LIMIT $2");
            let page = query(db, &text, &[&after, &AT_ONCE]).await?;
            let Some(last) = page.last() else { break };
            after = column(last, 0)?;
            for row in &page {
                let (id, name, resources): (Uuid, &str, &str) =
                    (column(row, 0)?, column(row, 1)?, column(row, 2)?);
                let [sort_name, folded, found_by] = writes::derived(name, resources);
                let shard = shard(TaskId(id));
                let text = format!(
                    "UPDATE {table} SET shard = $2, sort_name = $3, folded = $4,
                       found_by = string_to_array($5, E'\\x1e')
                     WHERE id = $1 AND (shard, sort_name, folded, array_to_string(found_by, E'\\x1e'))
                       <> ($2, $3, $4, $5)"
                );
                changed += execute(db, &text, &[&id, &shard, &sort_name, &folded, &found_by]).await?;
                if table == "hot"
                    && let Some(task) = task(db, &known, TaskId(id)).await?
                {
                    let holders = writes::holders(&task);
                    let text = "UPDATE hot SET holders = $2::text::smallint[]
                         WHERE id = $1 AND holders <> $2::text::smallint[] AND holders <> '{0}'";
                    changed += execute(db, text, &[&id, &holders]).await?;
                }
            }
        }
    }
    Ok((changed > 0).then(|| format!("{changed} rows can be found again by what is in them")))
}

/// Reads a task as the writer does; `None` for one that cannot be read, was imported or does not exist.
async fn task(db: &Transaction<'_>, known: &Workflows, id: TaskId) -> Result<Option<Task>, StoreError> {
    let Some(row) = rows::find(db, id).await? else { return Ok(None) };
    let Stored::Own(record) = row.stored(db, known).await? else { return Ok(None) };
    match rows::spec(db, id).await {
        Ok(Some(spec)) => Ok(Some(Task::load(*record, spec, BTreeMap::new()))),
        Ok(None) | Err(StoreError::Corrupt(_)) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Recounts all tasks, and the entries of the audit log.
async fn recount(db: &Transaction<'_>) -> Result<String, StoreError> {
    db.batch_execute(
        "DELETE FROM counters; DELETE FROM completions; DELETE FROM tallies; DELETE FROM audit_totals",
    )
    .await
    .map_err(failed)?;
    for table in ["hot", "history"] {
        let mut after = Uuid::nil();
        loop {
            let text = format!(
                "SELECT id, kind, status, completed_at, resources FROM {table}
                 WHERE id > $1 ORDER BY id LIMIT $2"
            );
            let page = query(db, &text, &[&after, &AT_ONCE]).await?;
            let Some(last) = page.last() else { break };
            after = column(last, 0)?;
            let mut counters = Counters::default();
            for row in &page {
                let status = u8::try_from(column::<i16>(row, 2)?).ok().and_then(TaskStatus::from_code);
                let Some(status) = status else { continue };
                let completed_at = column::<Option<i64>>(row, 3)?.map(Timestamp);
                let (kind, resources) = (column(row, 1)?, column(row, 4)?);
                counters.add(Counted { kind, status, completed_at, resources });
            }
            totals::write(db, ERRANDS, &mut counters).await?;
        }
    }
    let notes = "INSERT INTO audit_totals (place, n) SELECT $1, count(*) FROM audit";
    execute(db, notes, &[&ERRANDS]).await?;
    Ok("the totals were counted anew".to_owned())
}

/// Sets the claims of each task to those of its document. Claims of a task that cannot be read stay.
async fn claims(db: &Transaction<'_>, now: Timestamp) -> Result<String, StoreError> {
    let gone = "DELETE FROM claims WHERE NOT EXISTS (SELECT 1 FROM hot WHERE hot.id = claims.id)
         AND NOT EXISTS (SELECT 1 FROM history WHERE history.id = claims.id)";
    let gone = execute(db, gone, &[]).await?;
    // Tasks that have claims, and those whose documents may say so.
    let asking = "SELECT id FROM claims
         UNION SELECT id FROM hot WHERE doc LIKE '%\"h\":\"w\"%' OR doc LIKE '%\"h\":\"h\"%'
         UNION SELECT id FROM history
           WHERE origin = 0 AND (doc LIKE '%\"h\":\"w\"%' OR doc LIKE '%\"h\":\"h\"%')";
    let known = Workflows::default();
    let mut changed = 0;
    for row in &query(db, asking, &[]).await? {
        let id = TaskId(column(row, 0)?);
        if let Some(task) = task(db, &known, id).await? {
            changed += u64::from(set(db, task.record(), now).await?);
        }
    }
    db.batch_execute(DERIVE).await.map_err(failed)?;
    let tickets = "SELECT setval('tickets', greatest((SELECT last_value FROM tickets),
         coalesce((SELECT max(ticket) FROM claims), 0) + 1))";
    query(db, tickets, &[]).await?;
    Ok(format!("claims follow from the tasks again: {changed} tasks had others, {gone} were of no task"))
}

/// Sets the claims of a task; returns true if they were different.
async fn set(db: &Transaction<'_>, record: &Record, now: Timestamp) -> Result<bool, StoreError> {
    let (expected, held, id) = (expected_claims(record), record.holds_locks(), record.id.0);
    let text = "SELECT key, mode, most, held AND told, ticket, since FROM claims WHERE id = $1";
    let there = query(db, text, &[&id]).await?;
    let mut has = BTreeSet::new();
    for row in &there {
        has.insert((
            column::<String>(row, 0)?,
            column::<i16>(row, 1)?,
            column::<i64>(row, 2)?,
            column::<bool>(row, 3)?,
        ));
    }
    let wanted =
        expected.iter().map(|(key, (mode, most, _))| (clean(key), *mode as i16, *most, held)).collect();
    if has == wanted {
        return Ok(false);
    }
    execute(db, "DELETE FROM claims WHERE id = $1", &[&id]).await?;
    let kept =
        there.iter().map(|row| column::<i64>(row, 4)).collect::<Result<Vec<_>, _>>()?.into_iter().min();
    let since = there.first().map(|row| column::<i64>(row, 5)).transpose()?.unwrap_or(now.0);
    let keys: Vec<String> = expected.keys().map(|key| clean(key)).collect();
    // Its own place in the order of arrival, unless another task has that.
    let ticket = "SELECT CASE WHEN $1::bigint IS NULL
           OR EXISTS (SELECT 1 FROM claims WHERE ticket = $1 AND key = ANY($2))
         THEN nextval('tickets') ELSE $1 END";
    let rows = query(db, ticket, &[&kept, &keys]).await?;
    let ticket: i64 = rows.first().map(|row| column(row, 0)).transpose()?.ok_or(StoreError::NotFound)?;
    for (key, (mode, most, claim)) in expected {
        let (key, kind, name) = (clean(&key), clean(&claim.kind), clean(&claim.id));
        let text = "INSERT INTO claims (key, ticket, id, kind, name, mode, most, held, since, clear, told)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, false, true)";
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 9] =
            [&key, &ticket, &id, &kind, &name, &(mode as i16), &most, &held, &since];
        execute(db, text, &values).await?;
    }
    Ok(true)
}
