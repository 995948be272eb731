//! Check of a data directory: by connections that only read, also beside a running server.

mod claims;
mod indexes;
mod log;
mod repair;
mod schema;

use std::path::Path;
use std::sync::Arc;

use longhaul_model::workflow::Workflow;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::failed::sql;
use super::open;
use crate::check::{Checked, Finding, Inspector, Line, Progress, Remedy, Source, key_of};
use crate::counters::Cell;
use crate::error::StoreError;
use crate::known::Workflows;
use crate::transfer::{Kind, OWN_SETTINGS, Table, Value, task};
use indexes::Indexes;

pub(super) use log::lost_changes;
pub(crate) use repair::repair;

/// Maximum rows of a page, and bytes after which it ends.
const ROWS: usize = 500;
const BYTES: usize = 1 << 20;
/// Problems of the file that are named.
const NAMED: u32 = 100;

/// Checks the database of a data directory.
pub(crate) fn check(directory: &Path, inspector: &mut dyn Inspector) -> Result<Checked, StoreError> {
    let file = open::database(directory);
    match std::fs::metadata(&file) {
        Ok(about) if about.len() > 0 => {}
        Ok(_) => return Err(StoreError::Open(format!("{} is empty", file.display()))),
        Err(e) => {
            return Err(StoreError::Open(format!("there is no database in {}: {e}", directory.display())));
        }
    }
    for what in lost_changes(directory) {
        inspector.found(Finding::of("log", what, Remedy::Restore));
    }
    if let Some(what) = header(&file) {
        inspector.found(Finding::of("database", what, Remedy::Restore));
    }
    let checked = open::try_reader(directory)
        .map_err(sql)
        .and_then(|connection| of_file(&connection, directory, inspector));
    match checked {
        Err(StoreError::Corrupt(why)) => {
            inspector.found(Finding::of("database", why, Remedy::Restore));
            Ok(Checked::default())
        }
        checked => checked,
    }
}

/// Describes faults in the versions of the file format, which SQLite reports only to connections that write.
fn header(file: &Path) -> Option<String> {
    let mut bytes = [0; 20];
    std::fs::File::open(file).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut bytes)).ok()?;
    let (write, read) = (bytes[18], bytes[19]);
    let is_sound = write == read && (1..=2).contains(&write);
    (!is_sound).then(|| format!("its header says format {write} for writing and {read} for reading"))
}

fn of_file(
    connection: &Connection,
    directory: &Path,
    inspector: &mut dyn Inspector,
) -> Result<Checked, StoreError> {
    let moment = connection.unchecked_transaction().map_err(sql)?;
    schema::check(&moment, inspector)?;
    inspector.progress(Progress { part: "the file", done: 0, all: 0 });
    for problem in open::problems(&moment, NAMED).map_err(sql)? {
        inspector.found(of_problem(&problem));
    }
    let mut source = Snapshot {
        indexes: Indexes::new(&moment)?,
        connection: &moment,
        directory,
        workflows: Workflows::default(),
    };
    crate::check::run(&mut source, inspector)
}

/// Converts a problem of the file into a finding with its table and remedy.
fn of_problem(problem: &str) -> Finding {
    let derived = ["missing from index", "entries in index", "non-unique entry", "history_names"];
    let remedy =
        if derived.iter().any(|words| problem.contains(words)) { Remedy::Repair } else { Remedy::Restore };
    let after = |word: &str| problem.split_once(word).map(|(_, rest)| rest);
    let table = after("index ").or_else(|| after("table main.")).or_else(|| after(" in "));
    let table = table.and_then(|rest| rest.split([' ', '.']).next()).filter(|name| !name.is_empty());
    Finding::of(table.unwrap_or("database"), problem, remedy)
}

/// Consistent snapshot of a database.
struct Snapshot<'a> {
    connection: &'a Connection,
    directory: &'a Path,
    workflows: Workflows,
    indexes: Indexes,
}

