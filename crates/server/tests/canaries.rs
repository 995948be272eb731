//! Canaries: fifty secrets, each by another way in; afterwards none of them is anywhere: not in the database
//! and its log, not in a backup, in no answer to anybody, and not in the log at its most verbose.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "it/support.rs"]
#[expect(dead_code, reason = "this test needs only some of it")]
mod support;

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::{Router, routing::any};
use longhaul_auth::Role;
use longhaul_engine::{AllowedProgram, CommandConfig, EngineConfig, HttpConfig};
use longhaul_server::ServerConfig;
use serde_json::{Value, json};
use support::{Answer, PASSWORD, Parts, Running};

/// Generator of secrets, which remembers them.
struct Canaries {
    given: Vec<String>,
}

impl Canaries {
    fn next(&mut self) -> String {
        // Hyphens and a slash, so that every encoding of it looks different.
        let canary = format!("CANARY-{:02}/Zq7+kX9&w", self.given.len());
        self.given.push(canary.clone());
        canary
    }

    /// Returns the secrets that a text holds in any of the usual spellings.
    fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        let encoded = |canary: &str| canary.replace('/', "%2F").replace('+', "%2B").replace('&', "%26");
        let spellings = |canary: &String| [canary.to_owned(), encoded(canary), canary.replace('/', "\\/")];
        let needles: Vec<String> = self.given.iter().flat_map(spellings).collect();
        // All at once: there are many megabytes to look through.
        let search = aho_corasick::AhoCorasick::new(&needles).unwrap();
        let found = search.find_overlapping_iter(bytes).map(|found| found.pattern().as_usize() / 3);
        let found: std::collections::BTreeSet<usize> = found.collect();
        found.into_iter().map(|n| self.given[n].clone()).collect()
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Starts a service that repeats all it is told, with an error if it is asked for one; returns what it was
/// told.
async fn parrot() -> (String, Log) {
    let heard = Log::default();
    let ear = heard.clone();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = move |uri: Uri, headers: HeaderMap, body: Bytes| {
        let said = format!("you said {uri} {headers:?} {}", String::from_utf8_lossy(&body));
        ear.0.lock().unwrap().extend_from_slice(said.as_bytes());
        let status = if uri.path().starts_with("/fail") { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        std::future::ready((status, said))
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(answer))).await });
    (address, heard)
}

/// Checks that each sub-task of a task ended in the way that it was written for.
fn went_every_way(task: &Value) {
    let subs = task["subTasks"].as_array().unwrap();
    let of = |n: usize| (subs[n]["status"].as_str().unwrap(), subs[n].to_string());
    for (n, status, says) in [
        (0, "SUCCESSFUL", ""),
        (1, "FAILED", "said something"),
        (2, "SUCCESSFUL", ""),
        (3, "FAILED", "you said"),
        (4, "SUCCESSFUL", ""),
        (5, "FAILED", "COMMAND_FAILED"),
    ] {
        let (stands, whole) = of(n);
        assert!(stands.to_uppercase() == status && whole.contains(says), "{n}: {whole}");
    }
}

/// Builds a workflow whose input is secret wherever it can be.
fn telling(name: &str, subs: Vec<Value>) -> Value {
    let secret = || json!({ "type": "string", "writeOnly": true, "maxLength": 40 });
    let subs: Vec<Value> = subs
        .into_iter()
        .enumerate()
        .map(|(i, action)| json!({ "name": format!("S{i}"), "description": "d", "onFailure": "continue", "needs": [], "action": action }))
        .collect();
    json!({ "name": name, "type": "T_X", "title": "t", "route": format!("POST /v1/{name}"),
        "input": { "type": "object", "properties": {
            "plain": secret(), "deep": { "type": "object", "properties": { "inner": secret() } },
            "list": { "type": "array", "items": secret() },
            "map": { "type": "object", "additionalProperties": secret() },
            "whole": { "writeOnly": true }, "named": { "$ref": "#/$defs/password" }, "open": { "type": "string" }
        }, "$defs": { "password": secret() } },
        "subTasks": subs })
}

fn input(canaries: &mut Canaries) -> Value {
    json!({ "plain": canaries.next(), "deep": { "inner": canaries.next() }, "list": [canaries.next(), canaries.next()],
        "map": { "a": canaries.next() }, "whole": { "any": [canaries.next()] }, "named": canaries.next(), "open": "h1" })
}

fn spec(operation: &str, host: &str, canaries: &mut Canaries) -> Value {
    let credential = |user: &str, password: String| json!({ "credentialType": "SSH", "username": user, "password": password });
    json!({ "operationType": operation, "elements": [{ "resourceName": host, "resourceType": "ESXI",
        "credentials": [credential("root", canaries.next()), credential("admin", canaries.next())] }] })
}

async fn post(server: &Running, path: &str, body: &Value) -> Answer {
    server.send("POST", path, Some(body.clone())).await
}

fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![(path.display().to_string(), std::fs::read(&path).unwrap())],
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_secrets_are_nowhere_to_be_found() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let (parrot, heard) = parrot().await;
    let server = Running::of(
        Parts::with(EngineConfig {
            http: HttpConfig { allow: vec![parrot.clone()], ..Default::default() },
            command: CommandConfig {
                allow: vec![
                    AllowedProgram { env: vec!["P".to_owned()], ..AllowedProgram::from("/bin/echo") },
                    "/bin/ls".into(),
                ],
                ..CommandConfig::default()
            },
            ..EngineConfig::default()
        })
        .await,
        ServerConfig::default(),
    )
    .await;
    let mut canaries = Canaries { given: Vec::new() };

    let http = |path: &str| {
        json!({ "http": { "method": "POST", "url": format!("http://{parrot}{path}?q={{{{ input.plain }}}}"),
        "headers": { "X-Secret": "{{ input.deep.inner }}" }, "body": { "p": "{{ input.named }}", "all": "{{ input.whole }}" } } })
    };
    let subs = vec![
        json!({ "simulate": { "output": { "all": "{{ input }}", "one": "{{ input.list[1] }}!", "map": "{{ input.map.a }}" } } }),
        json!({ "simulate": { "failAttempts": [1], "error": { "code": "X", "message": "said something" } } }),
        http("/ok"),
        http("/fail"),
        json!({ "command": { "run": ["/bin/echo", "{{ input.plain }}", "{{ input.list[0] }}"], "env": { "P": "{{ input.named }}" } } }),
        json!({ "command": { "run": ["/bin/ls", "/{{ input.map.a }}"] } }),
    ];
    assert_eq!(server.send("PUT", "/v1/workflows/telling", Some(telling("telling", subs))).await.status, 201);

    // Inputs: run to the end, over the route, again with the same key, with another body for the key, and
    // refused.
    let mut tasks = Vec::new();
    for path in ["/v1/tasks?wait=20s", "/v1/telling?wait=20s"] {
        let given = input(&mut canaries);
        let body =
            if path.contains("telling") { given } else { json!({ "workflow": "telling", "input": given }) };
        let answer = post(&server, path, &body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let task = answer.json();
        went_every_way(&task);
        tasks.push(task["id"].as_str().unwrap().to_owned());
    }
    let told = heard.0.lock().unwrap().clone();
    let text = String::from_utf8_lossy(&told).into_owned();
    assert!(text.contains("you said /ok") && text.contains("you said /fail"), "{text}");
    assert!(canaries.found_in(&told).len() >= 6, "the services were told secrets: {text}");
    for status in [202, 422] {
        let body = json!({ "workflow": "telling", "input": input(&mut canaries) });
        let request = server.client.post(server.url("/v1/tasks")).header("idempotency-key", "one");
        let answer =
            Answer::of(request.header("content-type", "application/json").body(body.to_string())).await;
        assert_eq!(answer.status.as_u16() / 100, status / 100, "{answer:?}");
    }
    let mut bad = input(&mut canaries);
    bad["plain"] = json!(format!("{}{}", canaries.next(), "x".repeat(40)));
    bad["list"] = json!(canaries.next());
    let refused = post(&server, "/v1/tasks", &json!({ "workflow": "telling", "input": bad })).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(canaries.found_in(refused.text.as_bytes()), Vec::<String>::new(), "{refused:?}");

    // Credentials: one that fails and is retried with another spec, one that is given up, one that is
    // refused.
    let fails = json!({ "name": "update", "type": "CREDENTIALS_UPDATE", "title": "u", "credentials": "UPDATE",
        "subTasks": [{ "name": "S", "description": "d", "action": { "simulate": { "failAttempts": [1], "output": "{{ input }}" } } }] });
    assert_eq!(server.send("PUT", "/v1/workflows/update", Some(fails)).await.status, 201);
    for host in ["esxi-1", "esxi-2"] {
        let started =
            server.send("PATCH", "/v1/credentials", Some(spec("UPDATE", host, &mut canaries))).await;
        assert_eq!(started.status, 202, "{started:?}");
        let id = started.json()["id"].as_str().unwrap().to_owned();
        server.get(&format!("/v1/tasks/{id}?wait=10s")).await;
        let own = format!("/v1/credentials/tasks/{id}");
        let dealt = match host {
            "esxi-1" => server.send("PATCH", &own, Some(spec("UPDATE", host, &mut canaries))).await,
            _ => server.send("DELETE", &own, None).await,
        };
        assert_eq!(dealt.status, 202, "{dealt:?}");
        server.get(&format!("/v1/tasks/{id}?wait=10s")).await;
        tasks.push(id);
    }
    let mut wrong = spec("ROTATE", "esxi-3", &mut canaries);
    wrong["elements"][0]["credentials"][0]["accountType"] = json!(["x"]);
    let refused = server.send("PATCH", "/v1/credentials", Some(wrong)).await;
    assert!(refused.status.is_client_error(), "{refused:?}");
    assert_eq!(canaries.found_in(refused.text.as_bytes()), Vec::<String>::new());

    // Accounts: new passwords, wrong ones, other ones, passwords where names belong.
    let (first, second, third) = (canaries.next(), canaries.next(), canaries.next());
    let anna = json!({ "name": "anna", "role": "VIEWER", "password": first });
    assert_eq!(post(&server, "/v1/users", &anna).await.status, 201);
    let login = async |username: &str, password: &str| {
        post(&server, "/v1/tokens", &json!({ "username": username, "password": password })).await
    };
    let pair = login("anna", &first).await.json();
    let changed = json!({ "oldPassword": first, "newPassword": second });
    let access = pair["accessToken"].as_str().unwrap();
    assert_eq!(server.send_as(access, "PATCH", "/v1/users/me/password", Some(changed)).await.status, 204);
    assert_eq!(server.send("PATCH", "/v1/users/anna", Some(json!({ "password": third }))).await.status, 200);
    let pair = login("anna", &third).await.json();
    for _ in 0..3 {
        assert_eq!(login("anna", &canaries.next()).await.status, 401);
    }
    assert_eq!(login(&canaries.next(), "x").await.status, 401);
    let misplaced = json!({ "name": canaries.next(), "role": "VIEWER", "password": canaries.next() });
    let refused = post(&server, "/v1/users", &misplaced).await;
    assert_eq!((refused.status.as_u16(), canaries.found_in(refused.text.as_bytes())), (400, Vec::new()));
    for (method, path) in
        [("PATCH", "/v1/tokens/access-token/refresh"), ("DELETE", "/v1/tokens/refresh-token")]
    {
        let refused = server.send(method, path, Some(json!(canaries.next()))).await;
        assert_eq!((refused.status.as_u16(), canaries.found_in(refused.text.as_bytes())), (400, Vec::new()));
    }
    assert_eq!(server.send_as(&canaries.next(), "GET", "/v1/tasks", None).await.status, 401);
    assert_eq!(
        post(&server, "/v1/tokens", &json!({ "apiKey": format!("lhk_{}", canaries.next()) })).await.status,
        401
    );
    // Errors are as secret as outputs.
    for given in [
        access,
        pair["accessToken"].as_str().unwrap(),
        pair["refreshToken"]["id"].as_str().unwrap(),
        PASSWORD,
        &server.key,
    ] {
        canaries.given.push(given.to_owned());
    }
    let robot = post(&server, "/v1/users", &json!({ "name": "robot", "role": "VIEWER", "kind": "SERVICE" }))
        .await
        .json();
    canaries.given.push(robot["apiKey"].as_str().unwrap().to_owned());
    assert!(canaries.given.len() >= 50, "{}", canaries.given.len());

    // No role sees a secret.
    for role in Role::ALL {
        let client = server.client_of(role).await;
        let mut paths: Vec<String> = [
            "/v1/tasks?pageSize=100&include=all",
            "/v1/credentials/tasks",
            "/v1/audit?pageSize=100",
            "/metrics",
            "/v1/queues",
            "/v1/workers",
            "/v1/resources/locks",
            "/v1/users",
            "/v1/workflows/telling",
            "/openapi.json",
        ]
        .map(str::to_owned)
        .into();
        for id in &tasks {
            for of in ["?include=all", "/attempts", "/logs"] {
                paths.push(format!("/v1/tasks/{id}{of}"));
            }
            for of in ["", "/resource-credentials"] {
                paths.push(format!("/v1/credentials/tasks/{id}{of}"));
            }
        }
        for path in paths {
            let answer = Answer::of(client.get(server.url(&path))).await;
            assert_eq!(
                canaries.found_in(answer.text.as_bytes()),
                Vec::<String>::new(),
                "{role} {path}: {answer:?}"
            );
        }
    }
    // Nothing is written, while the server runs and after it.
    let directory = server.parts.directory.path().to_owned();
    let backup = directory.join("backup.db");
    longhaul_store::sqlite::backup(&directory, &backup, |_, _| {}).unwrap();
    let database = std::fs::read(directory.join("longhaul.db")).unwrap();
    assert!(
        database.windows(6).any(|w| w == b"esxi-1")
            || std::fs::read(&backup).unwrap().windows(6).any(|w| w == b"esxi-1"),
        "the search finds what is there"
    );
    for (name, bytes) in files(&directory) {
        assert_eq!(canaries.found_in(&bytes), Vec::<String>::new(), "{name}");
    }
    let said = log.0.lock().unwrap().clone();
    assert!(said.len() > 10_000, "the log was listened to");
    let said = String::from_utf8_lossy(&said);
    let leaks = canaries.found_in(said.as_bytes());
    let line = || said.lines().find(|line| !canaries.found_in(line.as_bytes()).is_empty());
    assert!(leaks.is_empty(), "{leaks:?} in the log: {:?}", line());
}
