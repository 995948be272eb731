//! Standing of an account, which its sessions depend on.

use rusqlite::{Connection, OptionalExtension};

use super::super::failed::sql;
use crate::error::StoreError;

/// Returns the epoch of an account, and true if it is disabled.
pub(super) fn standing(connection: &Connection, name: &str) -> Result<Option<(i64, bool)>, StoreError> {
    connection
        .prepare_cached("SELECT epoch, disabled FROM users WHERE name = ?")
        .and_then(|mut s| s.query_row([name], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .map_err(sql)
}
