//! Check of a database: in one read-only transaction of one snapshot, beside its active nodes.

mod claims;
mod repair;
mod schema;

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Client, Transaction};
use longhaul_model::workflow::Workflow;
use longhaul_model::{Task, TaskId};
use tokio::runtime::Runtime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{IsolationLevel, Row};

use super::connect::{Connections, Place};
use super::sql::{column, failed, no_connection};
use super::{migrations, shard, workflows, writes};
use crate::check::{Checked, Finding, Inspector, Line, Progress, Remedy, Source, key_of};
use crate::counters::Cell;
use crate::error::StoreError;
use crate::known::Workflows;
use crate::transfer::{OWN_SETTINGS, Table, Value, task};

pub(crate) use repair::repair;

/// Maximum rows of a page, rows that are fetched at once, and bytes after which a page ends.
const ROWS: usize = 500;
const FETCHED: i32 = 50;
const BYTES: usize = 1 << 20;
/// Totals that are fetched at once.
const TOTALS: i32 = 5_000;
/// Time within which nodes grant claims that can be granted.
const SOON: Duration = Duration::from_secs(3);

/// Engine's own columns behind those of [`Table::Tasks`].
mod own {
    use crate::transfer::task;

    pub(super) const SHARD: usize = task::DOC + 1;
    pub(super) const SORT_NAME: usize = task::DOC + 2;
    pub(super) const FOLDED: usize = task::DOC + 3;
    pub(super) const FOUND_BY: usize = task::DOC + 4;
    pub(super) const HOLDERS: usize = task::DOC + 5;
}

/// Checks a database.
pub(crate) fn check(url: &str, inspector: &mut dyn Inspector) -> Result<Checked, StoreError> {
    let place = Place::new(url)?;
    let runtime = runtime()?;
    let pool = {
        let _inside = runtime.enter();
        Connections::new(&place, 1)?
    };
    runtime.block_on(migrations::check_known(&place))?;
    let mut client: Client = runtime.block_on(pool.get()).map_err(no_connection)?;
    inspector.progress(Progress { part: "the database", done: 0, all: 0 });
    let notes = runtime.block_on(schema::check(&client, inspector))?;
    let stuck = {
        let begun =
            client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        let moment = runtime.block_on(begun.start()).map_err(failed)?;
        let mut source =
            Snapshot { runtime: &runtime, db: &moment, workflows: Workflows::default(), stuck: Vec::new() };
        let mut checked = crate::check::run(&mut source, inspector)?;
        checked.notes.extend(notes);
        (checked, source.stuck)
    };
    let (checked, mut stuck) = stuck;
    if !stuck.is_empty() {
        // Nodes may just be granting them.
        std::thread::sleep(SOON);
        let still = runtime.block_on(claims::stuck(&client))?;
        stuck.retain(|waits| still.contains(waits));
    }
    for (id, key) in stuck {
        let what = format!("I9: it waits for `{key}`, and nothing stands before it");
        inspector.found(Finding::of("claims", what, Remedy::Repair).task(Some(id)));
    }
    Ok(checked)
}

fn runtime() -> Result<Runtime, StoreError> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|e| StoreError::Open(format!("no threads for the database: {e}")))
}

/// Consistent snapshot of a database.
struct Snapshot<'a> {
    runtime: &'a Runtime,
    db: &'a Transaction<'a>,
    workflows: Workflows,
    /// Claims that wait although nobody stands before them.
    stuck: Vec<(TaskId, String)>,
}

