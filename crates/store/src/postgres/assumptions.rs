//! Assumptions about the database server that no session setting can pin: checked before anything is changed
//! in it.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::{Client, Error, SimpleQueryMessage, SimpleQueryRow};

use super::PostgresOptions;
use super::connect::Place;
use super::sql::{failed, is_broken, text};
use crate::error::StoreError;

/// Number of transactions that others hold meanwhile; each makes a pooler that shares connections use another
/// one.
const HELD: usize = 3;
/// Longest wait for an answer. A pooler without a free connection lets its clients wait.
const PATIENCE: Duration = Duration::from_secs(5);
/// Number of a node's connections beside those of its pool: one for its session, one that listens to other
/// nodes.
const BESIDE: usize = 2;

/// Refuses a database that would lose what it has confirmed, or that is reached through a pooler that shares
/// connections; warns of one that grants few connections.
pub(super) async fn check(place: &Place, options: &PostgresOptions) -> Result<(), StoreError> {
    same_session(place).await?;
    let (client, _driver) = place.connect_bare().await?;
    if !options.allow_unsafe {
        durable(place, &client).await?;
    }
    enough_connections(place, options, &client).await
}

fn refused(place: &Place, why: &str) -> StoreError {
    StoreError::Open(format!("the database {} cannot be used: {why}", place.shown()))
}

/// Refuses a pooler that uses another connection for each transaction, or each statement: settings of a
/// session would then act on others' transactions, and the connection of a node session would be anybody's.
/// While other transactions are held, the backend of an own session must stay the same, and be nobody else's.
pub(super) async fn same_session(place: &Place) -> Result<(), StoreError> {
    let shares = || {
        refused(
            place,
            "a connection pooler shares connections between transactions, so that confirmed changes could be lost. \
             Connect to the server itself, or have the pooler keep a connection for each session \
             (PgBouncer: pool_mode = session)",
        )
    };
    let few = |what: &str| {
        let why = format!(
            "{what}: the server or a pooler grants too few connections, at least 8 are needed for each node"
        );
        StoreError::Unavailable(format!("the database {}: {why}", place.shown()))
    };
    let (own, _driver) = place.connect_bare().await?;
    let backend = answered(&own, "SELECT pg_backend_pid()").await.map_err(|_| few("no answer"))??;
    let mut held = Vec::with_capacity(HELD);
    for _ in 0..HELD {
        let (other, driver) =
            timeout(PATIENCE, place.connect_bare()).await.map_err(|_| few("no second connection"))??;
        let begun = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0; SELECT pg_backend_pid()";
        let theirs = match answered(&other, begun).await {
            Err(_) => return Err(few("no second connection")),
            // Statements are pooled: there are no transactions at all.
            Ok(Err(StoreError::Unavailable(_) | StoreError::Open(_))) => return Err(shares()),
            Ok(theirs) => theirs?,
        };
        let Ok(again) = answered(&own, "SELECT pg_backend_pid()").await else { return Err(shares()) };
        if theirs == backend || again? != backend {
            return Err(shares());
        }
        held.push((other, driver));
    }
    Ok(())
}

/// Returns the first value of the last row that statements return. Err: no answer in time.
async fn answered(
    client: &Client,
    statements: &str,
) -> Result<Result<String, StoreError>, tokio::time::error::Elapsed> {
    let said = timeout(PATIENCE, client.simple_query(statements)).await?;
    Ok(said.map_err(unasked).and_then(|messages| {
        let rows = messages.iter().filter_map(row).last();
        let value = rows.and_then(|row| row.get(0)).map(str::to_owned);
        value.ok_or_else(|| StoreError::Unavailable("the database gave no row".to_owned()))
    }))
}

/// Converts the refusal of a pooler, which has codes that servers use for cut connections.
fn unasked(e: Error) -> StoreError {
    if is_broken(&e) { StoreError::Unavailable(text(&e)) } else { failed(e) }
}

fn row(message: &SimpleQueryMessage) -> Option<&SimpleQueryRow> {
    match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    }
}

/// Refuses a server that may lose confirmed commits in a crash.
async fn durable(place: &Place, client: &Client) -> Result<(), StoreError> {
    for (setting, loses) in [
        ("fsync", "a crash of its machine loses or damages what was confirmed"),
        ("full_page_writes", "a crash of its machine can damage what was confirmed"),
    ] {
        let statement = format!("SELECT current_setting('{setting}')");
        let value = answered(client, &statement).await.map_err(|_| silent(place))??;
        if value != "on" {
            return Err(refused(
                place,
                &format!(
                    "{setting} = {value}: {loses}. Set it to on in postgresql.conf; for a test, whose tasks may be lost, \
                     use --allow-unsafe-database"
                ),
            ));
        }
    }
    let synchronous = answered(client, "SELECT current_setting('synchronous_commit')").await;
    if synchronous.map_err(|_| silent(place))?? == "off" {
        tracing::info!(
            "synchronous_commit is off for this role or database: Longhaul's own connections set it to on"
        );
    }
    Ok(())
}

fn silent(place: &Place) -> StoreError {
    StoreError::Unavailable(format!("the database {} does not answer", place.shown()))
}

/// Query for the connections that are left: by the server's limit, the role's and the database's.
const LEFT: &str = "SELECT least(
      current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
      (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user)
        - (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user),
      (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
        - (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()))";

/// Warns where a node may want more connections than are left.
async fn enough_connections(
    place: &Place,
    options: &PostgresOptions,
    client: &Client,
) -> Result<(), StoreError> {
    let left = answered(client, LEFT).await.map_err(|_| silent(place))??;
    let (left, wanted): (i64, i64) =
        (left.parse().unwrap_or(i64::MAX), (options.connections + BESIDE) as i64);
    // One of those counted is this one.
    if left + 1 < wanted {
        tracing::warn!(
            left = left + 1,
            wanted,
            "the database grants fewer connections than this node may want: raise max_connections (or the limit of the \
             role or database), or lower `connections` in [database]"
        );
    }
    Ok(())
}
