//! Check of the schema against the one that the migrations make.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::check::{Finding, Inspector, Remedy};
use crate::error::StoreError;
use crate::sqlite::failed::sql;
use crate::sqlite::open;

/// Tables, indexes and triggers by name: their type, and the statement that made them.
pub(super) type Schema = BTreeMap<String, (String, String)>;

/// Reads the schema of a database.
pub(super) fn of(connection: &Connection) -> Result<Schema, StoreError> {
    let text = "SELECT name, type, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'";
    let mut statement = connection.prepare(text).map_err(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))).map_err(sql)?;
    rows.collect::<Result<_, _>>().map_err(sql)
}

/// Refuses a database of another version, and reports parts of the schema that are not as the migrations made
/// them.
pub(super) fn check(connection: &Connection, inspector: &mut dyn Inspector) -> Result<(), StoreError> {
    let there = of(connection)?;
    if !there.contains_key("schema_migrations") {
        return Err(StoreError::Corrupt("it has no tables of Longhaul's".to_owned()));
    }
    let newest: u32 = connection
        .query_row("SELECT coalesce(max(number), 0) FROM schema_migrations", [], |row| row.get(0))
        .map_err(sql)?;
    let known = open::newest_schema();
    if newest != known {
        let way = if newest > known {
            "use a newer version"
        } else {
            "start its server once, which brings it up to date, or check it with the version that made it"
        };
        return Err(StoreError::Open(format!(
            "the database has schema {newest}, this version of Longhaul checks schema {known}: {way}"
        )));
    }
    let expected = expected()?;
    for (name, (kind, made_by)) in &expected {
        let derived = matches!(kind.as_str(), "index" | "trigger");
        let remedy = if derived { Remedy::Repair } else { Remedy::Restore };
        match there.get(name) {
            None => inspector.found(Finding::of(name, format!("this {kind} is not there"), remedy)),
            Some((_, found)) if found != made_by => {
                inspector.found(Finding::of(
                    name,
                    format!("this {kind} is another than the one that was made"),
                    remedy,
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Returns the schema that the migrations make.
pub(super) fn expected() -> Result<Schema, StoreError> {
    let mut fresh = Connection::open_in_memory().map_err(sql)?;
    open::migrate(&mut fresh, longhaul_model::Timestamp(0))?;
    of(&fresh)
}
