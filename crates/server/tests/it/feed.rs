//! The feed: events of a list and of a task, and pages of changes. Whatever happens, a reader ends up with
//! what the list says.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use longhaul_auth::Role;
use reqwest::{Client, Response};
use serde_json::{Value, json};

use super::support::{Running, service};

/// Event of a stream.
#[derive(Clone, Debug)]
struct Event {
    name: String,
    cursor: Option<String>,
    data: Value,
}

/// Reader of a stream, with what it knows by it.
struct Reader {
    url: String,
    client: Client,
    response: Response,
    text: String,
    cursor: Option<String>,
    /// Version of each task that belongs to the list.
    tasks: BTreeMap<String, u64>,
    snapshot: bool,
}

fn version(task: &Value) -> u64 {
    task["version"].as_u64().unwrap_or_default()
}

impl Reader {
    async fn open(client: &Client, url: String) -> Reader {
        let response = client.get(&url).send().await.unwrap();
        assert_eq!(response.status(), 200, "{url}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let (text, tasks) = (String::new(), BTreeMap::new());
        Reader { url, client: client.clone(), response, text, cursor: None, tasks, snapshot: false }
    }

    /// Breaks the stream off and goes on where it was; true if the server allowed that.
    async fn resume(&mut self) -> bool {
        let Some(cursor) = self.cursor.clone() else { return false };
        let request = self.client.get(&self.url).header("Last-Event-ID", cursor);
        self.response = request.send().await.unwrap();
        self.text.clear();
        self.response.status() == 200
    }

    /// The next event; `None` when the stream is over or nothing comes for so long.
    async fn next(&mut self, within: Duration) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (mut name, mut cursor, mut data) = (String::new(), None, String::new());
                for line in event.lines() {
                    match line.split_once(": ") {
                        Some(("event", is)) => is.clone_into(&mut name),
                        Some(("id", is)) => cursor = Some(is.to_owned()),
                        Some(("data", is)) => data += is,
                        _ => assert_eq!(line, "data: ", "{event}"),
                    }
                }
                let data = serde_json::from_str(&data).unwrap();
                let event = Event { name, cursor, data };
                self.text = rest.to_owned();
                self.learn(&event);
                return Some(event);
            }
            let chunk = tokio::time::timeout(within, self.response.chunk()).await.ok()?.ok()??;
            self.text += std::str::from_utf8(&chunk).unwrap();
        }
    }

    fn learn(&mut self, event: &Event) {
        if let Some(cursor) = &event.cursor {
            self.cursor = Some(cursor.clone());
        }
        let id = event.data["id"].as_str().unwrap_or_default().to_owned();
        match event.name.as_str() {
            "task" => {
                let known = self.tasks.entry(id).or_insert(0);
                assert!(version(&event.data) >= *known, "versions never fall: {event:?}");
                *known = version(&event.data);
            }
            "left" | "deleted" => drop(self.tasks.remove(&id)),
            "snapshot" => self.snapshot = true,
            "bookmark" | "reset" => {}
            other => panic!("an event {other}"),
        }
    }

    async fn read_until(&mut self, what: &str, mut is: impl FnMut(&Reader) -> bool) {
        let begun = Instant::now();
        while !is(self) {
            assert!(begun.elapsed() < Duration::from_secs(30), "{what}: {:?} of {}", self.tasks, self.url);
            self.next(Duration::from_secs(5)).await;
        }
    }
}

/// Versions of the tasks of a list.
async fn listed(server: &Running, query: &str) -> BTreeMap<String, u64> {
    let page = server.get(&format!("/v1/tasks?pageSize=100&include=version&{query}")).await.json();
    assert!(page["pageMetadata"]["totalElements"].as_u64().unwrap() <= 100);
    let tasks = page["elements"].as_array().unwrap().iter();
    tasks.map(|task| (task["id"].as_str().unwrap().to_owned(), version(task))).collect()
}

async fn workflows(server: &Running) {
    server
        .workflow("good", vec![json!({}), json!({ "action": { "simulate": { "duration": "30ms" } } })])
        .await;
    server.workflow("bad", vec![json!({ "action": { "simulate": { "failAttempts": [1, 2] } } })]).await;
    server.workflow("long", vec![json!({ "action": { "simulate": { "duration": "10m" } } })]).await;
}

