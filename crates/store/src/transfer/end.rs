//! Stores at the two ends of a transfer.

use super::table::Table;
use super::value::Value;
use crate::error::StoreError;

/// Row with its position in its table, for the next page.
pub(crate) struct Found {
    pub(crate) at: Vec<Value>,
    pub(crate) row: Vec<Value>,
}

/// Store that is read or filled. Nobody else has it meanwhile.
pub(crate) trait End {
    /// Returns the location, for people.
    fn place(&self) -> String;
    /// Returns the identity of the storage, as [`crate::Store::storage_id`] does.
    fn storage_id(&mut self) -> Option<String>;
    /// Reads a setting.
    fn setting(&mut self, name: &str) -> Result<Option<String>, StoreError>;
    /// Writes a setting, or removes it, in a transaction of its own.
    fn set(&mut self, name: &str, doc: Option<&str>) -> Result<(), StoreError>;
    /// Returns the count of a table's rows.
    fn count(&mut self, table: Table) -> Result<u64, StoreError>;
    /// Reads the rows behind a position, in the table's order: one page, empty at its end.
    fn read(&mut self, table: Table, after: Option<&[Value]>) -> Result<Vec<Found>, StoreError>;
    /// Adds rows and the note of how far this went, together.
    fn write(&mut self, table: Table, rows: Vec<Vec<Value>>, note: &str) -> Result<(), StoreError>;
    /// Makes the store ready to be served, and replaces the note of the transfer's progress by one about its
    /// end.
    fn finish(&mut self, filled: &str) -> Result<(), StoreError>;
}
