//! Definitions, and the requests bound to them.

use serde_json::{Value, json};

use super::support::{Answer, Running};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn definitions_are_stored_listed_and_taken_out() {
    let server = Running::start().await;
    server.workflow("w", vec![json!({})]).await;
    let got = server.get("/v1/workflows/w").await.json();
    let same = server.send("PUT", "/v1/workflows/w", Some(got["definition"].clone())).await;
    assert_eq!((same.status.as_u16(), &same.json()["version"]), (200, &json!(1)));
    server.workflow("w", vec![json!({}), json!({})]).await;
    let list = server.get("/v1/workflows").await.json();
    assert_eq!(list["elements"][0]["versions"], json!([1, 2]));
    assert_eq!(server.get("/v1/workflows/w?version=1").await.json()["version"], 1);
    assert_eq!(server.get("/v1/workflows/w?version=9").await.code(), "WORKFLOW_VERSION_NOT_FOUND");
    assert_eq!(server.send("DELETE", "/v1/workflows/w", None).await.status, 204);
    assert_eq!(server.get("/v1/workflows/w").await.code(), "WORKFLOW_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_of_a_definition_are_all_named() {
    let server = Running::start().await;
    let definition = json!({
        "name": "w", "type": "T", "title": "{{ input.nope }}", "input": { "type": "object", "properties": { "host": {} } },
        "subTasks": [
            { "name": "A", "description": "x", "action": { "simulate": {} }, "needs": ["Bee"] },
            { "name": "Be", "description": "x", "action": { "approval": {} } }
        ]
    });
    let refused = server.send("PUT", "/v1/workflows/w", Some(definition)).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "WORKFLOW_INVALID"));
    let nested = refused.json()["nestedErrors"].clone();
    let pointers: Vec<&str> =
        nested.as_array().unwrap().iter().map(|e| e["context"]["pointer"].as_str().unwrap()).collect();
    assert!(
        pointers.contains(&"/subTasks/0/needs/0") && pointers.contains(&"/subTasks/1/action/approval"),
        "{nested}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bound_request_starts_a_task() {
    let server = Running::start().await;
    let definition = json!({
        "name": "reboot", "type": "HOST_REBOOT", "title": "Reboot {{ input.hostId }}", "route": "POST /v1/hosts/{hostId}/reboot",
        "input": { "type": "object", "required": ["hostId", "force"], "properties": { "hostId": { "type": "string" }, "force": { "type": "boolean" } } },
        "subTasks": [{ "name": "A", "description": "x", "action": { "simulate": {} } }]
    });
    assert_eq!(server.send("PUT", "/v1/workflows/reboot", Some(definition.clone())).await.status, 201);
    let started = server.send("POST", "/v1/hosts/h7/reboot/?wait=5s", Some(json!({ "force": true }))).await;
    assert_eq!((started.status.as_u16(), &started.json()["name"]), (202, &json!("Reboot h7")));
    assert!(started.header("location").starts_with("/v1/tasks/"));
    let refused = server.send("POST", "/v1/hosts/h7/reboot", Some(json!({}))).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "INVALID_INPUT"));
    let put = server.send("PUT", "/v1/hosts/h7/reboot", Some(json!({}))).await;
    assert_eq!(
        (put.status.as_u16(), put.code().as_str(), put.header("allow")),
        (405, "METHOD_NOT_ALLOWED", "POST")
    );
    let mut other = definition;
    other["name"] = json!("other");
    assert_eq!(server.send("PUT", "/v1/workflows/other", Some(other)).await.code(), "WORKFLOW_ROUTE_TAKEN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_not_taken_for_objects() {
    let server = Running::start().await;
    let with = |sub: serde_json::Value| json!({ "name": "w", "type": "T", "title": "T", "subTasks": [sub] });
    let action = json!({ "simulate": {} });
    for (definition, pointer) in [
        (
            with(
                json!({ "name": "a", "description": "a", "action": action, "retry": [3, "1s", 2, "1m", false] }),
            ),
            "/subTasks/0/retry",
        ),
        (
            with(json!({ "name": "a", "description": "a", "action": { "wait": ["1ms", null] } })),
            "/subTasks/0/action/wait",
        ),
    ] {
        let refused = server.send("PUT", "/v1/workflows/w", Some(definition)).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "WORKFLOW_INVALID"));
        assert_eq!(refused.json()["context"]["pointer"], pointer, "{refused:?}");
    }
    let listed = server.send("POST", "/v1/tokens", Some(json!(["admin", "x", null, null]))).await;
    assert_eq!((listed.status.as_u16(), listed.code().as_str()), (400, "INVALID_REQUEST"));
}