async fn start(server: &Running, workflow: &str, n: u32) -> String {
    let input = json!({ "host": format!("esx{}", n % 5) });
    let body = json!({ "workflow": workflow, "input": input, "labels": { "rack": format!("r{}", n % 3) } });
    let started = server.send("POST", "/v1/tasks", Some(body)).await;
    assert_eq!(started.status, 202, "{started:?}");
    started.json()["id"].as_str().unwrap().to_owned()
}

const FILTERS: [&str; 7] = [
    "",
    "taskStatus=FAILED",
    "taskStatus=IN_PROGRESS",
    "label=rack=r1",
    "resourceId=esx3&taskStatus=SUCCESSFUL,CANCELLED",
    "openFailures=true",
    "taskName=ESX2",
];

/// Tasks of every kind are started, cancelled, retried, resolved, deleted and imported, while readers with
/// different filters read, break off and resume.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_end_up_with_what_the_list_says() {
    let server = Running::start().await;
    workflows(&server).await;
    for n in 0..10 {
        start(&server, ["good", "bad"][n as usize % 2], n).await;
    }
    let mut readers = Vec::new();
    for filter in FILTERS {
        let url = server.url(&format!("/v1/tasks/events?pageSize=100&{filter}"));
        readers.push((filter, Reader::open(&server.client, url).await));
    }
    let mut ids = Vec::new();
    for n in 0..60_u32 {
        ids.push(start(&server, ["good", "bad", "long"][n as usize % 3], n).await);
        let id = &ids[(n * 7 % (ids.len() as u32)) as usize];
        match n % 6 {
            0 => drop(server.send("DELETE", &format!("/v1/tasks/{id}"), None).await),
            1 => drop(server.send("PATCH", &format!("/v1/tasks/{id}"), None).await),
            2 => {
                let body = json!({ "reason": "it was looked at" });
                drop(server.send("POST", &format!("/v1/tasks/{id}/resolve"), Some(body)).await);
            }
            3 => drop(server.send("DELETE", "/v1/tasks/history", Some(json!({ "taskIds": [id] }))).await),
            4 => {
                let task = json!({
                    "id": format!("00000000-0000-4000-8000-{:012}", n % 3), "name": "Imported\nesx2", "type": "HOST",
                    "status": (if n % 12 < 6 { "FAILED" } else { "SUCCESSFUL" }), "creationTimestamp": "2026-01-01T00:00:00Z",
                    "subTasks": [], "resources": [{ "resourceId": "esx3", "type": "HOST" }],
                });
                // Written over several lines, as files often are.
                let text = serde_json::to_string_pretty(&task).unwrap();
                let request = server.client.post(server.url("/v1/tasks/import"));
                let sent =
                    request.header("content-type", "application/json").body(text).send().await.unwrap();
                assert_eq!(sent.status(), 200);
            }
            _ => {
                let (filter, reader) = &mut readers[n as usize % FILTERS.len()];
                reader.read_until("the snapshot", |reader| reader.snapshot).await;
                assert!(reader.resume().await, "{filter}");
            }
        }
        for (_, reader) in &mut readers {
            while reader.next(Duration::from_millis(1)).await.is_some() {}
        }
    }
    for id in ids.iter().step_by(2) {
        server.send("DELETE", &format!("/v1/tasks/{id}"), None).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    for (filter, reader) in &mut readers {
        let wanted = listed(&server, filter).await;
        reader.read_until(&format!("{wanted:?}"), |reader| reader.tasks == wanted).await;
    }
}

