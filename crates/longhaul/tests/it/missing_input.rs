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

fn healthy() -> Value {
    json!({
        "name": "healthy", "type": "HEALTHY", "title": "Healthy", "input": { "type": "object" },
        "subTasks": [{ "name": "Work", "description": "It works", "action": { "worker": { "queue": "healthy" } } }],
    })
}

/// Leases one attempt of a queue.
fn lease(server: &Server, queue: &str) -> Value {
    let ask = json!({ "worker": WORKER, "queues": [queue], "max": 1, "wait": "30s", "lease": "120s" });
    let (status, answer) = server.call("POST", "/v1/workers/lease", Some(&ask));
    assert_eq!((status, answer["leases"].as_array().map(Vec::len)), (200, Some(1)), "{answer}");
    answer["leases"][0].clone()
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
    let leases = [lease(&server, "guarded"), lease(&server, "guarded")];
    assert!(leases.iter().all(|lease| lease["input"]["password"] == SECRET), "{leases:?}");
    // A task of its own, which the loss of the others must not touch.
    assert_eq!(server.call("PUT", "/v1/workflows/healthy", Some(&healthy())).0, 201);
    let start = json!({ "workflow": "healthy", "input": {} });
    let other = server.call("POST", "/v1/tasks", Some(&start)).1["id"].as_str().expect("an id").to_owned();
    let well = lease(&server, "healthy");
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
        "completed": [
            { "lease": leases[0]["lease"], "output": { "echo": SECRET }, "log": line },
            { "lease": well["lease"] } ],
        "failed": [{ "lease": leases[1]["lease"], "log": line, "retryable": false,
            "error": { "code": "NO", "message": format!("message {SECRET}"), "context": { "x": SECRET } } }],
        "next": { "queues": ["guarded"], "max": 1 } });
    let reported = server.call("POST", "/v1/workers/complete", Some(&done));
    assert!(!format!("{heard:?}{reported:?}").contains(SECRET), "{heard:?} {reported:?}");
    // Each is refused for itself: another lease of the same call is heard and recorded.
    assert_eq!((heard.0, reported.0), (200, 200), "{heard:?} {reported:?}");
    let results = reported.1["results"].as_array().expect("results");
    let codes: Vec<_> =
        results.iter().map(|result| result["error"]["errorCode"].as_str().unwrap_or("-")).collect();
    assert_eq!(codes, ["TASK_UNREADABLE", "-", "TASK_UNREADABLE"], "{reported:?}");
    assert_eq!(server.until(&other, "Successful")["id"], other.as_str());
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
    let lost = "DELETE FROM specs WHERE seq IN (SELECT seq FROM hot WHERE name = 'Guarded')";
    never_shown(&Base::sqlite(), lost);
}

#[test]
fn a_missing_input_gives_no_secret_away_on_postgresql() {
    let lost = "DELETE FROM specs WHERE id IN (SELECT id FROM hot WHERE name = 'Guarded')";
    never_shown(&Base::postgres(), lost);
}
