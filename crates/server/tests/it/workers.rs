//! The worker protocol as docs/workers.md has it.

mod bad;
mod failures;
mod lease;
mod page;
mod queues;
mod report;

use std::time::Duration;

use serde_json::{Value, json};

use super::support::Running;

/// A worker, by the administrator's key.
pub(crate) struct Worker<'a> {
    server: &'a Running,
    name: String,
}

impl<'a> Worker<'a> {
    fn new(server: &'a Running, name: &str) -> Self {
        Worker { server, name: format!("{name}-0123456789abcdef") }
    }

    async fn call(&self, verb: &str, mut body: Value) -> (u16, Value) {
        body["worker"] = self.name.as_str().into();
        let answer = self.server.send("POST", &format!("/v1/workers/{verb}"), Some(body)).await;
        (answer.status.as_u16(), answer.json())
    }

    /// Asks for leases and returns those that were given at once.
    async fn lease(&self, more: Value) -> Vec<Value> {
        let mut body = json!({ "queues": ["q"], "max": 10 });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, answer) = self.call("lease", body).await;
        assert_eq!(status, 200, "{answer}");
        answer["leases"].as_array().unwrap().clone()
    }

    async fn lease_one(&self) -> String {
        let leases = self.lease(json!({ "wait": "5s" })).await;
        leases[0]["lease"].as_str().unwrap().to_owned()
    }

    async fn complete(&self, lease: &str, output: Value) -> (u16, Value) {
        self.call("complete", json!({ "completed": [{ "lease": lease, "output": output }] })).await
    }

    async fn fail(&self, lease: &str, more: Value) -> (u16, Value) {
        let mut failed = json!({ "lease": lease, "error": { "code": "BROKEN", "message": "it broke" } });
        failed.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.call("fail", json!({ "failed": [failed] })).await
    }
}

/// Stores a workflow of `worker` sub-tasks on the queue `q`, each given by its members beyond that.
async fn workflow(server: &Running, sub_tasks: Vec<Value>) {
    let action = json!({ "worker": { "queue": "q", "input": { "host": "{{ input.host }}" } } });
    let subs = sub_tasks.into_iter().map(|mut sub| {
        sub.as_object_mut().unwrap().entry("action").or_insert(action.clone());
        sub
    });
    server.workflow("work", subs.collect()).await;
}

async fn start(server: &Running) -> String {
    let body = json!({ "workflow": "work", "input": { "host": "esx1" } });
    let answer = server.send("POST", "/v1/tasks", Some(body)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn task(server: &Running, id: &str) -> Value {
    server.get(&format!("/v1/tasks/{id}?include=all")).await.json()
}

async fn ended(server: &Running, id: &str) -> Value {
    server.get(&format!("/v1/tasks/{id}?wait=10s&include=all")).await.json()
}

/// Time longer than a lease of a second with the interval of the watchdog.
const PAST_LEASE: Duration = Duration::from_millis(1_700);
