//! Outputs that cannot be kept as they are, by each action and of each kind: each is refused with a clear
//! error, or kept in a form that everybody can read, and the task ends.

use std::sync::Arc;

use longhaul_engine::{CommandConfig, EngineConfig, HttpConfig};
use longhaul_server::ServerConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::support::{Answer, Parts, Running};

/// Limits on the depth of an output and on its bytes of JSON (docs/workflows.md).
const DEEPEST: usize = 100;
const LARGEST: usize = 1 << 20;
const WORKER: &str = "w-0123456789abcdef";

/// An unusual output: its kind, its bytes.
type Case = (&'static str, Vec<u8>);

fn cases() -> Vec<Case> {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels)).into_bytes();
    let named = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels)).into_bytes();
    let mut cases: Vec<Case> = Vec::new();
    for levels in [DEEPEST - 1, DEEPEST + 1, 127, 128, 129, 5000] {
        cases.extend([("deep", nested(levels)), ("deep", named(levels))]);
    }
    cases.push(("large", format!("\"{}\"", "x".repeat(LARGEST)).into_bytes()));
    cases.push(("large", format!("\"{}\"", "\\u0001".repeat(LARGEST / 4)).into_bytes()));
    cases.push(("large", format!("[{}1]", "1,".repeat(LARGEST)).into_bytes()));
    cases.push(("large", vec![b'x'; 3 * LARGEST]));
    for text in [
        &b"\"\xff\""[..],
        b"\xff\xfe",
        b"{\"\xc3\x28\": 1}",
        b"\"\\ud800\"",
        b"[\"\\udc00\\ud800\"]",
        b"\"\0\"",
    ] {
        cases.push(("not UTF-8", text.to_vec()));
    }
    for text in ["NaN", "[Infinity]", "[1e999]", "-1e999", "[123456789012345678901234567890, 1e308]", "-0"] {
        cases.push(("numbers", text.as_bytes().to_vec()));
    }
    for text in [
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"\u0061":1}"#,
        r#"[{"x":{"":1,"b":2,"":3}}]"#,
        r#"{"x":[[{"a":{},"a":[]}]]}"#,
    ] {
        cases.push(("doubled", text.as_bytes().to_vec()));
    }
    cases
}

/// Starts a service that answers `GET /n` with the bytes of that case, as JSON. Returns its port.
async fn answers(cases: Arc<Vec<Case>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let cases = cases.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { return };
                    head.push(byte);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let n: usize = head.split(' ').nth(1).unwrap().trim_start_matches('/').parse().unwrap();
                let body = &cases[n].1;
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                // The caller may have gone.
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(body).await;
            });
        }
    });
    port
}

async fn server() -> Running {
    let actions = EngineConfig {
        http: HttpConfig { allow: vec!["127.0.0.1".into()], ..Default::default() },
        command: CommandConfig { allow: vec!["/usr/bin/cat".into()], launcher: None },
        ..EngineConfig::default()
    };
    Running::of(Parts::with(actions).await, ServerConfig::default()).await
}

async fn store(server: &Running, name: &str, action: Value) {
    let step = json!({ "name": "Only", "description": "…", "action": action });
    let definition = json!({ "name": name, "type": "T", "title": "Gives", "input": { "type": "object" }, "subTasks": [step] });
    let put = server.send("PUT", &format!("/v1/workflows/{name}"), Some(definition)).await;
    assert_eq!(put.status, 201, "{put:?}");
}

/// Sends bytes that may be no JSON.
async fn post(server: &Running, path: &str, body: Vec<u8>) -> Answer {
    let request = server.client.post(server.url(path)).header("content-type", "application/json");
    Answer::of(request.body(body)).await
}

