//! Workflow definitions and their rows.

use std::sync::Arc;

use longhaul_model::workflow::{Definition, Workflow};
use longhaul_model::{Timestamp, WorkflowVersion};
use rusqlite::{Connection, OptionalExtension, params};

use super::failed::sql;
use super::lenient;
use crate::checksum::content;
use crate::doc;
use crate::error::StoreError;
use crate::known::{Workflows, compile};
use crate::stored::{WorkflowPut, WorkflowSummary};

impl Workflows {
    /// The version of a row.
    pub(super) fn by_row(&self, connection: &Connection, wid: i64) -> Result<Arc<Workflow>, StoreError> {
        if let Some(found) = self.compiled(wid) {
            return Ok(found);
        }
        let (text, version): (String, WorkflowVersion) = connection
            .query_row("SELECT doc, version FROM workflows WHERE wid = ?", [wid], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .map_err(|e| in_row(wid, sql(e)))?
            .ok_or_else(|| StoreError::Corrupt(format!("there is no row {wid} of workflows")))?;
        self.compile(wid, &text, version).map_err(|e| in_row(wid, e))
    }

    /// Finds a workflow by name: the newest listed, or a version whether listed or not.
    pub(super) fn find(
        &self,
        connection: &Connection,
        name: &str,
        version: Option<WorkflowVersion>,
    ) -> Result<(i64, Arc<Workflow>), StoreError> {
        if let Some(found) = self.at_hand(name, version) {
            return Ok(found);
        }
        let epoch = self.epoch();
        let row: Option<i64> = match version {
            Some(version) => connection.query_row(
                "SELECT wid FROM workflows WHERE name = ? AND version = ?",
                params![name, version],
                |row| row.get(0),
            ),
            None => connection.query_row(
                "SELECT wid FROM workflows WHERE name = ? AND NOT hidden ORDER BY version DESC LIMIT 1",
                [name],
                |row| row.get(0),
            ),
        }
        .optional()
        .map_err(sql)?;
        let wid = row.ok_or(StoreError::NotFound)?;
        let workflow = self.by_row(connection, wid)?;
        if version.is_none() {
            self.read(epoch, wid, &workflow);
        }
        Ok((wid, workflow))
    }

    /// Returns every listed workflow, by name.
    pub(super) fn list(&self, connection: &Connection) -> Result<Vec<WorkflowSummary>, StoreError> {
        let mut statement = connection
            .prepare_cached("SELECT wid, name, version, created_at FROM workflows WHERE NOT hidden ORDER BY name, version")
            .map_err(sql)?;
        let rows = statement
            .query_map([], |row| {
                let created_at = Timestamp(lenient::int(row, 3)?.unwrap_or_default());
                Ok((row.get(0)?, lenient::shown(row, 1)?, lenient::int(row, 2)?, created_at))
            })
            .map_err(sql)?;
        let mut all: Vec<WorkflowSummary> = Vec::new();
        for row in rows {
            let (wid, name, version, created_at) = row.map_err(sql)?;
            // A damaged workflow is logged and left out of the list; asking for it by name reports the
            // damage.
            let read = version.and_then(|version| WorkflowVersion::try_from(version).ok());
            let (version, workflow) = match (read, self.by_row(connection, wid)) {
                (Some(version), Ok(workflow)) if workflow.definition.name == name => (version, workflow),
                (_, Err(e)) if !matches!(e, StoreError::Corrupt(_)) => return Err(e),
                (_, found) => {
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
            match all.last_mut() {
                Some(last) if last.workflow.definition.name == name => {
                    last.versions.push((version, created_at));
                    last.workflow = workflow;
                }
                _ => all.push(WorkflowSummary { workflow, versions: vec![(version, created_at)] }),
            }
        }
        Ok(all)
    }
}

/// Adds the affected row to an error about damage.
fn in_row(wid: i64, e: StoreError) -> StoreError {
    match e {
        StoreError::Corrupt(why) => StoreError::Corrupt(format!("the row {wid} of workflows: {why}")),
        other => other,
    }
}

/// Stores a definition inside the writer's transaction; returns the row number and the outcome.
pub(super) fn put(
    connection: &Connection,
    workflows: &Workflows,
    definition: Definition,
    now: Timestamp,
) -> Result<(i64, WorkflowPut), StoreError> {
    let text = doc::text(&definition)?;
    let newest: Option<(i64, WorkflowVersion, String, bool)> = connection
        .query_row(
            "SELECT wid, version, doc, hidden FROM workflows WHERE name = ? ORDER BY version DESC LIMIT 1",
            [&definition.name],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .optional()
        .map_err(sql)?;
    if let Some((wid, _, stored, hidden)) = &newest
        && content(stored) == content(&text)
        && !hidden
    {
        let workflow = workflows.by_row(connection, *wid)?;
        return Ok((*wid, WorkflowPut { workflow, created: false, first: false }));
    }
    let version = newest.as_ref().map_or(1, |(_, version, ..)| version + 1);
    let name = definition.name.clone();
    let workflow = Arc::new(compile(definition, version)?);
    connection
        .execute(
            "INSERT INTO workflows (name, version, doc, created_at) VALUES (?, ?, ?, ?)",
            params![name, version, text, now.0],
        )
        .map_err(sql)?;
    let wid = connection.last_insert_rowid();
    Ok((wid, WorkflowPut { workflow, created: true, first: newest.is_none() }))
}

/// Removes a name from the list.
pub(super) fn hide(connection: &Connection, name: &str) -> Result<(), StoreError> {
    let changed = connection
        .execute("UPDATE workflows SET hidden = 1 WHERE name = ? AND NOT hidden", [name])
        .map_err(sql)?;
    if changed == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}
