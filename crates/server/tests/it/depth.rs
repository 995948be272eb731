//! Outputs of every depth, by each way that values have into a task: the task ends, and everybody can read
//! it.

use longhaul_engine::{CommandConfig, EngineConfig, HttpConfig};
use longhaul_server::ServerConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::support::{Parts, Running};

/// Deepest allowed nesting of an output (docs/workflows.md).
const DEEPEST: usize = 100;

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

/// Starts a service that answers `GET /n` with JSON of so many levels. Returns its port.
async fn answers() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { return };
                    head.push(byte);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default();
                let body = nested(path.trim_start_matches('/').parse().unwrap_or(1));
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                // The client may have gone.
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    port
}

async fn server() -> Running {
    let actions = EngineConfig {
        http: HttpConfig { allow: vec!["127.0.0.1".into()], ..Default::default() },
        command: CommandConfig { allow: vec!["/usr/bin/printf".into()], launcher: None },
        ..EngineConfig::default()
    };
    Running::of(Parts::with(actions).await, ServerConfig::default()).await
}

async fn store(server: &Running, name: &str, sub_tasks: Vec<Value>) {
    let definition = json!({ "name": name, "type": "T", "title": "Deep", "input": { "type": "object" }, "subTasks": sub_tasks });
    let put = server.send("PUT", &format!("/v1/workflows/{name}"), Some(definition)).await;
    assert_eq!(put.status, 201, "{put:?}");
}

/// Runs one task with each depth, and checks how it ends and that it can be read.
async fn each_depth_ends(server: &Running, workflow: &str, deepest: usize, input: impl Fn(usize) -> Value) {
    let mut tasks = Vec::new();
    for levels in 1..=200 {
        let body = json!({ "workflow": workflow, "input": input(levels) });
        let answer = server.send("POST", "/v1/tasks", Some(body)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        tasks.push((levels, answer.json()["id"].as_str().unwrap().to_owned()));
    }
    for (levels, id) in tasks {
        let answer = server.get(&format!("/v1/tasks/{id}?wait=60s&include=all")).await;
        let task = answer.json();
        if levels <= deepest {
            assert_eq!(task["status"], "Successful", "{workflow} {levels}: {answer:?}");
        } else {
            assert_eq!(
                (&task["status"], &task["errors"][0]["errorCode"]),
                (&json!("Failed"), &json!("OUTPUT_TOO_DEEP")),
                "{workflow} {levels}"
            );
        }
        assert_eq!(server.get(&format!("/v1/tasks/{id}/attempts")).await.status, 200);
    }
    for page in 1..=4 {
        assert_eq!(
            server.get(&format!("/v1/tasks?pageSize=100&pageNumber={page}&include=all")).await.status,
            200
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outputs_of_every_depth_end_in_readable_tasks() {
    let server = server().await;
    let port = answers().await;
    let url = format!("http://127.0.0.1:{port}/{{{{ input.levels }}}}");
    let step = |action: Value| vec![json!({ "name": "Only", "description": "…", "action": action })];
    store(&server, "fetches", step(json!({ "http": { "method": "GET", "url": url } }))).await;
    each_depth_ends(&server, "fetches", DEEPEST, |levels| json!({ "levels": levels })).await;
    // The lines that a command prints are a member of its output.
    store(
        &server,
        "prints",
        step(json!({ "command": { "run": ["/usr/bin/printf", "%s", "{{ input.text }}"] } })),
    )
    .await;
    each_depth_ends(&server, "prints", DEEPEST - 1, |levels| json!({ "text": nested(levels) })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_that_grow_step_by_step_end_in_a_readable_task() {
    let server = server().await;
    for stride in [1_usize, 7, 30] {
        let wrapped = |n: usize| {
            let inner =
                if n == 0 { json!("x") } else { json!(format!("{{{{ subTasks.S{}.output }}}}", n - 1)) };
            (0..stride).fold(inner, |inner, _| json!([inner]))
        };
        let steps = (0..130 / stride)
            .map(|n| json!({ "name": format!("S{n}"), "description": "…", "action": { "simulate": { "output": wrapped(n) } } }));
        let name = format!("wraps{stride}");
        store(&server, &name, steps.collect()).await;
        let answer =
            server.send("POST", "/v1/tasks?wait=60s", Some(json!({ "workflow": name, "input": {} }))).await;
        let task = answer.json();
        assert_eq!(
            (&task["status"], &task["errors"][0]["errorCode"]),
            (&json!("Failed"), &json!("OUTPUT_TOO_DEEP")),
            "{stride}"
        );
        let path = format!("/v1/tasks/{}", task["id"].as_str().unwrap());
        let done =
            server.get(&format!("{path}?include=all")).await.json()["outputs"].as_object().unwrap().len();
        assert_eq!(done, DEEPEST / stride, "each step that fits");
        assert_eq!(server.get("/v1/tasks").await.status, 200);
        // A retry finds the same again, and is no way around it.
        assert_eq!(server.send("PATCH", &path, None).await.status, 200);
        assert_eq!(server.get(&format!("{path}?wait=60s")).await.json()["status"], "Failed");
        let resolve = json!({ "reason": "given up" });
        assert_eq!(server.send("POST", &format!("{path}/resolve"), Some(resolve)).await.status, 200);
    }
}