/// A body with these bytes between two texts.
fn around(before: &str, bytes: &[u8], after: &str) -> Vec<u8> {
    [before.as_bytes(), bytes, after.as_bytes()].concat()
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Waits for the end of a task, reads it in every way, and returns the code of its error if it failed.
async fn ended(server: &Running, id: &str, what: &str) -> Option<String> {
    let answer = server.get(&format!("/v1/tasks/{id}?wait=60s&include=all")).await;
    assert_eq!(answer.status, 200, "{what}");
    let task = answer.json();
    for path in [format!("/v1/tasks/{id}/attempts"), format!("/v1/tasks/{id}/logs")] {
        assert_eq!(server.get(&path).await.status, 200, "{what}: {path}");
    }
    let output = &task["outputs"]["Only"];
    assert!(depth(output) <= DEEPEST && output.to_string().len() <= LARGEST, "{what}");
    if task["status"] == "Successful" {
        return None;
    }
    assert_eq!(task["status"], "Failed", "{what}");
    let error = &task["errors"][0];
    assert!(error["message"].as_str().is_some_and(|text| text.len() > 10), "{what}: {error}");
    Some(error["errorCode"].as_str().unwrap().to_owned())
}

async fn start(server: &Running, workflow: &str, input: Value) -> String {
    let body = json!({ "workflow": workflow, "input": input });
    let answer = server.send("POST", "/v1/tasks", Some(body)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_an_action_gives_is_refused_or_can_be_read() {
    let (server, cases) = (server().await, Arc::new(cases()));
    let port = answers(cases.clone()).await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://127.0.0.1:{port}/{{{{ input.n }}}}");
    store(&server, "http", json!({ "http": { "method": "GET", "url": url } })).await;
    store(&server, "command", json!({ "command": { "run": ["/usr/bin/cat", "{{ input.file }}"] } })).await;
    store(&server, "simulate", json!({ "simulate": { "output": "{{ input.value }}" } })).await;
    for (n, (kind, bytes)) in cases.iter().enumerate() {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        let file = folder.path().join(n.to_string());
        std::fs::write(&file, bytes).unwrap();
        for (workflow, input) in [("http", json!({ "n": n })), ("command", json!({ "file": file }))] {
            let what = format!("{workflow}, {kind}: {shown}");
            let id = start(&server, workflow, input).await;
            let code = ended(&server, &id, &what).await;
            // An answer whose values would take too much memory is not read at all.
            let refused = |code: &String| code.starts_with("OUTPUT_") || code == "HTTP_BODY";
            assert!(code.as_ref().is_none_or(refused), "{what}: {code:?}");
            if *kind == "doubled" {
                assert_eq!(code.as_deref(), Some("OUTPUT_AMBIGUOUS"), "{what}");
            }
        }
        // Values reach a simulated output through an input, which is refused or kept.
        let what = format!("simulate, {kind}: {shown}");
        let body = around(r#"{"workflow":"simulate","input":{"value":"#, bytes, "}}");
        let answer = post(&server, "/v1/tasks", body).await;
        if answer.status == 202 {
            assert_ne!(*kind, "doubled", "{what}");
            let code = ended(&server, answer.json()["id"].as_str().unwrap(), &what).await;
            assert!(code.as_ref().is_none_or(|code| code.starts_with("OUTPUT_")), "{what}: {code:?}");
        } else {
            assert!(matches!(answer.status.as_u16(), 400 | 413), "{what}: {answer:?}");
            assert!(!answer.code().is_empty(), "{what}");
        }
    }
    for page in 1..=3 {
        let answer = server.get(&format!("/v1/tasks?pageSize=100&pageNumber={page}&include=all")).await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_worker_reports_is_refused_or_can_be_read() {
    let server = server().await;
    store(&server, "worker", json!({ "worker": { "queue": "q" } })).await;
    for (kind, bytes) in cases() {
        let what = format!("{kind}: {}", String::from_utf8_lossy(&bytes[..bytes.len().min(40)]));
        let id = start(&server, "worker", json!({})).await;
        let ask = json!({ "worker": WORKER, "queues": ["q"], "wait": "5s" });
        let leased = server.send("POST", "/v1/workers/lease", Some(ask)).await.json();
        let lease = leased["leases"][0]["lease"].as_str().unwrap().to_owned();
        let before = format!(r#"{{"worker":"{WORKER}","completed":[{{"lease":"{lease}","output":"#);
        let answer = post(&server, "/v1/workers/complete", around(&before, &bytes, "}]}")).await;
        let kept = answer.status == 200 && answer.json()["results"][0]["status"] == 200;
        if kept {
            assert_ne!(kind, "doubled", "{what}");
        } else {
            let error = if answer.status == 200 {
                answer.json()["results"][0]["error"].clone()
            } else {
                answer.json()
            };
            assert!(matches!(answer.status.as_u16(), 200 | 400 | 413), "{what}: {answer:?}");
            assert!(error["errorCode"].as_str().is_some_and(|code| !code.is_empty()), "{what}: {error}");
            // The attempt is the worker's still.
            let done = json!({ "worker": WORKER, "completed": [{ "lease": lease, "output": 1 }] });
            let done = server.send("POST", "/v1/workers/complete", Some(done)).await;
            assert_eq!(
                (done.status.as_u16(), &done.json()["results"][0]["status"]),
                (200, &json!(200)),
                "{what}"
            );
        }
        let code = ended(&server, &id, &what).await;
        assert!(code.as_ref().is_none_or(|code| code.starts_with("OUTPUT_")), "{what}: {code:?}");
    }
}
