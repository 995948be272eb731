//! Takeover of the work of dead nodes. All living ones share it, by shards; any of them does what another one
//! left.

use std::collections::HashSet;
use std::sync::Arc;

use deadpool_postgres::Client;
use longhaul_model::{Command, NodeId, TaskId};
use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;

use super::job::Job;
use super::keeper::LOOK;
use super::sql::{column, execute, no_connection, query};
use super::{Shared, nodes};
use crate::error::StoreError;

/// Number of tasks taken over at once.
const AT_ONCE: i64 = 1024;
/// Number of rounds after which a node also does the others' share.
const PATIENCE: u32 = 5;

/// Takes over every second if the keeper's look found something to do, and when it is notified, for as long
/// as the store is open.
pub(super) async fn watch(shared: Arc<Shared>, jobs: mpsc::WeakSender<Job>, told: Arc<Notify>) {
    let (mut vain, mut untold) = (0, HashSet::new());
    loop {
        let called = tokio::select! {
            () = tokio::time::sleep(LOOK) => false,
            () = told.notified() => true,
        };
        let Some(jobs) = jobs.upgrade() else { return };
        let share = if vain < PATIENCE { shared.turn.share() } else { (1, 0) };
        if called || vain > 0 || shared.turn.has_left() {
            match round(&shared, &jobs, share).await {
                Ok(Round { left: true, .. }) => vain += 1,
                Ok(Round { left: false, .. }) => vain = 0,
                Err(e) => {
                    shared
                        .vitals
                        .statement_failed("the other nodes were not looked after; it will be repeated", &e);
                }
            }
        }
        untold = tell(&shared, &jobs, &untold).await;
    }
}

/// Result of a round of takeover.
pub(super) struct Round {
    /// Number of tasks that were taken over.
    pub(super) recovered: u64,
    /// True if some dead nodes still own something.
    pub(super) left: bool,
}

/// Ends the sessions of dead nodes, and takes over a share of their work.
pub(super) async fn round(
    shared: &Shared,
    jobs: &mpsc::Sender<Job>,
    share: (i16, i16),
) -> Result<Round, StoreError> {
    // One round at a time: two would ask for the same tasks.
    let _alone = shared.takeover.lock().await;
    let client = shared.pool.get().await.map_err(no_connection)?;
    nodes::end_dead(&client, shared.turn.number, &shared.turn.watch).await?;
    let mut round = Round { recovered: 0, left: false };
    for row in &query(&client, "SELECT turn, node FROM turns WHERE over", &[]).await? {
        let (turn, node): (i64, i16) = (column(row, 0)?, column(row, 1)?);
        let recovered = take_over(&client, jobs, node, share).await?;
        round.recovered += recovered;
        let done = "DELETE FROM turns WHERE turn = $1 AND over
             AND NOT EXISTS (SELECT 1 FROM hot WHERE holders @> ARRAY[turns.node])";
        let gone = execute(&client, done, &[&turn]).await? > 0;
        round.left |= !gone;
        if recovered > 0 {
            tracing::info!(node, tasks = recovered, "took over from a node");
        }
    }
    Ok(round)
}

/// Takes over the work of dead nodes on these tasks. After Ok: done, and the effects are passed on.
pub(super) async fn these(
    shared: &Shared,
    jobs: &mpsc::Sender<Job>,
    tasks: &[Uuid],
) -> Result<(), StoreError> {
    let client = shared.pool.get().await.map_err(no_connection)?;
    nodes::end_dead(&client, shared.turn.number, &shared.turn.watch).await?;
    let statement = "SELECT t.node, array_agg(h.id) FROM turns t JOIN hot h ON h.holders @> ARRAY[t.node]
         WHERE t.over AND h.id = ANY($1) GROUP BY t.node";
    for row in &query(&client, statement, &[&tasks]).await? {
        let (node, held): (i16, Vec<Uuid>) = (column(row, 0)?, column(row, 1)?);
        let command = Command::Recover { node: Some(NodeId(node.unsigned_abs())) };
        for (_, done) in asked(jobs, &held, command).await? {
            match done {
                Ok(()) | Err(StoreError::Refused(_) | StoreError::NotFound | StoreError::Corrupt(_)) => {}
                Err(e) => return Err(e),
            }
        }
    }
    Ok(())
}

