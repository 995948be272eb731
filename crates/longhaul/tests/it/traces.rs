//! Traces of tasks, as a collector of another make would receive them: the requests are decoded with the
//! published definitions of the protocol.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use parking_lot::Mutex;
use prost::Message;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::{PATIENCE, Server};

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// Name of the worker.
const WORKER: &str = "worker-5f2d6c0b9a1e4d73";
const SECRET: &str = "kX7-never-in-a-span-9Q";

/// Workflow with an attempt of each kind: a request, a program, a wait, and a worker's.
const WORKFLOW: &str = r#"
name: traced
type: TRACED
title: "Traced {{ input.host }}"
input:
  type: object
  properties:
    host: { type: string }
    password: { type: string, writeOnly: true }
subTasks:
  - name: ask
    description: Asks a service
    action: { http: { method: POST, url: "URL", body: { password: "{{ input.password }}" } } }
  - name: print
    description: Prints its environment
    action: { command: { run: [/usr/bin/env] } }
  - name: rest
    description: Waits
    action: { wait: { for: 10ms } }
  - name: work
    description: Works
    forEach: "{{ ['a', 'b'] }}"
    parallel: 2
    action: { worker: { queue: traced, input: { password: "{{ input.password }}" } } }
"#;

const SHORT: &str = "
name: traced
type: TRACED
title: Traced
input: { type: object }
subTasks:
  - name: only
    description: Does nothing
    action: { simulate: { duration: 10ms } }
";

/// Collector and service in one: it keeps spans, and the `traceparent` of other requests.
#[derive(Default)]
struct Seen {
    spans: Mutex<Vec<(String, Span)>>,
    raw: Mutex<Vec<u8>>,
    resources: Mutex<Vec<Vec<KeyValue>>>,
    authorizations: Mutex<Vec<String>>,
    asked: Mutex<Vec<String>>,
    /// Number of requests that are refused first.
    refuse: AtomicU32,
}

