//! The character NUL in anything that a request names: a 400, or nothing is found by it. Cases are generated
//! from the route table's document.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Answer, Running};

/// Returns a body once for each of its strings, with a NUL in that.
fn spoiled(body: &Value) -> Vec<Value> {
    match body {
        Value::String(text) => vec![json!(format!("{text}\0"))],
        Value::Array(items) => (0..items.len())
            .flat_map(|n| spoiled(&items[n]).into_iter().map(move |item| (n, item)))
            .map(|(n, item)| {
                let mut items = items.clone();
                items[n] = item;
                Value::Array(items)
            })
            .collect(),
        Value::Object(members) => {
            let inside = members
                .iter()
                .flat_map(|(name, value)| spoiled(value).into_iter().map(move |value| (name.clone(), value)));
            let mut all: Vec<Value> = inside
                .map(|(name, value)| {
                    let mut members = members.clone();
                    members.insert(name, value);
                    Value::Object(members)
                })
                .collect();
            let mut more = members.clone();
            more.insert("\0".to_owned(), json!(1));
            all.push(Value::Object(more));
            all
        }
        _ => Vec::new(),
    }
}

/// Current state: tasks, workflows, accounts.
async fn standing(server: &Running) -> (u64, String, usize) {
    let users = server.get("/v1/users").await.json()["elements"].as_array().unwrap().len();
    (server.total().await, server.get("/v1/workflows").await.text, users)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nul_is_refused_or_finds_nothing() {
    let server = Running::start().await;
    server.workflow("w", vec![json!({})]).await;
    server.run("w").await;
    let document = server.get("/openapi.json").await.json();
    let before = standing(&server).await;
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let id = "00000000-0000-4000-8000-000000000000";
            let named =
                |with: &str| path.replace("{id}", id).replace("{subtaskId}", id).replace("{name}", with);
            let mut paths = vec![named("w%00"), named("%00")];
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                if parameter["in"] == "query" {
                    let name = parameter["name"].as_str().unwrap();
                    paths.push(format!("{}?{name}=a%00b", named("w")));
                }
            }
            let in_path = path.contains("{name}");
            for (n, asks) in paths.into_iter().enumerate() {
                if n < 2 && !in_path {
                    continue;
                }
                let request = server.client.request(method.clone(), server.url(&asks));
                let answer = Answer::of(request).await;
                assert!(answer.status.is_client_error(), "{method} {asks}: {answer:?}");
                asked += 1;
            }
        }
    }
    assert!(asked > 30, "{asked}");
    let text = format!("/v1/tasks/{}", json!("\0").as_str().unwrap().replace('\0', "%00"));
    assert_eq!(server.get(&text).await.code(), "TASK_ID_MALFORMED");
    assert_eq!(before, standing(&server).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nul_in_a_body_is_refused_where_it_is() {
    let server = Running::start().await;
    server.workflow("w", vec![json!({})]).await;
    let task = server.run("w").await;
    let id = task["id"].as_str().unwrap();
    let definition = server.get("/v1/workflows/w").await.json()["definition"].clone();
    assert!(definition.is_object(), "{definition}");
    let bodies = [
        (
            "POST",
            "/v1/tasks".to_owned(),
            json!({ "workflow": "w", "input": { "host": "a" }, "name": "n", "labels": { "l": "v" } }),
        ),
        (
            "POST",
            format!("/v1/tasks/{id}/resolve"),
            json!({ "reason": "r", "subTask": "Step0", "outcome": "done", "output": "o" }),
        ),
        ("POST", format!("/v1/tasks/{id}/release-locks"), json!({ "reason": "r" })),
        ("PUT", "/v1/workflows/w".to_owned(), definition),
        ("DELETE", "/v1/tasks/history".to_owned(), json!({ "taskIds": [id] })),
        (
            "POST",
            "/v1/users".to_owned(),
            json!({ "name": "u", "role": "VIEWER", "password": "a long password" }),
        ),
        ("POST", "/v1/tokens".to_owned(), json!({ "username": "u", "password": "p" })),
        (
            "POST",
            "/v1/tasks/import".to_owned(),
            json!({ "id": id, "name": "n", "type": "t", "status": "SUCCESSFUL", "creationTimestamp": "2024-01-01T00:00:00Z" }),
        ),
    ];
    for (method, path, body) in bodies {
        for body in spoiled(&body) {
            let answer = server.send(method, &path, Some(body.clone())).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str()),
                (400, "INVALID_REQUEST"),
                "{method} {path} {body}"
            );
            assert!(answer.json()["message"].as_str().unwrap().contains("NUL"), "{answer:?}");
        }
    }
    assert_eq!(server.total().await, 1);
}
