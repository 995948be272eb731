//! Schema: numbered SQL files, each run once and in order, by one node at a time, each in a transaction of
//! its own or, where it would keep others from working, statement by statement. A migration that only adds
//! names the oldest schema that a program must know to run on it: so nodes can be upgraded one by one.

use std::collections::BTreeMap;
use std::time::Duration;

use longhaul_model::Timestamp;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Transaction};

use super::connect::Place;
use super::sql::{column, failed, is_away};
use crate::error::StoreError;
use crate::migrate::{Migration, checksum};

/// Advisory lock of the node that migrates the schema.
const MIGRATING: i64 = 0x6c6f_6e67_6861_756d;
/// The first version that is tested.
const OLDEST: i32 = 150_000;

/// Migration, with the way in which it is run.
struct Step {
    migration: Migration,
    /// The newest schema that a program must know to run on it.
    needs: i64,
    /// True if the statements are run one by one while nodes are active, as some of them take long: each may
    /// be run again, so that an interrupted migration starts again.
    online: bool,
}

const fn step(number: u32, name: &'static str, sql: &'static str, needs: i64) -> Step {
    Step { migration: Migration { number, name, sql }, needs, online: false }
}

const STEPS: &[Step] = &[
    step(1, "init", include_str!("migrations/0001_init.sql"), 1),
    step(2, "nodes", include_str!("migrations/0002_nodes.sql"), 2),
    step(3, "beats", include_str!("migrations/0003_beats.sql"), 2),
    // Nodes of earlier versions neither write nor read the `clear` marks.
    step(4, "waiting", include_str!("migrations/0004_waiting.sql"), 4),
    // Nodes of earlier versions would let a bound account do all that its role may.
    step(5, "bounds", include_str!("migrations/0005_bounds.sql"), 5),
    step(6, "references", include_str!("migrations/0006_references.sql"), 5),
    // Nodes of earlier versions would let sessions in that were ended.
    step(7, "sessions", include_str!("migrations/0007_sessions.sql"), 7),
    Step { online: true, ..step(8, "lists", include_str!("migrations/0008_lists.sql"), 7) },
    step(9, "changes", include_str!("migrations/0009_changes.sql"), 7),
];

/// Pause between two tries to be the node that migrates the schema.
const PAUSE: Duration = Duration::from_millis(100);

/// Migrates the database to the newest schema that this program knows; refuses one it does not know.
pub(super) async fn run(place: &Place, now: Timestamp) -> Result<(), StoreError> {
    let (mut client, _driver) = place.connect().await?;
    fits(&client).await?;
    alone(&client).await?;
    // The table is created only if it is missing: a role that may not create tables works on a schema that
    // another one made.
    if !is_there(&client).await? {
        client
            .batch_execute(
                "CREATE TABLE schema_migrations (
                   number bigint PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at bigint NOT NULL,
                   needs bigint NOT NULL)",
            )
            .await
            .map_err(undone)?;
    }
    let applied =
        client.query("SELECT number, checksum, needs FROM schema_migrations", &[]).await.map_err(undone)?;
    let applied = applied
        .iter()
        .map(|row| Ok((column(row, 0)?, column(row, 1)?, column(row, 2)?)))
        .collect::<Result<Vec<(i64, String, i64)>, StoreError>>()?;
    let known = STEPS.last().map_or(0, |step| i64::from(step.migration.number));
    if let Some((newest, ..)) = applied.iter().filter(|(.., needs)| *needs > known).max() {
        return Err(StoreError::Open(format!(
            "the database has schema {newest}, this version of Longhaul knows up to {known}: use a newer version"
        )));
    }
    if let Some((newest, ..)) = applied.iter().max().filter(|(newest, ..)| *newest > known) {
        tracing::info!(newest, known, "the database has a newer schema, on which this version runs, too");
    }
    for step in STEPS {
        let migration = &step.migration;
        let found = applied.iter().find(|(number, ..)| *number == i64::from(migration.number));
        match found {
            Some((_, found, _)) if *found == checksum(migration.sql) => {}
            Some(_) => {
                return Err(StoreError::Open(format!(
                    "schema {} ({}) of the database is not the one this version of Longhaul made",
                    migration.number, migration.name
                )));
            }
            None if step.online && is_busy(&client).await? => apply_online(&mut client, step, now).await?,
            None => apply(&mut client, step, now).await?,
        }
    }
    Ok(())
}

