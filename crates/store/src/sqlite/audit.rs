//! Audit log, written with the changes that it describes.

use longhaul_model::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::failed::sql;
use super::lenient;
use crate::audit::{Audit, AuditEntry, AuditPage, AuditQuery};
use crate::error::StoreError;

/// Notes a change inside its transaction.
pub(super) fn write(connection: &Connection, audit: &Audit, now: Timestamp) -> Result<(), StoreError> {
    let from = audit.from.map(|address| address.to_string());
    connection
        .prepare_cached(
            "INSERT INTO audit (at, by, origin, action, target, detail, accepted, reference)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut s| {
            s.execute(params![
                now.0,
                &*audit.by,
                from,
                audit.action,
                audit.target,
                audit.detail,
                audit.accepted,
                audit.reference
            ])
        })
        .map(|_| ())
        .map_err(sql)
}

/// Returns a page, newest first. Without a filter the total follows from the ends of the log, which has no
/// gaps.
pub(super) fn page(connection: &Connection, query: &AuditQuery) -> Result<AuditPage, StoreError> {
    let (filter, mut values) = filter(query);
    let count = if values.is_empty() {
        "SELECT coalesce(max(seq) - min(seq) + 1, 0) FROM audit".to_owned()
    } else {
        format!("SELECT count(*) FROM audit WHERE 1{filter}")
    };
    let total: i64 = connection
        .prepare_cached(&count)
        .and_then(|mut s| s.query_row(params_from_iter(&values), |row| row.get(0)))
        .map_err(sql)?;
    values.push(Value::Integer(query.limit.into()));
    values.push(Value::Integer(i64::try_from(query.offset).unwrap_or(i64::MAX)));
    let text = format!(
        "SELECT seq, at, by, origin, action, target, detail, accepted, reference FROM audit WHERE 1{filter}
         ORDER BY seq DESC LIMIT ? OFFSET ?"
    );
    let mut statement = connection.prepare_cached(&text).map_err(sql)?;
    let rows = statement
        .query_map(params_from_iter(&values), |row| {
            let text =
                |n| Ok::<_, rusqlite::Error>(Some(lenient::shown(row, n)?).filter(|text| !text.is_empty()));
            Ok(AuditEntry {
                seq: row.get::<_, i64>(0)?.unsigned_abs(),
                // The log must have no gaps, so damaged entries are shown too.
                at: Timestamp(lenient::int(row, 1)?.unwrap_or_default()),
                by: lenient::shown(row, 2)?,
                from: text(3)?,
                action: lenient::shown(row, 4)?,
                target: text(5)?,
                detail: text(6)?,
                accepted: lenient::int(row, 7)? == Some(1),
                reference: text(8)?,
            })
        })
        .map_err(sql)?;
    let entries = rows.collect::<Result<_, _>>().map_err(sql)?;
    Ok(AuditPage { entries, total: total.unsigned_abs() })
}

fn filter(query: &AuditQuery) -> (String, Vec<Value>) {
    let (mut text, mut values) = (String::new(), Vec::new());
    let mut and = |condition: &str, value: Option<Value>| {
        if let Some(value) = value {
            text.push_str(" AND ");
            text.push_str(condition);
            values.push(value);
        }
    };
    and("by = ? COLLATE NOCASE", query.by.clone().map(Value::Text));
    and("action = ?", query.action.clone().map(Value::Text));
    and("target = ? COLLATE NOCASE", query.target.clone().map(Value::Text));
    and("accepted = ?", query.accepted.map(|accepted| Value::Integer(accepted.into())));
    and("at >= ?", query.since.map(|at| Value::Integer(at.0)));
    (text, values)
}

/// Deletes the oldest notes.
pub(super) fn prune(connection: &Connection, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    // By number, not by time: a clock that stepped back must not leave a gap.
    let pruned = connection
        .prepare_cached(
            "DELETE FROM audit WHERE seq IN (SELECT seq FROM audit ORDER BY seq LIMIT ?2) AND seq <
             coalesce((SELECT min(seq) FROM (SELECT seq, at FROM audit ORDER BY seq LIMIT ?2) WHERE at >= ?1),
                      9223372036854775807)
             AND seq < (SELECT max(seq) FROM audit)",
        )
        .and_then(|mut s| s.execute(params![before.0, limit]))
        .map_err(sql)?;
    Ok(pruned as u64)
}
