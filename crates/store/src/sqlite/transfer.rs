//! The embedded engine as an end of a transfer.

use std::path::{Path, PathBuf};

use longhaul_model::{Env, TaskStatus, Timestamp};
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::failed::sql;
use super::{counters, doomed, open, seal};
use crate::counters::{Counted, Counters};
use crate::error::StoreError;
use crate::transfer::{End, Found, Kind, OWN_SETTINGS, Table, Value, task};

/// Largest size of a page: rows, and bytes of them.
const ROWS: usize = 2_000;
const BYTES: usize = 8 << 20;

/// A data directory that no server has.
pub(crate) struct Directory {
    connection: Connection,
    directory: PathBuf,
    _lock: open::DirectoryLock,
}

impl Directory {
    /// Opens a directory that must have a database.
    pub(crate) fn existing(directory: &Path, env: &Env) -> Result<Self, StoreError> {
        if !open::database(directory).exists() {
            return Err(StoreError::Open(format!("there is no database in {}", directory.display())));
        }
        Directory::new(directory, env)
    }

    /// Opens a directory, and creates its database if need be.
    pub(crate) fn new(directory: &Path, env: &Env) -> Result<Self, StoreError> {
        let lock = open::lock(directory)?;
        let connection = open::writer(directory, env.now())?;
        connection.pragma_update(None, "wal_autocheckpoint", 10_000).map_err(sql)?;
        doomed::finish(&connection)?;
        Ok(Directory { connection, directory: directory.to_owned(), _lock: lock })
    }
}

/// Layout of a table's read: its source, its order, and the form of each column there.
struct Layout {
    from: String,
    key: &'static [&'static str],
    columns: Vec<String>,
}

/// SQL of a task's ID by its number.
const ID: &str = "coalesce((SELECT id FROM history WHERE history.seq = t.seq), (SELECT id FROM hot WHERE hot.seq = t.seq))";

fn layout(table: Table) -> Layout {
    let own = OWN_SETTINGS.map(|name| format!("'{name}'")).join(", ");
    let from = match table {
        Table::Tasks => {
            let columns = "seq, id, name, kind, status, created_at, completed_at, due_at";
            format!(
                "(SELECT {columns}, 0 AS origin, resources, doc FROM hot
                  UNION ALL SELECT {columns}, origin, resources, doc FROM history) AS t WHERE true"
            )
        }
        Table::Keys => format!("keys AS t WHERE {ID} IS NOT NULL"),
        Table::Settings => format!("settings AS t WHERE name NOT IN ({own})"),
        other => format!("{} AS t WHERE true", other.name()),
    };
    let key: &[&str] = match table {
        Table::Workflows => &["wid"],
        Table::Tasks | Table::Specs | Table::Audit => &["seq"],
        Table::Chunks | Table::Logs => &["seq", "n"],
        Table::Outputs => &["seq", "sub_task"],
        Table::Attempts => &["seq", "sub_task", "number"],
        Table::Claims => &["key", "ticket"],
        Table::Keys => &["principal", "key"],
        Table::Settings | Table::Users => &["name"],
        Table::ApiKeys => &["id"],
        Table::RefreshTokens => &["hash"],
        Table::AccountState => &["rowid"],
    };
    let column = |&(name, _): &(&str, Kind)| match (table, name) {
        (part, "id") if part.is_part() => ID.to_owned(),
        (Table::Tasks, "kind") => "lower(kind)".to_owned(),
        (Table::ApiKeys, "user") => "lower(user)".to_owned(),
        _ => name.to_owned(),
    };
    Layout { from, key, columns: table.columns().iter().map(column).collect() }
}

impl End for Directory {
    fn place(&self) -> String {
        self.directory.display().to_string()
    }

    fn storage_id(&mut self) -> Option<String> {
        open::storage_id(&self.directory)
    }

    fn setting(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        setting(&self.connection, name)
    }

