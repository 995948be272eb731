//! Which nodes there are: each says every second that it lives, by the clock of the database.

use deadpool_postgres::GenericClient;
use longhaul_model::Timestamp;
use tokio_postgres::Client;

use super::activity::SILENT;
use super::rows::query;
use super::sql::{column, failed};
use crate::error::StoreError;
use crate::nodes::{KnownNode, Node, NodeState};

/// How long a node is remembered that says nothing any more, in seconds.
const REMEMBERED: f64 = 86_400.0;

/// Says that a node lives.
pub(super) async fn present(client: &Client, node: &Node) -> Result<(), StoreError> {
    let statement = "INSERT INTO nodes (name, address, version, started_at, seen_at)
         VALUES ($1, $2, $3, $4, clock_timestamp())
         ON CONFLICT (name) DO UPDATE SET address = excluded.address, version = excluded.version,
           started_at = excluded.started_at, seen_at = excluded.seen_at";
    let Node { name, address, version, started_at } = node;
    client.execute(statement, &[name, address, version, &started_at.0]).await.map_err(failed).map(drop)
}

/// Takes a node off the list that ends in order.
pub(super) async fn leave(client: &Client, node: &Node) -> Result<(), StoreError> {
    client.execute("DELETE FROM nodes WHERE name = $1", &[&node.name]).await.map_err(failed).map(drop)
}

/// Forgets those that nobody heard of for long.
pub(super) async fn forget(client: &Client) -> Result<(), StoreError> {
    let statement =
        "DELETE FROM nodes WHERE abs(extract(epoch FROM clock_timestamp() - seen_at)) > $1::float8";
    client.execute(statement, &[&REMEMBERED]).await.map_err(failed).map(drop)
}

/// All, by name.
pub(super) async fn list(db: &impl GenericClient) -> Result<Vec<KnownNode>, StoreError> {
    let statement = "SELECT n.name, n.address, n.version, n.started_at, (extract(epoch FROM n.seen_at) * 1000)::bigint,
           abs(extract(epoch FROM clock_timestamp() - n.seen_at)) > $1::float8, n.name = a.node AND h.pid IS NOT NULL
         FROM nodes n, activity a, heartbeat h ORDER BY n.name";
    let read = |row: &tokio_postgres::Row| {
        let state = match (column(row, 5)?, column(row, 6)?) {
            (true, _) => NodeState::Silent,
            (false, true) => NodeState::Active,
            (false, false) => NodeState::Standby,
        };
        let node = Node {
            name: column(row, 0)?,
            address: column(row, 1)?,
            version: column(row, 2)?,
            started_at: Timestamp(column(row, 3)?),
        };
        Ok(KnownNode { node, state, seen_at: Timestamp(column(row, 4)?) })
    };
    query(db, statement, &[&SILENT]).await?.iter().map(read).collect()
}