/// A body of a route may be of any JSON type, where its workflow has a place for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_take_bodies_of_any_type() {
    let server = Running::start().await;
    let put = async |name: &str, route: &str, more: Value| {
        let mut definition = json!({ "name": name, "type": "T_X", "title": "t", "route": route,
            "subTasks": [{ "name": "A", "description": "x", "action": { "simulate": {} } }] });
        definition.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let put = server.send("PUT", &format!("/v1/workflows/{name}"), Some(definition)).await;
        assert_eq!(put.status, 201, "{put:?}");
    };
    let named = json!({ "body": "given", "input": { "type": "object",
        "properties": { "given": { "type": ["array", "string", "number", "boolean"] }, "id": { "type": "string" }, "a": {} } } });
    put("named", "POST /v1/named/{id}", named).await;
    put("list", "PUT /v1/list", json!({ "input": { "type": "array", "items": { "type": "integer" } } }))
        .await;
    put("text", "PATCH /v1/text", json!({ "input": { "type": ["string", "object"] } })).await;
    put("plain", "POST /v1/plain", json!({ "input": { "type": "object" } })).await;
    for (method, path, body, input) in [
        ("POST", "/v1/named/x", json!([1, 2]), Some(json!({ "given": [1, 2], "id": "x" }))),
        ("POST", "/v1/named/x", json!("on"), Some(json!({ "given": "on", "id": "x" }))),
        ("POST", "/v1/named/x", json!(1.5), Some(json!({ "given": 1.5, "id": "x" }))),
        ("POST", "/v1/named/x", json!(false), Some(json!({ "given": false, "id": "x" }))),
        ("POST", "/v1/named/x", json!({ "a": 1 }), Some(json!({ "a": 1, "id": "x" }))),
        ("POST", "/v1/named/x", json!(null), Some(json!({ "id": "x" }))),
        ("PUT", "/v1/list", json!([7]), Some(json!([7]))),
        ("PUT", "/v1/list", json!(["x"]), None),
        ("PUT", "/v1/list", json!("x"), None),
        ("PUT", "/v1/list", json!({}), None),
        ("PATCH", "/v1/text", json!("ENABLE"), Some(json!("ENABLE"))),
        ("PATCH", "/v1/text", json!({ "status": 1 }), Some(json!({ "status": 1 }))),
        ("PATCH", "/v1/text", json!([1]), None),
        ("POST", "/v1/plain", json!([1]), None),
        ("POST", "/v1/plain", json!("x"), None),
    ] {
        let answer = server.send(method, path, Some(body.clone())).await;
        let Some(input) = input else {
            assert!(matches!(answer.status.as_u16(), 400 | 422), "{method} {path} {body}: {answer:?}");
            continue;
        };
        assert_eq!(answer.status, 202, "{method} {path} {body}: {answer:?}");
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        let task = server.get(&format!("/v1/tasks/{id}?include=input")).await.json();
        assert_eq!(task["input"], input, "{method} {path} {body}");
    }
    // A mistake is named by its place in the body.
    let refused = server.send("PUT", "/v1/list", Some(json!([1, "x"]))).await.json();
    assert_eq!(refused["nestedErrors"][0]["context"]["pointer"], "/1", "{refused}");
    let refused = server.send("POST", "/v1/named/x", Some(json!({ "given": null, "a": 1 }))).await.json();
    assert_eq!(refused["nestedErrors"][0]["context"]["pointer"], "", "{refused}");
    assert_eq!(server.send("DELETE", "/v1/text", None).await.status, 405);
}

