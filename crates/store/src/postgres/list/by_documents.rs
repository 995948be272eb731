//! Lists by what only documents say. The database leaves out what cannot belong to the list and sorts the
//! rest; what does belong is decided here, so that a document that cannot be read fails no list.

use deadpool_postgres::GenericClient;
use futures_util::{StreamExt, pin_mut};
use longhaul_model::TaskStatus;

use super::documents;
use super::filter::Filter;
use super::page::{columns, order};
use crate::document_filters;
use crate::error::StoreError;
use crate::known::Workflows;
use crate::postgres::sql::{Sql, clean, column, failed};
use crate::query::TaskQuery;
use crate::stored::Page;

/// Answers a query inside a transaction that sees one moment.
pub(super) async fn list(
    db: &impl GenericClient,
    known: &Workflows,
    asked: &TaskQuery,
) -> Result<Page, StoreError> {
    let candidates = candidates(asked);
    let rows = db.query_raw(candidates.text.as_str(), candidates.parameters()).await.map_err(failed)?;
    pin_mut!(rows);
    let (mut total, mut ids) = (0_u64, Vec::new());
    while let Some(row) = rows.next().await {
        let row = row.map_err(failed)?;
        if !belongs(&row, asked)? {
            continue;
        }
        if total >= asked.offset && ids.len() < asked.limit as usize {
            ids.push(column::<uuid::Uuid>(&row, 0)?);
        }
        total += 1;
    }
    let mut found = documents(db, &ids).await?;
    let mut room = asked.children;
    let mut tasks = Vec::with_capacity(found.len());
    for row in ids.iter().filter_map(|id| found.remove(id)) {
        tasks.push(row.listed(db, known, &mut room).await?);
    }
    Ok(Page { tasks, total })
}

/// Rows that may belong to the list, in its order: the id, the status, whether the task was imported, its
/// document where that decides, and its specification.
fn candidates(asked: &TaskQuery) -> Sql {
    let order = order(asked, columns(asked.order));
    let filter = Filter::gathering(asked);
    let failed = TaskStatus::Failed.code();
    let mut sql = Sql::new("SELECT id, status, imported, said, spec FROM (");
    for (n, source) in ["hot", "history"].into_iter().enumerate() {
        if n > 0 {
            sql.push(" UNION ALL ");
        }
        let imported = if source == "history" { "origin = 1" } else { "false" };
        let with_labels = !asked.labels.is_empty();
        // An open failure is not said to be one: a document without the member is not read.
        let said = match (with_labels, asked.open_failures) {
            (_, false) => format!("CASE WHEN {imported} THEN doc END"),
            (true, true) => format!(
                "CASE WHEN {imported} OR (status = {failed} AND position('\"x\":' IN doc) > 0) THEN doc END"
            ),
            (false, true) => format!(
                "CASE WHEN status = {failed} AND ({imported} OR position('\"x\":' IN doc) > 0) THEN doc END"
            ),
        };
        let spec = match with_labels {
            true => format!("(SELECT s.doc FROM specs s WHERE s.id = {source}.id)"),
            false => "NULL".to_owned(),
        };
        sql.push(&format!(
            "SELECT id, status, {imported} AS imported, {said} AS said, {spec} AS spec,
               sort_name, name, kind, created_at, completed_at FROM {source} WHERE true"
        ));
        filter.add_to(&mut sql, source);
        if with_labels {
            sql.push(&format!(" AND ({imported} OR EXISTS (SELECT FROM specs s WHERE s.id = {source}.id"));
            for mark in document_filters::marks(&asked.labels) {
                sql.push(" AND position(").bind(clean(&mark)).push("::text IN s.doc) > 0");
            }
            sql.push("))");
        }
    }
    sql.push(&format!(") AS tasks ORDER BY {order}"));
    sql
}

fn belongs(row: &tokio_postgres::Row, asked: &TaskQuery) -> Result<bool, StoreError> {
    let (status, is_imported) = (column::<i16>(row, 1)?, column::<bool>(row, 2)?);
    let said: Option<&str> = column(row, 3)?;
    if asked.open_failures
        && status == i16::from(TaskStatus::Failed.code())
        && said.is_some_and(|said| !document_filters::is_open(said, is_imported))
    {
        return Ok(false);
    }
    if asked.labels.is_empty() {
        return Ok(true);
    }
    let labelled: Option<&str> = if is_imported { said } else { column(row, 4)? };
    Ok(labelled.is_some_and(|document| document_filters::has_labels(document, &asked.labels)))
}
