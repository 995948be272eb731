//! Final state as the server tells it: every task, found by walking the list, with its input and attempts.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::clock::{self, Micros};
use crate::http::{Answer, Client, Peer, Request};
use crate::wire::{self, AttemptView, TaskStatus, View};

/// Connections that read at once.
const READERS: usize = 8;

/// The server's whole word.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    /// Time at which the dump began.
    pub at: Micros,
    /// Ids in the order of the list's pages.
    pub walked: Vec<Uuid>,
    /// `totalElements` of every page walked.
    pub totals: Vec<u64>,
    /// `totalElements` by status.
    pub by_status: Vec<(TaskStatus, u64)>,
    /// Task of each lock and slot, held or waited for.
    pub locks: Vec<Uuid>,
    /// Tasks by ID.
    pub tasks: HashMap<Uuid, Final>,
}

/// Task in the end.
#[derive(Clone, Debug)]
pub struct Final {
    /// The workflow that it says it runs.
    pub workflow: String,
    /// Input, as it is stored.
    pub input: Value,
    /// View of the task.
    pub view: View,
    /// Names of its sub-tasks.
    pub names: Vec<String>,
    /// Attempts of its sub-tasks.
    pub attempts: Vec<AttemptView>,
}

/// A GET that must succeed.
pub async fn get(client: &mut Client, to: &Peer, path: &str) -> Result<Answer> {
    let answer = client.ask(to, &Request::get(path)).await;
    let answer = answer.map_err(|e| anyhow::anyhow!("GET {path}: {e:?}"))?;
    if answer.status != 200 {
        bail!("GET {path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    }
    Ok(answer)
}

async fn get_json(client: &mut Client, to: &Peer, path: &str) -> Result<Value> {
    get(client, to, path).await?.json().with_context(|| format!("GET {path}: no JSON"))
}

/// Returns the number of tasks that a filter finds.
pub async fn total(client: &mut Client, to: &Peer, query: &str) -> Result<u64> {
    let page = get_json(client, to, &format!("/v1/tasks?pageSize=1{query}")).await?;
    page["pageMetadata"]["totalElements"].as_u64().context("totalElements")
}

/// Waits until no task is PENDING or IN_PROGRESS; gives the time that took, or `None` when the limit was
/// over.
pub async fn quiet(to: &Peer, limit: Duration) -> Result<Option<Duration>> {
    let (begun, mut client) = (Instant::now(), Client::default());
    loop {
        if total(&mut client, to, "&taskStatus=PENDING,IN_PROGRESS").await? == 0 {
            return Ok(Some(begun.elapsed()));
        }
        if begun.elapsed() > limit {
            return Ok(None);
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Reads everything. Nothing may change meanwhile.
pub async fn take(to: &Peer) -> Result<Dump> {
    let mut dump = Dump { at: clock::now(), ..Dump::default() };
    let mut client = Client::default();
    for number in 1.. {
        let path = format!(
            "/v1/tasks?pageSize=100&pageNumber={number}&orderBy=creationTimestamp&orderDirection=ASC"
        );
        let page = get_json(&mut client, to, &path).await?;
        let elements = page["elements"].as_array().context("elements")?;
        dump.totals.push(page["pageMetadata"]["totalElements"].as_u64().context("totalElements")?);
        for task in elements {
            dump.walked.push(wire::id(task)?);
        }
        if elements.len() < 100 {
            break;
        }
    }
    for (status, name) in TaskStatus::ALL {
        dump.by_status.push((status, total(&mut client, to, &format!("&taskStatus={name}")).await?));
    }
    for number in 1.. {
        let path = format!("/v1/resources/locks?pageSize=100&pageNumber={number}");
        let page = get_json(&mut client, to, &path).await?;
        let elements = page["elements"].as_array().context("elements")?;
        for lock in elements {
            dump.locks.push(lock["taskId"].as_str().context("taskId")?.parse()?);
        }
        if elements.len() < 100 {
            break;
        }
    }
    let parts: BTreeMap<usize, Vec<Uuid>> =
        dump.walked.iter().enumerate().fold(BTreeMap::new(), |mut parts, (i, id)| {
            parts.entry(i % READERS).or_insert_with(Vec::new).push(*id);
            parts
        });
    let readers: Vec<_> =
        parts.into_values().map(|ids| tokio::task::spawn_local(read(to.clone(), ids))).collect();
    for reader in readers {
        dump.tasks.extend(reader.await??);
    }
    Ok(dump)
}

async fn read(to: Peer, ids: Vec<Uuid>) -> Result<Vec<(Uuid, Final)>> {
    let mut client = Client::default();
    let mut tasks = Vec::with_capacity(ids.len());
    for id in ids {
        let task = get_json(&mut client, &to, &format!("/v1/tasks/{id}?include=input")).await?;
        let (view, names) = wire::view(&task).with_context(|| format!("task {id}"))?;
        let page = get_json(&mut client, &to, &format!("/v1/tasks/{id}/attempts")).await?;
        let attempts = wire::attempts(&page, &names).with_context(|| format!("the attempts of {id}"))?;
        let workflow = task["workflow"]["name"].as_str().context("workflow")?.to_owned();
        let names = names.into_iter().map(str::to_owned).collect();
        tasks.push((id, Final { workflow, input: task["input"].clone(), view, names, attempts }));
    }
    Ok(tasks)
}