/// Returns the statement that reads a page, and how many columns are the place of a row.
fn statement(table: Table, is_behind: bool) -> (String, usize) {
    let names = OWN_SETTINGS.map(|name| format!("'{name}'")).join(", ");
    let key: &[&str] = match table {
        Table::Tasks => return (tasks(is_behind), 1),
        Table::Workflows => &["wid"],
        Table::Specs | Table::ApiKeys => &["id"],
        Table::Chunks | Table::Logs => &["id", "n"],
        Table::Outputs => &["id", "sub_task"],
        Table::Attempts => &["id", "sub_task", "number"],
        Table::Claims => &["id", "key", "ticket"],
        Table::Keys => &["principal", "key"],
        Table::Settings => &["name"],
        Table::Users => &["folded"],
        Table::RefreshTokens => &["hash"],
        Table::AccountState => &["revision"],
        Table::Audit => &["seq"],
    };
    let word = |&(name, _): &(&'static str, _)| match (table, name) {
        (Table::ApiKeys, "user") => "folded",
        (Table::RefreshTokens, "user") => "name",
        _ => name,
    };
    let mut columns: Vec<&str> = table.columns().iter().map(word).collect();
    if table == Table::Claims {
        columns.extend(["clear", "told"]);
    }
    let of_others =
        if table == Table::Settings { format!("AND name NOT IN ({names})") } else { String::new() };
    let marks: Vec<String> = (1..=key.len()).map(|n| format!("${n}")).collect();
    let order = key.join(", ");
    let behind = if is_behind { format!("AND ({order}) > ({})", marks.join(", ")) } else { String::new() };
    let (columns, name) = (columns.join(", "), table.name());
    let text = format!(
        "SELECT {order}, {columns} FROM {name} WHERE true {of_others} {behind} ORDER BY {order} LIMIT {ROWS}"
    );
    (text, key.len())
}

fn tasks(is_behind: bool) -> String {
    let behind = if is_behind { "WHERE id > $1" } else { "" };
    let of = |table: &str, origin: &str, holders: &str| {
        format!(
            "(SELECT id AS at, id, name, kind, status, created_at, completed_at, due_at, {origin} AS origin,
               resources, doc, shard, sort_name, folded,
               array_to_string(found_by, E'\\x1e') AS found_by, {holders} AS holders
             FROM {table} {behind} ORDER BY id LIMIT {ROWS})"
        )
    };
    let (hot, history) =
        (of("hot", "(-1)::smallint", "array_to_string(holders, ',')"), of("history", "origin", "''"));
    format!("{hot} UNION ALL {history} ORDER BY at LIMIT {ROWS}")
}

fn line(table: Table, keys: usize, row: &Row) -> Result<Line, StoreError> {
    let at: Vec<Value> = (0..keys).map(|n| column(row, n)).collect::<Result<_, _>>()?;
    let cells =
        (keys..row.len()).map(|n| column(row, n).map_err(|e| format!("cannot be read: {e}"))).collect();
    let is_of_task = table == Table::Tasks || table.is_part() && table != Table::Keys;
    let key = at.first().filter(|_| is_of_task).map_or(0, key_of);
    Ok(Line { at, key, cells })
}

impl Snapshot<'_> {
    /// Passes on the rows of a statement, some at a time.
    fn each(
        &self,
        text: &str,
        parameters: &[&(dyn ToSql + Sync)],
        fetched: i32,
        each: &mut dyn FnMut(&Row) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        self.runtime.block_on(async {
            let statement = self.db.prepare_cached(text).await.map_err(failed)?;
            let portal = self.db.bind(&statement, parameters).await.map_err(failed)?;
            loop {
                let rows = self.db.query_portal(&portal, fetched).await.map_err(failed)?;
                for row in &rows {
                    if !each(row)? {
                        return Ok(());
                    }
                }
                if rows.len() < fetched as usize {
                    return Ok(());
                }
            }
        })
    }
}

