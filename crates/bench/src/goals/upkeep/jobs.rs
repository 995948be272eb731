//! Upkeep that is asked for over HTTP, on a connection of its own, until it is to stop.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Upkeep;
use crate::bench::bodies;
use crate::child::Server;
use crate::data;
use crate::load::{Connection, Who, get, on_one_thread, post, with_body};

/// Tasks in one call of an import.
const IMPORTED: u64 = 200;

/// Repeats something until it is to stop, and adds up what each time did.
pub(super) fn until(
    stop: &AtomicBool,
    done: &AtomicU64,
    mut once: impl FnMut() -> Result<u64>,
) -> Result<()> {
    while !stop.load(Ordering::SeqCst) {
        done.fetch_add(once()?, Ordering::SeqCst);
    }
    Ok(())
}

/// Deletes the oldest tasks that succeeded, as many at once as a page has.
pub(super) fn deletion(server: &Server) -> Box<Upkeep<'static>> {
    let page = "/v1/tasks?taskStatus=SUCCESSFUL&pageSize=100&orderBy=creationTimestamp&orderDirection=ASC";
    asked(server, move |who, connection, _| {
        Box::pin(async move {
            let mut bytes = Vec::new();
            get(who, page, &mut bytes);
            let oldest: Value = serde_json::from_slice(connection.ask(&bytes).await?)?;
            let elements = oldest["elements"].as_array().context("a page without elements")?;
            ensure!(!elements.is_empty(), "nothing is left to delete");
            let ids: Vec<&Value> = elements.iter().map(|task| &task["id"]).collect();
            bytes.clear();
            let body = json!({ "taskIds": ids }).to_string();
            with_body("DELETE", who, "/v1/tasks/history", body.as_bytes(), &mut bytes);
            let deleted: Value = serde_json::from_slice(connection.ask(&bytes).await?)?;
            Ok(deleted["successful"].as_array().map_or(0, Vec::len) as u64)
        })
    })
}

/// Submits tasks that rest until a start that is far away, one after the other: they go to history at once.
pub(super) fn resting(server: &Server) -> Box<Upkeep<'static>> {
    let bodies = bodies(true);
    asked(server, move |who, connection, n| {
        let body = bodies[(n % bodies.len() as u64) as usize].clone();
        Box::pin(async move {
            let mut bytes = Vec::new();
            post(who, "/v1/tasks", &body, &mut bytes);
            connection.ask(&bytes).await.map(|_| 1)
        })
    })
}

/// Imports tasks, whose rows fill the write-ahead log.
pub(super) fn import(server: &Server) -> Box<Upkeep<'static>> {
    asked(server, move |who, connection, n| {
        Box::pin(async move {
            let all: Vec<Value> = (n * IMPORTED..(n + 1) * IMPORTED).map(imported).collect();
            let mut bytes = Vec::new();
            post(who, "/v1/tasks/import", Value::Array(all).to_string().as_bytes(), &mut bytes);
            connection.ask(&bytes).await.map(|_| IMPORTED)
        })
    })
}

/// The n-th task of an import.
fn imported(n: u64) -> Value {
    json!({
        "id": format!("00000000-0000-4000-8000-{n:012x}"),
        "name": data::name(n),
        "type": data::kind(n),
        "status": "SUCCESSFUL",
        "creationTimestamp": "2020-01-01T00:00:00.000Z",
        "completionTimestamp": "2020-01-01T00:00:01.000Z",
        "subTasks": [{ "name": "Imported", "description": data::input(n).to_string(), "status": "SUCCESSFUL" }],
        "resources": [{ "resourceId": data::host(n), "type": "HOST" }],
        "errors": []
    })
}

type Step<'a> = std::pin::Pin<Box<dyn Future<Output = Result<u64>> + 'a>>;

/// Asks again and again on one connection; `step` is told the number of the time.
fn asked(
    server: &Server,
    step: impl for<'a> Fn(&'a Who, &'a mut Connection, u64) -> Step<'a> + Sync + 'static,
) -> Box<Upkeep<'static>> {
    let (at, who, times) = (server.at, server.who.clone(), AtomicU64::new(0));
    Box::new(move |stop, done| {
        on_one_thread(async {
            let mut connection = Connection::open(at).await?;
            while !stop.load(Ordering::SeqCst) {
                let n = times.fetch_add(1, Ordering::SeqCst);
                done.fetch_add(step(&who, &mut connection, n).await?, Ordering::SeqCst);
            }
            Ok(())
        })
    })
}

/// Number of tasks that succeeded before an instant, in milliseconds since 1970.
pub(super) fn succeeded_before(server: &Server, instant: i64) -> Result<u64> {
    on_one_thread(async {
        let mut connection = Connection::open(server.at).await?;
        let (mut totals, mut bytes) = (Vec::new(), Vec::new());
        for after in [0, instant] {
            bytes.clear();
            let path = format!("/v1/tasks?taskStatus=SUCCESSFUL&pageSize=1&completedAfter={after}");
            get(&server.who, &path, &mut bytes);
            let page: Value = serde_json::from_slice(connection.ask(&bytes).await?)?;
            totals.push(page["pageMetadata"]["totalElements"].as_u64().context("a page without a total")?);
        }
        Ok(totals[0].saturating_sub(totals[1]))
    })
}