/// Parameters of a query are members of the input, by their types; a request with one that is not, or is
/// wrong, starts nothing and is told its name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_take_parameters_of_a_query() {
    let server = Running::start().await;
    let definition = json!({ "name": "sites", "type": "T_X", "title": "t",
        "route": "DELETE /v1/sites/{id}", "body": "note", "query": ["force", "depth", "tag", "at/most"],
        "input": { "type": "object", "required": ["id", "depth"], "properties": {
            "id": { "type": "string" }, "note": { "type": "string" }, "force": { "type": "boolean" },
            "depth": { "type": "integer", "maximum": 9 }, "at/most": { "type": "number" },
            "tag": { "type": "array", "items": { "type": "string", "maxLength": 3 } } } },
        "subTasks": [{ "name": "A", "description": "x", "action": { "simulate": {} } }] });
    assert_eq!(server.send("PUT", "/v1/workflows/sites", Some(definition.clone())).await.status, 201);
    for (query, body, given) in [
        ("depth=3", None, json!({ "depth": 3 })),
        ("force=true&depth=-1&wait=5s", None, json!({ "depth": -1, "force": true })),
        ("depth=1&tag=a&tag=b%26", None, json!({ "depth": 1, "tag": ["a", "b&"] })),
        ("d%65pth=1&tag=&at%2Fmost=1e-1", None, json!({ "depth": 1, "tag": [""], "at/most": 0.1 })),
        ("depth=1", Some(json!("x")), json!({ "depth": 1, "note": "x" })),
        ("force=FALSE", Some(json!({ "depth": 2 })), json!({ "depth": 2, "force": false })),
    ] {
        let answer = server.send("DELETE", &format!("/v1/sites/s?{query}"), body).await;
        assert_eq!(answer.status, 202, "{query}: {answer:?}");
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        let mut wanted = given;
        wanted["id"] = json!("s");
        assert_eq!(
            server.get(&format!("/v1/tasks/{id}?include=input")).await.json()["input"],
            wanted,
            "{query}"
        );
    }
    let tasks = async || server.get("/v1/tasks").await.json()["pageMetadata"]["totalElements"].clone();
    let before = tasks().await;
    for (query, body, parameter) in [
        ("", None, "depth"),
        ("depth=", None, "depth"),
        ("depth=1.5", None, "depth"),
        ("depth=10", None, "depth"),
        ("depth=1&depth=1", None, "depth"),
        ("depth=1", Some(json!({ "depth": 1 })), "depth"),
        ("depth=1&force", None, "force"),
        ("depth=1&force=ja", None, "force"),
        ("depth=1&at%2Fmost=x", None, "at/most"),
        ("depth=1&tag=a&tag=long", None, "tag"),
        ("depth=1&Force=true", None, "Force"),
        ("depth=1&id=other", None, "id"),
        ("depth=1&note=x", None, "note"),
    ] {
        let refused = server.send("DELETE", &format!("/v1/sites/s?{query}"), body).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "INVALID_PARAMETER"), "{query}");
        let refused = refused.json();
        assert_eq!(refused["arguments"], json!([parameter]), "{query}: {refused}");
        assert!(refused["message"].as_str().unwrap().contains(parameter), "{query}: {refused}");
    }
    assert_eq!(tasks().await, before);
    // Without `query` a route takes any query, as before; with an empty one it takes none.
    let mut other = definition;
    (other["name"], other["route"]) = (json!("open"), json!("PUT /v1/open/{id}"));
    other.as_object_mut().unwrap().remove("query");
    assert_eq!(server.send("PUT", "/v1/workflows/open", Some(other.clone())).await.status, 201);
    let body = Some(json!({ "depth": 1 }));
    assert_eq!(server.send("PUT", "/v1/open/a?force=x&y=", body.clone()).await.status, 202);
    other["query"] = json!([]);
    assert_eq!(server.send("PUT", "/v1/workflows/open", Some(other)).await.status, 201);
    assert_eq!(server.send("PUT", "/v1/open/a?y=", body.clone()).await.json()["arguments"], json!(["y"]));
    assert_eq!(server.send("PUT", "/v1/open/a", body).await.status, 202);
}

/// A request with other parameters is another request, though its idempotency key is the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_of_a_query_count_for_an_idempotency_key() {
    let server = Running::start().await;
    let definition = json!({ "name": "w", "type": "T_X", "title": "t", "route": "POST /v1/things", "query": ["a", "b"],
        "input": { "type": "object", "properties": {
            "a": { "type": "array", "items": { "type": "string" } }, "b": { "type": "integer" } } },
        "subTasks": [{ "name": "A", "description": "x", "action": { "simulate": {} } }] });
    assert_eq!(server.send("PUT", "/v1/workflows/w", Some(definition)).await.status, 201);
    let post = async |query: &str| {
        let path = format!("/v1/things?{query}");
        Answer::of(server.client.post(server.url(&path)).header("idempotency-key", "k")).await
    };
    let first = post("a=x&b=1&a=y").await;
    assert_eq!(first.status, 202, "{first:?}");
    for same in ["b=1&a=x&a=y", "a=x&a=y&b=1&wait=1s"] {
        assert_eq!(post(same).await.json()["id"], first.json()["id"], "{same}");
    }
    for other in ["a=y&a=x&b=1", "a=x&b=1", "a=x&a=y&b=2", "", "a=x%22%2C%22y&b=1"] {
        assert_eq!(post(other).await.code(), "IDEMPOTENCY_KEY_REUSED", "{other}");
    }
}
