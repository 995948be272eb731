//! Damage: a damaged row costs only itself. Each column of each table of tasks in the schema is damaged in
//! turn, in ways that the database allows; then every query and command is tried.

use std::sync::Arc;

use longhaul_model::Env;
use longhaul_store::Store;
use longhaul_store::conformance::damage::{Damage, Everything, fill};
use longhaul_store::conformance::flips::{PAYLOADS, everything, flipped, silent};
use longhaul_store::conformance::support::{Fixture, START};

use super::check::checked;
use super::{CLUSTER, Database};

/// Tables left out: records of the nodes about themselves, and numbers whose damage cannot be detected. They
/// concern the store as a whole, not a single row.
const OF_THE_STORE: &str = "'schema_migrations', 'installation', 'turns', 'nodes', 'revisions', 'places', 'tallies', 'counters', 'completions',
    'audit_totals', 'account_state'";

/// Returns the values that a column of a type is damaged with.
fn values(column: &str, kind: &str) -> &'static [&'static str] {
    match (column, kind) {
        ("doc", _) => &[
            "'nonsense'",
            "replace(doc, '\"s\":\"', '\"s\":\"FUTURE_')",
            "'{\"w\":1,\"future\":[' || doc || ']}'",
        ],
        (_, "text") => &["'nonsense'"],
        (_, "smallint" | "integer" | "bigint") => &["-7"],
        (_, "uuid") => &["gen_random_uuid()"],
        (_, "bytea") => &["'\\x00'"],
        (_, "ARRAY") => &["'{}'"],
        _ => &[],
    }
}

fn columns() -> Vec<(String, String, String)> {
    let list = format!(
        "SELECT c.table_name || ' ' || c.column_name || ' ' || c.data_type FROM information_schema.columns c
         JOIN information_schema.tables t USING (table_schema, table_name)
         WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name NOT IN ({OF_THE_STORE}) ORDER BY 1"
    );
    let told = CLUSTER.sql("filled", &list).unwrap();
    let column = |line: &str| {
        let mut words = line.trim().split(' ');
        Some((words.next()?.to_owned(), words.next()?.to_owned(), words.next()?.to_owned()))
    };
    told.lines().filter_map(column).collect()
}

/// Returns all damages, each with the statement that does it: each column in turn, and each table's first row
/// deleted.
fn damages() -> Vec<(Damage, String)> {
    let first = |table: &str| format!("ctid = (SELECT ctid FROM {table} ORDER BY ctid LIMIT 1)");
    let (mut all, mut tables) = (Vec::new(), std::collections::BTreeSet::new());
    for (table, column, kind) in columns() {
        for value in values(&column, &kind) {
            let most = if table == "workflows" { usize::MAX } else { 1 };
            let damage =
                Damage { table: table.clone(), column: column.clone(), value: (*value).to_owned(), most };
            all.push((damage, format!("UPDATE {table} SET {column} = {value} WHERE {}", first(&table))));
        }
        tables.insert(table);
    }
    let gone =
        |table: &String| (Damage::deletion(table), format!("DELETE FROM {table} WHERE {}", first(table)));
    all.extend(tables.iter().map(gone));
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_row_costs_only_itself() {
    let env = Env::manual(START);
    let database = |name: &str, url: String| Database { name: name.to_owned(), url, env: env.clone() };
    let mut whole = database("filled", CLUSTER.create("filled").unwrap());
    let (store, accounts) = whole.open_accounts().await;
    let mut everything: Everything = fill(&*store, &*accounts, &env).await;
    everything.remember(&*store);
    drop(accounts);
    store.close().await;
    let everything = Arc::new(everything);
    let (mut tried, mut failures) = (0, Vec::new());
    for (damage, statement) in damages() {
        let name = format!("damaged{tried}");
        CLUSTER.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE filled")).unwrap();
        let url = CLUSTER.url(&name);
        tried += 1;
        if CLUSTER.sql(&name, &statement).is_ok() {
            let (everything, env, what) = (everything.clone(), env.clone(), damage.clone());
            let mut copy = database(&name, url);
            let walk = async move {
                let (store, accounts) = copy.open_accounts().await;
                everything.walk(&*store, &*accounts, &env, &what).await;
                drop(accounts);
                store.close().await;
            };
            if tokio::spawn(walk).await.is_err() {
                failures.push(damage);
            }
        }
        CLUSTER.sql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
    }
    assert!(failures.is_empty(), "{} of {tried}: {failures:#?}", failures.len());
    assert!(tried > 60, "{tried}");
}

/// A text of a column in hexadecimal digits, as `psql` prints it.
fn decoded(digits: &str) -> String {
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    String::from_utf8((0..digits.len()).step_by(2).map(byte).collect()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flipped_byte_of_a_payload_is_found_and_never_served() {
    let mut whole = Database::new();
    let (store, accounts) = whole.open_accounts().await;
    fill(&*store, &*accounts, &whole.env()).await;
    let mut before = everything(&*store);
    // Another node takes over what runs here.
    before.retain(|_, said| !said.contains("InProgress") && !said.contains("Running"));
    drop(accounts);
    store.close().await;
    drop(store);
    for (table, column) in PAYLOADS {
        let own = if (table, column) == ("history", "name") { "WHERE origin = 0" } else { "" };
        let one = format!("SELECT ctid FROM {table} {own} ORDER BY ctid LIMIT 1");
        let read =
            format!("SELECT encode(convert_to({column}, 'UTF8'), 'hex') FROM {table} WHERE ctid = ({one})");
        let text = decoded(CLUSTER.sql(&whole.name, &read).unwrap().trim());
        let changed = flipped(&text, 13).unwrap();
        let name = format!("flipped_{table}_{column}");
        CLUSTER.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {}", whole.name)).unwrap();
        let digits: String = changed.bytes().map(|byte| format!("{byte:02x}")).collect();
        let value = format!("convert_from(decode('{digits}', 'hex'), 'UTF8')");
        CLUSTER.sql(&name, &format!("UPDATE {table} SET {column} = {value} WHERE ctid = ({one})")).unwrap();
        let url = CLUSTER.url(&name);
        let found = checked(&url).unwrap();
        let of_task = !matches!(table, "workflows" | "settings");
        assert!(
            found.iter().any(|finding| finding.table == table && finding.task.is_some() == of_task),
            "{table}.{column}: {changed}: {found:#?}"
        );
        let copy = Database { name: name.clone(), url, env: whole.env() };
        let store = copy.node().await.unwrap();
        let after = everything(&*store);
        store.close().await;
        drop(store);
        assert_eq!(silent(&before, &after), Vec::<String>::new(), "{table}.{column}: {changed}");
        CLUSTER.sql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
    }
}
