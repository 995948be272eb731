//! Reading tasks from rows: the same for the writer and for readers.

use std::collections::{BTreeMap, HashMap};

use deadpool_postgres::GenericClient;
use longhaul_model::{Record, Spec, Task, TaskId, TaskStatus, Timestamp, Unread};
use serde_json::Value;

use super::sql::{column, number, query};
use super::workflows;
use crate::doc;
use crate::error::StoreError;
use crate::known::Workflows;
use crate::stored::{Damaged, Stored};

/// Location of a task's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The table of active tasks.
    Hot,
    /// The history.
    History,
    /// The history, for an imported task.
    Imported,
}

/// A task's row.
pub(super) struct Row {
    pub(super) id: TaskId,
    pub(super) place: Place,
    pub(super) version: i64,
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) status: Option<TaskStatus>,
}

/// Columns of a [`Row`], in their order, as both tables have them.
pub(super) const HOT: &str = "id, -1::smallint AS origin, version, name, doc, status";
/// Columns of the history.
pub(super) const HISTORY: &str = "id, origin, version, name, doc, status";

impl Row {
    pub(super) fn read(row: &tokio_postgres::Row) -> Result<Self, StoreError> {
        let place = match column::<i16>(row, 1)? {
            -1 => Place::Hot,
            0 => Place::History,
            _ => Place::Imported,
        };
        Ok(Row {
            id: TaskId(column(row, 0)?),
            place,
            version: column(row, 2)?,
            name: column(row, 3)?,
            doc: column(row, 4)?,
            status: u8::try_from(column::<i16>(row, 5)?).ok().and_then(TaskStatus::from_code),
        })
    }

    /// Returns true if the task takes further reads, which must be of the same moment.
    pub(super) fn is_large(&self) -> bool {
        self.place != Place::Imported && doc::says_large(&self.doc)
    }

    /// Reads the record and the row of its workflow version; `chunks` are those beyond the first.
    pub(super) async fn record(
        self,
        db: &impl GenericClient,
        known: &Workflows,
        chunks: Vec<String>,
    ) -> Result<(i64, Record), StoreError> {
        let head: doc::Reading = doc::parse(&self.doc)?;
        head.check_row(&self.name, self.status)?;
        let wid = head.w;
        let workflow = workflows::by_row(db, known, wid).await?;
        Ok((wid, doc::record(self.id, self.name, workflow, head, chunks)?))
    }

    /// Reads the task; of a damaged one, as much as can be read.
    pub(super) async fn stored(
        self,
        db: &impl GenericClient,
        known: &Workflows,
    ) -> Result<Stored, StoreError> {
        let (id, hot) = (self.id, self.place == Place::Hot);
        match self.whole(db, known).await {
            Err(StoreError::Corrupt(why)) => {
                damaged(db, id, hot, why).await.map(|damaged| Stored::Damaged(Box::new(damaged)))
            }
            whole => whole,
        }
    }

    async fn whole(self, db: &impl GenericClient, known: &Workflows) -> Result<Stored, StoreError> {
        if self.place == Place::Imported {
            // An imported document is returned verbatim, so it must still be valid.
            let json = doc::object(&self.doc)?.to_owned();
            return Ok(Stored::Imported { id: self.id, json });
        }
        let chunks = if self.is_large() { chunks(db, self.id).await? } else { Vec::new() };
        let (_, record) = self.record(db, known, chunks).await?;
        Ok(Stored::Own(Box::new(record)))
    }
}

impl Row {
    /// Reads the task as shown by a list that may show `room` more children, and subtracts those it shows.
    pub(super) async fn listed(
        self,
        db: &impl GenericClient,
        known: &Workflows,
        room: &mut u32,
    ) -> Result<Stored, StoreError> {
        let (id, hot) = (self.id, self.place == Place::Hot);
        match self.shown(db, known, room).await {
            Err(StoreError::Corrupt(why)) => {
                damaged(db, id, hot, why).await.map(|damaged| Stored::Damaged(Box::new(damaged)))
            }
            shown => shown,
        }
    }

