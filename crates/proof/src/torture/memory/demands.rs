//! Demands made on the server.

use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::http::{Client, Peer, Request};

/// Number of concurrent clients.
const CLIENTS: usize = 8;
/// Bytes of an input.
const INPUT: usize = 1_000_000;
/// Number of wide tasks in a page, and of the children of each.
const FANS: usize = 20;
const CHILDREN: usize = 10_000;

/// Sizes of the demands.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    /// Number of programs that flood their output.
    floods: usize,
    /// Number of tasks that wait with large inputs.
    waiting: usize,
    /// Number of pages that each client reads.
    pages: usize,
}

impl Sizes {
    pub(super) fn of(quick: bool) -> Self {
        match quick {
            true => Sizes { floods: 4, waiting: 400, pages: 4 },
            false => Sizes { floods: 32, waiting: 1_000, pages: 40 },
        }
    }
}

type Done = Pin<Box<dyn Future<Output = Result<String>>>>;

/// A demand that costs the server memory.
pub(super) struct Demand {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) make: fn(Peer, Sizes) -> Done,
}

/// Demands in order: waiting tasks remain, so that each demand finds less room than the one before.
pub(super) const ALL: [Demand; 4] = [
    Demand {
        name: "flood",
        what: "programs that flood their output end like others",
        make: |peer, sizes| Box::pin(flood(peer, sizes)),
    },
    Demand {
        name: "waiting",
        what: "tasks that wait with large inputs are accepted and kept",
        make: |peer, sizes| Box::pin(waiting(peer, sizes)),
    },
    Demand {
        name: "pages",
        what: "pages of wide tasks are small, also many at once",
        make: |peer, sizes| Box::pin(pages(peer, sizes)),
    },
    Demand {
        name: "slow readers",
        what: "who reads slowly gets a whole answer",
        make: |peer, sizes| Box::pin(slow_readers(peer, sizes)),
    },
];

/// Runs all futures concurrently and collects their results.
async fn together<T: 'static>(
    all: impl Iterator<Item = impl Future<Output = Result<T>> + 'static>,
) -> Result<Vec<T>> {
    let tasks: Vec<_> = all.map(spawn_local).collect();
    let mut done = Vec::with_capacity(tasks.len());
    for task in tasks {
        done.push(task.await??);
    }
    Ok(done)
}

/// Submits a task and returns its id.
async fn submit(client: &mut Client, peer: &Peer, body: &Value) -> Result<String> {
    let body = serde_json::to_vec(body)?;
    let request = Request { method: "POST", path: "/v1/tasks", headers: &[], body: Some(&body) };
    loop {
        let answer = client.ask(peer, &request).await.map_err(|e| anyhow::anyhow!("a submission: {e:?}"))?;
        match answer.status {
            202 => {
                let task = answer.json().context("a task")?;
                return Ok(task["id"].as_str().context("an id")?.to_owned());
            }
            // No room now: that is a valid answer, too.
            503 | 429 => sleep(Duration::from_millis(200)).await,
            status => bail!("a submission: {status} {}", String::from_utf8_lossy(&answer.body)),
        }
    }
}

