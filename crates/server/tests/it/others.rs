//! Access to objects of other accounts: each call of the document, by each role, on another account's
//! session, API key, account and lease. Only an administrator changes or sees them.

use longhaul_auth::Role;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::support::{Answer, Running, service};

const WORKER: &str = "owner-0123456789abcdef";

/// Objects of accounts that none of the callers has.
struct Objects {
    session: String,
    key: String,
    lease: String,
    access_token: String,
    worker_key: String,
}

impl Objects {
    async fn new(server: &Running) -> Objects {
        let anna = json!({ "name": "anna", "role": "ADMIN", "password": "anna's password" });
        assert_eq!(server.send("POST", "/v1/users", Some(anna)).await.status, 201);
        let key = server.send("POST", "/v1/users/anna/api-keys", None).await.json();
        let login = json!({ "username": "anna", "password": "anna's password" });
        let pair = server.send("POST", "/v1/tokens", Some(login)).await.json();
        let sessions = server.get("/v1/sessions?user=anna").await.json();
        let action = json!({ "worker": { "queue": "q" } });
        server.workflow("work", vec![json!({ "action": action })]).await;
        let start = json!({ "workflow": "work", "input": { "host": "esx1" } });
        assert_eq!(server.send("POST", "/v1/tasks", Some(start)).await.status, 202);
        let worker_key = service(&server.parts.auth, "owner", Role::Worker).await;
        let ask = json!({ "worker": WORKER, "queues": ["q"], "wait": "5s" });
        let leased = server.send_as(&worker_key, "POST", "/v1/workers/lease", Some(ask)).await.json();
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned();
        Objects {
            session: text(&sessions["elements"][0]["id"]),
            key: text(&key["id"]),
            lease: text(&leased["leases"][0]["lease"]),
            access_token: text(&pair["accessToken"]),
            worker_key,
        }
    }

    /// A path of the document that names them.
    fn path(&self, template: &str) -> String {
        let id = match template {
            "/v1/sessions/{id}" => &self.session,
            path if path.starts_with("/v1/users/") => &self.key,
            _ => "00000000-0000-4000-8000-000000000000",
        };
        template.replace("{id}", id).replace("{subtaskId}", id).replace("{name}", "anna")
    }

    /// Bodies with which a call would change them, if it could.
    fn bodies(&self, call: &str) -> Vec<Value> {
        let lease = self.lease.as_str();
        let report = |what: Value| {
            let names = [WORKER, "stranger-0123456789abcdef"];
            names.into_iter().map(move |name| {
                let mut body = what.clone();
                body["worker"] = name.into();
                body
            })
        };
        let error = json!({ "code": "STOLEN", "message": "stolen" });
        match call {
            "updateUser" => vec![
                json!({ "disabled": true }),
                json!({ "role": "VIEWER" }),
                json!({ "password": "a stranger's password" }),
            ],
            "addApiKey" => vec![json!({ "name": "a stranger's" })],
            "limitQueue" | "changeQueue" => vec![json!({ "maxRunning": 1 })],
            "updateMyPassword" => {
                vec![json!({ "oldPassword": "anna's password", "newPassword": "a stranger's password" })]
            }
            "heartbeat" => report(json!({ "leases": [{ "lease": lease }] })).collect(),
            "completeAttempts" | "failAttempts" => [
                json!({ "completed": [{ "lease": lease, "output": "stolen" }] }),
                json!({ "failed": [{ "lease": lease, "error": error }] }),
                json!({ "released": [{ "lease": lease }] }),
            ]
            .into_iter()
            .flat_map(report)
            .collect(),
            _ => vec![json!({ "unexpected": 1 })],
        }
    }

    /// Returns the objects as an administrator sees them.
    async fn seen(&self, server: &Running) -> Vec<Value> {
        let mut seen = Vec::new();
        for path in ["/v1/users/anna", "/v1/sessions?user=anna", "/v1/tasks?include=all", "/v1/workflows"] {
            seen.push(server.get(path).await.json());
        }
        let page = server.get("/v1/audit?outcome=ACCEPTED").await.json();
        seen.push(page["pageMetadata"]["totalElements"].clone());
        seen
    }
}

/// Sends a request and checks that its answer tells nothing about another account's objects.
async fn ask(
    server: &Running,
    client: &Client,
    objects: &Objects,
    (method, path, body): (&Method, &str, Option<&Value>),
) -> Answer {
    let request = client.request(method.clone(), server.url(path));
    let request = match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    };
    let answer = Answer::of(request).await;
    for secret in [&objects.session, &objects.key, &objects.access_token] {
        assert!(!answer.text.contains(secret.as_str()), "{method} {path}: {answer:?}");
    }
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_somebody_elses_is_changed_and_seen_by_nobody_but_administrators() {
    let server = Running::start().await;
    let objects = Objects::new(&server).await;
    let document = server.get("/openapi.json").await.json();
    let mut strangers = Vec::new();
    for role in [Role::Viewer, Role::Operator, Role::Worker] {
        let key = service(&server.parts.auth, &format!("{role}-stranger"), role).await;
        let pair = server.send("POST", "/v1/tokens", Some(json!({ "apiKey": key }))).await.json();
        strangers.push((role, server.client_with(&key)));
        strangers.push((role, server.client_with(pair["accessToken"].as_str().unwrap())));
    }
    let before = objects.seen(&server).await;
    let mut tried = 0;
    for (template, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let call = operation["operationId"].as_str().unwrap();
            // The holder of a secret may use it.
            if operation["x-longhaul-role"] == "PUBLIC" {
                continue;
            }
            let path = objects.path(template);
            let owned = ["/v1/users/{", "/v1/sessions/{"].iter().any(|one| template.starts_with(one));
            let bodies = if method.is_safe() {
                vec![None]
            } else {
                objects.bodies(call).into_iter().map(Some).collect()
            };
            for ((role, client), body) in
                strangers.iter().flat_map(|who| bodies.iter().map(move |body| (who, body)))
            {
                tried += 1;
                let answer = ask(&server, client, &objects, (&method, &path, body.as_ref())).await;
                assert!(!(owned && answer.status.is_success()), "{role} {method} {path}: {answer:?}");
            }
        }
    }
    for (role, client) in &strangers {
        let answer = ask(&server, client, &objects, (&Method::GET, "/v1/sessions?user=anna", None)).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "FORBIDDEN"), "{role}");
    }
    assert!(tried > 250, "{tried}");
    assert_eq!(objects.seen(&server).await, before);
    // All of it is good still, and an administrator's call does change it.
    assert_eq!(server.send_as(&objects.access_token, "GET", "/v1/users/me", None).await.status, 200);
    let done = json!({ "worker": WORKER, "completed": [{ "lease": objects.lease, "output": "mine" }] });
    let reported = server.send_as(&objects.worker_key, "POST", "/v1/workers/complete", Some(done)).await;
    assert_eq!(reported.status, 200, "{reported:?}");
    let task = server.get("/v1/tasks?include=all").await.json()["elements"][0].clone();
    assert_eq!(task["status"], "Successful", "{task}");
    let (admin, path) = (server.client.clone(), format!("/v1/sessions/{}", objects.session));
    assert_eq!(Answer::of(admin.delete(server.url(&path))).await.status, 204);
    assert_eq!(server.send_as(&objects.access_token, "GET", "/v1/users/me", None).await.status, 401);
}