    async fn shown(
        self,
        db: &impl GenericClient,
        known: &Workflows,
        room: &mut u32,
    ) -> Result<Stored, StoreError> {
        if self.place == Place::Imported {
            return self.whole(db, known).await;
        }
        let head: doc::Reading = doc::parse(&self.doc)?;
        head.check_row(&self.name, self.status)?;
        let workflow = workflows::by_row(db, known, head.w).await?;
        let (listing, shown) = head.listing(&workflow, *room);
        *room -= shown;
        let record = match listing {
            doc::Listing::Own(further) => {
                let own = match further {
                    0 => Vec::new(),
                    _ => own_chunks(db, self.id, further).await?,
                };
                doc::own_record(self.id, self.name, workflow, head, own)?
            }
            doc::Listing::Whole => {
                let all = if self.is_large() { chunks(db, self.id).await? } else { Vec::new() };
                let record = self.record(db, known, all).await?.1;
                if shown > 0 { record } else { record.without_children() }
            }
        };
        Ok(Stored::Own(Box::new(record)))
    }
}

/// Reads the first `further` chunks beyond the one in a task's row.
async fn own_chunks(db: &impl GenericClient, id: TaskId, further: usize) -> Result<Vec<String>, StoreError> {
    let statement = "SELECT doc FROM chunks WHERE id = $1 AND n <= $2 ORDER BY n";
    let rows = query(db, statement, &[&id.0, &(further as i32)]).await?;
    rows.iter().map(|row| column(row, 0)).collect()
}

/// Finds a task by ID, in either table. One statement, so one moment.
pub(super) async fn find(db: &impl GenericClient, id: TaskId) -> Result<Option<Row>, StoreError> {
    let statement =
        format!("SELECT {HOT} FROM hot WHERE id = $1 UNION ALL SELECT {HISTORY} FROM history WHERE id = $1");
    let rows = query(db, &statement, &[&id.0]).await?;
    rows.first().map(Row::read).transpose()
}

/// Reads what remains of a damaged task, and names the table that it is in.
pub(super) async fn damaged(
    db: &impl GenericClient,
    id: TaskId,
    hot: bool,
    why: String,
) -> Result<Damaged, StoreError> {
    let table = if hot { "hot" } else { "history" };
    let statement = format!("SELECT name, kind, status, created_at, completed_at FROM {table} WHERE id = $1");
    let rows = query(db, &statement, &[&id.0]).await?;
    let row = rows.first().ok_or(StoreError::NotFound)?;
    Ok(Damaged {
        id,
        name: column(row, 0)?,
        kind: column(row, 1)?,
        status: u8::try_from(column::<i16>(row, 2)?).ok().and_then(TaskStatus::from_code),
        created_at: Some(Timestamp(column(row, 3)?)),
        completed_at: column::<Option<i64>>(row, 4)?.map(Timestamp),
        why: doc::placed(table, &why),
    })
}

/// Writes the end of a task that cannot be read, and moves it to history; returns its resources.
pub(super) async fn end_unread(
    db: &impl GenericClient,
    id: TaskId,
    hot: bool,
    after: Unread,
) -> Result<String, StoreError> {
    let status = after.status.map(|status| i16::from(status.code()));
    let completed_at = after.completed_at.map(|at| at.0);
    let columns = "id, shard, name, sort_name, folded, kind, created_at, found_by, resources, doc";
    let statement = if hot {
        format!(
            "WITH gone AS (DELETE FROM hot WHERE id = $1 RETURNING *)
             INSERT INTO history ({columns}, version, status, completed_at, due_at, origin)
             SELECT {columns}, version + 1, coalesce($2, status), $3, NULL, 0 FROM gone RETURNING resources"
        )
    } else {
        "UPDATE history SET version = version + 1, status = coalesce($2, status), completed_at = $3, due_at = NULL
         WHERE id = $1 RETURNING resources"
            .to_owned()
    };
    let rows = query(db, &statement, &[&id.0, &status, &completed_at]).await?;
    column(rows.first().ok_or(StoreError::NotFound)?, 0)
}

