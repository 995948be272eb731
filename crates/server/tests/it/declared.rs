//! Refusals of the operations of the official document: whatever is wrong with a request, the answer has a
//! code that the document declares for its operation, and a message.

use longhaul_server::{ServerConfig, WireConfig};
use serde_json::json;

use super::support::{Answer, Running};

/// Table of declared codes, the same that the server reads.
const TABLE: &str = include_str!("../../src/declared/operations.md");

/// Codes that are about the caller or the transfer, not about the operation.
const APART: [u16; 5] = [401, 403, 413, 415, 429];

struct Operation {
    method: &'static str,
    path: &'static str,
    declared: Vec<u16>,
}

fn operations() -> Vec<Operation> {
    let rows = TABLE.lines().filter(|line| line.starts_with("| ") && line.contains("| /v1/"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let declared = cells[6].split(' ').map(|code| code.parse().unwrap()).collect();
        Operation { method: cells[1], path: cells[2], declared }
    })
    .collect()
}

/// Returns true if the server answers the path without a workflow.
fn is_built_in(path: &str) -> bool {
    ["/v1/tasks", "/v1/credentials", "/v1/tokens"].iter().any(|own| path.starts_with(own))
}

/// Binds a workflow to each of the other operations. Its input needs a number that nobody sends.
async fn bind_routes(server: &Running, operations: &[Operation]) {
    for (n, one) in operations.iter().filter(|one| !is_built_in(one.path)).enumerate() {
        let parameters = one.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let mut properties = json!({ "needed": { "type": "integer" } });
        for name in parameters {
            properties[name] = json!({ "type": "string", "maxLength": 40 });
        }
        let definition = json!({ "name": format!("op-{n}"), "type": "OPERATION", "title": "An operation",
            "route": format!("{} {}", one.method, one.path),
            "input": { "type": "object", "required": ["needed"], "properties": properties },
            "subTasks": [{ "name": "Step", "description": "A step", "action": { "simulate": {} } }] });
        let put = server.send("PUT", &format!("/v1/workflows/op-{n}"), Some(definition)).await;
        assert_eq!(put.status, 201, "{put:?}");
    }
}

/// Returns bad requests of an operation: other IDs in the path, other bodies, other content types.
fn bad_requests(one: &Operation, task: &str) -> Vec<(String, &'static str, Vec<u8>)> {
    let ids = ["00000000-0000-4000-8000-000000000000", task, "nonsense", "%ff", "a%00b"];
    let bodies: [(&str, Vec<u8>); 10] = [
        ("application/json", b"".to_vec()),
        ("application/json", b"{".to_vec()),
        ("application/json", b"17".to_vec()),
        ("application/json", b"[[]]".to_vec()),
        ("application/json", br#"{"needed":"text","elements":7,"taskIds":[]}"#.to_vec()),
        ("application/json", br#"{"a":1,"a":2}"#.to_vec()),
        ("application/json", b"\"\xfc\"".to_vec()),
        ("application/json", format!("\"{}\"", "x".repeat(2 << 20)).into_bytes()),
        ("text/plain", b"{}".to_vec()),
        ("application/json", "[".repeat(100).into_bytes()),
    ];
    let mut requests = Vec::new();
    for id in if one.path.contains('{') { &ids[..] } else { &ids[..1] } {
        let path: Vec<&str> =
            one.path.split('/').map(|part| if part.starts_with('{') { *id } else { part }).collect();
        for (kind, body) in if one.method == "GET" { &bodies[..1] } else { &bodies[..] } {
            requests.push((path.join("/"), *kind, body.clone()));
        }
    }
    requests
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_of_an_official_operation_has_a_declared_code() {
    let server = Running::start().await;
    let operations = operations();
    assert_eq!(operations.len(), 61);
    bind_routes(&server, &operations).await;
    server.workflow("w", vec![json!({})]).await;
    let task = server.run("w").await["id"].as_str().unwrap().to_owned();
    let mut refused = 0;
    for one in &operations {
        for (path, kind, body) in bad_requests(one, &task) {
            let method = reqwest::Method::from_bytes(one.method.as_bytes()).unwrap();
            let request = server.client.request(method, server.url(&path)).header("content-type", kind);
            let answer = Answer::of(request.body(body.clone())).await;
            let status = answer.status.as_u16();
            if status < 400 {
                continue;
            }
            refused += 1;
            let shown = String::from_utf8_lossy(&body).chars().take(40).collect::<String>();
            let code = answer.code();
            assert!(
                one.declared.contains(&status) || APART.contains(&status),
                "{} {path} {shown}: {status} {code}, declared are {:?}",
                one.method,
                one.declared
            );
        }
    }
    assert!(refused > 1000, "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_codes_are_a_switch_away() {
    let wire = WireConfig { strict_codes: false, ..WireConfig::default() };
    let plain = Running::with(ServerConfig { wire, ..ServerConfig::default() }).await;
    let strict = Running::start().await;
    let absent = "/v1/credentials/tasks/00000000-0000-4000-8000-000000000000";
    let cases = [
        ("GET", absent, None, 404, 400, "TA_TASK_NOT_FOUND"),
        ("GET", "/v1/tasks/nonsense", None, 400, 404, "TASK_ID_MALFORMED"),
        ("POST", "/v1/clusters", Some(json!({})), 422, 400, "INVALID_INPUT"),
        ("GET", "/v1/tasks/nonsense/attempts", None, 400, 400, "TASK_ID_MALFORMED"),
    ];
    let definition = json!({ "name": "w", "type": "CLUSTER_CREATION", "title": "x", "route": "POST /v1/clusters",
        "input": { "type": "object", "required": ["n"], "properties": { "n": {} } },
        "subTasks": [{ "name": "A", "description": "x", "action": { "simulate": {} } }] });
    for (server, is_strict) in [(&plain, false), (&strict, true)] {
        assert_eq!(server.send("PUT", "/v1/workflows/w", Some(definition.clone())).await.status, 201);
        for (method, path, body, loose, declared, code) in &cases {
            let refused = server.send(method, path, body.clone()).await;
            let wanted = if is_strict { *declared } else { *loose };
            assert_eq!(
                (refused.status.as_u16(), refused.code().as_str()),
                (wanted, *code),
                "{method} {path}"
            );
        }
    }
}
