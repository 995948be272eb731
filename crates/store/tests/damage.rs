//! Damage to the SQLite engine: a damaged or missing row costs only itself. Each column of each table is
//! damaged in turn, in every way that SQLite allows; then every query and command is tried.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use longhaul_model::Env;
use longhaul_store::conformance::damage::{Damage, Everything, fill};
use longhaul_store::conformance::flips::{PAYLOADS, everything, flipped, silent};
use longhaul_store::conformance::support::START;
use longhaul_store::sqlite::Sqlite;
use longhaul_store::{Finding, Inspector, Location, Store, StoreError, check};
use rusqlite::Connection;

/// Values that a column is damaged with, as SQL expressions; `{doc}` stands for the column's previous value.
const VALUES: [&str; 9] = [
    "X'00FF'",
    "CAST(X'C3' AS TEXT)",
    "'nonsense'",
    "''",
    "-7",
    "9.5e300",
    "NULL",
    "replace({doc}, '\"s\":\"', '\"s\":\"FUTURE_')",
    "'{\"w\":1,\"future\":[' || {doc} || ']}'",
];

/// Tables of which `check` notices that a row is gone. Rows of the others stand for themselves: nothing tells
/// a log line or an account that was deleted from one that never was.
const NOTICED: [&str; 11] = [
    "account_state",
    "chunks",
    "claims",
    "completions",
    "counters",
    "history",
    "history_resources",
    "hot",
    "ids",
    "specs",
    "workflows",
];

/// Number of rows of each table that are deleted in turn.
const ROWS: usize = 12;

fn database(directory: &Path) -> Connection {
    Connection::open(directory.join("longhaul.db")).unwrap()
}

/// Returns the columns of a table, and those of its primary key.
fn columns(database: &Connection, table: &str) -> (Vec<String>, Vec<String>) {
    let mut statement =
        database.prepare(&format!("SELECT name, pk FROM pragma_table_info('{table}')")).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let all: Vec<(String, i64)> = rows.collect::<Result<_, _>>().unwrap();
    let key = all.iter().filter(|(_, pk)| *pk > 0).map(|(name, _)| name.clone()).collect();
    (all.into_iter().map(|(name, _)| name).collect(), key)
}

