//! The schema: numbered SQL files, each run once and in order, each in a transaction of its own, by one node
//! at a time. One that only adds says so, by which version of the schema a program must know to run on it: so
//! nodes are brought up to date one by one.

use std::collections::BTreeMap;

use longhaul_model::Timestamp;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::connect::Place;
use super::sql::{column, failed, is_away};
use crate::error::StoreError;
use crate::migrate::{Migration, checksum};

/// The advisory lock of whoever brings the schema up to date.
const MIGRATING: i64 = 0x6c6f_6e67_6861_756d;
/// The first version that is tested.
const OLDEST: i32 = 150_000;

/// Each with the newest schema that a program must know to run on it.
const MIGRATIONS: &[(Migration, i64)] = &[
    (Migration { number: 1, name: "init", sql: include_str!("migrations/0001_init.sql") }, 1),
    (Migration { number: 2, name: "nodes", sql: include_str!("migrations/0002_nodes.sql") }, 2),
    (Migration { number: 3, name: "beats", sql: include_str!("migrations/0003_beats.sql") }, 2),
    // Nodes of earlier versions neither write nor read the `clear` marks.
    (Migration { number: 4, name: "waiting", sql: include_str!("migrations/0004_waiting.sql") }, 4),
    // Nodes of earlier versions would let a bound account do all that its role may.
    (Migration { number: 5, name: "bounds", sql: include_str!("migrations/0005_bounds.sql") }, 5),
    (Migration { number: 6, name: "references", sql: include_str!("migrations/0006_references.sql") }, 5),
    // Nodes of earlier versions would let sessions in that were ended.
    (Migration { number: 7, name: "sessions", sql: include_str!("migrations/0007_sessions.sql") }, 7),
];

/// Brings the database to the newest schema that this program knows; refuses one it does not know.
pub(super) async fn run(place: &Place, now: Timestamp) -> Result<(), StoreError> {
    let (mut client, _driver) = place.connect().await?;
    fits(&client).await?;
    // Let go of with the connection.
    client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATING]).await.map_err(failed)?;
    // Only where there is none: a role that may not create tables works on a schema that another one made.
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
    let known = MIGRATIONS.last().map_or(0, |(migration, _)| i64::from(migration.number));
    if let Some((newest, ..)) = applied.iter().filter(|(.., needs)| *needs > known).max() {
        return Err(StoreError::Open(format!(
            "the database has schema {newest}, this version of Longhaul knows up to {known}: use a newer version"
        )));
    }
    if let Some((newest, ..)) = applied.iter().max().filter(|(newest, ..)| *newest > known) {
        tracing::info!(newest, known, "the database has a newer schema, on which this version runs, too");
    }
    for (migration, needs) in MIGRATIONS {
        let found = applied.iter().find(|(number, ..)| *number == i64::from(migration.number));
        match found {
            Some((_, found, _)) if *found == checksum(migration.sql) => {}
            Some(_) => {
                return Err(StoreError::Open(format!(
                    "schema {} ({}) of the database is not the one this version of Longhaul made",
                    migration.number, migration.name
                )));
            }
            None => apply(&mut client, migration, *needs, now).await?,
        }
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
    let known = MIGRATIONS.last().map_or(0, |(migration, _)| i64::from(migration.number));
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
    for (migration, _) in MIGRATIONS {
        let text: Vec<&str> =
            migration.sql.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        for statement in text.join("\n").split(';').map(str::trim) {
            let words: Vec<&str> = statement.split_whitespace().collect();
            match words[..] {
                ["CREATE", "INDEX", name, ..] | ["CREATE", "UNIQUE", "INDEX", name, ..] => {
                    made.insert(name.to_owned(), statement.to_owned());
                }
                ["DROP", "INDEX", .., name] => drop(made.remove(name)),
                _ => {}
            }
        }
    }
    made
}

async fn apply(
    client: &mut Client,
    migration: &Migration,
    needs: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let transaction = client.transaction().await.map_err(undone)?;
    transaction.batch_execute(migration.sql).await.map_err(undone)?;
    let (number, sum) = (i64::from(migration.number), checksum(migration.sql));
    transaction
        .execute(
            "INSERT INTO schema_migrations (number, name, checksum, applied_at, needs) VALUES ($1, $2, $3, $4, $5)",
            &[&number, &migration.name, &sum, &now.0, &needs],
        )
        .await
        .map_err(undone)?;
    transaction.commit().await.map_err(undone)
}

fn undone(e: tokio_postgres::Error) -> StoreError {
    if is_away(&e) {
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

/// Whether the server and the database are such that the schema means what it says.
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
