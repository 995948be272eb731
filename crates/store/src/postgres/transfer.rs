//! A database as an end of a transfer.

use std::sync::Arc;

use deadpool_postgres::{Client, Transaction};
use longhaul_model::{Env, TaskId, TaskStatus, Timestamp};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::accounts::folded;
use super::connect::Connections;
use super::errand::ERRANDS;
use super::keeper;
use super::sql::{column, execute, failed, no_connection, query};
use super::together::Together;
use super::turn::{OPENING, Standing, Turn};
use super::writes::{HistoryRow, HistoryRows};
use super::{assumptions, connect, migrations, settings, shard, totals};
use crate::counters::{Counted, Counters};
use crate::doc;
use crate::error::StoreError;
use crate::transfer::{End, FILLED, FILLING, Found, OWN_SETTINGS, Table, Value, task};

/// Largest size of a page: rows, and about so many bytes of them.
const ROWS: usize = 2_000;
const BYTES: usize = 8 << 20;
/// Number of rows that are fetched at once.
const FETCHED: i32 = 200;

/// Database on which no node is active: this session excludes them, and later ones wait.
pub(crate) struct Database {
    runtime: Runtime,
    pool: Connections,
    place: String,
    turn: Arc<Turn>,
    keeper: Option<JoinHandle<()>>,
}

impl Database {
    /// Opens a database that has Longhaul's tables.
    pub(crate) fn existing(url: &str, keys: Option<&str>, env: &Env) -> Result<Self, StoreError> {
        Database::open(url, keys, env, true)
    }

    /// Opens a database that gets Longhaul's tables if need be. `keys` names the key ring that seals its
    /// secrets.
    pub(crate) fn new(url: &str, keys: Option<&str>, env: &Env) -> Result<Self, StoreError> {
        Database::open(url, keys, env, false)
    }

    fn open(url: &str, keys: Option<&str>, env: &Env, must_be: bool) -> Result<Self, StoreError> {
        let place = connect::Place::new(url)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("postgres")
            .enable_all()
            .build()
            .map_err(|e| StoreError::Open(format!("no threads for the database: {e}")))?;
        let (turn, keeper, pool) = runtime.block_on(async {
            assumptions::same_session(&place).await?;
            if must_be {
                migrations::check_there(&place).await?;
            }
            migrations::run(&place, env.now()).await?;
            let beginning = keeper::begin_alone(&place).await?;
            let turn = beginning.turn.clone();
            let keeper = beginning.keep(Box::new(|_| {}));
            let database = async {
                if let Some(keys) = keys {
                    keeper::check_keys(&place, keys).await?;
                }
                Connections::new(&place, 1)
            };
            match database.await {
                Ok(pool) => Ok((turn, keeper, pool)),
                Err(e) => {
                    keeper::end(&turn, keeper).await;
                    Err(e)
                }
            }
        })?;
        Ok(Database { runtime, pool, place: place.shown(), turn, keeper: Some(keeper) })
    }

    /// Runs a function in a transaction that fails once the session is another one's.
    pub(super) fn transaction<T>(
        &self,
        work: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.runtime.block_on(async {
            let mut client: Client = self.pool.get().await.map_err(no_connection)?;
            let transaction = client.transaction().await.map_err(failed)?;
            let opening = transaction.query(OPENING, &[&self.turn.number]).await.map_err(failed)?;
            self.turn.opened(&opening)?;
            if self.turn.standing() == Standing::Over {
                return Err(StoreError::Unavailable(format!("the turn on {} is over", self.place)));
            }
            let done = work(&transaction).await?;
            transaction.commit().await.map_err(failed)?;
            Ok(done)
        })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            self.runtime.block_on(keeper::end(&self.turn, keeper));
        }
    }
}

/// Layout of a table's read: its source, its order, and the form of each column there.
struct Layout {
    from: String,
    key: &'static [&'static str],
    columns: Vec<&'static str>,
}

fn layout(table: Table) -> Layout {
    let own = OWN_SETTINGS.map(|name| format!("'{name}'")).join(", ");
    let from = match table {
        Table::Tasks => {
            let columns = "id, name, kind, status, created_at, completed_at, due_at";
            format!(
                "(SELECT {columns}, 0::smallint AS origin, resources, doc FROM hot
                  UNION ALL SELECT {columns}, origin, resources, doc FROM history) AS t WHERE true"
            )
        }
        Table::Keys => "keys AS t WHERE (EXISTS (SELECT 1 FROM hot WHERE hot.id = t.id)
             OR EXISTS (SELECT 1 FROM history WHERE history.id = t.id))"
            .to_owned(),
        Table::Settings => format!("settings AS t WHERE name NOT IN ({own})"),
        other => format!("{} AS t WHERE true", other.name()),
    };
    let key: &[&str] = match table {
        Table::Workflows => &["wid"],
        Table::Tasks => &["created_at", "id"],
        Table::Specs | Table::ApiKeys => &["id"],
        Table::Chunks | Table::Logs => &["id", "n"],
        Table::Outputs => &["id", "sub_task"],
        Table::Attempts => &["id", "sub_task", "number"],
        Table::Claims => &["key", "ticket"],
        Table::Keys => &["principal", "key"],
        Table::Settings => &["name"],
        Table::Users => &["folded"],
        Table::RefreshTokens => &["hash"],
        Table::AccountState => &["revision"],
        Table::Audit => &["seq"],
    };
    Layout { from, key, columns: columns(table) }
}