/// Returns all tables except SQLite's own.
fn tables(database: &Connection) -> Vec<String> {
    let text =
        "SELECT name FROM pragma_table_list WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut statement = database.prepare(text).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Moves an ended task to history, as sealing does once there are many.
fn seal(directory: &Path) {
    let database = database(directory);
    let moved = "INSERT INTO history SELECT seq, id, name, kind, status, created_at, completed_at, due_at, 0, resources, doc
         FROM hot WHERE name = 'old';
         INSERT INTO history_names (rowid, name) SELECT seq, name FROM history WHERE name = 'old';
         INSERT INTO history_resources SELECT 'host-old', seq, 'HOST', 1, 1, created_at FROM history WHERE name = 'old';
         DELETE FROM hot WHERE name = 'old'";
    database.execute_batch(moved).unwrap();
}

/// Copies a store and damages the copy; returns false if SQLite refuses the damage or nothing changes.
fn damaged(from: &Path, to: &Path, damage: &Damage, place: usize) -> bool {
    std::fs::copy(from.join("longhaul.db"), to.join("longhaul.db")).unwrap();
    let database = database(to);
    let Damage { table, column, value, .. } = damage;
    let key = columns(&database, table).1;
    let key = if key.is_empty() { "rowid".to_owned() } else { key.join(", ") };
    let value = value.replace("{doc}", column);
    let row = format!("({key}) = (SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET {place})");
    let statement = format!("UPDATE {table} SET {column} = {value} WHERE {row} AND {column} IS NOT {value}");
    database.execute(&statement, []).is_ok_and(|changed| changed == 1)
}

/// Returns a store with a bit of everything, and what there is in it.
async fn filled(env: &Env) -> (tempfile::TempDir, Everything) {
    let whole = tempfile::tempdir().unwrap();
    let store = Sqlite::open(whole.path(), env.clone()).unwrap();
    let mut everything = fill(&*store, &*store, env).await;
    store.close().await;
    seal(whole.path());
    let store = Sqlite::open(whole.path(), env.clone()).unwrap();
    everything.remember(&*store);
    store.close().await;
    (whole, everything)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_row_costs_only_itself() {
    let env = Env::manual(START);
    let (whole, everything) = filled(&env).await;
    let (everything, database) = (Arc::new(everything), database(whole.path()));
    let (mut tried, mut places, mut failures) = (0, 0, Vec::new());
    for table in tables(&database) {
        for column in columns(&database, &table).0 {
            let mut found = 0;
            let documents = |value: &&str| column == "doc" || !value.contains("{doc}");
            for (n, value) in VALUES.iter().filter(|value| documents(value)).enumerate() {
                let most = if table == "workflows" { usize::MAX } else { 1 };
                let damage =
                    Damage { table: table.clone(), column: column.clone(), value: (*value).to_owned(), most };
                let copy = tempfile::tempdir().unwrap();
                // Damages another row each time, if there are others.
                if !(0..=n % 3).rev().any(|place| damaged(whole.path(), copy.path(), &damage, place)) {
                    continue;
                }
                (found, tried) = (found + 1, tried + 1);
                let walk = walk(copy, env.clone(), everything.clone(), damage.clone());
                if tokio::spawn(walk).await.is_err() {
                    failures.push(damage);
                }
            }
            places += usize::from(found > 0);
        }
    }
    assert!(failures.is_empty(), "{} of {tried}: {failures:#?}", failures.len());
    assert!(places > 80 && tried > 300, "{places} columns were damaged, {tried} times");
}

/// Tables of the store as a whole: what they keep of it cannot be told from a store that never had it.
const OF_THE_STORE: [&str; 1] = ["schema_migrations"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_row_costs_only_itself() {
    let env = Env::manual(START);
    let (whole, everything) = filled(&env).await;
    let (everything, origin) = (Arc::new(everything), database(whole.path()));
    let (mut tried, mut failures, mut noticed) = (0, Vec::new(), BTreeSet::new());
    // A task that was moved by hand counts as one of the active ones still.
    let known = found(whole.path()).await;
    for table in tables(&origin).into_iter().filter(|table| !OF_THE_STORE.contains(&table.as_str())) {
        for place in 0..ROWS {
            let copy = tempfile::tempdir().unwrap();
            std::fs::copy(whole.path().join("longhaul.db"), copy.path().join("longhaul.db")).unwrap();
            let key = columns(&origin, &table).1;
            let key = if key.is_empty() { "rowid".to_owned() } else { key.join(", ") };
            let row = format!("SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET {place}");
            let deleted =
                database(copy.path()).execute(&format!("DELETE FROM {table} WHERE ({key}) = ({row})"), []);
            if !deleted.is_ok_and(|rows| rows == 1) {
                break;
            }
            tried += 1;
            let damage = Damage::deletion(&table);
            if found(copy.path()).await.iter().any(|finding| !known.contains(finding)) {
                noticed.insert(table.clone());
            }
            let walk = walk(copy, env.clone(), everything.clone(), damage.clone());
            if tokio::spawn(walk).await.is_err() {
                failures.push((damage, place));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {tried}: {failures:#?}", failures.len());
    assert!(tried > 60, "{tried}");
    assert_eq!(noticed.iter().map(String::as_str).collect::<Vec<_>>(), NOTICED);
}

/// Returns what `check` finds.
async fn found(directory: &Path) -> Vec<Finding> {
    let at = Location::Directory(directory.to_owned());
    let check = move || {
        let mut found = Found::default();
        check(&at, &mut found).unwrap();
        found.0
    };
    tokio::task::spawn_blocking(check).await.unwrap()
}

async fn walk(copy: tempfile::TempDir, env: Env, everything: Arc<Everything>, damage: Damage) {
    match Sqlite::open(copy.path(), env.clone()) {
        Ok(store) => {
            everything.walk(&*store, &*store, &env, &damage).await;
            store.close().await;
        }
        Err(e) => assert!(says(&e, &damage), "{damage:?}: {e}"),
    }
}

/// Accepts a refusal to open the store only if the error names the damaged table.
fn says(e: &StoreError, damage: &Damage) -> bool {
    let table = damage.table.strip_suffix("_migrations").unwrap_or(&damage.table);
    e.to_string().contains(table)
}

#[derive(Default)]
struct Found(Vec<Finding>);

impl Inspector for Found {
    fn found(&mut self, finding: Finding) {
        self.0.push(finding);
    }
}

/// The answers to all reads of a store; the refusal to open it where that is refused.
async fn answers(directory: &Path, env: &Env) -> BTreeMap<String, String> {
    let store = Sqlite::open(directory, env.clone()).unwrap();
    let all = everything(&*store);
    store.close().await;
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flipped_byte_of_a_payload_is_found_and_never_served() {
    let (whole, env) = (tempfile::tempdir().unwrap(), Env::manual(START));
    let store = Sqlite::open(whole.path(), env.clone()).unwrap();
    fill(&*store, &*store, &env).await;
    store.close().await;
    seal(whole.path());
    let before = answers(whole.path(), &env).await;
    let origin = database(whole.path());
    for table in tables(&origin) {
        let has = columns(&origin, &table).0.iter().any(|column| column == "doc");
        let known = PAYLOADS.contains(&(table.as_str(), "doc"));
        assert!(has == known || table.starts_with("history_"), "payloads of {table}");
    }
    let mut tried = 0;
    for (table, column) in PAYLOADS {
        let key = columns(&origin, table).1.join(", ");
        let own = if (table, column) == ("history", "name") { "WHERE origin = 0" } else { "" };
        let mut rows = origin.prepare(&format!("SELECT {column} FROM {table} {own} ORDER BY {key}")).unwrap();
        let texts: Vec<String> =
            rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
        assert!(!texts.is_empty(), "{table}.{column}");
        for (place, text) in texts.iter().enumerate().take(6) {
            let changed = flipped(text, place * 7919 + 13).unwrap();
            let copy = tempfile::tempdir().unwrap();
            std::fs::copy(whole.path().join("longhaul.db"), copy.path().join("longhaul.db")).unwrap();
            let row = format!("SELECT {key} FROM {table} {own} ORDER BY {key} LIMIT 1 OFFSET {place}");
            let statement = format!("UPDATE {table} SET {column} = ? WHERE ({key}) = ({row})");
            assert_eq!(database(copy.path()).execute(&statement, [&changed]).unwrap(), 1);
            let found = found(copy.path()).await;
            let of_task = !matches!(table, "workflows" | "settings");
            let named = |finding: &Finding| finding.table == table && finding.task.is_some() == of_task;
            assert!(found.iter().any(named), "{table}.{column}: {changed}: {found:#?}");
            let after = answers(copy.path(), &env).await;
            assert_eq!(silent(&before, &after), Vec::<String>::new(), "{table}.{column}: {changed}");
            tried += 1;
        }
    }
    assert!(tried > 30, "{tried}");
}