    fn set(&mut self, name: &str, doc: Option<&str>) -> Result<(), StoreError> {
        set(&self.connection, name, doc)
    }

    fn count(&mut self, table: Table) -> Result<u64, StoreError> {
        let statement = format!("SELECT count(*) FROM {}", layout(table).from);
        let count: i64 = self.connection.query_row(&statement, [], |row| row.get(0)).map_err(sql)?;
        Ok(count.unsigned_abs())
    }

    fn read(&mut self, table: Table, after: Option<&[Value]>) -> Result<Vec<Found>, StoreError> {
        let Layout { from, key, columns } = layout(table);
        let behind = after.map_or_else(String::new, |_| {
            let marks = vec!["?"; key.len()].join(", ");
            format!("AND ({}) > ({marks})", key.join(", "))
        });
        let (order, columns) = (key.join(", "), columns.join(", "));
        let statement =
            format!("SELECT {order}, {columns} FROM {from} {behind} ORDER BY {order} LIMIT {ROWS}");
        let mut statement = self.connection.prepare_cached(&statement).map_err(sql)?;
        let mut rows = statement.query(params_from_iter(after.unwrap_or_default())).map_err(sql)?;
        let (mut page, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next().map_err(sql)?
            && bytes < BYTES
        {
            let found = found(table, key.len(), row).map_err(sql)?;
            bytes += found.row.iter().map(Value::size).sum::<usize>();
            page.push(found);
        }
        Ok(page)
    }

    fn write(&mut self, table: Table, rows: Vec<Vec<Value>>, note: &str) -> Result<(), StoreError> {
        let transaction = self.connection.transaction().map_err(sql)?;
        if table == Table::Tasks {
            write_tasks(&transaction, &rows)?;
        } else {
            let mut statement = transaction.prepare_cached(&insert(table)).map_err(sql)?;
            for row in &rows {
                statement.execute(params_from_iter(row)).map_err(sql)?;
            }
        }
        set(&transaction, crate::transfer::FILLING, Some(note))?;
        transaction.commit().map_err(sql)
    }

    fn finish(&mut self, filled: &str) -> Result<(), StoreError> {
        let transaction = self.connection.transaction().map_err(sql)?;
        transaction.execute_batch(super::claims::DERIVE).map_err(sql)?;
        set(&transaction, crate::transfer::FILLING, None)?;
        set(&transaction, crate::transfer::FILLED, Some(filled))?;
        transaction.commit().map_err(sql)?;
        // Pages that are in the log only would be read by nobody but SQLite.
        self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA optimize").map_err(sql)
    }
}

/// Reads a setting without parsing it.
pub(super) fn setting(connection: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    let statement = "SELECT doc FROM settings WHERE name = ?";
    connection.query_row(statement, [name], |row| row.get(0)).optional().map_err(sql)
}

fn set(connection: &Connection, name: &str, doc: Option<&str>) -> Result<(), StoreError> {
    match doc {
        Some(doc) => {
            connection.execute("INSERT OR REPLACE INTO settings (name, doc) VALUES (?, ?)", [name, doc])
        }
        None => connection.execute("DELETE FROM settings WHERE name = ?", [name]),
    }
    .map(drop)
    .map_err(sql)
}

fn found(table: Table, keys: usize, row: &rusqlite::Row<'_>) -> rusqlite::Result<Found> {
    let at = (0..keys).map(|n| position(row.get_ref(n)?)).collect::<rusqlite::Result<_>>()?;
    let column = |(n, (_, kind)): (usize, &(&str, Kind))| {
        let given = row.get_ref(keys + n)?;
        Value::from_sqlite(*kind, given)
            .map_err(|e| rusqlite::Error::FromSqlConversionFailure(keys + n, given.data_type(), Box::new(e)))
    };
    let row = table.columns().iter().enumerate().map(column).collect::<rusqlite::Result<_>>()?;
    Ok(Found { at, row })
}

/// Returns a key as it is compared, of whatever type.
fn position(given: rusqlite::types::ValueRef<'_>) -> rusqlite::Result<Value> {
    use rusqlite::types::ValueRef;
    Ok(match given {
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        ValueRef::Text(_) => Value::Text(given.as_str()?.to_owned()),
        _ => Value::Null,
    })
}

fn insert(table: Table) -> String {
    if table == Table::AccountState {
        return "UPDATE account_state SET revision = ?, epoch = ?".to_owned();
    }
    let names: Vec<&str> = table.columns().iter().map(|(name, _)| *name).collect();
    let mut marks = vec!["?"; names.len()].join(", ");
    let mut names = names.join(", ");
    if table.is_part() {
        names.replace_range(0..2, "seq");
        marks.replace_range(0..1, "(SELECT seq FROM ids WHERE id = ?)");
    }
    format!("INSERT INTO {} ({names}) VALUES ({marks})", table.name())
}

/// Writes tasks in the order of acceptance, active ones to `hot` and the others to `history`, and counts
/// them.
fn write_tasks(connection: &Connection, rows: &[Vec<Value>]) -> Result<(), StoreError> {
    let largest =
        "SELECT max(coalesce((SELECT max(seq) FROM hot), 0), coalesce((SELECT max(seq) FROM history), 0))";
    let last: i64 = connection.query_row(largest, [], |row| row.get(0)).map_err(sql)?;
    let mut totals = Counters::default();
    for (seq, row) in (last + 1..).zip(rows) {
        connection
            .prepare_cached("INSERT INTO ids (id, seq) VALUES (?, ?)")
            .and_then(|mut s| s.execute(params![row[task::ID], seq]))
            .map_err(sql)?;
        let code = row[task::STATUS].int().and_then(|code| u8::try_from(code).ok());
        let status = code.and_then(TaskStatus::from_code).ok_or_else(|| {
            StoreError::Corrupt(format!("task {} has an unknown status", row[task::ID].id()))
        })?;
        let completed_at = row[task::COMPLETED_AT].int().map(Timestamp);
        let (kind, resources) = (row[task::KIND].text(), row[task::RESOURCES].text());
        totals.add(Counted { kind, status, completed_at, resources });
        insert_task(connection, seq, row, status)?;
    }
    // One statement for all of a page: the index of names writes a segment for each.
    connection
        .prepare_cached("INSERT INTO history_names (rowid, name) SELECT seq, name FROM history WHERE seq > ?")
        .and_then(|mut s| s.execute([last]))
        .map_err(sql)?;
    counters::write(&mut totals, connection)
}

fn insert_task(
    connection: &Connection,
    seq: i64,
    row: &[Value],
    status: TaskStatus,
) -> Result<(), StoreError> {
    let columns = "seq, id, name, kind, status, created_at, completed_at, due_at";
    let moves = status == TaskStatus::InProgress && row[task::ORIGIN] == Value::Int(0);
    let statement = if moves {
        format!(
            "INSERT INTO hot ({columns}, resources, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?10, ?11)"
        )
    } else {
        format!(
            "INSERT INTO history ({columns}, origin, resources, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
        )
    };
    connection
        .prepare_cached(&statement)
        .and_then(|mut s| {
            s.execute(params![
                seq,
                row[task::ID],
                row[task::NAME],
                row[task::KIND],
                row[task::STATUS],
                row[task::CREATED_AT],
                row[task::COMPLETED_AT],
                row[task::DUE_AT],
                row[task::ORIGIN],
                row[task::RESOURCES],
                row[task::DOC]
            ])
        })
        .map_err(sql)?;
    if moves {
        return Ok(());
    }
    let created_at = row[task::CREATED_AT].int().unwrap_or_default();
    seal::index_resources(connection, seq, created_at, row[task::RESOURCES].text())
}
