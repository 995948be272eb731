//! Documents in rows: a task's state with its first sub-tasks, and chunks of further sub-tasks, so that a
//! change writes a bounded piece whatever the size of the task.

use std::sync::Arc;

use longhaul_model::value::{READABLE, nesting};
use longhaul_model::workflow::Workflow;
use longhaul_model::{Children, Record, State, SubTask, TaskId, TaskStatus};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::checksum;
use crate::deep;
use crate::error::StoreError;

/// Number of sub-tasks in one chunk.
pub(crate) const CHUNK: usize = 16;

#[derive(Serialize)]
struct Writing<'a> {
    w: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<usize>,
    t: &'a State,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    u: &'a [SubTask],
    /// Checksum of the name, which is in a column of its own.
    m: u32,
}

#[derive(Deserialize)]
pub(crate) struct Reading {
    /// The workflow version's row.
    pub(crate) w: i64,
    /// Count of the sub-tasks, if they take more than one chunk.
    n: Option<usize>,
    t: State,
    #[serde(default)]
    u: Vec<SubTask>,
    /// None in documents of versions without checksums.
    m: Option<u32>,
}

/// The document of a task's row.
pub(crate) fn head(wid: i64, record: &Record) -> Result<String, StoreError> {
    let first = &record.sub_tasks[..record.sub_tasks.len().min(CHUNK)];
    let count = record.sub_tasks.len();
    let n = (count > CHUNK).then_some(count);
    text(&Writing { w: wid, n, t: &record.state, u: first, m: checksum::of(&record.name) })
}

/// The document of a further chunk.
pub(crate) fn chunk(record: &Record, n: usize) -> Result<String, StoreError> {
    let from = n * CHUNK;
    let to = record.sub_tasks.len().min(from + CHUNK);
    text(&&record.sub_tasks[from..to])
}

/// Count of a task's chunks beyond the first.
pub(crate) fn further_chunks(sub_tasks: usize) -> usize {
    sub_tasks.div_ceil(CHUNK).saturating_sub(1)
}

/// Returns a document as a row keeps it: with its checksum.
pub(crate) fn text<T: Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    json(value).map(checksum::add)
}

/// Returns a document without a checksum, for what is not kept in rows of documents.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    let text = serde_json::to_string(value).map_err(|e| StoreError::Corrupt(e.to_string()))?;
    // Everything that enters a task is measured on entry.
    debug_assert!(nesting(text.as_bytes()) <= READABLE, "a document that could not be read again");
    Ok(text)
}

/// Parses a document whose checksum, if it has one, is right; including one nested deeper than `serde_json`
/// allows.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    let text = checksum::verified(text)?;
    let read = match serde_json::from_str(text) {
        Err(_) if deep::is_deep(text) => deep::read(text).and_then(serde_json::from_value),
        read => read,
    };
    read.map_err(|e| StoreError::Corrupt(e.to_string()))
}

/// Parses a document of another table than that of the task's row, which an error then names.
pub(crate) fn part<T: DeserializeOwned>(table: &str, text: &str) -> Result<T, StoreError> {
    parse(text).map_err(|e| within(table, e))
}

/// Adds the table to an error about damage.
pub(crate) fn within(table: &str, e: StoreError) -> StoreError {
    match e {
        StoreError::Corrupt(why) => StoreError::Corrupt(format!("in `{table}`: {why}")),
        other => other,
    }
}

/// Returns the table that an error about damage names, and what it says of that; `otherwise` if it names
/// none.
pub(crate) fn place<'a>(why: &'a str, otherwise: &'a str) -> (&'a str, &'a str) {
    let named = why.strip_prefix("in `").and_then(|rest| rest.split_once("`: "));
    named.unwrap_or((otherwise, why))
}

/// Returns the description of damage to a task, with the table that it is in: its row's if none is named.
pub(crate) fn placed(table: &str, why: &str) -> String {
    let (table, why) = place(why, table);
    format!("in `{table}`: {why}")
}

impl Reading {
    /// Rejects a document whose name or status differs from its row's: the row was changed without it.
    pub(crate) fn check_row(&self, name: &str, status: Option<TaskStatus>) -> Result<(), StoreError> {
        if self.m.is_some_and(|sum| sum != checksum::of(name)) {
            let why = "its column `name` is not the name that its document was written for";
            return Err(StoreError::Corrupt(why.to_owned()));
        }
        let said = self.t.status;
        match status {
            Some(status) if status == said => Ok(()),
            Some(status) => {
                let (row, said) = (status.constant(), said.constant());
                Err(StoreError::Corrupt(format!("its row says {row}, its document {said}")))
            }
            None => Err(StoreError::Corrupt("its column `status` is no status".to_owned())),
        }
    }

    /// Returns true if there are further chunks; tasks stored before children were known do not say how many.
    pub(crate) fn is_large(&self, workflow: &Workflow) -> bool {
        self.n.unwrap_or(workflow.sub_tasks.len()) > CHUNK
    }
}

