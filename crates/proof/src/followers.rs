//! Readers of the feed beside a load: streams of events and pages of changes, across every crash. What each
//! was told is held against the last state of every task.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::http::{Client, Peer, Request};
use crate::load::Shared;
use crate::wire;

/// Last word that a reader had of each task.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Name of the reader.
    pub name: String,
    /// Last revision and status of each task, as the feed or a list had them.
    pub tasks: HashMap<Uuid, (u64, String)>,
    /// Node that told the last revision of each task.
    pub nodes: HashMap<Uuid, SocketAddr>,
    /// True if one address stands for several nodes, so that nobody knows which node told what.
    pub balanced: bool,
    /// Tasks whose revision fell, in words.
    pub fell: Vec<String>,
    /// Number of times that the reader resumed from its cursor.
    pub resumed: u64,
    /// Number of times that the reader had to begin anew.
    pub anew: u64,
    /// True if the reader ended in order, having read all there was.
    pub ended: bool,
}

impl Told {
    /// Takes a task from a node. A reader that comes from another node may be told what that one had told
    /// already, and drops what is older, as the feed asks of its readers; one node never tells an older
    /// revision after a newer one.
    fn task(&mut self, node: SocketAddr, task: &Value) {
        let (Ok(id), Some(revision)) = (wire::id(task), task["version"].as_u64()) else { return };
        let status = task["status"].as_str().unwrap_or_default().to_owned();
        if let Some((known, _)) = self.tasks.get(&id)
            && *known > revision
        {
            if self.balanced || self.nodes.get(&id) != Some(&node) {
                return;
            }
            self.fell.push(format!("{}: task {id} fell from revision {known} to {revision}", self.name));
        }
        self.tasks.insert(id, (revision, status));
        self.nodes.insert(id, node);
    }

    fn change(&mut self, node: SocketAddr, change: &Value) {
        match change["change"].as_str() {
            Some("TASK") => self.task(node, &change["task"]),
            Some("DELETED") => drop(wire::id(change).map(|id| self.tasks.remove(&id))),
            _ => {}
        }
    }
}

/// Longest wait of a page, and silence of a stream after which it is read to its end.
const WAIT: Duration = Duration::from_secs(1);
const SILENCE: Duration = Duration::from_secs(3);
/// Longest time for which a reader may be told nothing more, once all is over, before it is at the end.
const STANDSTILL: Duration = Duration::from_secs(30);
/// Longest time that a reader may take to catch up once all is over, however busy the machine is.
const CATCH_UP: Duration = Duration::from_secs(600);

/// Patience with a reader that catches up: it may take long on a busy machine, but it must get on.
struct Patience {
    /// Time at which the reader saw that all is over.
    over: Option<Instant>,
    /// Time at which the reader was last told something.
    moved: Instant,
}

impl Patience {
    fn new() -> Patience {
        Patience { over: None, moved: Instant::now() }
    }

    fn moved(&mut self) {
        self.moved = Instant::now();
    }

    /// True if all is over and the reader does not get to its end.
    fn is_lost(&mut self, shared: &Shared) -> bool {
        if !shared.over.get() {
            return false;
        }
        let over = *self.over.get_or_insert_with(Instant::now);
        over.max(self.moved).elapsed() > STANDSTILL || over.elapsed() > CATCH_UP
    }
}

