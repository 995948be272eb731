//! Reading tasks from rows: the same for the writer and for readers.

use std::collections::BTreeMap;

use longhaul_model::{Spec, Task, TaskId, TaskStatus, Timestamp, Unread};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::failed::sql;
use super::lenient;
use crate::counters::Counted;
use crate::doc;
use crate::error::StoreError;
use crate::known::Workflows;
use crate::packed::pack;
use crate::stored::{Damaged, Stored};

/// Location of a task's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The table of tasks that are active, or ended lately.
    Hot,
    /// The history, for an ended and sealed task.
    History,
    /// The history, for an imported task.
    Imported,
}

/// A task's row.
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) place: Place,
    pub(super) id: TaskId,
    name: String,
    status: Option<TaskStatus>,
    /// The document, or the reason for its absence.
    doc: Result<String, String>,
}

/// Finds a task by ID, in either table. One statement, so one moment; subqueries instead of joins, as a
/// cached statement that joins on a parameter is prepared again at each use.
pub(super) fn find(connection: &Connection, id: TaskId) -> Result<Option<Row>, StoreError> {
    let mut statement = connection
        .prepare_cached(
            "SELECT seq, name, doc, -1, status FROM hot WHERE seq = (SELECT seq FROM ids WHERE id = ?1)
             UNION ALL
             SELECT seq, name, doc, origin, status FROM history WHERE seq = (SELECT seq FROM ids WHERE id = ?1)",
        )
        .map_err(sql)?;
    let found = statement.query_row([id.as_bytes()], |row| read(row, id)).optional().map_err(sql)?;
    match (found, lenient::seq_in(id)) {
        // A made-up id, of a row that has lost its own.
        (None, Some(seq)) => match place(connection, seq)? {
            Some(hot) if lenient::id_of(connection, seq)? == id => at(connection, hot, seq).map(Some),
            _ => Ok(None),
        },
        (found, _) => Ok(found),
    }
}

/// Returns true if the row with this number is hot; `None` if it does not exist.
fn place(connection: &Connection, seq: i64) -> Result<Option<bool>, StoreError> {
    connection
        .prepare_cached("SELECT 1 FROM hot WHERE seq = ?1 UNION ALL SELECT 0 FROM history WHERE seq = ?1")
        .and_then(|mut s| s.query_row([seq], |row| row.get(0)).optional())
        .map_err(sql)
}

/// Reads `seq, name, doc, origin, status`.
fn read(row: &rusqlite::Row<'_>, id: TaskId) -> rusqlite::Result<Row> {
    let place = match lenient::int(row, 3)? {
        Some(-1) => Place::Hot,
        Some(0) | None => Place::History,
        Some(_) => Place::Imported,
    };
    Ok(Row {
        seq: row.get(0)?,
        place,
        id,
        name: lenient::shown(row, 1)?,
        status: lenient::status(row, 4)?,
        doc: lenient::text(row, 2)?,
    })
}

/// The number of a task.
pub(super) fn seq(connection: &Connection, id: TaskId) -> Result<Option<i64>, StoreError> {
    connection
        .prepare_cached("SELECT seq FROM ids WHERE id = ?")
        .and_then(|mut s| s.query_row([id.as_bytes()], |row| row.get(0)).optional())
        .map_err(sql)
}

/// Attributes by which a stored row is counted.
pub(super) struct Counting {
    pub(super) status: TaskStatus,
    pub(super) kind: String,
    pub(super) completed_at: Option<Timestamp>,
    pub(super) resources: String,
}

impl Counting {
    pub(super) fn counted(&self) -> Counted<'_> {
        let Counting { status, kind, completed_at, resources } = self;
        Counted { kind, status: *status, completed_at: *completed_at, resources }
    }
}

/// Reads the counter values of a row from its columns, or from its document if the columns are unreadable;
/// `None` if both are.
pub(super) fn counting(connection: &Connection, hot: bool, seq: i64) -> Result<Option<Counting>, StoreError> {
    let table = if hot { "hot" } else { "history" };
    connection
        .prepare_cached(&format!(
            "SELECT status, kind, completed_at, resources, doc FROM {table} WHERE seq = ?"
        ))
        .and_then(|mut s| {
            s.query_row([seq], |row| {
                let state =
                    || lenient::text(row, 4).ok().and_then(Result::ok).and_then(|text| doc::state(&text));
                let said = match (lenient::status(row, 0)?, row.get_ref(2)?, lenient::text(row, 3)?) {
                    (Some(status), ValueRef::Null, Ok(resources)) => Some((status, None, resources)),
                    (Some(status), ValueRef::Integer(at), Ok(resources)) => {
                        Some((status, Some(Timestamp(at)), resources))
                    }
                    _ => state().map(|state| (state.status, state.completed_at, pack(&state.resources))),
                };
                let kind = lenient::shown(row, 1)?;
                Ok(said.map(|(status, completed_at, resources)| Counting {
                    status,
                    kind,
                    completed_at,
                    resources,
                }))
            })
        })
        .map_err(sql)
}

/// Reads the remains of an unreadable task, and names the table that it is in.
pub(super) fn damaged(
    connection: &Connection,
    row: (bool, i64),
    id: TaskId,
    why: String,
) -> Result<Damaged, StoreError> {
    let (hot, seq) = row;
    let table = if hot { "hot" } else { "history" };
    connection
        .prepare_cached(&format!(
            "SELECT name, kind, status, created_at, completed_at FROM {table} WHERE seq = ?"
        ))
        .and_then(|mut s| {
            s.query_row([seq], |row| {
                Ok(Damaged {
                    id,
                    name: lenient::shown(row, 0)?,
                    kind: lenient::shown(row, 1)?,
                    status: lenient::status(row, 2)?,
                    created_at: lenient::int(row, 3)?.map(Timestamp),
                    completed_at: lenient::int(row, 4)?.map(Timestamp),
                    why: doc::placed(table, &why),
                })
            })
        })
        .map_err(sql)
}