impl Seen {
    fn listen() -> (Arc<Seen>, SocketAddr) {
        let seen = Arc::new(Seen::default());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let own = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = own.clone();
                std::thread::spawn(move || seen.serve(stream));
            }
        });
        (seen, address)
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).ok()? == 0 {
                    return None;
                }
                if line == "\r\n" {
                    break;
                }
                head.push(line.trim_end().to_owned());
            }
            let header = |name: &str| {
                head.iter().skip(1).find_map(|line| {
                    let (key, value) = line.split_once(": ")?;
                    key.eq_ignore_ascii_case(name).then(|| value.to_owned())
                })
            };
            let mut body = vec![0; header("content-length").and_then(|n| n.parse().ok()).unwrap_or(0)];
            reader.read_exact(&mut body).ok()?;
            let answer = if head[0].starts_with("POST /v1/traces ") {
                self.authorizations.lock().extend(header("authorization"));
                self.collect(&body)
            } else {
                self.asked.lock().extend(header("traceparent"));
                "200 OK"
            };
            write!(&stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").ok()?;
        }
    }

    fn collect(&self, body: &[u8]) -> &'static str {
        if self.refuse.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
            return "503 Service Unavailable";
        }
        let request = ExportTraceServiceRequest::decode(body).expect("the protocol's own message");
        self.raw.lock().extend(body);
        for resource in request.resource_spans {
            self.resources.lock().extend(resource.resource.map(|one| one.attributes));
            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.spans.lock().extend(spans.map(|span| (hex(&span.trace_id), span)));
        }
        "200 OK"
    }

    /// Waits until a trace has a number of spans and returns them.
    #[track_caller]
    fn of(&self, trace: &str, count: usize) -> Vec<Span> {
        let start = Instant::now();
        loop {
            let all = self.spans.lock().clone();
            let own: Vec<Span> =
                all.iter().filter(|(id, _)| id == trace).map(|(_, span)| span.clone()).collect();
            if own.len() >= count {
                return own;
            }
            let names: Vec<_> = all.iter().map(|(id, span)| (id, &span.name)).collect();
            assert!(start.elapsed() < PATIENCE, "{} of {count} spans of {trace}: {names:?}", own.len());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns an attribute as text.
fn attribute(all: &[KeyValue], key: &str) -> String {
    let value = all.iter().find(|one| one.key == key).and_then(|one| one.value.clone());
    match value.and_then(|value| value.value) {
        Some(Any::StringValue(text)) => text,
        Some(Any::IntValue(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn root(spans: &[Span]) -> &Span {
    let roots: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id.is_empty()).collect();
    let [root] = roots.as_slice() else { panic!("{} roots", roots.len()) };
    root
}

fn configured(home: &Path, address: SocketAddr) -> String {
    let config = format!(
        "[traces]\nendpoint = \"http://{address}/v1/traces\"\nservice = \"tests\"\n\
         [traces.headers]\nauthorization = \"Bearer of the tests\"\n\
         [actions.http]\nallow = [\"{address}\"]\n[actions.command]\nallow = [\"/usr/bin/env\"]\n"
    );
    let path = home.join("longhaul.toml");
    std::fs::write(&path, config).expect("written");
    path.display().to_string()
}

/// Starts the task as a service would that traces its own work.
fn start(server: &Server) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let body = json!({ "workflow": "traced", "input": { "host": "esx1-of-the-input", "password": SECRET } });
    runtime.block_on(async {
        let request = reqwest::Client::new().post(format!("{}/v1/tasks", server.address()));
        let request = request.bearer_auth(server.token()).header("traceparent", CALLER).json(&body);
        let task: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        task["id"].as_str().unwrap_or_else(|| panic!("{task}")).to_owned()
    })
}

fn lease(server: &Server, max: u32) -> Vec<Value> {
    let ask = json!({ "worker": WORKER, "queues": ["traced"], "max": max, "wait": "30s", "lease": "60s" });
    let (status, answer) = server.call("POST", "/v1/workers/lease", Some(&ask));
    assert_eq!(status, 200, "{answer}");
    answer["leases"].as_array().expect("leases").clone()
}

#[test]
fn every_run_is_a_trace_that_outlives_the_server() {
    let home = TempDir::new().expect("a directory");
    let (seen, address) = Seen::listen();
    // A collector that is away for a moment costs no span.
    seen.refuse.store(1, Ordering::SeqCst);
    let config = configured(home.path(), address);
    let data = home.path().join("data");
    let more = ["--config", config.as_str(), "--log-level", "error"];
    let server = Server::start(&data, "127.0.0.1:0", &more);
    let workflow = WORKFLOW.replace("URL", &format!("http://{address}/ask"));
    let file = home.path().join("traced.yaml");
    std::fs::write(&file, workflow).expect("written");
    server.run(&["workflow", "apply", file.to_str().expect("a path")]).code(0);

    let id = start(&server);
    let trace = id.replace('-', "");
    let mut leases = lease(&server, 2);
    if leases.len() < 2 {
        leases.extend(lease(&server, 1));
    }
    let first = seen.of(&trace, 3);
    let (ask, print) = (named(&first, "ask")[0].clone(), named(&first, "print")[0].clone());
    assert_eq!(*seen.asked.lock(), [format!("00-{trace}-{}-01", hex(&ask.span_id))]);
    let (_, task) = server.call("GET", &format!("/v1/tasks/{id}?include=all"), None);
    let printed = task["outputs"]["print"]["stdout"].as_str().unwrap_or_else(|| panic!("{task}"));
    assert!(printed.contains(&format!("TRACEPARENT=00-{trace}-{}-01\n", hex(&print.span_id))), "{printed}");

    // The server dies, and another one has the end: the trace goes on.
    server.signal(Signal::SIGKILL);
    drop(server);
    let server = Server::start(&data, "127.0.0.1:0", &more);
    let failed = json!({ "worker": WORKER, "failed": [
        { "lease": leases[0]["lease"], "retryable": false, "error": { "code": "NO_HOST", "message": "It is gone" } } ],
        "completed": [{ "lease": leases[1]["lease"] }] });
    let (status, answer) = server.call("POST", "/v1/workers/complete", Some(&failed));
    assert_eq!(status, 200, "{answer}");
    server.until(&id, "Failed");
    let spans = seen.of(&trace, 6);
    let run = root(&spans);
    assert_eq!((run.name.as_str(), spans.len()), ("traced", 6));
    assert_eq!(attribute(&run.attributes, "longhaul.task.id"), id);
    assert_eq!(attribute(&run.attributes, "longhaul.task.status"), "FAILED");
    assert_eq!(run.status.as_ref().map(|status| status.code()), Some(StatusCode::Error));
    let caller = run.links.first().expect("the caller");
    assert_eq!(format!("00-{}-{}-01", hex(&caller.trace_id), hex(&caller.span_id)), CALLER);
    for span in spans.iter().filter(|span| span.span_id != run.span_id) {
        assert_eq!(span.parent_span_id, run.span_id, "{}", span.name);
        assert!(run.start_time_unix_nano <= span.start_time_unix_nano, "{}", span.name);
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{}", span.name);
        assert!(span.end_time_unix_nano <= run.end_time_unix_nano, "{}", span.name);
    }
    let works = named(&spans, "work");
    let mut items: Vec<_> =
        works.iter().map(|span| attribute(&span.attributes, "longhaul.item.index")).collect();
    items.sort();
    assert_eq!(items, ["0", "1"]);
    let broken: Vec<_> =
        works.iter().filter(|span| attribute(&span.attributes, "error.type") == "NO_HOST").collect();
    assert_eq!(broken.len(), 1);
    let told = leases[0]["traceparent"].as_str().unwrap_or_default();
    assert_eq!(told, format!("00-{trace}-{}-01", hex(&broken[0].span_id)));

    // The operator's retry is a run of its own, linked to the one before.
    server.run(&["task", "retry", &id]).code(0);
    let again = lease(&server, 1);
    let done = json!({ "worker": WORKER, "completed": [{ "lease": again[0]["lease"] }] });
    assert_eq!(server.call("POST", "/v1/workers/complete", Some(&done)).0, 200);
    server.until(&id, "Successful");
    let second = again[0]["traceparent"].as_str().expect("a span").split('-').nth(1).expect("a trace");
    assert_ne!(second, trace);
    let spans = seen.of(second, 2);
    let retried = root(&spans);
    assert_eq!((retried.links.len(), &retried.links[0].span_id), (1, &run.span_id));
    assert_eq!(hex(&retried.links[0].trace_id), trace);
    assert!(retried.start_time_unix_nano >= run.end_time_unix_nano);
    assert_eq!(attribute(&retried.attributes, "longhaul.task.generation"), "1");

    let (_, metrics) = text(&server, "/metrics");
    assert!(metrics.contains("longhaul_trace_spans_total{outcome=\"exported\"} "), "{metrics}");
    server.stop();
    let resources = seen.resources.lock();
    assert!(resources.iter().all(|one| attribute(one, "service.name") == "tests"));
    assert!(resources.iter().all(|one| attribute(one, "service.version") == env!("CARGO_PKG_VERSION")));
    assert!(seen.authorizations.lock().iter().all(|one| one == "Bearer of the tests"));
    let raw = String::from_utf8_lossy(&seen.raw.lock()).into_owned();
    assert!(raw.contains("longhaul.task.id"));
    assert!(!raw.contains(SECRET) && !raw.contains("esx1-of-the-input"), "a value of the input is in a span");
}

fn text(server: &Server, path: &str) -> (u16, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let request = reqwest::Client::new().get(format!("{}{path}", server.address()));
        let answer = request.bearer_auth(server.token()).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    })
}

/// Spans that wait at a stop are still exported; a collector that is away holds up neither tasks nor the
/// stop.
#[test]
fn a_stop_exports_what_is_left_and_waits_for_no_collector() {
    let home = TempDir::new().expect("a directory");
    let (seen, address) = Seen::listen();
    let endpoint = format!("http://{address}/v1/traces");
    let folder = home.path().join("workflows");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("traced.yaml"), SHORT).expect("written");
    let folder = folder.display().to_string();
    let more = ["--workflows", folder.as_str(), "--log-level", "error", "--traces-endpoint", &endpoint];
    let server = Server::start(&home.path().join("a"), "127.0.0.1:0", &more);
    let id = server.task(&["traced", "-i", "host=esx1"]);
    server.until(&id, "Successful");
    server.stop();
    assert!(!seen.of(&id.replace('-', ""), 2).is_empty());

    seen.refuse.store(u32::MAX, Ordering::SeqCst);
    let server = Server::start(&home.path().join("b"), "127.0.0.1:0", &more);
    let id = server.task(&["traced", "-i", "host=esx1"]);
    server.until(&id, "Successful");
    let began = Instant::now();
    server.stop();
    // Three seconds for the last spans, and as long again for a slow machine's stop would still be wrong.
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
}