/// Returns the columns by their names in the database.
fn columns(table: Table) -> Vec<&'static str> {
    let word = |&(name, _): &(&'static str, _)| match (table, name) {
        (Table::ApiKeys, "user") => "folded",
        (Table::RefreshTokens, "user") => "name",
        _ => name,
    };
    table.columns().iter().map(word).collect()
}

/// A further column that only this engine has.
fn derived(table: Table, row: &[Value]) -> Option<(&'static str, Value)> {
    match table {
        Table::Users => Some(("folded", Value::Text(folded(row[0].text())))),
        Table::RefreshTokens => Some(("folded", Value::Text(folded(row[1].text())))),
        Table::Claims | Table::Keys => None,
        part if part.is_part() => Some(("shard", Value::Int(shard(TaskId(row[0].id())).into()))),
        _ => None,
    }
}

impl End for Database {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn storage_id(&mut self) -> Option<String> {
        let found = self.transaction(async |db| {
            let rows = query(db, settings::STORAGE_ID, &[]).await?;
            rows.first().map(|row| column(row, 0)).transpose()
        });
        found.ok().flatten()
    }

    fn setting(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        self.transaction(async |db| {
            let rows = query(db, "SELECT doc FROM settings WHERE name = $1", &[&name]).await?;
            rows.first().map(|row| column(row, 0)).transpose()
        })
    }

    fn set(&mut self, name: &str, doc: Option<&str>) -> Result<(), StoreError> {
        self.transaction(async |db| set(db, name, doc).await)
    }

    fn count(&mut self, table: Table) -> Result<u64, StoreError> {
        self.transaction(async |db| {
            let row = db.query_one(&format!("SELECT count(*) FROM {}", layout(table).from), &[]).await;
            Ok(column::<i64>(&row.map_err(failed)?, 0)?.unsigned_abs())
        })
    }

    fn read(&mut self, table: Table, after: Option<&[Value]>) -> Result<Vec<Found>, StoreError> {
        let Layout { from, key, columns } = layout(table);
        let behind = after.map_or_else(String::new, |_| {
            let marks: Vec<String> = (1..=key.len()).map(|n| format!("${n}")).collect();
            format!("AND ({}) > ({})", key.join(", "), marks.join(", "))
        });
        let (order, names) = (key.join(", "), columns.join(", "));
        let statement = format!("SELECT {order}, {names} FROM {from} {behind} ORDER BY {order} LIMIT {ROWS}");
        let parameters: Vec<&(dyn ToSql + Sync)> =
            after.unwrap_or_default().iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        self.transaction(async |db| {
            let statement = db.prepare_cached(&statement).await.map_err(failed)?;
            let portal = db.bind(&statement, &parameters).await.map_err(failed)?;
            let (mut page, mut bytes) = (Vec::new(), 0);
            while bytes < BYTES {
                let rows = db.query_portal(&portal, FETCHED).await.map_err(failed)?;
                for row in &rows {
                    let values: Vec<Value> =
                        (0..row.len()).map(|n| column(row, n)).collect::<Result<_, _>>()?;
                    let (at, row) = values.split_at(key.len());
                    bytes += row.iter().map(Value::size).sum::<usize>();
                    let mut row = row.to_vec();
                    if matches!(table, Table::Tasks | Table::Chunks)
                        && let Some(Value::Text(document)) = row.last_mut()
                    {
                        *document = doc::without_nodes(std::mem::take(document))?;
                    }
                    page.push(Found { at: at.to_vec(), row });
                }
                if rows.len() < FETCHED as usize {
                    break;
                }
            }
            Ok(page)
        })
    }

    fn write(&mut self, table: Table, rows: Vec<Vec<Value>>, note: &str) -> Result<(), StoreError> {
        self.transaction(async |db| {
            match table {
                Table::Tasks => write_tasks(db, &rows).await?,
                Table::AccountState => {
                    for row in &rows {
                        let statement = "UPDATE account_state SET revision = $1, epoch = $2";
                        execute(db, statement, &[&row[0], &row[1]]).await?;
                    }
                }
                _ => copy(db, table, &rows).await?,
            }
            set(db, FILLING, Some(note)).await
        })
    }

