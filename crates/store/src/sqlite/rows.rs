//! Reading tasks from rows: the same for the writer and for readers.

use std::collections::BTreeMap;

use longhaul_model::{Spec, Task, TaskId, TaskStatus, Timestamp};
use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;

use crate::counters::Counted;
use crate::doc;
use crate::error::StoreError;
use crate::known::Workflows;
use crate::stored::Stored;

/// Where a task's row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is active, or ended lately.
    Hot,
    /// It ended, and is sealed.
    History,
    /// It came from elsewhere.
    Imported,
}

/// A task's row.
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) place: Place,
    id: TaskId,
    name: String,
    doc: String,
}

pub(super) fn sql(e: rusqlite::Error) -> StoreError {
    match e.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => StoreError::Full,
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
            StoreError::Corrupt(e.to_string())
        }
        _ => StoreError::Unavailable(e.to_string()),
    }
}

/// Finds a task by id, wherever it is. One statement, so one moment; subqueries instead of joins, as a cached
/// statement that joins on a parameter is prepared anew at each use.
pub(super) fn find(connection: &Connection, id: TaskId) -> Result<Option<Row>, StoreError> {
    let mut statement = connection
        .prepare_cached(
            "SELECT seq, name, doc, -1 FROM hot WHERE seq = (SELECT seq FROM ids WHERE id = ?1)
             UNION ALL
             SELECT seq, name, doc, origin FROM history WHERE seq = (SELECT seq FROM ids WHERE id = ?1)",
        )
        .map_err(sql)?;
    statement
        .query_row([id.as_bytes()], |row| {
            let place = match row.get::<_, i64>(3)? {
                -1 => Place::Hot,
                0 => Place::History,
                _ => Place::Imported,
            };
            Ok(Row { seq: row.get(0)?, place, id, name: row.get(1)?, doc: row.get(2)? })
        })
        .optional()
        .map_err(sql)
}

/// The number of a task.
pub(super) fn seq(connection: &Connection, id: TaskId) -> Result<Option<i64>, StoreError> {
    connection
        .prepare_cached("SELECT seq FROM ids WHERE id = ?")
        .and_then(|mut s| s.query_row([id.as_bytes()], |row| row.get(0)).optional())
        .map_err(sql)
}

/// What a stored row counts as.
pub(super) struct Counting {
    pub(super) status: TaskStatus,
    kind: String,
    completed_at: Option<Timestamp>,
    resources: String,
}

impl Counting {
    pub(super) fn counted(&self) -> Counted<'_> {
        let Counting { status, kind, completed_at, resources } = self;
        Counted { kind, status: *status, completed_at: *completed_at, resources }
    }
}

/// Reads what a row counts as.
pub(super) fn counting(connection: &Connection, hot: bool, seq: i64) -> Result<Counting, StoreError> {
    let table = if hot { "hot" } else { "history" };
    let (status, kind, completed_at, resources): (u8, String, Option<i64>, String) = connection
        .prepare_cached(&format!("SELECT status, kind, completed_at, resources FROM {table} WHERE seq = ?"))
        .and_then(|mut s| s.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))))
        .map_err(sql)?;
    let status = TaskStatus::from_code(status)
        .ok_or_else(|| StoreError::Corrupt(format!("the row {seq} of {table} has the status {status}")))?;
    Ok(Counting { status, kind, completed_at: completed_at.map(Timestamp), resources })
}

/// Reads the row of a known place.
pub(super) fn at(connection: &Connection, hot: bool, seq: i64) -> Result<Row, StoreError> {
    let statement = if hot {
        "SELECT id, name, doc, 0 FROM hot WHERE seq = ?"
    } else {
        "SELECT id, name, doc, origin FROM history WHERE seq = ?"
    };
    connection
        .prepare_cached(statement)
        .and_then(|mut statement| {
            statement.query_row([seq], |row| {
                let imported = row.get::<_, i64>(3)? != 0;
                let place = match (hot, imported) {
                    (true, _) => Place::Hot,
                    (false, true) => Place::Imported,
                    (false, false) => Place::History,
                };
                Ok(Row {
                    seq,
                    place,
                    id: TaskId::from_bytes(row.get(0)?),
                    name: row.get(1)?,
                    doc: row.get(2)?,
                })
            })
        })
        .map_err(sql)
}

