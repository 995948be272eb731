//! Workflow definitions and their rows.

use std::sync::Arc;

use deadpool_postgres::GenericClient;
use longhaul_model::workflow::{Definition, Workflow};
use longhaul_model::{Timestamp, WorkflowVersion};

use super::shared;
use super::sql::{clean, column, execute, number, query};
use crate::checksum::content;
use crate::doc;
use crate::error::StoreError;
use crate::known::{Workflows, compile};
use crate::peers::Rare;
use crate::stored::{WorkflowPut, WorkflowSummary};

/// The version of a row.
pub(super) async fn by_row(
    db: &impl GenericClient,
    known: &Workflows,
    wid: i64,
) -> Result<Arc<Workflow>, StoreError> {
    if let Some(found) = known.compiled(wid) {
        return Ok(found);
    }
    let rows = query(db, "SELECT doc, version FROM workflows WHERE wid = $1", &[&wid]).await?;
    let row =
        rows.first().ok_or_else(|| StoreError::Corrupt(format!("there is no workflow of row {wid}")))?;
    known.compile(wid, column(row, 0)?, number(row, 1)?).map_err(|e| match e {
        StoreError::Corrupt(why) => StoreError::Corrupt(format!("the row {wid} of workflows: {why}")),
        other => other,
    })
}

/// Finds a workflow by name: the newest listed, or a version whether listed or not.
pub(super) async fn find(
    db: &impl GenericClient,
    known: &Workflows,
    name: &str,
    version: Option<WorkflowVersion>,
) -> Result<(i64, Arc<Workflow>), StoreError> {
    if let Some(found) = known.at_hand(name, version) {
        return Ok(found);
    }
    let epoch = known.epoch();
    let name = &clean(name);
    let rows = match version {
        Some(version) => {
            let statement = "SELECT wid FROM workflows WHERE name = $1 AND version = $2";
            query(db, statement, &[&name, &(version as i32)]).await?
        }
        None => {
            let statement =
                "SELECT wid FROM workflows WHERE name = $1 AND NOT hidden ORDER BY version DESC LIMIT 1";
            query(db, statement, &[&name]).await?
        }
    };
    let wid = column(rows.first().ok_or(StoreError::NotFound)?, 0)?;
    let workflow = by_row(db, known, wid).await?;
    if version.is_none() {
        known.read(epoch, wid, &workflow);
    }
    Ok((wid, workflow))
}

/// Returns every listed workflow, by name.
pub(super) async fn list(
    db: &impl GenericClient,
    known: &Workflows,
) -> Result<Vec<WorkflowSummary>, StoreError> {
    let statement =
        "SELECT wid, name, version, created_at FROM workflows WHERE NOT hidden ORDER BY name, version";
    let mut all: Vec<WorkflowSummary> = Vec::new();
    for row in &query(db, statement, &[]).await? {
        let (wid, name): (i64, &str) = (column(row, 0)?, column(row, 1)?);
        // A damaged workflow is left out here and reported when requested; the others are listed.
        let workflow = match by_row(db, known, wid).await {
            Ok(workflow) if workflow.definition.name == name => workflow,
            Err(e) if !matches!(e, StoreError::Corrupt(_)) => return Err(e),
            found => {
                let why = found
                    .err()
                    .map_or_else(|| "its columns are not its document's".to_owned(), |e| e.to_string());
                tracing::error!(
                    wid,
                    workflow = name,
                    error = why,
                    "a workflow cannot be read and is passed over"
                );
                continue;
            }
        };
        let version = (number(row, 2)?, Timestamp(column(row, 3)?));
        match all.last_mut() {
            Some(last) if last.workflow.definition.name == name => {
                last.versions.push(version);
                last.workflow = workflow;
            }
            _ => all.push(WorkflowSummary { workflow, versions: vec![version] }),
        }
    }
    Ok(all)
}

/// Stores a definition; returns the row number and the outcome.
pub(super) async fn put(
    db: &impl GenericClient,
    known: &Workflows,
    definition: Definition,
    now: Timestamp,
) -> Result<(i64, WorkflowPut), StoreError> {
    let text = doc::text(&definition)?;
    // Another node may be storing a version of the same name.
    execute(db, "LOCK TABLE workflows IN SHARE ROW EXCLUSIVE MODE", &[]).await?;
    let newest = query(
        db,
        "SELECT wid, version, doc, hidden FROM workflows WHERE name = $1 ORDER BY version DESC LIMIT 1",
        &[&definition.name],
    )
    .await?;
    let newest = newest.first();
    if let Some(row) = newest
        && content(column(row, 2)?) == content(&text)
        && !column::<bool>(row, 3)?
    {
        let wid = column(row, 0)?;
        let workflow = by_row(db, known, wid).await?;
        return Ok((wid, WorkflowPut { workflow, created: false, first: false }));
    }
    let version = newest.map(|row| number(row, 1)).transpose()?.map_or(1, |version| version + 1);
    let name = definition.name.clone();
    let workflow = Arc::new(compile(definition, version)?);
    let statement =
        "INSERT INTO workflows (name, version, doc, created_at) VALUES ($1, $2, $3, $4) RETURNING wid";
    let rows = query(db, statement, &[&name, &(version as i32), &text, &now.0]).await?;
    let wid = column(rows.first().ok_or(StoreError::NotFound)?, 0)?;
    shared::changed(db, Rare::Workflows).await?;
    Ok((wid, WorkflowPut { workflow, created: true, first: newest.is_none() }))
}

/// Removes a name from the list.
pub(super) async fn hide(db: &impl GenericClient, name: &str) -> Result<(), StoreError> {
    let statement = "UPDATE workflows SET hidden = true WHERE name = $1 AND NOT hidden";
    if execute(db, statement, &[&clean(name)]).await? == 0 {
        return Err(StoreError::NotFound);
    }
    shared::changed(db, Rare::Workflows).await
}
