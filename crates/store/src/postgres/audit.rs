//! Audit log, written with the changes that it describes.

use deadpool_postgres::GenericClient;
use longhaul_model::Timestamp;

use super::sql::{Sql, clean, column, execute, failed};
use crate::audit::{Audit, AuditEntry, AuditPage, AuditQuery};
use crate::error::StoreError;

/// Notes on their way, column by column.
#[derive(Default)]
pub(super) struct Notes {
    at: Vec<i64>,
    by: Vec<String>,
    origin: Vec<Option<String>>,
    action: Vec<&'static str>,
    target: Vec<Option<String>>,
    detail: Vec<Option<String>>,
    accepted: Vec<bool>,
    reference: Vec<Option<String>>,
}

impl Notes {
    pub(super) fn add(&mut self, audit: &Audit, now: Timestamp) {
        self.at.push(now.0);
        self.by.push(clean(&audit.by));
        self.origin.push(audit.from.map(|address| address.to_string()));
        self.action.push(audit.action);
        self.target.push(audit.target.as_deref().map(clean));
        self.detail.push(audit.detail.as_deref().map(clean));
        self.accepted.push(audit.accepted);
        self.reference.push(audit.reference.as_deref().map(clean));
    }

    /// Count of entries.
    pub(super) fn count(&self) -> usize {
        self.at.len()
    }

    /// Writes them inside a transaction; to count them is the caller's.
    pub(super) async fn write(&self, db: &impl GenericClient) -> Result<(), StoreError> {
        if self.at.is_empty() {
            return Ok(());
        }
        // In their order, which their numbers follow.
        let statement = "INSERT INTO audit (at, by, origin, action, target, detail, accepted, reference)
             SELECT at, by, origin, action, target, detail, accepted, reference FROM unnest(
               $1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::text[])
             WITH ORDINALITY AS n (at, by, origin, action, target, detail, accepted, reference, place) ORDER BY place";
        let Notes { at, by, origin, action, target, detail, accepted, reference } = self;
        execute(db, statement, &[at, by, origin, action, target, detail, accepted, reference]).await.map(drop)
    }
}

/// Adds to their number, in a place of the writer's own.
pub(super) async fn count(db: &impl GenericClient, place: i16, by: i64) -> Result<(), StoreError> {
    let statement = "INSERT INTO audit_totals (place, n) VALUES ($1, $2)
         ON CONFLICT (place) DO UPDATE SET n = audit_totals.n + excluded.n";
    execute(db, statement, &[&place, &by]).await.map(drop)
}

/// A page, newest first.
pub(super) async fn page(db: &impl GenericClient, query: &AuditQuery) -> Result<AuditPage, StoreError> {
    let mut count = Sql::new("SELECT count(*) FROM audit WHERE true");
    filter(&mut count, query);
    if count.values.is_empty() {
        count = Sql::new("SELECT coalesce(sum(n), 0)::bigint FROM noted");
    }
    let total = db.query_one(&count.text, &count.parameters()).await.map_err(failed)?;
    let mut page = Sql::new(
        "SELECT seq, at, by, origin, action, target, detail, accepted, reference FROM audit WHERE true",
    );
    filter(&mut page, query);
    page.push(" ORDER BY seq DESC LIMIT ").bind(i64::from(query.limit));
    page.push(" OFFSET ").bind(i64::try_from(query.offset).unwrap_or(i64::MAX));
    let rows = db.query(&page.text, &page.parameters()).await.map_err(failed)?;
    let entries = rows.iter().map(entry).collect::<Result<_, _>>()?;
    Ok(AuditPage { entries, total: column::<i64>(&total, 0)?.max(0) as u64 })
}

fn entry(row: &tokio_postgres::Row) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        seq: column::<i64>(row, 0)?.unsigned_abs(),
        at: Timestamp(column(row, 1)?),
        by: column(row, 2)?,
        from: column(row, 3)?,
        action: column(row, 4)?,
        target: column(row, 5)?,
        detail: column(row, 6)?,
        accepted: column(row, 7)?,
        reference: column(row, 8)?,
    })
}

fn filter(sql: &mut Sql, query: &AuditQuery) {
    if let Some(by) = &query.by {
        sql.and("lower(by) = ", clean(by).to_ascii_lowercase());
    }
    if let Some(action) = &query.action {
        sql.and("action = ", clean(action));
    }
    if let Some(target) = &query.target {
        sql.and("lower(target) = ", clean(target).to_ascii_lowercase());
    }
    if let Some(accepted) = query.accepted {
        sql.and("accepted = ", accepted);
    }
    if let Some(at) = query.since {
        sql.and("at >= ", at.0);
    }
}

/// Deletes the oldest notes; the newest of all stays.
pub(super) async fn prune(
    db: &impl GenericClient,
    place: i16,
    before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    // Entries are deleted by number, not by time, up to the first that is young enough: the end of the log is
    // left.
    let statement = "WITH oldest AS (SELECT seq, at FROM audit ORDER BY seq LIMIT $2)
         DELETE FROM audit WHERE seq IN (SELECT seq FROM oldest)
           AND seq < coalesce((SELECT min(seq) FROM oldest WHERE at >= $1), 9223372036854775807)
           AND seq < (SELECT max(seq) FROM audit)";
    let pruned = execute(db, statement, &[&before.0, &i64::from(limit)]).await?;
    if pruned > 0 {
        count(db, place, -(pruned as i64)).await?;
    }
    Ok(pruned)
}

/// Writes one entry, for callers without others.
pub(super) async fn write(
    db: &impl GenericClient,
    place: i16,
    audit: &Audit,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut notes = Notes::default();
    notes.add(audit, now);
    notes.write(db).await?;
    count(db, place, 1).await
}