/// Writes the new state of an unreadable task; its document is kept for inspection.
pub(super) fn end_unread(connection: &Connection, row: (bool, i64), after: Unread) -> Result<(), StoreError> {
    let (hot, seq) = row;
    let table = if hot { "hot" } else { "history" };
    let status = after.status.map(TaskStatus::code);
    connection
        .prepare_cached(&format!(
            "UPDATE {table} SET status = coalesce(?2, status), completed_at = ?3, due_at = NULL WHERE seq = ?1"
        ))
        .and_then(|mut s| s.execute(params![seq, status, after.completed_at.map(|at| at.0)]))
        .map(drop)
        .map_err(sql)
}

/// Reads the row of a known place.
pub(super) fn at(connection: &Connection, hot: bool, seq: i64) -> Result<Row, StoreError> {
    let statement = if hot {
        "SELECT seq, name, doc, -1, status, id FROM hot WHERE seq = ?"
    } else {
        "SELECT seq, name, doc, origin, status, id FROM history WHERE seq = ?"
    };
    let nobody = TaskId::from_bytes([0; 16]);
    let (mut row, id) = connection
        .prepare_cached(statement)
        .and_then(|mut s| s.query_row([seq], |row| Ok((read(row, nobody)?, lenient::id(row, 5)?))))
        .map_err(sql)?;
    row.id = id.map_or_else(|| lenient::id_of(connection, seq), Ok)?;
    Ok(row)
}

impl Row {
    /// Returns true if the task takes further reads, which must be of the same moment.
    pub(super) fn is_large(&self) -> bool {
        self.place != Place::Imported && self.doc.as_ref().is_ok_and(|text| doc::says_large(text))
    }

    /// Reads the task; an unreadable one as far as possible.
    pub(super) fn stored(self, connection: &Connection, workflows: &Workflows) -> Result<Stored, StoreError> {
        let (row, id) = ((self.place == Place::Hot, self.seq), self.id);
        match self.whole(connection, workflows) {
            Err(StoreError::Corrupt(why)) => {
                Ok(Stored::Damaged(Box::new(damaged(connection, row, id, why)?)))
            }
            whole => whole,
        }
    }

    fn whole(self, connection: &Connection, workflows: &Workflows) -> Result<Stored, StoreError> {
        if self.place == Place::Imported {
            let json = self.doc.map_err(StoreError::Corrupt)?;
            // Imported tasks are returned verbatim, so the document must be intact.
            let json = doc::object(&json)?.to_owned();
            return Ok(Stored::Imported { id: self.id, json });
        }
        let (_, record) = self.record(connection, workflows)?;
        Ok(Stored::Own(Box::new(record)))
    }

    /// Reads the task for a list that may show `room` more children; subtracts those shown.
    pub(super) fn listed(
        self,
        connection: &Connection,
        workflows: &Workflows,
        room: &mut u32,
    ) -> Result<Stored, StoreError> {
        let (row, id) = ((self.place == Place::Hot, self.seq), self.id);
        match self.shown(connection, workflows, room) {
            Err(StoreError::Corrupt(why)) => {
                Ok(Stored::Damaged(Box::new(damaged(connection, row, id, why)?)))
            }
            shown => shown,
        }
    }

    fn shown(
        self,
        connection: &Connection,
        workflows: &Workflows,
        room: &mut u32,
    ) -> Result<Stored, StoreError> {
        if self.place == Place::Imported {
            return self.whole(connection, workflows);
        }
        let head: doc::Reading =
            doc::parse(self.doc.as_ref().map_err(|why| StoreError::Corrupt(why.clone()))?)?;
        head.check_row(&self.name, self.status)?;
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
        let head: doc::Reading = doc::parse(&self.doc.map_err(StoreError::Corrupt)?)?;
        head.check_row(&self.name, self.status)?;
        let wid = head.w;
        let workflow = workflows.by_row(connection, wid)?;
        let chunks = if head.is_large(&workflow) {
            texts(connection, "SELECT doc FROM chunks WHERE seq = ? ORDER BY n", self.seq)?
        } else {
            Vec::new()
        };
        Ok((wid, doc::record(self.id, self.name, workflow, head, chunks)?))
    }

    /// Reads the task with everything that commands need, and the row number of the workflow version; `None`
    /// for an imported one.
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
    text.first().map(|text| doc::part("specs", text)).transpose()
}

pub(super) fn outputs(connection: &Connection, seq: i64) -> Result<Vec<(u32, Value)>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT sub_task, doc FROM outputs WHERE seq = ? ORDER BY sub_task")
        .map_err(sql)?;
    let rows = statement.query_map([seq], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).map_err(sql)?;
    rows.map(|row| row.map_err(sql).and_then(|(sub_task, text)| Ok((sub_task, doc::part("outputs", &text)?))))
        .collect()
}

/// Reads the first `further` chunks after the one in a task's row.
fn own_chunks(connection: &Connection, seq: i64, further: usize) -> Result<Vec<String>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT doc FROM chunks WHERE seq = ? AND n <= ? ORDER BY n")
        .map_err(sql)?;
    let rows = statement.query_map([seq, further as i64], |row| row.get(0)).map_err(sql)?;
    rows.collect::<Result<_, _>>().map_err(sql)
}

/// Reads one text column of all rows of a task.
pub(super) fn texts(connection: &Connection, statement: &str, seq: i64) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached(statement).map_err(sql)?;
    let rows = statement.query_map([seq], |row| row.get(0)).map_err(sql)?;
    rows.collect::<Result<_, _>>().map_err(sql)
}