/// Waits until no other program brings the schema up to date; the lock is let go of with the connection. It
/// is tried again and again: a statement that waits keeps its snapshot, and an index that is built beside the
/// load waits for the end of every older snapshot.
async fn alone(client: &Client) -> Result<(), StoreError> {
    while !column::<bool>(
        &client.query_one("SELECT pg_try_advisory_lock($1)", &[&MIGRATING]).await.map_err(failed)?,
        0,
    )? {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn is_there(client: &Client) -> Result<bool, StoreError> {
    let row = client.query_one("SELECT to_regclass('schema_migrations') IS NOT NULL", &[]).await;
    column(&row.map_err(failed)?, 0)
}

/// Refuses a database that has none of the tables.
pub(super) async fn check_there(place: &Place) -> Result<(), StoreError> {
    let (client, _driver) = place.connect().await?;
    if is_there(&client).await? {
        return Ok(());
    }
    Err(StoreError::Open(format!("there is nothing of Longhaul in the database {}", place.shown())))
}

/// Refuses a database of another schema than the newest that this program knows, without changing it.
pub(super) async fn check_known(place: &Place) -> Result<(), StoreError> {
    check_there(place).await?;
    let (client, _driver) = place.connect().await?;
    fits(&client).await?;
    let statement = "SELECT coalesce(max(number), 0), coalesce(max(needs), 0) FROM schema_migrations";
    let row = client.query_one(statement, &[]).await.map_err(failed)?;
    let (newest, needs): (i64, i64) = (column(&row, 0)?, column(&row, 1)?);
    let known = STEPS.last().map_or(0, |step| i64::from(step.migration.number));
    let way = match newest {
        _ if needs > known => "use a newer version",
        newest if newest < known => {
            "start a node once, which brings it up to date, or use the version that made it"
        }
        _ => return Ok(()),
    };
    Err(StoreError::Open(format!(
        "the database has schema {newest}, this version of Longhaul checks schema {known}: {way}"
    )))
}

/// Returns the indexes that the migrations make beside those of keys: the statement of each by its name.
pub(super) fn indexes() -> BTreeMap<String, String> {
    let mut made = BTreeMap::new();
    for statement in STEPS.iter().flat_map(|step| statements(step.migration.sql)) {
        let statement = at_once(&statement);
        let words: Vec<&str> = statement.split_whitespace().collect();
        match words[..] {
            ["CREATE", "INDEX", name, ..] | ["CREATE", "UNIQUE", "INDEX", name, ..] => {
                made.insert(name.to_owned(), statement.clone());
            }
            ["DROP", "INDEX", .., name] => drop(made.remove(name)),
            _ => {}
        }
    }
    made
}

/// Returns the statements of a migration, without comments. Each ends with its line.
fn statements(sql: &str) -> Vec<String> {
    let lines: Vec<&str> = sql.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let all = lines.join("\n") + "\n";
    let statements = all.split(";\n").map(str::trim).filter(|statement| !statement.is_empty());
    statements.map(str::to_owned).collect()
}

/// Returns a statement as it is where nobody else is at work.
fn at_once(sql: &str) -> String {
    sql.replace("INDEX CONCURRENTLY", "INDEX")
}

/// Returns true if there is history which takes time to be read, in a table that can be indexed beside the
/// load: one in partitions cannot.
async fn is_busy(client: &Client) -> Result<bool, StoreError> {
    let statement = "SELECT EXISTS (SELECT 1 FROM history)
           AND (SELECT relkind FROM pg_class WHERE oid = 'history'::regclass) = 'r'";
    column(&client.query_one(statement, &[]).await.map_err(failed)?, 0)
}

async fn apply(client: &mut Client, step: &Step, now: Timestamp) -> Result<(), StoreError> {
    let transaction = client.transaction().await.map_err(undone)?;
    transaction.batch_execute(&at_once(step.migration.sql)).await.map_err(undone)?;
    record(&transaction, step, now).await?;
    transaction.commit().await.map_err(undone)
}

/// Runs the statements of a migration one by one. Crash in the middle: it is not recorded, and is run again
/// from its beginning.
async fn apply_online(client: &mut Client, step: &Step, now: Timestamp) -> Result<(), StoreError> {
    let Migration { number, name, sql } = step.migration;
    tracing::info!(number, name, "the schema is brought up to date beside the load: this may take minutes");
    for statement in statements(sql) {
        client.batch_execute(&statement).await.map_err(undone)?;
    }
    let transaction = client.transaction().await.map_err(undone)?;
    record(&transaction, step, now).await?;
    transaction.commit().await.map_err(undone)
}

async fn record(db: &Transaction<'_>, step: &Step, now: Timestamp) -> Result<(), StoreError> {
    let Step { migration, needs, .. } = step;
    let (number, sum) = (i64::from(migration.number), checksum(migration.sql));
    let statement = "INSERT INTO schema_migrations (number, name, checksum, applied_at, needs)
         VALUES ($1, $2, $3, $4, $5)";
    let row = db.execute(statement, &[&number, &migration.name, &sum, &now.0, needs]).await;
    row.map(drop).map_err(undone)
}

fn undone(e: tokio_postgres::Error) -> StoreError {
    // Two programs that wait for each other: one of them is refused, and tries it again.
    if is_away(&e) || e.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) {
        return failed(e);
    }
    if e.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
        return StoreError::Open(format!(
            "the database schema is to be brought up to date, which this role may not do: {}. Start one node once as the role \
             that owns the tables",
            failed(e)
        ));
    }
    StoreError::Open(format!("the database schema could not be brought up to date: {}", failed(e)))
}

/// Checks that the server and the database are such that the schema means what it says.
async fn fits(client: &Client) -> Result<(), StoreError> {
    let row = client
        .query_one(
            "SELECT current_setting('server_version_num')::integer, current_setting('server_encoding')",
            &[],
        )
        .await
        .map_err(failed)?;
    let (version, encoding): (i32, &str) = (column(&row, 0)?, column(&row, 1)?);
    if version < OLDEST {
        return Err(StoreError::Open(format!(
            "the database server is version {}: PostgreSQL 15 or later is needed",
            version / 10_000
        )));
    }
    if encoding != "UTF8" {
        return Err(StoreError::Open(format!(
            "the database has the encoding {encoding}: make it with ENCODING 'UTF8' TEMPLATE template0"
        )));
    }
    Ok(())
}