/// Takes over a share of another node's tasks. Returns the count of tasks.
async fn take_over(
    client: &Client,
    jobs: &mpsc::Sender<Job>,
    node: i16,
    (parts, part): (i16, i16),
) -> Result<u64, StoreError> {
    let (mut last, mut recovered) = (Uuid::nil(), 0);
    let statement = "SELECT id FROM hot WHERE holders @> ARRAY[$1::smallint] AND id > $2 AND shard % $3 = $4
         ORDER BY id LIMIT $5";
    loop {
        let rows = query(client, statement, &[&node, &last, &parts, &part, &AT_ONCE]).await?;
        let found: Vec<Uuid> = rows.iter().map(|row| column(row, 0)).collect::<Result<_, _>>()?;
        let Some(newest) = found.last() else { return Ok(recovered) };
        last = *newest;
        let command = Command::Recover { node: Some(NodeId(node.unsigned_abs())) };
        let mut vain = Vec::new();
        for (id, done) in asked(jobs, &found, command).await? {
            match done {
                Ok(()) => recovered += 1,
                Err(StoreError::Refused(_) | StoreError::NotFound) => vain.push(id),
                // One bad row never stops the others.
                Err(e @ StoreError::Corrupt(_)) => {
                    tracing::error!(task.id = %id, error = %e, "a task cannot be read and is left as it is");
                    vain.push(id);
                }
                Err(e) => return Err(e),
            }
        }
        if !vain.is_empty() {
            // It looks after nothing of those: nobody need ask again.
            // In the order of their ids, as every transaction locks them.
            let off = "UPDATE hot SET holders = array_remove(holders, $1) WHERE id IN
                 (SELECT id FROM hot WHERE id = ANY($2) ORDER BY id FOR UPDATE)";
            execute(client, off, &[&node, &vain]).await?;
        }
    }
}

/// Sends a command to each of these tasks and returns the results.
async fn asked(
    jobs: &mpsc::Sender<Job>,
    tasks: &[Uuid],
    command: Command,
) -> Result<Vec<(Uuid, Result<(), StoreError>)>, StoreError> {
    let stopping = || StoreError::Unavailable("the server is stopping".to_owned());
    let mut waiting = Vec::with_capacity(tasks.len());
    for id in tasks {
        let (answer, answered) = oneshot::channel();
        let job = Job::Command(TaskId(*id), Box::new(command.clone()), Some((answer, None)));
        jobs.send(job).await.map_err(|_| stopping())?;
        waiting.push((*id, answered));
    }
    let mut done = Vec::with_capacity(tasks.len());
    for (id, answered) in waiting {
        done.push((id, answered.await.map_err(|_| stopping())?));
    }
    Ok(done)
}

/// Tells tasks that their claims were granted where the granting node died before doing so: those also found
/// untold in the previous round. Returns the tasks found in this round.
async fn tell(shared: &Shared, jobs: &mpsc::Sender<Job>, before: &HashSet<Uuid>) -> HashSet<Uuid> {
    if shared.turn.agenda.has_nothing_untold() {
        return HashSet::new();
    }
    let untold = async {
        let client = shared.pool.get().await.map_err(no_connection)?;
        let statement = "SELECT DISTINCT id FROM claims WHERE held AND NOT told LIMIT 1000";
        let rows = query(&client, statement, &[]).await?;
        rows.iter().map(|row| column(row, 0)).collect::<Result<HashSet<Uuid>, _>>()
    };
    let found = match untold.await {
        Ok(found) => found,
        Err(e) => {
            shared.vitals.statement_failed("nobody was told of claims; it will be repeated", &e);
            return HashSet::new();
        }
    };
    for id in found.intersection(before) {
        let _ = jobs.send(Job::Command(TaskId(*id), Box::new(Command::Acquired), None)).await;
    }
    found
}
