//! Access rules: every route of the document as every role, and as nobody.

use longhaul_auth::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Answer, Running};

/// Returns each call of the document: method, path with something in place of its names, role.
pub(crate) fn calls(document: &Value) -> Vec<(Method, String, String)> {
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

pub(crate) fn may(role: Role, needed: &str) -> bool {
    match needed {
        "PUBLIC" | "KNOWN" => true,
        "VIEWER" => matches!(role, Role::Viewer | Role::Operator | Role::Admin),
        "OPERATOR" => matches!(role, Role::Operator | Role::Admin),
        "ADMIN" => role == Role::Admin,
        "WORKER" => matches!(role, Role::Worker | Role::Admin),
        other => panic!("the document has a role {other}"),
    }
}

/// Sends a body that is wrong everywhere, so that nothing changes if the call is let through.
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
    // The log has the accounts of this test, and a new signing key, which needs no body to be made.
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

/// An account is bound to each call of workers in turn: it gets in there, and nowhere else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn account_that_is_bound_to_a_call_makes_that_one_only() {
    let server = Running::start().await;
    let document = server.get("/openapi.json").await.json();
    let ids = document["paths"].as_object().unwrap().values().flat_map(|operations| {
        operations.as_object().unwrap().values().map(|operation| operation["operationId"].as_str().unwrap())
    });
    let calls: Vec<_> = calls(&document).into_iter().zip(ids).collect();
    let of_workers = calls.iter().filter(|((.., needed), _)| needed != "PUBLIC" && may(Role::Worker, needed));
    let mut tried = 0;
    for (n, (_, bound_to)) in of_workers.enumerate() {
        let spec = json!({ "name": format!("bound{n}"), "role": "WORKER", "kind": "SERVICE", "actions": [bound_to] });
        let made = server.send("POST", "/v1/users", Some(spec)).await;
        assert_eq!((made.status.as_u16(), &made.json()["actions"]), (201, &json!([bound_to])), "{made:?}");
        let client = server.client_with(made.json()["apiKey"].as_str().unwrap());
        for ((method, path, needed), id) in &calls {
            let answer = ask(&server, &client, method, path).await;
            let refused = answer.status == 403 && answer.code() == "FORBIDDEN";
            let allowed = needed == "PUBLIC" || may(Role::Worker, needed) && id == bound_to;
            assert_eq!(refused, !allowed, "{bound_to}: {method} {path}: {answer:?}");
            if refused && may(Role::Worker, needed) {
                assert!(answer.json()["message"].as_str().unwrap().contains(id), "{answer:?}");
            }
        }
        tried += 1;
    }
    assert!(tried >= 6, "{tried}");
}

/// A worker that asks for the work of queues of others is refused at each call, and they are named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn account_that_is_bound_to_queues_asks_for_those_only() {
    let server = Running::start().await;
    let spec =
        json!({ "name": "esxi", "role": "WORKER", "kind": "SERVICE", "queues": ["esxi", "nsx.*.edge"] });
    let made = server.send("POST", "/v1/users", Some(spec)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let key = made.json()["apiKey"].as_str().unwrap().to_owned();
    let ask = async |verb: &str, queues: &[&str]| {
        let worker = "bound-0123456789abcdef";
        let body = match verb {
            "lease" => json!({ "worker": worker, "queues": queues }),
            _ => json!({ "worker": worker, "next": { "queues": queues } }),
        };
        server.send_as(&key, "POST", &format!("/v1/workers/{verb}"), Some(body)).await
    };
    for verb in ["lease", "complete", "fail"] {
        for good in [&["esxi"][..], &["nsx.a.edge"], &["nsx..edge", "esxi"]] {
            let answer = ask(verb, good).await;
            assert_eq!(answer.status, 200, "{verb} {good:?}: {answer:?}");
        }
        for (bad, named) in [
            (&["other"][..], "other"),
            (&["ESXI"], "ESXI"),
            (&["esxi2"], "esxi2"),
            (&["xesxi"], "xesxi"),
            (&["nsx.edge"], "nsx.edge"),
            (&["esxi", "nsx.a.edge.x"], "nsx.a.edge.x"),
        ] {
            let answer = ask(verb, bad).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str()),
                (403, "FORBIDDEN"),
                "{verb} {bad:?}"
            );
            assert!(answer.json()["message"].as_str().unwrap().contains(&format!("`{named}`")), "{answer:?}");
        }
    }
    // It counts from the next call on, and other roles have no bounds.
    let patch = async |body| server.send("PATCH", "/v1/users/esxi", Some(body)).await;
    assert_eq!(patch(json!({ "queues": ["*"] })).await.status, 200);
    assert_eq!(ask("lease", &["other"]).await.status, 200);
    for (body, pointer) in [
        (json!({ "queues": [] }), "/queues"),
        (json!({ "queues": ["a b"] }), "/queues"),
        (json!({ "actions": ["getTask"] }), "/actions/0"),
        (json!({ "actions": [] }), "/actions"),
        (json!({ "role": "VIEWER", "queues": ["a"] }), "/queues"),
    ] {
        let refused = patch(body.clone()).await;
        assert_eq!(refused.status, 400, "{body}: {refused:?}");
        assert!(refused.json().to_string().contains(pointer), "{body}: {refused:?}");
    }
}
