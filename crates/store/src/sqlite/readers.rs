//! Connections that only read: as many as are in use at once, kept for the next.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;

use super::gate::{Gate, Length};
use super::open;
use crate::error::StoreError;

/// Maximum number of idle connections that are kept.
const KEPT: usize = 4;

pub(super) struct Readers {
    directory: PathBuf,
    gate: Arc<Gate>,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(directory: PathBuf, gate: Arc<Gate>) -> Self {
        Readers { directory, gate, idle: Mutex::new(Vec::new()) }
    }

    /// Runs a read with a connection of its own.
    pub(super) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.read(Length::Short, read)
    }

    fn read<T>(
        &self,
        length: Length,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _inside = self.gate.enter(length);
        let idle = self.idle.lock().pop();
        let connection = idle.map_or_else(|| open::reader(&self.directory), Ok)?;
        let outcome = read(&connection);
        let mut idle = self.idle.lock();
        if idle.len() < KEPT && connection.is_autocommit() {
            idle.push(connection);
        }
        outcome
    }

    /// Runs reads of one moment, however many statements.
    pub(super) fn snapshot<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.read(Length::Short, |connection| moment(connection, read))
    }

    /// Runs reads like [`snapshot`](Self::snapshot), for those that may take as long as a list: not for an
    /// event loop.
    pub(super) fn long<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.read(Length::Long, |connection| moment(connection, read))
    }
}

fn moment<T>(
    connection: &Connection,
    read: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let transaction = connection.unchecked_transaction().map_err(super::sql)?;
    let outcome = read(&transaction);
    drop(transaction);
    outcome
}
