//! Repair of a data directory: data that follows from the tasks is rebuilt, each part in a transaction of its
//! own.

use std::path::Path;

use longhaul_model::{Env, Record, Task};
use rusqlite::{Connection, params};

use super::{claims, schema};
use crate::check::expected_claims;
use crate::error::StoreError;
use crate::known::Workflows;
use crate::sqlite::failed::sql;
use crate::sqlite::rows;
use crate::sqlite::{counters, lenient, open, seal};

/// Part of a repair; returns a sentence about what it did, if anything.
type Step = fn(&Connection, &Env) -> Result<Option<String>, StoreError>;

/// Repairs a data directory that no server has.
pub(crate) fn repair(directory: &Path, env: &Env) -> Result<Vec<String>, StoreError> {
    let file = open::database(directory);
    if !std::fs::metadata(&file).is_ok_and(|about| about.len() > 0) {
        return Err(StoreError::Open(format!("there is no database in {}", directory.display())));
    }
    let _lock = open::lock(directory)?;
    let connection = open::writer(directory, env.now())?;
    let steps: [Step; 8] = [
        missing,
        |db, _| run(db, "REINDEX").map(|()| Some("all indexes were made anew".to_owned())),
        ids,
        |db, _| {
            run(db, "INSERT INTO history_names (history_names) VALUES ('rebuild')")?;
            Ok(Some("the index of names was made anew".to_owned()))
        },
        resources,
        |db, _| counters::recount(db).map(|()| Some("the totals were counted anew".to_owned())),
        kept,
        |db, env| task_claims(db, env),
    ];
    let mut done = Vec::new();
    for step in steps {
        done.extend(step(&connection, env)?);
    }
    run(&connection, "PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(done)
}

fn run(connection: &Connection, text: &str) -> Result<(), StoreError> {
    connection.execute_batch(text).map_err(sql)
}

/// Makes indexes and triggers that are missing or were changed.
fn missing(connection: &Connection, _: &Env) -> Result<Option<String>, StoreError> {
    let (there, mut made) = (schema::of(connection)?, Vec::new());
    let transaction = connection.unchecked_transaction().map_err(sql)?;
    for (name, (kind, made_by)) in schema::expected()? {
        let derived = matches!(kind.as_str(), "index" | "trigger");
        let same = there.get(&name).is_some_and(|(_, found)| *found == made_by);
        if derived && !same {
            run(&transaction, &format!("DROP {kind} IF EXISTS {name}; {made_by}"))?;
            made.push(name);
        }
    }
    transaction.commit().map_err(sql)?;
    Ok((!made.is_empty()).then(|| format!("these were missing, and are made: {}", made.join(", "))))
}

/// Makes every ID lead to its row, and removes all other entries.
fn ids(connection: &Connection, _: &Env) -> Result<Option<String>, StoreError> {
    let transaction = connection.unchecked_transaction().map_err(sql)?;
    let gone = transaction
        .execute(
            "DELETE FROM ids WHERE NOT EXISTS (SELECT 1 FROM hot WHERE hot.seq = ids.seq AND hot.id = ids.id)
             AND NOT EXISTS (SELECT 1 FROM history WHERE history.seq = ids.seq AND history.id = ids.id)",
            [],
        )
        .map_err(sql)?;
    let mut made = 0;
    for table in ["hot", "history"] {
        let text = format!(
            "INSERT OR IGNORE INTO ids (id, seq) SELECT id, seq FROM {table}
             WHERE typeof(id) = 'blob' AND length(id) = 16"
        );
        made += transaction.execute(&text, []).map_err(sql)?;
    }
    transaction.commit().map_err(sql)?;
    Ok((gone + made > 0)
        .then(|| format!("{gone} ids led to no task and are gone, {made} were missing and are made")))
}

fn resources(connection: &Connection, _: &Env) -> Result<Option<String>, StoreError> {
    let transaction = connection.unchecked_transaction().map_err(sql)?;
    run(&transaction, "DELETE FROM history_resources")?;
    let mut statement =
        transaction.prepare("SELECT seq, created_at, resources FROM history ORDER BY seq").map_err(sql)?;
    let mut rows = statement.query([]).map_err(sql)?;
    while let Some(row) = rows.next().map_err(sql)? {
        let created_at = lenient::int(row, 1).map_err(sql)?.unwrap_or_default();
        let resources = lenient::text(row, 2).map_err(sql)?.unwrap_or_default();
        seal::index_resources(&transaction, row.get(0).map_err(sql)?, created_at, &resources)?;
    }
    drop(rows);
    drop(statement);
    transaction.commit().map_err(sql)?;
    Ok(Some("the index of resources was made anew".to_owned()))
}

/// Keeps the parts of tasks that exist.
fn kept(connection: &Connection, _: &Env) -> Result<Option<String>, StoreError> {
    let kept = connection
        .execute(
            "DELETE FROM doomed WHERE EXISTS (SELECT 1 FROM hot WHERE hot.seq = doomed.seq)
             OR EXISTS (SELECT 1 FROM history WHERE history.seq = doomed.seq)",
            [],
        )
        .map_err(sql)?;
    Ok((kept > 0).then(|| format!("the parts of {kept} tasks were about to be deleted, and are kept")))
}

/// Sets the claims of each task to those of its document. Claims of a task that cannot be read stay.
fn task_claims(connection: &Connection, env: &Env) -> Result<Option<String>, StoreError> {
    let transaction = connection.unchecked_transaction().map_err(sql)?;
    let gone = transaction
        .execute(
            "DELETE FROM claims WHERE NOT EXISTS (SELECT 1 FROM hot WHERE hot.seq = claims.seq)
             AND NOT EXISTS (SELECT 1 FROM history WHERE history.seq = claims.seq)",
            [],
        )
        .map_err(sql)?;
    let workflows = Workflows::default();
    let mut changed = 0;
    for table in ["hot", "history"] {
        let text = format!("SELECT seq FROM {table}");
        let mut statement = transaction.prepare(&text).map_err(sql)?;
        let mut rows = statement.query([]).map_err(sql)?;
        while let Some(row) = rows.next().map_err(sql)? {
            let seq: i64 = row.get(0).map_err(sql)?;
            let task = match rows::at(&transaction, table == "hot", seq)?.task(&transaction, &workflows) {
                Ok(Some((_, task))) => task,
                Ok(None) | Err(StoreError::Corrupt(_)) => continue,
                Err(e) => return Err(e),
            };
            changed += usize::from(set(&transaction, seq, &task, env)?);
        }
    }
    claims::derive(&transaction)?;
    transaction.commit().map_err(sql)?;
    let text =
        format!("claims follow from the tasks again: {changed} tasks had others, {gone} were of no task");
    Ok(Some(text))
}

/// Sets the claims of a task; returns true if they were different.
fn set(connection: &Connection, seq: i64, task: &Task, env: &Env) -> Result<bool, StoreError> {
    let record: &Record = task.record();
    let (expected, held) = (expected_claims(record), record.holds_locks());
    let mut statement = connection
        .prepare_cached("SELECT key, mode, most, held, ticket, since FROM claims WHERE seq = ? ORDER BY key")
        .map_err(sql)?;
    let there: Vec<(String, i64, i64, bool, i64, i64)> = statement
        .query_map([seq], |row| {
            Ok((
                lenient::shown(row, 0)?,
                lenient::int(row, 1)?.unwrap_or(-1),
                lenient::int(row, 2)?.unwrap_or(-1),
                lenient::int(row, 3)? == Some(1),
                lenient::int(row, 4)?.unwrap_or(-1),
                lenient::int(row, 5)?.unwrap_or(-1),
            ))
        })
        .and_then(Iterator::collect)
        .map_err(sql)?;
    let same = there.len() == expected.len()
        && there
            .iter()
            .zip(&expected)
            .all(|(row, (key, (mode, most, _)))| (&row.0, row.1, row.2, row.3) == (key, *mode, *most, held));
    if same {
        return Ok(false);
    }
    connection
        .prepare_cached("DELETE FROM claims WHERE seq = ?")
        .and_then(|mut s| s.execute([seq]))
        .map_err(sql)?;
    let kept = there.iter().map(|row| row.4).filter(|ticket| *ticket >= 0).min();
    let keys = serde_json::Value::from_iter(expected.keys().cloned()).to_string();
    // Its own place in the order of arrival, unless another task has that.
    let ticket: i64 = connection
        .query_row(
            "SELECT CASE WHEN ?1 IS NULL OR EXISTS (SELECT 1 FROM claims WHERE ticket = ?1
               AND key IN (SELECT value FROM json_each(?2)))
             THEN (SELECT coalesce(max(ticket), 0) + 1 FROM claims)
             ELSE ?1 END",
            params![kept, keys],
            |row| row.get(0),
        )
        .map_err(sql)?;
    let since = there.iter().map(|row| row.5).find(|since| *since >= 0).unwrap_or(env.now().0);
    for (key, (mode, most, claim)) in expected {
        connection
            .prepare_cached(
                "INSERT INTO claims (key, ticket, seq, kind, name, mode, most, held, since, clear)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0)",
            )
            .and_then(|mut s| {
                s.execute(params![key, ticket, seq, claim.kind, claim.id, mode, most, held, since])
            })
            .map_err(sql)?;
    }
    Ok(true)
}