/// Reads pages of changes until the load is over and nothing follows.
pub(crate) async fn poll(shared: Rc<Shared>, number: usize) -> Told {
    let mut told =
        Told { name: format!("poller {number}"), balanced: shared.balanced.get(), ..Told::default() };
    let (mut client, mut cursor, mut patience) = (Client::default(), None, Patience::new());
    loop {
        let done = shared.over.get();
        if patience.is_lost(&shared) {
            return told;
        }
        let Some(peer) = shared.peer() else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let Some(from) = cursor.clone() else {
            cursor = begin(&mut client, &peer, &mut told, &mut patience).await;
            continue;
        };
        let path = format!("/v1/changes?limit=200&wait={}ms&cursor={from}", WAIT.as_millis());
        match client.ask(&peer, &Request::get(&path)).await {
            Ok(answer) if answer.status == 410 => cursor = None,
            Ok(answer) if answer.status == 200 => {
                let Some(page) = answer.json() else { continue };
                let changes = page["elements"].as_array().cloned().unwrap_or_default();
                changes.iter().for_each(|change| told.change(peer.address, change));
                if !changes.is_empty() {
                    patience.moved();
                }
                cursor = page["cursor"].as_str().map(str::to_owned);
                if done && changes.is_empty() && page["more"] == false {
                    told.ended = true;
                    return told;
                }
            }
            _ => {
                told.resumed += 1;
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Reads a stream of events until the load is over and nothing follows.
pub(crate) async fn stream(shared: Rc<Shared>, number: usize) -> Told {
    let mut told =
        Told { name: format!("stream {number}"), balanced: shared.balanced.get(), ..Told::default() };
    let (mut client, mut cursor, mut patience) = (Client::default(), None, Patience::new());
    loop {
        if patience.is_lost(&shared) {
            return told;
        }
        let Some(peer) = shared.peer() else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        if cursor.is_none() {
            cursor = begin(&mut client, &peer, &mut told, &mut patience).await;
        }
        let Some(from) = cursor.clone() else { continue };
        let headers = [("last-event-id", from.as_str())];
        let request = Request { headers: &headers, ..Request::get("/v1/tasks/events") };
        let Ok(connection) = peer.send(&request).await else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        let mut events = Events::new(connection);
        match events.status().await {
            Some(200) => {}
            Some(410) => {
                cursor = None;
                continue;
            }
            _ => {
                sleep(Duration::from_millis(20)).await;
                continue;
            }
        }
        loop {
            match timeout(SILENCE, events.next()).await {
                Ok(Some((name, id, data))) => {
                    patience.moved();
                    match name.as_str() {
                        "task" => told.task(peer.address, &data),
                        "deleted" => drop(wire::id(&data).map(|id| told.tasks.remove(&id))),
                        "reset" if data["errorCode"] == "CURSOR_GONE" => cursor = None,
                        "reset" if data["errorCode"] == "READER_TOO_SLOW" => cursor = None,
                        _ => {}
                    }
                    if cursor.is_some() && id.is_some() {
                        cursor = id;
                    }
                }
                Ok(None) => {
                    told.resumed += 1;
                    break;
                }
                // Silence is the end only if nothing follows the cursor: a busy server is silent, too.
                Err(_) if shared.over.get() => {
                    if let Some(from) = &cursor
                        && is_end(&mut client, &peer, from).await
                    {
                        told.ended = true;
                        return told;
                    }
                    if patience.is_lost(&shared) {
                        return told;
                    }
                }
                Err(_) => {}
            }
        }
    }
}

/// True if a server knows of no change after a cursor.
async fn is_end(client: &mut Client, peer: &Peer, from: &str) -> bool {
    let path = format!("/v1/changes?limit=1&wait=0ms&cursor={from}");
    let answer = client.ask(peer, &Request::get(&path)).await.ok().filter(|answer| answer.status == 200);
    let Some(page) = answer.and_then(|answer| answer.json()) else { return false };
    page["elements"].as_array().is_some_and(Vec::is_empty) && page["more"] == false
}

/// Begins anew: takes the cursor of now, then reads the whole list.
async fn begin(client: &mut Client, peer: &Peer, told: &mut Told, patience: &mut Patience) -> Option<String> {
    let first = client.ask(peer, &Request::get("/v1/changes")).await.ok()?.json()?;
    let cursor = first["cursor"].as_str()?.to_owned();
    let mut listed = HashMap::new();
    for number in 1.. {
        let path = format!(
            "/v1/tasks?include=version&pageSize=100&pageNumber={number}&orderBy=creationTimestamp&orderDirection=ASC"
        );
        let page = client.ask(peer, &Request::get(&path)).await.ok()?.json()?;
        let tasks = page["elements"].as_array()?;
        patience.moved();
        for task in tasks {
            listed.insert(wire::id(task).ok()?, task.clone());
        }
        if tasks.len() < 100 {
            break;
        }
    }
    told.anew += 1;
    // What the storage has lost is forgotten with it.
    told.tasks.clear();
    told.nodes.clear();
    listed.values().for_each(|task| told.task(peer.address, task));
    Some(cursor)
}

/// Stream of events, read as HTTP sends it in chunks.
struct Events {
    connection: BufReader<TcpStream>,
    text: String,
}

impl Events {
    fn new(connection: TcpStream) -> Events {
        Events { connection: BufReader::new(connection), text: String::new() }
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.connection.read_line(&mut line).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
        }
    }

    /// Reads the head of the answer.
    async fn status(&mut self) -> Option<u16> {
        let status = self.line().await?.split(' ').nth(1)?.parse().ok()?;
        while !self.line().await?.is_empty() {}
        Some(status)
    }

    /// Reads the next event: its name, cursor and data; `None` once the stream is over.
    async fn next(&mut self) -> Option<(String, Option<String>, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let mut lines = event.lines().filter_map(|line| line.strip_prefix(name));
                    lines.next().map(|value| value.trim().to_owned())
                };
                let (name, id) = (field("event:").unwrap_or_default(), field("id:"));
                let data = event.lines().filter_map(|line| line.strip_prefix("data:")).collect::<String>();
                let read = (name, id, serde_json::from_str(&data).unwrap_or_default());
                self.text = rest.to_owned();
                return Some(read);
            }
            let size = usize::from_str_radix(&self.line().await?, 16).ok().filter(|size| *size > 0)?;
            let mut chunk = vec![0; size];
            self.connection.read_exact(&mut chunk).await.ok()?;
            self.line().await?;
            self.text.push_str(std::str::from_utf8(&chunk).ok()?);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fallen(nodes: [u16; 2], balanced: bool) -> (usize, u64) {
        let mut told = Told { name: "poller".to_owned(), balanced, ..Told::default() };
        let id = Uuid::nil();
        for (port, version) in nodes.into_iter().zip([5, 4]) {
            told.task(([127, 0, 0, 1], port).into(), &json!({ "id": id, "version": version, "status": "x" }));
        }
        (told.fell.len(), told.tasks[&id].0)
    }

    #[test]
    fn only_a_single_node_must_not_tell_what_is_older() {
        assert_eq!(fallen([1, 1], false), (1, 4));
        assert_eq!(fallen([1, 2], false), (0, 5));
        assert_eq!(fallen([1, 1], true), (0, 5));
    }
}