/// Pages of changes, of any size, say the same as the stream; a page waits for the next change.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_changes_miss_nothing() {
    let server = Running::start().await;
    workflows(&server).await;
    for limit in [1, 2, 100] {
        let first = server.get("/v1/changes").await.json();
        assert_eq!(first["elements"], json!([]));
        let mut cursor = first["cursor"].as_str().unwrap().to_owned();
        let ids = [start(&server, "good", 1).await, start(&server, "bad", 2).await];
        server.ended(&ids[0]).await;
        server.ended(&ids[1]).await;
        server.send("DELETE", "/v1/tasks/history", Some(json!({ "taskIds": [ids[0]] }))).await;
        let mut known = BTreeMap::new();
        let begun = Instant::now();
        while known.len() < 2 || known[&ids[0]] != "DELETED" || known[&ids[1]] != "Failed" {
            assert!(begun.elapsed() < Duration::from_secs(20), "{known:?}");
            let page = server.get(&format!("/v1/changes?limit={limit}&wait=1s&cursor={cursor}")).await.json();
            page["cursor"].as_str().unwrap().clone_into(&mut cursor);
            for change in page["elements"].as_array().unwrap() {
                let id = change["id"].as_str().or(change["task"]["id"].as_str()).unwrap();
                let state = change["task"]["status"].as_str().or(change["change"].as_str()).unwrap();
                known.insert(id.to_owned(), state.to_owned());
            }
        }
    }
    let begun = Instant::now();
    let cursor = server.get("/v1/changes").await.json()["cursor"].as_str().unwrap().to_owned();
    let path = format!("/v1/changes?wait=30s&cursor={cursor}");
    let (page, _) = tokio::join!(server.get(&path), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        start(&server, "long", 3).await
    });
    assert!(!page.json()["elements"].as_array().unwrap().is_empty());
    assert!(begun.elapsed() < Duration::from_secs(25), "the page came with the change");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_followed_to_its_deletion() {
    let server = Running::start().await;
    workflows(&server).await;
    let id = start(&server, "good", 1).await;
    let url = server.url(&format!("/v1/tasks/{id}/events"));
    let mut reader = Reader::open(&server.client, url).await;
    let mut last = Value::Null;
    while last["status"] != "Successful" {
        let event = reader.next(Duration::from_secs(20)).await.unwrap();
        if event.name == "task" {
            assert_eq!(event.data["subTasks"].as_array().unwrap().len(), 2, "the whole task");
            last = event.data;
        }
    }
    assert!(reader.snapshot);
    server.send("DELETE", "/v1/tasks/history", Some(json!({ "taskIds": [id] }))).await;
    let gone = reader.next(Duration::from_secs(20)).await.unwrap();
    assert_eq!((gone.name.as_str(), &gone.data["id"]), ("deleted", &json!(id)));
    assert!(reader.next(Duration::from_secs(20)).await.is_none(), "the stream is over");
    let unknown = server.get(&format!("/v1/tasks/{id}/events")).await;
    assert_eq!((unknown.status.as_u16(), unknown.code().as_str()), (404, "TA_TASK_NOT_FOUND"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursors_that_are_not_known_are_gone_or_refused() {
    let (server, other) = (Running::start().await, Running::start().await);
    let foreign = other.get("/v1/changes").await.json()["cursor"].as_str().unwrap().to_owned();
    let none = "00000000-0000-4000-8000-000000000000";
    for path in ["/v1/changes?", "/v1/tasks/events?", &format!("/v1/tasks/{none}/events?")] {
        let gone = server.get(&format!("{path}cursor={foreign}")).await;
        assert_eq!((gone.status.as_u16(), gone.code().as_str()), (410, "CURSOR_GONE"), "{path}");
        let bad = server.get(&format!("{path}cursor=nonsense")).await;
        assert_eq!((bad.status.as_u16(), bad.code().as_str()), (400, "INVALID_PARAMETER"), "{path}");
    }
    let bad = server.get("/v1/tasks/events?taskStatus=RUNNING").await;
    assert_eq!(bad.status, 400);
}

/// A stream ends with what allowed it, and with the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_its_credential_and_with_the_server() {
    let server = Running::start().await;
    let key = service(&server.parts.auth, "reader", Role::Viewer).await;
    let mut reader = Reader::open(&server.client_with(&key), server.url("/v1/tasks/events")).await;
    reader.read_until("the snapshot", |reader| reader.snapshot).await;
    let mut stays = Reader::open(&server.client, server.url("/v1/tasks/events")).await;
    stays.read_until("the snapshot", |reader| reader.snapshot).await;
    let worker = server.send("PATCH", "/v1/users/reader", Some(json!({ "role": "WORKER" }))).await;
    assert_eq!(worker.status, 200, "{worker:?}");
    let end = reader.next(Duration::from_secs(20)).await.unwrap();
    assert_eq!((end.name.as_str(), &end.data["errorCode"]), ("reset", &json!("SESSION_ENDED")));
    assert!(reader.next(Duration::from_secs(20)).await.is_none());
    server.parts.engine.drain();
    let end = stays.next(Duration::from_secs(20)).await.unwrap();
    assert_eq!((end.name.as_str(), &end.data["errorCode"]), ("reset", &json!("SERVER_STOPPING")));
}
