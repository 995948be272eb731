//! State of the files as PostgreSQL itself knows it, and the indexes against those that the migrations make.

use std::collections::BTreeMap;

use deadpool_postgres::{Client, GenericClient};
use tokio_postgres::error::SqlState;

use crate::check::{Finding, Inspector, Remedy};
use crate::error::StoreError;
use crate::postgres::migrations;
use crate::postgres::sql::{column, failed, text};

/// Query for Longhaul's tables: those of the schema that its tables are in.
const TABLES: &str = "SELECT oid::regclass::text FROM pg_class
     WHERE relkind = 'r' AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'hot'::regclass)
       AND relname IN ('workflows', 'specs', 'hot', 'chunks', 'outputs', 'attempts', 'keys', 'history', 'counters',
         'completions', 'tallies', 'changes', 'logs', 'claims', 'audit', 'audit_totals', 'settings', 'users', 'api_keys',
         'refresh_tokens', 'account_state', 'installation', 'turns', 'nodes', 'revisions', 'places')
     ORDER BY 1";

/// Checks indexes and files; returns remarks on what could not be checked.
pub(super) async fn check(db: &Client, inspector: &mut dyn Inspector) -> Result<Vec<String>, StoreError> {
    for name in missing(db).await?.into_keys() {
        inspector.found(Finding::of(name, "this index is not there, or not valid", Remedy::Repair));
    }
    let has = "SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'amcheck')";
    if !column::<bool>(&db.query_one(has, &[]).await.map_err(failed)?, 0)? {
        return Ok(vec![
            "the files of the database were not checked: `CREATE EXTENSION amcheck` allows it".to_owned(),
        ]);
    }
    files(db, inspector).await
}

/// Checks tables and their indexes by PostgreSQL's own means.
async fn files(db: &Client, inspector: &mut dyn Inspector) -> Result<Vec<String>, StoreError> {
    for table in tables(db).await? {
        let heap = "SELECT blkno::text || ': ' || msg FROM verify_heapam($1::text::regclass) LIMIT 10";
        match db.query(heap, &[&table]).await {
            Ok(rows) => {
                for row in &rows {
                    let what = format!("block {}", column::<String>(row, 0)?);
                    inspector.found(Finding::of(&table, what, Remedy::Restore));
                }
            }
            Err(e) if e.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                return Ok(vec![format!("the files of the database were not checked: {}", text(&e))]);
            }
            Err(e) => broken(&table, &e, Remedy::Restore, inspector)?,
        }
        let indexes = "SELECT i.indexrelid::regclass::text FROM pg_index AS i
             JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS a ON a.oid = c.relam
             WHERE i.indrelid = $1::text::regclass AND a.amname = 'btree' AND i.indisvalid ORDER BY 1";
        for row in &db.query(indexes, &[&table]).await.map_err(failed)? {
            let index: String = column(row, 0)?;
            if let Err(e) = db.execute("SELECT bt_index_check($1::text::regclass, true)", &[&index]).await {
                broken(&index, &e, Remedy::Repair, inspector)?;
            }
        }
    }
    Ok(Vec::new())
}

/// Reports damage that PostgreSQL found; any other error ends the check.
fn broken(
    name: &str,
    e: &tokio_postgres::Error,
    remedy: Remedy,
    inspector: &mut dyn Inspector,
) -> Result<(), StoreError> {
    match e.code() {
        Some(code) if code.code().starts_with("XX") => {
            inspector.found(Finding::of(name, text(e), remedy));
            Ok(())
        }
        _ => Err(StoreError::Unavailable(text(e))),
    }
}

pub(super) async fn tables(db: &impl GenericClient) -> Result<Vec<String>, StoreError> {
    let rows = db.query(TABLES, &[]).await.map_err(failed)?;
    rows.iter().map(|row| column(row, 0)).collect()
}

/// Returns the indexes of the migrations that are missing or not valid, each with the statement that makes
/// it.
pub(super) async fn missing(db: &impl GenericClient) -> Result<BTreeMap<String, String>, StoreError> {
    let there = "SELECT c.relname::text FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
         WHERE i.indisvalid AND i.indisready
           AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'hot'::regclass)";
    let mut expected = migrations::indexes();
    for row in &db.query(there, &[]).await.map_err(failed)? {
        expected.remove(column::<&str>(row, 0)?);
    }
    Ok(expected)
}