impl Row {
    /// Whether it takes further reads, which must be of the same moment.
    pub(super) fn is_large(&self) -> bool {
        self.place != Place::Imported && doc::says_large(&self.doc)
    }

    /// As it is read.
    pub(super) fn stored(self, connection: &Connection, workflows: &Workflows) -> Result<Stored, StoreError> {
        if self.place == Place::Imported {
            return Ok(Stored::Imported { id: self.id, json: self.doc });
        }
        let (_, record) = self.record(connection, workflows)?;
        Ok(Stored::Own(Box::new(record)))
    }

    /// As a list shows it, which has room for so many children; takes from it what it shows.
    pub(super) fn listed(
        self,
        connection: &Connection,
        workflows: &Workflows,
        room: &mut u32,
    ) -> Result<Stored, StoreError> {
        if self.place == Place::Imported {
            return Ok(Stored::Imported { id: self.id, json: self.doc });
        }
        let head: doc::Reading = doc::parse(&self.doc)?;
        let workflow = workflows.by_row(connection, head.w)?;
        let (listing, shown) = head.listing(&workflow, *room);
        *room -= shown;
        let record = match listing {
            doc::Listing::Own(further) => {
                let chunks = match further {
                    0 => Vec::new(),
                    _ => own_chunks(connection, self.seq, further)?,
                };
                doc::own_record(self.id, self.name, workflow, head, chunks)?
            }
            doc::Listing::Whole => {
                let record = self.record(connection, workflows)?.1;
                if shown > 0 { record } else { record.without_children() }
            }
        };
        Ok(Stored::Own(Box::new(record)))
    }

    fn record(
        self,
        connection: &Connection,
        workflows: &Workflows,
    ) -> Result<(i64, longhaul_model::Record), StoreError> {
        let head: doc::Reading = doc::parse(&self.doc)?;
        let wid = head.w;
        let workflow = workflows.by_row(connection, wid)?;
        let chunks = if head.is_large(&workflow) {
            texts(connection, "SELECT doc FROM chunks WHERE seq = ? ORDER BY n", self.seq)?
        } else {
            Vec::new()
        };
        Ok((wid, doc::record(self.id, self.name, workflow, head, chunks)?))
    }

    /// With everything that commands need; `None` for an imported one. Also the workflow version's row.
    pub(super) fn task(
        self,
        connection: &Connection,
        workflows: &Workflows,
    ) -> Result<Option<(i64, Task)>, StoreError> {
        if self.place == Place::Imported {
            return Ok(None);
        }
        let seq = self.seq;
        let spec = spec(connection, seq)?
            .ok_or_else(|| StoreError::Corrupt(format!("task {} has no spec", self.id)))?;
        let (wid, record) = self.record(connection, workflows)?;
        let outputs: BTreeMap<u32, Value> = outputs(connection, seq)?.into_iter().collect();
        Ok(Some((wid, Task::load(record, spec, outputs))))
    }
}

pub(super) fn spec(connection: &Connection, seq: i64) -> Result<Option<Spec>, StoreError> {
    let text = texts(connection, "SELECT doc FROM specs WHERE seq = ?", seq)?;
    text.first().map(|text| doc::parse(text)).transpose()
}

pub(super) fn outputs(connection: &Connection, seq: i64) -> Result<Vec<(u32, Value)>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT sub_task, doc FROM outputs WHERE seq = ? ORDER BY sub_task")
        .map_err(sql)?;
    let rows = statement.query_map([seq], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).map_err(sql)?;
    rows.map(|row| row.map_err(sql).and_then(|(sub_task, text)| Ok((sub_task, doc::parse(&text)?)))).collect()
}

/// The first chunks beyond the one in a task's row.
fn own_chunks(connection: &Connection, seq: i64, further: usize) -> Result<Vec<String>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT doc FROM chunks WHERE seq = ? AND n <= ? ORDER BY n")
        .map_err(sql)?;
    let rows = statement.query_map([seq, further as i64], |row| row.get(0)).map_err(sql)?;
    rows.collect::<Result<_, _>>().map_err(sql)
}

/// One text column of all rows of a task.
pub(super) fn texts(connection: &Connection, statement: &str, seq: i64) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached(statement).map_err(sql)?;
    let rows = statement.query_map([seq], |row| row.get(0)).map_err(sql)?;
    rows.collect::<Result<_, _>>().map_err(sql)
}
