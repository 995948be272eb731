//! Rows as a check reads them: cell by cell, so that damage to one is a finding and does not end the check.

use std::sync::Arc;

use longhaul_model::workflow::Workflow;
use longhaul_model::{Task, TaskId};

use super::{Finding, Inspector};
use crate::counters::Cell;
use crate::error::StoreError;
use crate::transfer::{Table, Value};

/// Row of a table, in the order of [`Table::columns`] with the engine's own columns behind them.
pub(crate) struct Line {
    /// Position of the row in the order of the table.
    pub(crate) at: Vec<Value>,
    /// Task of the row, as a number that sorts like the table.
    pub(crate) key: u128,
    /// Values of the row, or the reason why one cannot be read.
    pub(crate) cells: Vec<Result<Value, String>>,
}

impl Line {
    /// Returns a text; `None` for anything else.
    pub(crate) fn text(&self, n: usize) -> Option<&str> {
        match self.cells.get(n) {
            Some(Ok(Value::Text(text))) => Some(text),
            _ => None,
        }
    }

    /// Returns a number; `None` for anything else.
    pub(crate) fn int(&self, n: usize) -> Option<i64> {
        self.cells.get(n)?.as_ref().ok()?.int()
    }

    /// Returns a flag; false for anything else.
    pub(crate) fn flag(&self, n: usize) -> bool {
        matches!(self.cells.get(n), Some(Ok(Value::Flag(true))))
    }

    /// Returns an id; `None` for anything else.
    pub(crate) fn id(&self, n: usize) -> Option<TaskId> {
        match self.cells.get(n) {
            Some(Ok(Value::Id(id))) => Some(TaskId(*id)),
            _ => None,
        }
    }

    /// Returns the place of the row for people.
    pub(crate) fn place(&self) -> String {
        let words = self.at.iter().map(|value| match value {
            Value::Int(number) => number.to_string(),
            Value::Text(text) => text.clone(),
            Value::Id(id) => id.to_string(),
            Value::Bytes(bytes) => match <[u8; 16]>::try_from(&bytes[..]) {
                Ok(id) => TaskId::from_bytes(id).to_string(),
                Err(_) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            },
            Value::Flag(flag) => flag.to_string(),
            Value::Null => "NULL".to_owned(),
        });
        words.collect::<Vec<_>>().join("/")
    }
}

/// Returns the number that a key sorts by.
pub(crate) fn key_of(key: &Value) -> u128 {
    match key {
        Value::Int(number) => (i128::from(*number) - i128::from(i64::MIN)).unsigned_abs(),
        Value::Id(id) => id.as_u128(),
        _ => 0,
    }
}

/// Store that is checked, at one moment of it.
pub(crate) trait Source {
    /// Returns the number of rows of a table, roughly.
    fn count(&mut self, table: Table) -> Result<u64, StoreError>;
    /// Reads the rows behind a position: one page, empty at the end of the table. Tasks and their parts are
    /// in the order of tasks.
    fn page(&mut self, table: Table, after: Option<&[Value]>) -> Result<Vec<Line>, StoreError>;
    /// Returns a workflow version by its row.
    fn workflow(&mut self, wid: i64) -> Result<Arc<Workflow>, StoreError>;
    /// Returns true if what is left of a deleted task is about to be deleted.
    fn is_doomed(&mut self, key: u128) -> Result<bool, StoreError>;
    /// Passes on the totals of the store, each cell any number of times.
    fn totals(&mut self, each: &mut dyn FnMut(Cell, i64)) -> Result<(), StoreError>;
    /// Compares the engine's own indexes with a task's row.
    fn indexed(&mut self, line: &Line, found: &mut dyn FnMut(Finding)) -> Result<(), StoreError>;
    /// Compares the engine's own columns with the task.
    fn derived(&mut self, _line: &Line, _task: &Task, _found: &mut dyn FnMut(Finding)) {}
    /// Checks properties of the store as a whole: indexes, the rules of claims.
    fn own(&mut self, inspector: &mut dyn Inspector) -> Result<(), StoreError>;
}