/// Returns the statement that reads a page: behind a place, or from the beginning.
fn statement(table: Table, is_behind: bool) -> (String, usize) {
    let own = OWN_SETTINGS.map(|name| format!("'{name}'")).join(", ");
    let (from, key): (&str, &[&str]) = match table {
        Table::Tasks => return (tasks(is_behind), 1),
        Table::Workflows => ("workflows", &["wid"]),
        Table::Specs => ("specs", &["seq"]),
        Table::Audit => ("audit", &["seq"]),
        Table::Chunks => ("chunks", &["seq", "n"]),
        Table::Logs => ("logs", &["seq", "n"]),
        Table::Outputs => ("outputs", &["seq", "sub_task"]),
        Table::Attempts => ("attempts", &["seq", "sub_task", "number"]),
        Table::Claims => ("claims", &["seq", "key", "ticket"]),
        Table::Keys => ("keys", &["principal", "key"]),
        Table::Settings => ("settings", &["name"]),
        Table::Users => ("users", &["name"]),
        Table::ApiKeys => ("api_keys", &["id"]),
        Table::RefreshTokens => ("refresh_tokens", &["hash"]),
        Table::AccountState => ("account_state", &["rowid"]),
    };
    let of_others = if table == Table::Settings { format!("AND name NOT IN ({own})") } else { String::new() };
    let mut columns: Vec<&str> = table.columns().iter().map(|(name, _)| *name).collect();
    if table.is_part() {
        columns[0] = "NULL";
    }
    if table == Table::Claims {
        columns.extend(["clear", "1"]);
    }
    let (order, marks) = (key.join(", "), vec!["?"; key.len()].join(", "));
    let behind = if is_behind { format!("AND ({order}) > ({marks})") } else { String::new() };
    let columns = columns.join(", ");
    let text = format!(
        "SELECT {order}, {columns} FROM {from} WHERE true {of_others} {behind} ORDER BY {order} LIMIT {ROWS}"
    );
    (text, key.len())
}

fn tasks(is_behind: bool) -> String {
    let behind = if is_behind { "WHERE seq > ?1" } else { "" };
    let columns = "id, name, kind, status, created_at, completed_at, due_at";
    format!(
        "SELECT seq, {columns}, -1, resources, doc FROM hot {behind}
         UNION ALL SELECT seq, {columns}, origin, resources, doc FROM history {behind}
         ORDER BY seq LIMIT {ROWS}"
    )
}

/// Reads a cell; the error says why it does not fit its column.
fn cell(kind: Kind, given: ValueRef<'_>) -> Result<Value, String> {
    Ok(match (kind, given) {
        (_, ValueRef::Null) => Value::Null,
        (Kind::Flag, ValueRef::Integer(number @ 0..=1)) => Value::Flag(number == 1),
        (Kind::Flag, ValueRef::Integer(number)) => return Err(format!("is {number} instead of 0 or 1")),
        (Kind::Int, ValueRef::Integer(number)) => Value::Int(number),
        (Kind::Text, ValueRef::Text(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(e) => return Err(format!("is not valid UTF-8: {e}")),
        },
        (Kind::Bytes, ValueRef::Blob(bytes)) => Value::Bytes(bytes.to_vec()),
        (Kind::Id, ValueRef::Blob(bytes)) => match <[u8; 16]>::try_from(bytes) {
            Ok(bytes) => Value::Id(uuid::Uuid::from_bytes(bytes)),
            Err(_) => return Err(format!("has {} bytes instead of 16", bytes.len())),
        },
        (_, other) => return Err(format!("has a value of the type {}", other.data_type())),
    })
}

/// Reads the place of a row.
fn place(given: ValueRef<'_>) -> Result<Value, StoreError> {
    Ok(match given {
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(e) => return Err(StoreError::Corrupt(format!("the key of a row is not valid UTF-8: {e}"))),
        },
        ValueRef::Null | ValueRef::Real(_) => {
            return Err(StoreError::Corrupt(format!("the key of a row is {}", given.data_type())));
        }
    })
}