impl Source for Snapshot<'_> {
    fn count(&mut self, table: Table) -> Result<u64, StoreError> {
        let text = match table {
            Table::Tasks => "SELECT (SELECT count(*) FROM hot) + (SELECT count(*) FROM history)".to_owned(),
            other => format!("SELECT count(*) FROM {}", other.name()),
        };
        let row = self.runtime.block_on(self.db.query_one(&text, &[])).map_err(failed)?;
        Ok(column::<i64>(&row, 0)?.unsigned_abs())
    }

    fn page(&mut self, table: Table, after: Option<&[Value]>) -> Result<Vec<Line>, StoreError> {
        let (text, keys) = statement(table, after.is_some());
        let parameters: Vec<&(dyn ToSql + Sync)> =
            after.unwrap_or_default().iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let (mut page, mut bytes) = (Vec::new(), 0);
        self.each(&text, &parameters, FETCHED, &mut |row| {
            let line = line(table, keys, row)?;
            bytes += line.cells.iter().flatten().map(Value::size).sum::<usize>();
            page.push(line);
            Ok(bytes < BYTES)
        })?;
        Ok(page)
    }

    fn workflow(&mut self, wid: i64) -> Result<Arc<Workflow>, StoreError> {
        self.runtime.block_on(workflows::by_row(self.db, &self.workflows, wid))
    }

    fn is_doomed(&mut self, _: u128) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn totals(&mut self, each: &mut dyn FnMut(Cell, i64)) -> Result<(), StoreError> {
        for text in [
            "SELECT 0::bigint, 0::bigint, kind, status, resource_kind, n FROM counted",
            "SELECT width, bucket, kind, status, resource_kind, n FROM completed",
        ] {
            self.each(text, &[], TOTALS, &mut |row| {
                let status = u8::try_from(column::<i16>(row, 3)?)
                    .map_err(|e| StoreError::Corrupt(format!("a status: {e}")))?;
                let (width, bucket, kind) = (column(row, 0)?, column(row, 1)?, column(row, 2)?);
                each(Cell { width, bucket, status, kind, resource_kind: column(row, 4)? }, column(row, 5)?);
                Ok(true)
            })?;
        }
        Ok(())
    }

    fn indexed(&mut self, line: &Line, found: &mut dyn FnMut(Finding)) -> Result<(), StoreError> {
        let table = if line.int(task::ORIGIN) == Some(-1) { "hot" } else { "history" };
        let (Some(id), Some(name), Some(resources)) =
            (line.id(task::ID), line.text(task::NAME), line.text(task::RESOURCES))
        else {
            return Ok(());
        };
        let [sort_name, folded, found_by] = writes::derived(name, resources);
        let same = [
            ("shard", line.int(own::SHARD) == Some(shard(id).into())),
            ("sort_name", line.text(own::SORT_NAME) == Some(&sort_name)),
            ("folded", line.text(own::FOLDED) == Some(&folded)),
            ("found_by", line.text(own::FOUND_BY) == Some(&found_by)),
        ];
        for (column, _) in same.iter().filter(|(_, same)| !same) {
            let what = format!("its column `{column}`, by which it is found, does not follow from its row");
            found(Finding::of(table, what, Remedy::Repair).task(Some(id)));
        }
        Ok(())
    }

    fn derived(&mut self, line: &Line, task: &Task, found: &mut dyn FnMut(Finding)) {
        // Sub-tasks that a transfer moved belong to node 0 until they are recovered.
        let Some(holders) = line.text(own::HOLDERS).filter(|holders| *holders != "0") else { return };
        let is_hot = line.int(task::ORIGIN) == Some(-1);
        if is_hot && format!("{{{holders}}}") != writes::holders(task) {
            let what = "its column `holders` does not name the nodes that its document does";
            found(Finding::of("hot", what, Remedy::Repair).task(Some(task.id())));
        }
    }

    fn own(&mut self, inspector: &mut dyn Inspector) -> Result<(), StoreError> {
        self.runtime.block_on(async {
            claims::check(self.db, inspector).await?;
            self.stuck = claims::stuck(self.db).await?;
            let text = "SELECT (SELECT coalesce(sum(n), 0) FROM noted) = (SELECT count(*) FROM audit)";
            let row = self.db.query_one(text, &[]).await.map_err(failed)?;
            if !column::<bool>(&row, 0)? {
                let what = "the number of notes of the audit log is wrong";
                inspector.found(Finding::of("audit_totals", what, Remedy::Repair));
            }
            Ok(())
        })
    }
}