async fn get(client: &mut Client, peer: &Peer, path: &str) -> Result<(Value, usize)> {
    let answer = client.ask(peer, &Request::get(path)).await.map_err(|e| anyhow::anyhow!("{path}: {e:?}"))?;
    ensure!(answer.status == 200, "{path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    Ok((answer.json().context("JSON")?, answer.body.len()))
}

/// Scripts that print text lines, empty lines, a line without an end, and binary data, on either stream.
const SCRIPTS: [&str; 4] = [
    "head -c 300000000 /dev/zero | tr '\\0' '\\n'",
    "yes 'a line like any other that a program prints' | head -c 300000000",
    "head -c 300000000 /dev/zero | tr '\\0' 'x' >&2",
    "head -c 100000000 /dev/urandom; head -c 100000000 /dev/urandom >&2",
];

async fn flood(peer: Peer, sizes: Sizes) -> Result<String> {
    let all = (0..sizes.floods).map(|n| {
        let peer = peer.clone();
        async move {
            let mut client = Client::default();
            let body = json!({ "workflow": "flood", "input": { "script": SCRIPTS[n % SCRIPTS.len()] } });
            let id = submit(&mut client, &peer, &body).await?;
            loop {
                let (task, _) = get(&mut client, &peer, &format!("/v1/tasks/{id}?wait=20s")).await?;
                let status = task["status"].as_str().unwrap_or_default().to_uppercase();
                match status.as_str() {
                    "SUCCESSFUL" => return Ok(1),
                    // An output of a whole megabyte that needs escapes exceeds the limit of outputs.
                    "FAILED" if task.to_string().contains("OUTPUT_TOO_LARGE") => return Ok(1),
                    "PENDING" | "IN PROGRESS" | "IN_PROGRESS" => {}
                    _ => bail!("a flooding program: {task}"),
                }
            }
        }
    });
    let ended: usize = together(all).await?.into_iter().sum();
    Ok(format!("{ended} programs of up to 300 MB each ended"))
}

async fn waiting(peer: Peer, sizes: Sizes) -> Result<String> {
    let all = (0..CLIENTS).map(|client| {
        let peer = peer.clone();
        async move {
            let mut asking = Client::default();
            for n in (client..sizes.waiting).step_by(CLIENTS) {
                // Most wait for a lock, some for a worker; some inputs are many small values.
                let workflow = if n % 4 == 0 { "queued" } else { "held" };
                let input = match n % 5 {
                    0 => json!({ "numbers": vec![1; INPUT / 8] }),
                    _ => json!({ "text": "x".repeat(INPUT) }),
                };
                submit(&mut asking, &peer, &json!({ "workflow": workflow, "input": input })).await?;
            }
            Ok::<(), anyhow::Error>(())
        }
    });
    together(all).await?;
    let mut client = Client::default();
    let mut waiting = 0;
    for kind in ["HELD", "QUEUED"] {
        let (page, _) = get(&mut client, &peer, &format!("/v1/tasks?taskType={kind}&pageSize=1")).await?;
        waiting += page["pageMetadata"]["totalElements"].as_u64().unwrap_or(0);
    }
    ensure!(waiting == sizes.waiting as u64, "{waiting} of {} tasks are there", sizes.waiting);
    Ok(format!("{waiting} tasks wait with 1 MB each"))
}

async fn pages(peer: Peer, sizes: Sizes) -> Result<String> {
    let mut client = Client::default();
    for _ in 0..FANS {
        let items: Vec<usize> = (0..CHILDREN).collect();
        submit(&mut client, &peer, &json!({ "workflow": "fan", "input": { "items": items } })).await?;
    }
    let all = (0..CLIENTS).map(|_| {
        let peer = peer.clone();
        async move {
            let (mut client, mut largest) = (Client::default(), 0);
            for _ in 0..sizes.pages {
                let (page, size) = get(&mut client, &peer, "/v1/tasks?taskType=FAN&pageSize=20").await?;
                let tasks = page["elements"].as_array().context("a page")?;
                ensure!(tasks.len() == FANS, "{} tasks in the page", tasks.len());
                for task in tasks {
                    let counts = task["subTasks"][0]["childCounts"].as_object().context("childCounts")?;
                    let children: u64 = counts.values().filter_map(Value::as_u64).sum();
                    ensure!(children == CHILDREN as u64, "{children} children");
                }
                largest = largest.max(size);
            }
            Ok(largest)
        }
    });
    let largest = together(all).await?.into_iter().max().unwrap_or(0);
    ensure!(largest < 1 << 20, "a page has {largest} bytes");
    Ok(format!(
        "{} pages of {FANS} tasks of {CHILDREN} children, {} KiB each",
        CLIENTS * sizes.pages,
        largest >> 10
    ))
}

/// Has each client request a whole wide task, leave the answer unread for a while, and then read it.
async fn slow_readers(peer: Peer, _: Sizes) -> Result<String> {
    let mut client = Client::default();
    let (page, _) = get(&mut client, &peer, "/v1/tasks?taskType=FAN&pageSize=20").await?;
    let ids = page["elements"].as_array().context("a page")?;
    let ids: Vec<String> = ids.iter().filter_map(|task| Some(task["id"].as_str()?.to_owned())).collect();
    let all = ids.into_iter().take(CLIENTS).map(|id| {
        let peer = peer.clone();
        async move {
            let path = format!("/v1/tasks/{id}");
            let request = Request { headers: &[("connection", "close")], ..Request::get(&path) };
            let mut stream = peer.send(&request).await?;
            sleep(Duration::from_secs(5)).await;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            ensure!(
                answer.starts_with(b"HTTP/1.1 200"),
                "{}",
                String::from_utf8_lossy(&answer[..answer.len().min(200)])
            );
            ensure!(answer.ends_with(b"}"), "the answer is cut off after {} bytes", answer.len());
            Ok(answer.len())
        }
    });
    let read = together(all).await?;
    Ok(format!("{} answers of {} KiB", read.len(), read.iter().max().unwrap_or(&0) >> 10))
}
