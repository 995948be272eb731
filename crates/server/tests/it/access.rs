//! Who may do what: every route of the document as every role, and as nobody.

use longhaul_auth::Role;
use reqwest::Method;
use serde_json::Value;

use super::support::{Answer, Running};

/// Each call of the document: method, path with something in place of its names, role.
fn calls(document: &Value) -> Vec<(Method, String, String)> {
    let mut calls = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let id = "00000000-0000-4000-8000-000000000000";
            let path = path.replace("{id}", id).replace("{subtaskId}", id).replace("{name}", "nobody");
            let role = operation["x-longhaul-role"].as_str().unwrap();
            calls.push((method.to_uppercase().parse().unwrap(), path, role.to_owned()));
        }
    }
    calls
}

fn may(role: Role, needed: &str) -> bool {
    match needed {
        "PUBLIC" | "KNOWN" => true,
        "VIEWER" => matches!(role, Role::Viewer | Role::Operator | Role::Admin),
        "OPERATOR" => matches!(role, Role::Operator | Role::Admin),
        "ADMIN" => role == Role::Admin,
        "WORKER" => matches!(role, Role::Worker | Role::Admin),
        other => panic!("the document has a role {other}"),
    }
}

/// Asks with a body that is wrong everywhere, so that nothing changes where it is let through.
async fn ask(server: &Running, client: &reqwest::Client, method: &Method, path: &str) -> Answer {
    let request = client.request(method.clone(), server.url(path));
    let request = match method.is_safe() {
        true => request,
        false => request.header("content-type", "application/json").body(r#"{"unexpected":1}"#),
    };
    Answer::of(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_is_for_those_it_says() {
    let server = Running::start().await;
    let document = server.get("/openapi.json").await.json();
    let calls = calls(&document);
    assert!(calls.len() > 35, "{}", calls.len());
    let before =
        server.get("/v1/audit?outcome=ACCEPTED").await.json()["pageMetadata"]["totalElements"].clone();
    let nobody = server.nobody();
    for (method, path, needed) in &calls {
        let answer = ask(&server, &nobody, method, path).await;
        if needed == "PUBLIC" {
            assert_ne!(answer.status, 403, "{method} {path}: {answer:?}");
        } else {
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str()),
                (401, "Unauthorized"),
                "{method} {path}"
            );
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    for role in Role::ALL {
        let client = server.client_of(role).await;
        for (method, path, needed) in &calls {
            let answer = ask(&server, &client, method, path).await;
            let refused = answer.status == 403 && answer.code() == "FORBIDDEN";
            assert_eq!(refused, !may(role, needed), "{role} {method} {path}: {answer:?}");
            if refused {
                let said = answer.json()["message"].as_str().unwrap().to_owned();
                assert!(said.contains(needed.as_str()), "{said}");
            }
        }
    }
    // What is noted is the accounts of this test, and a new signing key, which needs no body to be made.
    let page = server.get("/v1/audit?outcome=ACCEPTED&pageSize=100").await.json();
    let after = page["pageMetadata"]["totalElements"].as_u64().unwrap();
    assert_eq!(after - before.as_u64().unwrap(), Role::ALL.len() as u64 + 1, "{page}");
    for entry in page["elements"].as_array().unwrap() {
        let by = entry["user"].as_str().unwrap();
        assert!(["tests", "server", "ADMIN-tests"].contains(&by), "{entry}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn route_of_a_workflow_is_for_operators() {
    let server = Running::start().await;
    let workflow = serde_json::json!({ "name": "bound", "type": "T_X", "title": "t", "route": "POST /v1/bound",
        "subTasks": [{ "name": "A", "description": "a", "action": { "simulate": {} } }] });
    assert_eq!(server.send("PUT", "/v1/workflows/bound", Some(workflow)).await.status, 201);
    let url = server.url("/v1/bound");
    assert_eq!(Answer::of(server.nobody().post(&url)).await.code(), "Unauthorized");
    for (role, status) in
        [(Role::Viewer, 403), (Role::Worker, 403), (Role::Operator, 202), (Role::Admin, 202)]
    {
        let answer = Answer::of(server.client_of(role).await.post(&url)).await;
        assert_eq!(answer.status, status, "{role}: {answer:?}");
    }
    assert_eq!(server.total().await, 2);
}
