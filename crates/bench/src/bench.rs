//! Common parts of all measurements: durations, rounds, servers; medians over rounds.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::child::{Places, Server};
use crate::load::{Figures, Load, Request, on_one_thread};
use crate::report::Row;
use crate::{data, fill, say};

/// Tasks in the small store that rates are measured on.
pub(crate) const SMALL: u64 = 1_000;
/// Tasks that the GETs go to.
pub(crate) const POPULAR: u64 = 1_000;

/// Run of the bench.
pub(crate) struct Bench {
    /// Binaries and directories.
    pub(crate) places: Places,
    /// Rounds of which the median is taken.
    pub(crate) rounds: usize,
    /// Duration of one measurement in a round.
    pub(crate) time: Duration,
    /// Tasks in the large store.
    pub(crate) tasks: u64,
    /// Number of tasks that wait behind the concurrency limit.
    pub(crate) waiting: u64,
    /// Results.
    pub(crate) rows: Vec<Row>,
}

impl Bench {
    /// Measures a load once.
    pub(crate) fn load(
        &self,
        what: &str,
        to: SocketAddr,
        connections: usize,
        request: &Request,
    ) -> Result<Figures> {
        let figures =
            Load { connections, time: self.time }.run(to, request).with_context(|| what.to_owned())?;
        say(&format!(
            "  {what}: {:.0}/s, p50 {:.2} ms, p99 {:.2} ms",
            figures.rate, figures.p50, figures.p99
        ));
        Ok(figures)
    }

    /// A fresh copy of a filled store.
    pub(crate) fn store(&self, count: u64, name: &str) -> Result<PathBuf> {
        let kept = fill::ensure(&self.places.kept, count)?;
        let directory = self.places.work.join(name);
        fill::copy(&kept, &directory)?;
        Ok(directory)
    }
}

/// Returns the median of each figure over the rounds.
pub(crate) fn median(rounds: &[Figures]) -> Figures {
    Figures {
        rate: middle(rounds.iter().map(|round| round.rate)),
        p50: middle(rounds.iter().map(|round| round.p50)),
        p99: middle(rounds.iter().map(|round| round.p99)),
    }
}

/// The median.
pub(crate) fn middle(figures: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Returns the same requests for the spike: the input as its document.
pub(crate) fn spike_bodies() -> Vec<Vec<u8>> {
    (0..data::HOSTS).map(|n| data::input(n).to_string().into_bytes()).collect()
}

/// Requests for tasks of five sub-tasks, with inputs of about 600 bytes.
pub(crate) fn bodies(later: bool) -> Vec<Vec<u8>> {
    let more = if later { json!({ "notBefore": "2099-01-01T00:00:00.000Z" }) } else { json!({}) };
    bodies_with(data::FIVE, &more)
}

/// Returns the same bodies for another workflow.
pub(crate) fn bodies_of(workflow: &str) -> Vec<Vec<u8>> {
    bodies_with(workflow, &json!({}))
}

fn bodies_with(workflow: &str, more: &Value) -> Vec<Vec<u8>> {
    let body = |n| {
        let mut body = json!({ "workflow": workflow, "input": data::input(n) });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        body.to_string().into_bytes()
    };
    (0..data::HOSTS).map(body).collect()
}

/// Runs tasks to their end, `count` of them, and gives their ids.
pub(crate) fn run_tasks(server: &Server, count: u64) -> Result<Vec<String>> {
    let request = crate::load::posts(&server.who, "/v1/tasks?wait=30s", bodies(false));
    on_one_thread(async {
        let (next, ids) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(Vec::new())));
        let mut connections = Vec::new();
        for _ in 0..64 {
            let mut connection = crate::load::Connection::open(server.at).await?;
            let (next, ids, request) = (next.clone(), ids.clone(), request.clone());
            connections.push(tokio::task::spawn_local(async move {
                let mut bytes = Vec::new();
                loop {
                    let n = next.replace(next.get() + 1);
                    if n >= count {
                        return anyhow::Ok(());
                    }
                    bytes.clear();
                    request(n, &mut bytes);
                    let task: serde_json::Value = serde_json::from_slice(connection.ask(&bytes).await?)?;
                    anyhow::ensure!(
                        task["status"] == "Successful",
                        "a task of the bench did not succeed: {task}"
                    );
                    ids.borrow_mut().push(task["id"].as_str().context("a task without id")?.to_owned());
                }
            }));
        }
        for connection in connections {
            connection.await??;
        }
        Ok(ids.take())
    })
}
