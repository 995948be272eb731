//! A task with secrets whose request is gone from the database: nobody knows the secrets any more, so that
//! nothing that a worker says is stored or shown.

use serde_json::{Value, json};

use super::base::Base;
use super::support::Server;

/// Name of the worker.
const WORKER: &str = "worker-5f2d6c0b9a1e4d73";
const SECRET: &str = "w9-Quetzalcoatl-the-secret-4K";

fn definition() -> Value {
    json!({
        "name": "guarded", "type": "GUARDED", "title": "Guarded",
        "input": { "type": "object", "properties": { "password": { "type": "string", "writeOnly": true } } },
        "subTasks": [{ "name": "Work", "description": "It works", "action": { "worker": { "queue": "guarded",
            "input": { "password": "{{ input.password }}" } } } }],
    })
}

fn ask() -> Value {
    json!({ "worker": WORKER, "queues": ["guarded"], "max": 1, "wait": "30s", "lease": "120s" })
}

/// Everything that the API shows of a task.
fn shown(server: &Server, id: &str) -> String {
    let parts = ["?include=all", "/logs", "/attempts", "/history", "/why"];
    let parts = parts.map(|part| server.call("GET", &format!("/v1/tasks/{id}{part}"), None).1.to_string());
    let list = server.call("GET", "/v1/tasks?include=all", None).1.to_string();
    parts.concat() + &list
}

fn never_shown(base: &Base, delete: &str) {
    let server = base.serve("error");
    assert_eq!(server.call("PUT", "/v1/workflows/guarded", Some(&definition())).0, 201);
    let start = json!({ "workflow": "guarded", "input": { "password": SECRET } });
    let ids: Vec<String> = (0..3)
        .map(|_| server.call("POST", "/v1/tasks", Some(&start)).1["id"].as_str().expect("an id").to_owned())
        .collect();
    let mut leases = Vec::new();
    while leases.len() < 2 {
        let (status, answer) = server.call("POST", "/v1/workers/lease", Some(&ask()));
        assert_eq!(status, 200, "{answer}");
        let got = answer["leases"].as_array().expect("leases").clone();
        assert!(got.iter().all(|lease| lease["input"]["password"] == SECRET), "{answer}");
        leases.extend(got);
    }
    server.stop();
    assert_eq!(base.change(delete), 3);

    // The third has not begun: it must not begin without its secrets.
    let server = base.serve("off");
    let line = json!([{ "text": format!("log {SECRET}") }]);
    let stage = json!([{ "name": format!("stage {SECRET}"), "status": "IN_PROGRESS" }]);
    let beats: Vec<Value> =
        leases.iter().map(|lease| json!({ "lease": lease["lease"], "log": line, "stages": stage })).collect();
    let beat = json!({ "worker": WORKER, "leases": beats });
    let heard = server.call("POST", "/v1/workers/heartbeat", Some(&beat));
    let done = json!({ "worker": WORKER,
        "completed": [{ "lease": leases[0]["lease"], "output": { "echo": SECRET }, "log": line }],
        "failed": [{ "lease": leases[1]["lease"], "log": line, "retryable": false,
            "error": { "code": "NO", "message": format!("message {SECRET}"), "context": { "x": SECRET } } }],
        "next": { "queues": ["guarded"], "max": 1 } });
    let reported = server.call("POST", "/v1/workers/complete", Some(&done));
    assert!(!format!("{heard:?}{reported:?}").contains(SECRET), "{heard:?} {reported:?}");
    for id in &ids {
        assert!(!shown(&server, id).contains(SECRET), "{}", shown(&server, id));
        let (status, cancelled) = server.call("DELETE", &format!("/v1/tasks/{id}"), None);
        let over = server.call("GET", &format!("/v1/tasks/{id}"), None).1["status"].clone();
        assert!(status < 300 || over == "Failed" || over == "Successful", "{status} {cancelled} {over}");
    }
    server.stop();
    assert!(!base.everything().contains(SECRET), "the secret is stored");
}

#[test]
fn a_missing_input_gives_no_secret_away_on_sqlite() {
    never_shown(&Base::sqlite(), "DELETE FROM specs");
}

#[test]
fn a_missing_input_gives_no_secret_away_on_postgresql() {
    never_shown(&Base::postgres(), "DELETE FROM specs");
}