fn line(table: Table, keys: usize, row: &rusqlite::Row<'_>) -> Result<Line, StoreError> {
    let at: Vec<Value> = (0..keys).map(|n| place(row.get_ref(n).map_err(sql)?)).collect::<Result<_, _>>()?;
    let own: &[Kind] = if table == Table::Claims { &[Kind::Flag, Kind::Flag] } else { &[] };
    let kinds = table.columns().iter().map(|(_, kind)| *kind).chain(own.iter().copied());
    let cells = kinds.enumerate().map(|(n, kind)| Ok(cell(kind, row.get_ref(keys + n)?)));
    let cells = cells.collect::<rusqlite::Result<_>>().map_err(sql)?;
    let is_of_task = table == Table::Tasks || table.is_part() && table != Table::Keys;
    let key = at.first().filter(|_| is_of_task).map_or(0, key_of);
    Ok(Line { at, key, cells })
}

impl Source for Snapshot<'_> {
    fn count(&mut self, table: Table) -> Result<u64, StoreError> {
        let text = match table {
            Table::Tasks => "SELECT (SELECT count(*) FROM hot) + (SELECT count(*) FROM history)".to_owned(),
            other => format!("SELECT count(*) FROM {}", other.name()),
        };
        let count: i64 = self.connection.query_row(&text, [], |row| row.get(0)).map_err(sql)?;
        Ok(count.unsigned_abs())
    }

    fn page(&mut self, table: Table, after: Option<&[Value]>) -> Result<Vec<Line>, StoreError> {
        let (text, keys) = statement(table, after.is_some());
        let mut statement = self.connection.prepare_cached(&text).map_err(sql)?;
        let mut rows = statement.query(params_from_iter(after.unwrap_or_default())).map_err(sql)?;
        let (mut page, mut bytes) = (Vec::new(), 0);
        while bytes < BYTES {
            let next =
                rows.next().map_err(sql).and_then(|row| row.map(|row| line(table, keys, row)).transpose());
            match next {
                Ok(Some(line)) => {
                    bytes += line.cells.iter().flatten().map(Value::size).sum::<usize>();
                    page.push(line);
                }
                Ok(None) => break,
                // The next page begins with the damaged row, and reports it.
                Err(StoreError::Corrupt(_)) if !page.is_empty() => break,
                Err(e) => return Err(e),
            }
        }
        Ok(page)
    }

    fn workflow(&mut self, wid: i64) -> Result<Arc<Workflow>, StoreError> {
        self.workflows.by_row(self.connection, wid)
    }

    fn is_doomed(&mut self, key: u128) -> Result<bool, StoreError> {
        let seq = seq_of(key);
        self.connection
            .prepare_cached("SELECT 1 FROM doomed WHERE seq = ?")
            .and_then(|mut s| s.query_row([seq], |_| Ok(())).optional())
            .map(|found| found.is_some())
            .map_err(sql)
    }

    fn totals(&mut self, each: &mut dyn FnMut(Cell, i64)) -> Result<(), StoreError> {
        for text in [
            "SELECT 0, 0, kind, status, resource_kind, n FROM counters",
            "SELECT width, bucket, kind, status, resource_kind, n FROM completions",
        ] {
            let mut statement = self.connection.prepare(text).map_err(sql)?;
            let mut rows = statement.query([]).map_err(sql)?;
            while let Some(row) = rows.next().map_err(sql)? {
                let cell = |row: &rusqlite::Row<'_>| -> rusqlite::Result<(Cell, i64)> {
                    let (width, bucket, kind) = (row.get(0)?, row.get(1)?, row.get(2)?);
                    let (status, resource_kind) = (row.get(3)?, row.get(4)?);
                    Ok((Cell { width, bucket, status, kind, resource_kind }, row.get(5)?))
                };
                let (cell, n) = cell(row).map_err(sql)?;
                each(cell, n);
            }
        }
        Ok(())
    }

    fn indexed(&mut self, line: &Line, found: &mut dyn FnMut(Finding)) -> Result<(), StoreError> {
        let Some(seq) = line.at.first().and_then(Value::int) else { return Ok(()) };
        if let Some(id) = line.id(task::ID) {
            let known: Option<i64> = self
                .connection
                .prepare_cached("SELECT seq FROM ids WHERE id = ? AND seq = ?")
                .and_then(|mut s| s.query_row(params![id.as_bytes(), seq], |row| row.get(0)).optional())
                .map_err(sql)?;
            if known.is_none() {
                let what = "its id does not lead to its row, so that nobody finds it";
                found(Finding::of("ids", what, Remedy::Repair).task(Some(id)).row(line.place()));
            }
        }
        if line.int(task::ORIGIN).is_none_or(|origin| origin >= 0) {
            self.indexes.add(self.connection, seq, line)?;
        }
        Ok(())
    }

    fn own(&mut self, inspector: &mut dyn Inspector) -> Result<(), StoreError> {
        let found = &mut |finding: Finding| inspector.found(finding);
        let db = self.connection;
        readable("ids", ids(db, found), found)?;
        readable("history_names", self.indexes.names(db, found), found)?;
        readable("history_resources", self.indexes.resources(db, found), found)?;
        readable("claims", claims::check(db, self.directory, found), found)?;
        readable("doomed", doomed(db, found), found)
    }
}