    fn finish(&mut self, filled: &str) -> Result<(), StoreError> {
        self.transaction(async |db| {
            for (sequence, largest) in [
                ("pg_get_serial_sequence('workflows', 'wid')", "max(wid) FROM workflows"),
                ("pg_get_serial_sequence('audit', 'seq')", "max(seq) FROM audit"),
                ("'tickets'", "max(ticket) FROM claims"),
            ] {
                let statement =
                    format!("SELECT setval({sequence}, coalesce((SELECT {largest}), 0) + 1, false)");
                query(db, &statement, &[]).await?;
            }
            db.batch_execute(super::claims::DERIVE).await.map_err(failed)?;
            let statement = "INSERT INTO audit_totals (place, n) SELECT $1, count(*) FROM audit";
            execute(db, statement, &[&ERRANDS]).await?;
            let lost = "INSERT INTO turns VALUES (0, 0, true) ON CONFLICT DO NOTHING";
            execute(db, lost, &[]).await?;
            set(db, FILLING, None).await?;
            set(db, FILLED, Some(filled)).await
        })?;
        self.runtime.block_on(async {
            let client = self.pool.get().await.map_err(no_connection)?;
            // The first queries then already have statistics.
            client.batch_execute("ANALYZE").await.map_err(failed)
        })
    }
}

async fn set(db: &Transaction<'_>, name: &str, doc: Option<&str>) -> Result<(), StoreError> {
    match doc {
        Some(doc) => {
            let statement = "INSERT INTO settings (name, doc) VALUES ($1, $2)
                 ON CONFLICT (name) DO UPDATE SET doc = excluded.doc";
            execute(db, statement, &[&name, &doc]).await
        }
        None => execute(db, "DELETE FROM settings WHERE name = $1", &[&name]).await,
    }
    .map(drop)
}

/// Copies rows in, by the fastest way.
async fn copy(db: &Transaction<'_>, table: Table, rows: &[Vec<Value>]) -> Result<(), StoreError> {
    let Some(first) = rows.first() else { return Ok(()) };
    let mut names = columns(table);
    names.extend(derived(table, first).map(|(name, _)| name));
    let (names, table_name) = (names.join(", "), table.name());
    let shape = db.prepare_cached(&format!("SELECT {names} FROM {table_name}")).await.map_err(failed)?;
    let types: Vec<Type> = shape.columns().iter().map(|column| column.type_().clone()).collect();
    let statement = format!("COPY {table_name} ({names}) FROM STDIN BINARY");
    let sink = db.copy_in(&statement).await.map_err(failed)?;
    let writer = BinaryCopyInWriter::new(sink, &types);
    tokio::pin!(writer);
    for row in rows {
        let more = derived(table, row).map(|(_, value)| value);
        let values: Vec<&(dyn ToSql + Sync)> =
            row.iter().chain(&more).map(|value| value as &(dyn ToSql + Sync)).collect();
        writer.as_mut().write(&values).await.map_err(failed)?;
    }
    writer.finish().await.map(drop).map_err(failed)
}

/// Writes tasks: active ones to the hot table, as those of a dead node, so that they are recovered; the
/// others to history; and counts them.
async fn write_tasks(db: &Transaction<'_>, rows: &[Vec<Value>]) -> Result<(), StoreError> {
    let (mut hot, mut history) = (HistoryRows::default(), HistoryRows::default());
    let mut counters = Counters::default();
    for row in rows {
        let id = TaskId(row[task::ID].id());
        let code = row[task::STATUS].int().and_then(|code| u8::try_from(code).ok());
        let status = code
            .and_then(TaskStatus::from_code)
            .ok_or_else(|| StoreError::Corrupt(format!("task {id} has an unknown status")))?;
        let at = |n: usize| row[n].int().map(Timestamp);
        let (kind, resources) = (row[task::KIND].text(), row[task::RESOURCES].text());
        let (completed_at, imported) = (at(task::COMPLETED_AT), row[task::ORIGIN] != Value::Int(0));
        counters.add(Counted { kind, status, completed_at, resources });
        let moves = status == TaskStatus::InProgress && !imported;
        let place = if moves { &mut hot } else { &mut history };
        place.add(HistoryRow {
            id,
            version: 1,
            name: row[task::NAME].text(),
            kind,
            status,
            created_at: at(task::CREATED_AT).unwrap_or_default(),
            completed_at,
            due_at: at(task::DUE_AT),
            imported,
            // Sub-tasks belong to a node that does not exist: they are recovered.
            holders: String::from("{0}"),
            resources,
            doc: row[task::DOC].text().to_owned(),
        });
    }
    let mut together = Together::default();
    hot.insert_hot(&mut together);
    together.run(db).await?;
    history.write(db).await?;
    totals::write(db, ERRANDS, &mut counters).await
}
