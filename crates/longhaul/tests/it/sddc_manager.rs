//! `serve --workflows workflows/sddc-manager`: each operation of the official document that answers with a
//! task is called as its table says, and its task runs to its end, or fails where it was told to and goes on
//! when retried.

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::support::Server;

const TABLE: &str = include_str!("../../../server/src/declared/operations.md");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../workflows/sddc-manager");

struct Operation {
    method: &'static str,
    path: &'static str,
    success: Vec<u16>,
    /// Smallest body that the operation accepts.
    body: Option<Value>,
    /// The parameters of its query, truth values all of them.
    query: Vec<&'static str>,
}

fn operations() -> Vec<Operation> {
    let rows = TABLE.lines().filter(|row| row.contains("| /v1/")).map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let success = cells[3].split('/').map(|code| code.parse().expect("a code")).collect();
        let query = cells[5].split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        Operation { method: cells[1], path: cells[2], success, body: least(cells[2], cells[4]), query }
    });
    rows.filter(|one| {
        !["/v1/tasks", "/v1/credentials", "/v1/tokens"].iter().any(|own| one.path.starts_with(own))
    })
    .collect()
}

/// `object: a, b`, `list of objects: a`, `string` or `none` as a value.
fn least(path: &str, described: &str) -> Option<Value> {
    let (kind, members) = described.split_once(':').unwrap_or((described, ""));
    let member = |name: &str| match name {
        name if name.ends_with("Spec") => json!({ "name": name, "rootPassword": "VMware1!" }),
        name if name.ends_with('s') && name != "nsxIds" => json!([{ "id": name }]),
        "mtu" => json!(9000),
        _ => json!(format!("a-{name}")),
    };
    let members: Map<String, Value> = members
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| (name.to_owned(), member(name)))
        .collect();
    match kind {
        "none" => None,
        "string" if path == "/v1/system/ceip" => Some(json!("ENABLE")),
        "string" => Some(json!("text")),
        "list of objects" => Some(json!([members])),
        _ => Some(Value::Object(members)),
    }
}

fn called(path: &str, with: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { with } else { part }).collect::<Vec<_>>().join("/")
}

#[test]
fn every_operation_answers_with_a_task_that_runs() {
    let data = TempDir::new().expect("a directory");
    let server = Server::start(data.path(), "127.0.0.1:0", &["--workflows", FOLDER, "--log-level", "error"]);
    let operations = operations();
    assert_eq!(operations.len(), 44);
    let mut tasks = Vec::new();
    for one in &operations {
        let (method, path) = (one.method, called(one.path, "f3a1"));
        let (status, task) = server.call(method, &path, one.body.as_ref());
        assert!(one.success.contains(&status), "{method} {path}: {status} {task}");
        assert!(task["subTasks"].as_array().is_some_and(|subs| subs.len() > 1), "{method} {path}: {task}");
        assert!(!task.to_string().contains("VMware1!"), "{task}");
        tasks.push((one, task["id"].as_str().expect("an id").to_owned()));
        // A body that does not fit is refused with a declared code, without a task.
        let (status, refused) = server.call(method, &path, Some(&json!(true)));
        assert!((400..500).contains(&status), "{method} {path}: {status} {refused}");
    }
    assert_eq!(operations.iter().filter(|one| !one.query.is_empty()).count(), 5);
    for (one, parameter) in operations.iter().flat_map(|one| one.query.iter().map(move |name| (one, name))) {
        let (method, path) = (one.method, called(one.path, "f3a1"));
        let call = |query: &str| server.call(method, &format!("{path}?{query}"), one.body.as_ref());
        let (status, task) = call(&format!("{parameter}=true"));
        assert!(one.success.contains(&status), "{method} {path}: {status} {task}");
        let id = task["id"].as_str().expect("an id").to_owned();
        let (_, task) = server.call("GET", &format!("/v1/tasks/{id}?include=input&wait=60s"), None);
        assert_eq!(task["input"][parameter], true, "{method} {path}: {task}");
        // What the parameter says not to do is not done.
        let skipped = task["subTasks"].as_array().expect("sub-tasks").iter();
        assert_eq!(skipped.filter(|sub| sub["status"] == "NOT_APPLICABLE").count(), 1, "{task}");
        for (query, named) in [(format!("{parameter}=maybe"), *parameter), ("other=true".to_owned(), "other")]
        {
            let (status, refused) = call(&query);
            assert_eq!((status, &refused["arguments"]), (400, &json!([named])), "{method} {path}: {refused}");
        }
    }
    for (one, id) in tasks {
        let (_, task) = server.call("GET", &format!("/v1/tasks/{id}?wait=60s"), None);
        let status = task["status"].as_str().expect("a status").to_uppercase();
        assert_eq!(status, "SUCCESSFUL", "{} {}: {task}", one.method, one.path);
    }
}

#[test]
fn operations_fail_where_they_are_told_to_and_go_on_when_retried() {
    let data = TempDir::new().expect("a directory");
    let server = Server::start(data.path(), "127.0.0.1:0", &["--workflows", FOLDER, "--log-level", "error"]);
    let host = json!([{ "fqdn": "fail-at-ConfigureHosts.lab", "networkPoolId": "p", "password": "VMware1!",
        "storageType": "VSAN", "username": "root" }]);
    let cluster =
        json!({ "computeSpec": {}, "domainId": "d", "failAt": "AddHostsToCluster", "pace": "10ms" });
    let ceip = json!({ "status": "ENABLE", "failAt": "UpdateCeipForEsxiAction", "pace": "10ms" });
    for (method, path, body, at) in [
        ("POST", "/v1/hosts", Some(host), "ConfigureHosts"),
        ("POST", "/v1/clusters", Some(cluster), "AddHostsToCluster"),
        ("DELETE", "/v1/clusters/fail-at-DeleteVcenterCluster", None, "DeleteVcenterCluster"),
        ("PATCH", "/v1/system/ceip", Some(ceip), "UpdateCeipForEsxiAction"),
    ] {
        let (status, task) = server.call(method, path, body.as_ref());
        assert_eq!(status, 202, "{method} {path}: {task}");
        let own = format!("/v1/tasks/{}", task["id"].as_str().expect("an id"));
        let failed = server.call("GET", &format!("{own}?wait=60s"), None).1;
        assert_eq!(failed["status"], "Failed", "{failed}");
        let subs = failed["subTasks"].as_array().expect("sub-tasks");
        let which: Vec<&Value> =
            subs.iter().filter(|sub| sub["status"] == "FAILED").map(|sub| &sub["name"]).collect();
        assert_eq!(which, [at], "{failed}");
        assert_eq!(server.call("PATCH", &own, None).0, 200);
        assert_eq!(server.call("GET", &format!("{own}?wait=60s"), None).1["status"], "Successful");
    }
}
