//! Nodes of a database: each registers a session and counts a beat every other second, and is ended by the
//! others once they have observed for too long that its beat does not change. The database's clock plays no
//! part in that, as it may be set.

use std::time::Duration;

use deadpool_postgres::GenericClient;
use longhaul_model::{NodeId, Timestamp};
use tokio::time::Instant;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use super::agenda::Entry;
use super::process;
use super::shown::Shown;
use super::sql::{column, failed, query};
use super::turn::Turn;
use super::watch::{BEAT_COLUMNS, Beat, Watch, beat as beat_of};
use crate::error::StoreError;
use crate::nodes::{KnownNode, Node, NodeState};

/// Time in seconds, by the database's clock, for which a dead node is remembered; only to be shown.
const REMEMBERED: f64 = 86_400.0;
/// Nodes at once, at the most.
const MOST: i32 = 1_000;

/// Exclusivity of a session: whether a node shares the database with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    /// Shared with other nodes.
    Any,
    /// Alone, as a transfer needs it.
    None,
}

/// Outcome of a registration.
pub(super) enum Begun {
    /// Numbers of the session and of the node.
    Turn(i64, NodeId),
    /// Another session is there that excludes this one.
    Taken(Occupant),
}

/// Occupant of the database, as far as is known: its beat tells if it is alive.
pub(super) struct Occupant {
    pub(super) name: String,
    pub(super) turn: i64,
    pub(super) beat: Beat,
}

/// Registers a session. `application` is the name of the node's connections, without the session's number.
pub(super) async fn begin(
    client: &mut Client,
    node: &Node,
    application: &str,
    company: Company,
    watch: &Watch,
) -> Result<Begun, StoreError> {
    let transaction = client.transaction().await.map_err(failed)?;
    // One after the other, by the lock of this row. By the clock, too: a standby of the database that was
    // promoted may not know the last sessions.
    let next = "UPDATE installation SET turn =
           greatest(turn + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) RETURNING turn";
    let turn: i64 = column(&transaction.query_one(next, &[]).await.map_err(failed)?, 0)?;
    let alone = company == Company::None;
    if let Some(occupant) = occupant(&transaction, alone, watch).await? {
        return Ok(Begun::Taken(occupant));
    }
    let free = "SELECT n::smallint FROM generate_series(1, $1::integer) AS n
         WHERE n NOT IN (SELECT node FROM turns) ORDER BY n LIMIT 1";
    let full = || StoreError::Open(format!("{MOST} nodes share the database already"));
    let row = transaction.query_opt(free, &[&MOST]).await.map_err(failed)?.ok_or_else(full)?;
    let number: i16 = column(&row, 0)?;
    let own = "INSERT INTO turns (turn, node) VALUES ($1, $2)";
    transaction.execute(own, &[&turn, &number]).await.map_err(failed)?;
    let place = "INSERT INTO places VALUES ($1) ON CONFLICT DO NOTHING";
    transaction.execute(place, &[&(number + 1)]).await.map_err(failed)?;
    let present = "INSERT INTO nodes
           (turn, node, name, address, version, started_at, process, application, alone, seen_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp())";
    let Node { name, address, version, started_at } = node;
    let application = format!("{application} {turn}");
    let process = process::own();
    let said: [&(dyn ToSql + Sync); 9] =
        [&turn, &number, name, address, version, &started_at.0, &process, &application, &alone];
    transaction.execute(present, &said).await.map_err(failed)?;
    let forget = "DELETE FROM nodes WHERE turn NOT IN (SELECT turn FROM turns)
         AND abs(extract(epoch FROM clock_timestamp() - seen_at)) > $1::float8";
    transaction.execute(forget, &[&REMEMBERED]).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    Ok(Begun::Turn(turn, NodeId(number.unsigned_abs())))
}

/// Returns a node, not known to be dead, that prevents another from beginning: any node if the other wants to
/// be alone, else one that is alone itself.
async fn occupant(
    db: &tokio_postgres::Transaction<'_>,
    alone: bool,
    watch: &Watch,
) -> Result<Option<Occupant>, StoreError> {
    let statement = format!(
        "SELECT t.turn, coalesce(n.name, ''), coalesce(n.alone, false), {BEAT_COLUMNS}
         FROM turns t LEFT JOIN nodes n USING (turn) WHERE NOT t.over ORDER BY t.turn"
    );
    let asked = Instant::now();
    let rows = db.query(&statement, &[]).await.map_err(failed)?;
    let read = |row: &tokio_postgres::Row| {
        let occupant = Occupant { turn: column(row, 0)?, name: column(row, 1)?, beat: beat_of(row, 3)? };
        Ok((occupant, column::<bool>(row, 2)?))
    };
    let found = rows.iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
    watch.look(asked, found.iter().map(|(occupant, _)| (occupant.turn, occupant.beat)));
    let in_the_way = |(occupant, other_alone): &(Occupant, bool)| {
        (alone || *other_alone) && !watch.is_silent(occupant.turn)
    };
    Ok(found.into_iter().find(in_the_way).map(|(occupant, _)| occupant))
}