/// Returns the indexes of the sub-tasks in a document, of which it is the chunk `n`, that have not ended
/// although an output may be stored for them. Of a document that cannot be read there are none.
pub(crate) fn awaiting_output(document: &str, n: u32) -> Vec<u32> {
    let sub_tasks = match n {
        0 => parse::<Reading>(document).map(|head| head.u),
        _ => parse::<Vec<SubTask>>(document),
    };
    let first = n * CHUNK as u32;
    let all = (first..).zip(sub_tasks.unwrap_or_default());
    all.filter(|(_, sub)| sub.contradicts_stored_output()).map(|(index, _)| index).collect()
}

/// Form in which a row is shown in a list.
pub(crate) enum Listing {
    /// The task with its children: they fit.
    Whole,
    /// The task without its children, and the number of further chunks that hold its own sub-tasks.
    Own(usize),
}

impl Reading {
    /// Returns how a list that may show `room` more children shows the task, and the number of children then
    /// shown. A task stored before children were counted is read in full.
    pub(crate) fn listing(&self, workflow: &Workflow, room: u32) -> (Listing, u32) {
        let own = workflow.sub_tasks.len();
        let children = self.n.unwrap_or_else(|| own.max(self.u.len())).saturating_sub(own) as u32;
        let counted: u32 = self.t.children.values().map(Children::total).sum();
        match children {
            0 => (Listing::Whole, 0),
            _ if children <= room => (Listing::Whole, children),
            _ if counted != children => (Listing::Whole, 0),
            _ => (Listing::Own(further_chunks(own)), 0),
        }
    }
}

/// Builds the record of a row's document and the further chunks with its own sub-tasks, without its children.
pub(crate) fn own_record(
    id: TaskId,
    name: String,
    workflow: Arc<Workflow>,
    head: Reading,
    chunks: Vec<String>,
) -> Result<Record, StoreError> {
    let mut sub_tasks = sub_tasks(head.u, &chunks)?;
    sub_tasks.truncate(workflow.sub_tasks.len());
    let record = Record { id, name, workflow, state: head.t, sub_tasks };
    if !record.is_whole_in_numbers() {
        return Err(StoreError::Corrupt(format!("task {id} has other sub-tasks than its workflow")));
    }
    Ok(record)
}

/// Returns the sub-tasks of a row's document, followed by those of its chunks.
fn sub_tasks(mut first: Vec<SubTask>, chunks: &[String]) -> Result<Vec<SubTask>, StoreError> {
    for text in chunks {
        first.extend(part::<Vec<SubTask>>("chunks", text)?);
    }
    Ok(first)
}

/// Returns the JSON object in a row, of another shape than tasks of our own have. Err: it is none, or
/// changed.
pub(crate) fn object(text: &str) -> Result<&str, StoreError> {
    let text = checksum::verified(text)?;
    let object = text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok();
    if object { Ok(text) } else { Err(StoreError::Corrupt("its document is no JSON object".to_owned())) }
}

/// Returns the task state in a row's document, if readable: for rows whose other columns are damaged.
pub(crate) fn state(document: &str) -> Option<State> {
    #[derive(Deserialize)]
    struct Only {
        t: State,
    }
    serde_json::from_str::<Only>(document).ok().map(|only| only.t)
}

/// Returns true if a row's document says that there are further chunks. A look, not a parse: reads are many.
pub(crate) fn says_large(document: &str) -> bool {
    document.split_once(',').is_some_and(|(_, rest)| rest.starts_with("\"n\":"))
}

/// Converts a row's document or a chunk into the form of a store with one server only, which knows of no
/// nodes.
pub(crate) fn without_nodes(document: String) -> Result<String, StoreError> {
    if !document.contains("\"j\":") {
        return Ok(document);
    }
    let mut value: serde_json::Value = parse(&document)?;
    let sub_tasks = match &mut value {
        serde_json::Value::Object(head) => head.get_mut("u"),
        chunk => Some(chunk),
    };
    let sub_tasks = sub_tasks.and_then(serde_json::Value::as_array_mut).into_iter().flatten();
    for sub_task in sub_tasks.filter_map(serde_json::Value::as_object_mut) {
        sub_task.shift_remove("j");
    }
    text(&value)
}

/// Builds the record of a row's document and its further chunks.
pub(crate) fn record(
    id: TaskId,
    name: String,
    workflow: Arc<Workflow>,
    head: Reading,
    chunks: Vec<String>,
) -> Result<Record, StoreError> {
    let sub_tasks = sub_tasks(head.u, &chunks)?;
    let record = Record { id, name, workflow, state: head.t, sub_tasks };
    if !record.is_whole() {
        let (has, wants) = (record.sub_tasks.len(), record.workflow.sub_tasks.len());
        return Err(StoreError::Corrupt(format!("task {id} has {has} sub-tasks, its workflow {wants}")));
    }
    Ok(record)
}