/// Reports a table that cannot be read, so that the others are checked all the same.
fn readable(
    table: &str,
    checked: Result<(), StoreError>,
    found: &mut dyn FnMut(Finding),
) -> Result<(), StoreError> {
    match checked {
        Err(StoreError::Corrupt(why)) => {
            found(Finding::of(table, format!("it cannot be read: {why}"), Remedy::Repair));
            Ok(())
        }
        checked => checked,
    }
}

/// Returns the row number that a key stands for.
fn seq_of(key: u128) -> i64 {
    i64::try_from(i128::try_from(key).unwrap_or_default() + i128::from(i64::MIN)).unwrap_or_default()
}

/// Reports ids that lead nowhere.
fn ids(connection: &Connection, found: &mut dyn FnMut(Finding)) -> Result<(), StoreError> {
    let text = "SELECT hex(id), seq FROM ids
         WHERE NOT EXISTS (SELECT 1 FROM hot WHERE hot.seq = ids.seq AND hot.id = ids.id)
         AND NOT EXISTS (SELECT 1 FROM history WHERE history.seq = ids.seq AND history.id = ids.id)";
    let mut statement = connection.prepare(text).map_err(sql)?;
    let mut rows = statement.query([]).map_err(sql)?;
    while let Some(row) = rows.next().map_err(sql)? {
        let id: String = row.get(0).map_err(sql)?;
        found(Finding::of("ids", "it leads to no task", Remedy::Repair).row(id.to_lowercase()));
    }
    Ok(())
}

/// Reports tasks that exist although they count as deleted: their data would be deleted.
fn doomed(connection: &Connection, found: &mut dyn FnMut(Finding)) -> Result<(), StoreError> {
    let text = "SELECT seq FROM doomed WHERE EXISTS (SELECT 1 FROM hot WHERE hot.seq = doomed.seq)
         OR EXISTS (SELECT 1 FROM history WHERE history.seq = doomed.seq)";
    let mut statement = connection.prepare(text).map_err(sql)?;
    let mut rows = statement.query([]).map_err(sql)?;
    while let Some(row) = rows.next().map_err(sql)? {
        let seq: i64 = row.get(0).map_err(sql)?;
        let what = "the task of this row is there, and its parts are about to be deleted";
        let id = super::lenient::id_of(connection, seq)?;
        found(Finding::of("doomed", what, Remedy::Repair).task(Some(id)).row(seq.to_string()));
    }
    Ok(())
}