/// Result of a look at the database.
pub(super) struct Heard {
    /// Living nodes; `None` without this one, whose session is over.
    pub(super) living: Option<Vec<NodeId>>,
    /// True if some nodes are dead and their work may not have been taken over.
    pub(super) left: bool,
    /// Revisions of the workflows, of the settings and of the accounts.
    pub(super) revisions: [i64; 3],
    /// The clock of the database.
    pub(super) clock: Option<Shown>,
    /// Timeline of the database, if it is known.
    pub(super) timeline: Option<i64>,
}

/// Largest count of questions until the clock answers promptly, and the time that counts as prompt.
const QUESTIONS: usize = 10;
const PROMPT: Duration = Duration::from_millis(2);

/// The time of the database's clock.
const CLOCK: &str = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// Reads the clock of the database, by the promptest of a few answers.
pub(super) async fn clock(client: &Client) -> Result<Timestamp, StoreError> {
    let statement = client.prepare(&format!("SELECT {CLOCK}")).await.map_err(failed)?;
    let mut best: Option<Shown> = None;
    for _ in 0..QUESTIONS {
        let asked = Instant::now();
        let row = client.query_one(&statement, &[]).await.map_err(failed)?;
        let shown = Shown::new(column(&row, 0)?, asked.elapsed());
        if best.is_none_or(|best| shown.took < best.took) {
            best = Some(shown);
        }
        if shown.took <= PROMPT {
            break;
        }
    }
    Ok(best.ok_or_else(silent)?.now())
}

fn silent() -> StoreError {
    StoreError::Unavailable("the database's clock was not asked".to_owned())
}

/// Prepares the statement of [`look`].
pub(super) async fn prepare_look(client: &Client) -> Result<Statement, StoreError> {
    let statement = format!(
        "WITH beat AS (UPDATE nodes SET beat = beat + 1, seen_at = clock_timestamp() WHERE turn = $1 AND $2)
         SELECT t.turn, t.node, (SELECT revision FROM account_state),
           (SELECT n FROM revisions WHERE name = 'workflows'), (SELECT n FROM revisions WHERE name = 'settings'), {CLOCK},
           {BEAT_COLUMNS}, t.over, n.process, a.due, a.untold, a.waiting
         FROM turns t LEFT JOIN nodes n USING (turn) LEFT JOIN agenda() AS a ON true"
    );
    client.prepare(&statement).await.map_err(failed)
}

/// Looks at all that a node must know of the others and of the work that waits; counts a beat of its own if
/// `beats`.
pub(super) async fn look(
    client: &Client,
    statement: &Statement,
    turn: &Turn,
    beats: bool,
) -> Result<Heard, StoreError> {
    let (watch, mark) = (&turn.watch, turn.agenda.ask());
    let asked = Instant::now();
    let rows = client.query(statement, &[&turn.number, &beats]).await.map_err(failed)?;
    let took = asked.elapsed();
    if let Some(row) = rows.first()
        && let Some(entry) = Entry::read(row, 10)?
    {
        turn.agenda.learn(mark, entry);
    }
    let mut heard = Heard { living: None, left: false, revisions: [0; 3], clock: None, timeline: None };
    let (mut nodes, mut seen) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for row in &rows {
        let number: i64 = column(row, 0)?;
        if column(row, 8)? {
            heard.left = true;
            continue;
        }
        nodes.push((number, NodeId(column::<i16>(row, 1)?.unsigned_abs())));
        heard.revisions = [column(row, 3)?, column(row, 4)?, column(row, 2)?];
        heard.clock = Some(Shown::new(column(row, 5)?, took));
        // The dead of this machine are known at once.
        heard.left |= number != turn.number && column::<Option<&str>>(row, 9)?.is_some_and(process::is_gone);
        seen.push((number, beat_of(row, 6)?));
    }
    watch.look(asked, seen);
    if nodes.iter().any(|(number, _)| *number == turn.number) {
        let lives = |(number, _): &(i64, NodeId)| *number == turn.number || !watch.is_silent(*number);
        let living: Vec<NodeId> = nodes.iter().filter(|node| lives(node)).map(|(_, node)| *node).collect();
        heard.left |= living.len() < nodes.len();
        heard.living = Some(living);
    }
    Ok(heard)
}

