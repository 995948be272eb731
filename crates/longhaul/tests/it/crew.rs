//! Workers at one node, with the work at another.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use super::nodes::Site;

/// Children of the `forEach`.
const CHILDREN: usize = 2_000;
/// Workers that ask for them.
const WORKERS: usize = 40;
/// Longest time until all of them are done: many times what it takes.
const DEADLINE: Duration = Duration::from_secs(150);

const WORKFLOW: &str = r#"
name: fan
type: FAN
title: A fan
input: { type: object, required: [items], properties: { items: { type: array } } }
subTasks:
  - name: each
    description: One of many
    forEach: "{{ input.items }}"
    parallel: 2000
    action: { worker: { queue: crew, input: "{{ item }}" } }
  - name: behind
    description: After all of them
    action: { simulate: {} }
"#;

/// Worker with its knowledge of the others.
struct Worker {
    http: Client,
    address: String,
    key: String,
    name: String,
    /// Count of children that the crew has completed.
    completed: Arc<AtomicUsize>,
    until: Instant,
}

impl Worker {
    async fn post(&self, verb: &str, body: Value) -> Value {
        let call = self.http.post(format!("{}/v1/workers/{verb}", self.address)).bearer_auth(&self.key);
        let call = call.header("content-type", "application/json").body(body.to_string());
        let answer = call.send().await.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.expect("a body"));
        assert_eq!(status, StatusCode::OK, "{verb}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Asks for work without waiting for any, does it and reports it until all is done; returns the items,
    /// each with the number of its attempt.
    async fn works(self) -> Vec<(u64, u64)> {
        let mut done = Vec::new();
        while self.completed.load(Ordering::SeqCst) < CHILDREN && Instant::now() < self.until {
            let answer =
                self.post("lease", json!({ "worker": self.name, "queues": ["crew"], "max": 4 })).await;
            let leases = answer["leases"].as_array().expect("leases");
            if leases.is_empty() {
                let pause = answer["retryAfterMs"].as_u64().expect("a pause");
                tokio::time::sleep(Duration::from_millis(pause.clamp(1, 1_000))).await;
                continue;
            }
            let number = |value: &Value| value.as_u64().expect("a number");
            done.extend(leases.iter().map(|one| (number(&one["input"]), number(&one["attempt"]))));
            let completed: Vec<Value> =
                leases.iter().map(|one| json!({ "lease": one["lease"], "output": one["input"] })).collect();
            self.post("complete", json!({ "worker": self.name, "completed": completed })).await;
            self.completed.fetch_add(leases.len(), Ordering::SeqCst);
        }
        done
    }
}

/// Workers that do not wait at a node without work of its own get what waits at another one: every child is
/// leased and completed once.
#[test]
fn workers_that_do_not_wait_get_what_waits_at_another_node() {
    let site = Site::new();
    let folder = site.home.path().join("workflows");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("fan.yaml"), WORKFLOW).expect("written");
    let arguments = ["--log-level", "error", "--workflows", folder.to_str().expect("a path")];
    let node =
        |name: &str| site.start_with(name, site.home.path().join("keys.json"), Stdio::inherit(), &arguments);
    let (first, second) = (node("a"), node("b"));
    first.active();
    second.active();
    let add = ["user", "add", "crew", "--role", "WORKER", "--service", "-o", "json"];
    let key = first.run(&add).code(0).json()["apiKey"].as_str().expect("a key").to_owned();
    let input = site.home.path().join("input.json");
    let items = json!({ "items": (0..CHILDREN).collect::<Vec<_>>() });
    std::fs::write(&input, items.to_string()).expect("written");
    let start = ["task", "start", "fan", "-o", "json", "--input", input.to_str().expect("a path")];
    let id = first.run(&start).code(0).json()["id"].as_str().expect("an id").to_owned();

    let done = crew_at(&second.address, &key);
    let left = CHILDREN - done.len().min(CHILDREN);
    assert_eq!(left, 0, "not leased in time: {}", second.run(&["queue", "list"]).out);
    first.succeeds(&id);
    let expected: BTreeSet<(u64, u64)> = (0..CHILDREN as u64).map(|item| (item, 1)).collect();
    assert_eq!((done.len(), done.into_iter().collect::<BTreeSet<_>>()), (CHILDREN, expected));
}

/// Runs the crew at a node; returns the sub-tasks and attempts that it did.
fn crew_at(address: &str, key: &str) -> Vec<(u64, u64)> {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let (http, completed, until) = (Client::new(), Arc::default(), Instant::now() + DEADLINE);
    runtime.block_on(async {
        let worker = |n: usize| Worker {
            http: http.clone(),
            address: address.to_owned(),
            key: key.to_owned(),
            name: format!("crew-of-forty-{n:04}"),
            completed: Arc::clone(&completed),
            until,
        };
        let crew: Vec<_> = (0..WORKERS).map(|n| tokio::spawn(worker(n).works())).collect();
        let mut done = Vec::new();
        for worker in crew {
            done.extend(worker.await.expect("it works"));
        }
        done
    })
}
