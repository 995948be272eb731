//! Values in places where they do not belong are repeated nowhere: each member of each body of the OpenAPI
//! document is sent as a value of another type, as a very long text, and with control characters.

use std::io::Write;
use std::sync::{Arc, Mutex};

use longhaul_auth::Role;
use serde_json::{Map, Value, json};

use super::support::{Answer, Running, service};

const CANARY: &str = "CANARY-s3cret";
/// A number that nothing else has.
const NUMBER: u64 = 7_313_373_137;
/// Longest answer to a mistake, and longest log of it, in bytes.
const LONGEST: usize = 16 << 10;

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

impl Log {
    fn taken(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

/// Builds a body as a schema describes it, with every member.
fn sample(document: &Value, schema: &Value, depth: usize) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return sample(document, document.pointer(&reference[1..]).unwrap(), depth + 1);
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(first) = schema[choice].get(0) {
            return sample(document, first, depth + 1);
        }
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    let kind = schema["type"].as_str().or(schema["type"][0].as_str());
    match kind {
        Some("object") => {
            let members = schema["properties"].as_object().cloned().unwrap_or_default();
            let member = |(name, of): (String, Value)| (name, sample(document, &of, depth + 1));
            Value::Object(members.into_iter().filter(|_| depth < 8).map(member).collect())
        }
        Some("array") => json!([sample(document, &schema["items"], depth + 1)]),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        _ => json!("text"),
    }
}

/// The pointers of all values within a value.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| pointers(member, &format!("{at}/{name}"), all));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| pointers(item, &format!("{at}/{n}"), all));
        }
        _ => {}
    }
}

/// Returns values of other types than that of this one.
fn foreign(value: &Value) -> Vec<Value> {
    let text = json!(CANARY);
    let list = json!([CANARY, { "name": CANARY }]);
    let object: Value = Map::from_iter([("x".to_owned(), json!(CANARY))]).into();
    match value {
        Value::String(_) => vec![list, object, json!(NUMBER)],
        Value::Array(_) => vec![text, object, json!(NUMBER)],
        Value::Object(_) => vec![text, list, json!(NUMBER)],
        _ => vec![text, list, object],
    }
}

struct Calls {
    server: Running,
    worker: String,
    log: Log,
    refused: usize,
}

impl Calls {
    /// Sends a body with a sufficient credential; returns the answer, and the log of it.
    async fn send(&mut self, method: &str, path: &str, body: &Value) -> (Answer, String) {
        self.log.taken();
        let admin = self.server.key.clone();
        let mut answer = self.server.send_as(&admin, method, path, Some(body.clone())).await;
        if answer.status == 403 {
            self.log.taken();
            let worker = self.worker.clone();
            answer = self.server.send_as(&worker, method, path, Some(body.clone())).await;
        }
        (answer, self.log.taken())
    }

    /// Every member of a body in every wrong form.
    async fn abuse(&mut self, method: &str, path: &str, whole: &Value) {
        let mut all = Vec::new();
        pointers(whole, "", &mut all);
        for pointer in all {
            let right = whole.pointer(&pointer).unwrap().clone();
            let long = json!("y".repeat(1_000_000));
            let control = json!("a\r\n2026-01-01T00:00:00Z ERROR forged\u{1b}[2J\u{9b}\u{202e}");
            for value in foreign(&right).into_iter().chain([long, control]) {
                let mut body = whole.clone();
                *body.pointer_mut(&pointer).unwrap() = value.clone();
                let (answer, log) = self.send(method, path, &body).await;
                let said = format!(
                    "{method} {path} {pointer}: {}",
                    &value.to_string()[..value.to_string().len().min(60)]
                );
                assert!(answer.status.as_u16() < 500, "{said}: {answer:?}");
                if answer.status.is_success() {
                    continue;
                }
                self.refused += 1;
                for text in [&answer.text, &log] {
                    assert!(!text.contains(CANARY) && !text.contains(&NUMBER.to_string()), "{said}: {text}");
                    assert!(text.len() <= LONGEST, "{said}: {} bytes", text.len());
                    assert!(!text.contains('\u{1b}') && !text.contains("\\u001b"), "{said}: {text}");
                }
                assert!(log.lines().all(|line| !line.starts_with("2026-01-01T00:00:00Z")), "{said}: {log}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_sent_in_a_wrong_place_is_said_back_nowhere() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Running::start().await;
    server.workflow("text", vec![json!({})]).await;
    let worker = service(&server.parts.auth, "worker", Role::Worker).await;
    let mut calls = Calls { server, worker, log, refused: 0 };
    let document: Value = serde_json::from_str(&longhaul_server::openapi_document()).unwrap();
    let mut bodies = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Some(schema) = operation["requestBody"].pointer("/content/application~1json/schema") else {
                continue;
            };
            bodies += 1;
            let path = path.replace("{id}", "00000000-0000-4000-8000-000000000000").replace("{name}", "text");
            calls.abuse(&method.to_uppercase(), &path, &sample(&document, schema, 0)).await;
        }
    }
    assert!(bodies >= 15 && calls.refused > 500, "{bodies} bodies, {} refusals", calls.refused);
}

#[tokio::test]
async fn headers_and_parameters_are_said_back_nowhere() {
    let server = Running::start().await;
    for query in [
        "wait",
        "pageSize",
        "pageNumber",
        "taskStatus",
        "orderBy",
        "orderDirection",
        "completedAfter",
        "view",
        "include",
        "after",
        "limit",
        "version",
        "outcome",
        "since",
        "doLiveRefresh",
    ] {
        for path in [
            "/v1/tasks",
            "/v1/tasks/x",
            "/v1/audit",
            "/v1/workflows/x",
            "/v1/tasks/x/logs",
            "/v1/resources/locks",
        ] {
            let answer = server.get(&format!("{path}?{query}={CANARY}")).await;
            assert!(!answer.text.contains(CANARY), "{path} {query}: {answer:?}");
        }
    }
    assert!(!server.get(&format!("/v1/tasks/{CANARY}")).await.text.contains(CANARY));
    for name in [
        "content-type",
        "content-encoding",
        "idempotency-key",
        "if-none-match",
        "authorization",
        "x-forwarded-for",
        "expect",
    ] {
        let request =
            server.client.post(server.url("/v1/tasks")).header(name, format!("{CANARY} \u{fc}")).body("{}");
        let Ok(answer) = request.send().await else { continue };
        let text = answer.text().await.unwrap();
        assert!(!text.contains(CANARY), "{name}: {text}");
    }
}