/// Ends the sessions of dead nodes: observed to be silent for too long, or processes of this machine that are
/// gone. Returns the number of sessions ended.
pub(super) async fn end_dead(client: &Client, own: i64, watch: &Watch) -> Result<u64, StoreError> {
    let statement = format!(
        "SELECT t.turn, n.name, n.process, n.application, {BEAT_COLUMNS}
         FROM turns t LEFT JOIN nodes n USING (turn) WHERE NOT t.over AND t.turn <> $1"
    );
    let mut ended = 0;
    for row in &client.query(&statement, &[&own]).await.map_err(failed)? {
        let (turn, beat): (i64, Beat) = (column(row, 0)?, beat_of(row, 4)?);
        let gone = column::<Option<&str>>(row, 2)?.is_some_and(process::is_gone);
        if !gone && !watch.is_silent_at(turn, beat) {
            continue;
        }
        let name: Option<&str> = column(row, 1)?;
        tracing::warn!(node = name, turn, gone, "a node is no more: what it looked after is taken over");
        cut(client, column::<Option<&str>>(row, 3)?.unwrap_or_default()).await?;
        // Unless it was heard of meanwhile.
        let end = format!(
            "UPDATE turns AS t SET over = true WHERE t.turn = $1 AND NOT t.over
             AND ($2 OR NOT EXISTS (SELECT 1 FROM (SELECT {BEAT_COLUMNS} FROM nodes n WHERE n.turn = t.turn) AS now (beat, at)
                                    WHERE (beat, at) IS DISTINCT FROM ($3::bigint, $4::bigint)))"
        );
        ended += client.execute(&end, &[&turn, &gone, &beat.0, &beat.1]).await.map_err(failed)?;
    }
    Ok(ended)
}

/// Ends a session that this process had before.
pub(super) async fn end_own(client: &Client, turn: i64) -> Result<(), StoreError> {
    // Sessions of this process, whatever database this is.
    let own = "SELECT n.application FROM turns t JOIN nodes n USING (turn)
         WHERE t.turn = $1 AND NOT t.over AND n.process = $2";
    let Some(row) = client.query_opt(own, &[&turn, &process::own()]).await.map_err(failed)? else {
        return Ok(());
    };
    cut(client, column(&row, 0)?).await?;
    client.execute("UPDATE turns SET over = true WHERE turn = $1", &[&turn]).await.map_err(failed).map(drop)
}

/// Cuts the connections of a session, by their name: otherwise a transaction of it that hangs would be waited
/// for. Only those of this database: the original of a copy may be in the same server.
async fn cut(client: &Client, application: &str) -> Result<(), StoreError> {
    let statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = $1 AND datname = current_database() AND pid <> pg_backend_pid()";
    client.query(statement, &[&application]).await.map_err(failed).map(drop)
}

/// Ends a session in order: the node is removed from the list, and others take over the rest of its work.
pub(super) async fn leave(client: &Client, turn: i64) -> Result<(), StoreError> {
    client.execute("UPDATE turns SET over = true WHERE turn = $1", &[&turn]).await.map_err(failed)?;
    client.execute("DELETE FROM nodes WHERE turn = $1", &[&turn]).await.map_err(failed).map(drop)
}

/// Returns all nodes, by name; the last session of those that restarted.
pub(super) async fn list(db: &impl GenericClient, watch: &Watch) -> Result<Vec<KnownNode>, StoreError> {
    let statement = "SELECT n.name, n.address, n.version, n.started_at, (extract(epoch FROM n.seen_at) * 1000)::bigint, n.turn,
           coalesce(t.over, true)
         FROM nodes n LEFT JOIN turns t USING (turn) WHERE NOT n.alone ORDER BY n.name, n.turn";
    let mut nodes: Vec<KnownNode> = Vec::new();
    for row in &query(db, statement, &[]).await? {
        let silent = column::<bool>(row, 6)? || watch.is_silent(column(row, 5)?);
        let state = if silent { NodeState::Silent } else { NodeState::Active };
        let node = Node {
            name: column(row, 0)?,
            address: column(row, 1)?,
            version: column(row, 2)?,
            started_at: Timestamp(column(row, 3)?),
        };
        // An earlier session of the same node, which is over.
        if nodes.last().is_some_and(|last| last.node.name == node.name && last.state == NodeState::Silent) {
            nodes.pop();
        }
        nodes.push(KnownNode { node, state, seen_at: Timestamp(column(row, 4)?) });
    }
    Ok(nodes)
}