/// Checks that the task exists.
pub(super) async fn check(db: &impl GenericClient, id: TaskId) -> Result<(), StoreError> {
    let statement = "SELECT 1 FROM hot WHERE id = $1 UNION ALL SELECT 1 FROM history WHERE id = $1";
    if query(db, statement, &[&id.0]).await?.is_empty() { Err(StoreError::NotFound) } else { Ok(()) }
}

async fn chunks(db: &impl GenericClient, id: TaskId) -> Result<Vec<String>, StoreError> {
    let rows = query(db, "SELECT doc FROM chunks WHERE id = $1 ORDER BY n", &[&id.0]).await?;
    rows.iter().map(|row| column(row, 0)).collect()
}

pub(super) async fn spec(db: &impl GenericClient, id: TaskId) -> Result<Option<Spec>, StoreError> {
    let rows = query(db, "SELECT doc FROM specs WHERE id = $1", &[&id.0]).await?;
    rows.first().map(|row| doc::part("specs", column(row, 0)?)).transpose()
}

pub(super) async fn outputs(db: &impl GenericClient, id: TaskId) -> Result<Vec<(u32, Value)>, StoreError> {
    let rows =
        query(db, "SELECT sub_task, doc FROM outputs WHERE id = $1 ORDER BY sub_task", &[&id.0]).await?;
    rows.iter().map(|row| Ok((number(row, 0)?, doc::part("outputs", column(row, 1)?)?))).collect()
}

/// Parts of tasks that commands need beside their rows, read for many at once.
pub(super) struct Parts {
    specs: HashMap<uuid::Uuid, String>,
    outputs: HashMap<uuid::Uuid, Vec<(u32, String)>>,
    chunks: HashMap<uuid::Uuid, Vec<String>>,
}

impl Parts {
    /// Sorts rows by task: (ID, doc), (ID, sub-task, doc), (ID, doc) in order.
    pub(super) fn new(
        specs: &[tokio_postgres::Row],
        outputs: &[tokio_postgres::Row],
        chunks: &[tokio_postgres::Row],
    ) -> Result<Self, StoreError> {
        let mut parts = Parts { specs: HashMap::new(), outputs: HashMap::new(), chunks: HashMap::new() };
        for row in specs {
            parts.specs.insert(column(row, 0)?, column(row, 1)?);
        }
        for row in outputs {
            // Read along with the task: an unreadable part is damage to that task.
            parts.outputs.entry(column(row, 0)?).or_default().push((number(row, 1)?, column(row, 2)?));
        }
        for row in chunks {
            parts.chunks.entry(column(row, 0)?).or_default().push(column(row, 1)?);
        }
        Ok(parts)
    }

    /// Reads the task of a row, with everything that commands need, and the row number of its workflow
    /// version.
    pub(super) async fn task(
        &mut self,
        row: Row,
        db: &impl GenericClient,
        known: &Workflows,
    ) -> Result<(i64, Task), StoreError> {
        let id = row.id;
        let spec =
            self.specs.get(&id.0).ok_or_else(|| StoreError::Corrupt(format!("task {id} has no spec")))?;
        let spec = doc::part("specs", spec)?;
        let chunks = self.chunks.remove(&id.0).unwrap_or_default();
        let (wid, record) = row.record(db, known, chunks).await?;
        let outputs = self.outputs.remove(&id.0).unwrap_or_default();
        let outputs = outputs.iter().map(|(index, text)| Ok((*index, doc::part("outputs", text)?)));
        Ok((wid, Task::load(record, spec, outputs.collect::<Result<BTreeMap<u32, Value>, StoreError>>()?)))
    }
}
