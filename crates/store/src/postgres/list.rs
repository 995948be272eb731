//! Lists: a page and the exact total, of one moment. The page's ids come first, out of indexes alone where
//! the filters allow it; only then its documents are read.

mod by_documents;
mod count;
mod due;
mod filter;
mod page;

use std::collections::HashMap;

use deadpool_postgres::GenericClient;
use uuid::Uuid;

pub(super) use due::{due, ids_like};

use super::rows::{HISTORY, HOT, Row};
use super::sql::{column, query};
use crate::error::StoreError;
use crate::known::Workflows;
use crate::query::TaskQuery;
use crate::stored::Page;

/// Answers a query inside a transaction that sees one moment.
pub(super) async fn list(
    db: &impl GenericClient,
    known: &Workflows,
    asked: &TaskQuery,
) -> Result<Page, StoreError> {
    if asked.reads_documents() {
        return by_documents::list(db, known, asked).await;
    }
    let total = count::count(db, asked).await?;
    if total == 0 || asked.offset >= total || asked.limit == 0 {
        return Ok(Page { tasks: Vec::new(), total });
    }
    let ids = page::ids(db, asked, total).await?;
    let mut rows = documents(db, &ids).await?;
    let mut tasks = Vec::with_capacity(rows.len());
    let mut room = asked.children;
    for row in ids.iter().filter_map(|id| rows.remove(id)) {
        tasks.push(row.listed(db, known, &mut room).await?);
    }
    Ok(Page { tasks, total })
}

/// Reads the rows of tasks, by id.
async fn documents(db: &impl GenericClient, ids: &[Uuid]) -> Result<HashMap<Uuid, Row>, StoreError> {
    let statement = format!(
        "SELECT {HOT} FROM hot WHERE id = ANY($1) UNION ALL SELECT {HISTORY} FROM history WHERE id = ANY($1)"
    );
    let rows = query(db, &statement, &[&ids]).await?;
    rows.iter().map(|row| Ok((column(row, 0)?, Row::read(row)?))).collect()
}
