//! I15, measured at the target: the target does the work once per key, whatever happens to the attempts.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longhaul_engine::{Ask, Ending, Engine, EngineConfig, HttpConfig, WorkerReport};
use longhaul_model::{Failure, Fault, Record, Span, TaskStatus, WorkerId};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::support::*;

/// Behaviour of the target on a call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    /// The server does the work and answers.
    Answered,
    /// The server does the work, and never answers.
    Silent,
    /// The server does the work and cuts the connection.
    Cut,
    /// The server does the work; a gateway in between answers with this status.
    Gateway(u16),
    /// The server does nothing and answers with this status.
    Refused(u16),
}

/// Target that remembers keys: work done under a key is not done again.
struct Target {
    address: std::net::SocketAddr,
    /// Number of effects by key.
    effects: Arc<Mutex<BTreeMap<String, u32>>>,
    /// Number of calls so far.
    calls: Arc<Mutex<usize>>,
}

impl Target {
    /// Starts a target that treats its first calls as `script` says and answers the others.
    async fn start(script: Vec<Call>) -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let target = Target { address, effects: Arc::default(), calls: Arc::default() };
        let (effects, calls) = (target.effects.clone(), target.calls.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (effects, calls, script) = (effects.clone(), calls.clone(), script.clone());
                tokio::spawn(async move {
                    let next = move || {
                        let mut calls = calls.lock().unwrap();
                        *calls += 1;
                        script.get(*calls - 1).copied().unwrap_or(Call::Answered)
                    };
                    serve(stream, &effects, next).await;
                });
            }
        });
        target
    }

    /// Returns how often the work was done, under all keys together.
    fn effects(&self) -> u32 {
        self.effects.lock().unwrap().values().sum()
    }

    async fn called(&self, count: usize) {
        for _ in 0..2_000 {
            if *self.calls.lock().unwrap() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the target was not called {count} times");
    }
}

async fn serve(mut stream: TcpStream, effects: &Mutex<BTreeMap<String, u32>>, next: impl Fn() -> Call) {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    let key = head.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap().trim().to_owned();
    let call = next();
    if !matches!(call, Call::Refused(_)) {
        effects.lock().unwrap().entry(key).or_insert(1);
    }
    let status = match call {
        Call::Answered => 200,
        Call::Gateway(status) | Call::Refused(status) => status,
        Call::Cut => return,
        Call::Silent => return std::future::pending().await,
    };
    let answer = format!("HTTP/1.1 {status} Text\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(answer.as_bytes()).await;
}

async fn started(directory: &Path) -> Engine {
    let http = HttpConfig { allow: vec!["127.0.0.1".to_owned()], ..Default::default() };
    engine_with(directory, EngineConfig { http, ..EngineConfig::default() }).await
}

/// Puts a workflow that calls the target once.
async fn put(engine: &Engine, target: &Target, more: Value) {
    let mut sub =
        json!({ "action": { "http": { "method": "POST", "url": format!("http://{}/", target.address) } } });
    sub.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    engine.put_workflow(definition("calls", vec![sub]), audit()).await.unwrap();
}

/// Retries as an operator until the task succeeds; work of unknown outcome counts as not done, as far as
/// anybody can see.
async fn brought_to_success(engine: &Engine, mut record: Record) {
    for _ in 0..10 {
        if record.state.status == TaskStatus::Successful {
            return;
        }
        engine.retry(record.id, audit()).await.unwrap();
        record = ended(engine, record.id).await;
    }
    panic!("the task does not succeed: {record:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn target_that_remembers_keys_acts_once_whatever_becomes_of_its_answers() {
    use Call::{Cut, Gateway, Refused, Silent};
    let scripts = [
        vec![Silent],
        vec![Cut, Silent, Cut],
        vec![Gateway(502), Gateway(504), Gateway(503), Gateway(429)],
        vec![Silent, Refused(503), Refused(409), Refused(429), Cut],
        vec![Refused(500), Refused(400), Silent, Refused(409)],
    ];
    // Retried by the policy, and by an operator.
    for more in [
        json!({"retry": {"attempts": 3, "backoff": "10ms"}, "timeout": "300ms"}),
        json!({"timeout": "300ms"}),
    ] {
        for script in &scripts {
            let dir = tempfile::tempdir().unwrap();
            let (target, engine) = (Target::start(script.clone()).await, started(dir.path()).await);
            put(&engine, &target, more.clone()).await;
            let record = run(&engine, "calls").await;
            brought_to_success(&engine, record).await;
            assert_eq!(target.effects(), 1, "{script:?}, {more}");
            engine.shutdown(Duration::from_secs(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failure_that_the_target_reports_is_followed_by_another_key() {
    let dir = tempfile::tempdir().unwrap();
    let target = Target::start(vec![Call::Gateway(500)]).await;
    let engine = started(dir.path()).await;
    put(&engine, &target, json!({})).await;
    let record = run(&engine, "calls").await;
    brought_to_success(&engine, record).await;
    // With the old key, the answer would remain 500 for ever.
    assert_eq!(target.effects.lock().unwrap().len(), 2);
    engine.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_that_cannot_be_kept_costs_no_second_effect() {
    let dir = tempfile::tempdir().unwrap();
    let (target, engine) = (Target::start(Vec::new()).await, started(dir.path()).await);
    let url = format!("http://{}/", target.address);
    let action = json!({ "http": { "method": "POST", "url": url, "output": "{{ body.missing.more }}" } });
    put(&engine, &target, json!({ "action": action })).await;
    let record = run(&engine, "calls").await;
    assert_eq!(record.state.status, TaskStatus::Failed);
    engine.retry(record.id, audit()).await.unwrap();
    ended(&engine, record.id).await;
    target.called(2).await;
    assert_eq!(target.effects(), 1);
    engine.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn target_that_remembers_keys_acts_once_over_kills_and_retries() {
    let dir = tempfile::tempdir().unwrap();
    let target = Target::start(vec![Call::Silent; 3]).await;
    let mut engine = started(dir.path()).await;
    put(&engine, &target, json!({})).await;
    let id = engine.submit(request("calls")).await.unwrap().task.id();
    for killed in 1..=2 {
        target.called(killed).await;
        // As good as a kill for the attempt, which gets no time to end.
        engine.shutdown(Duration::ZERO).await;
        drop(engine);
        engine = started(dir.path()).await;
    }
    // The third call is cut off by a shutdown, too; the fourth is answered.
    target.called(3).await;
    engine.shutdown(Duration::ZERO).await;
    drop(engine);
    let engine = started(dir.path()).await;
    assert_eq!(ended(&engine, id).await.state.status, TaskStatus::Successful);
    assert_eq!(target.effects(), 1);
    engine.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn task_whose_time_is_over_is_retried_under_the_same_key() {
    let dir = tempfile::tempdir().unwrap();
    let (target, engine) = (Target::start(vec![Call::Silent]).await, started(dir.path()).await);
    let mut workflow = serde_json::to_value(definition("calls", vec![json!({})])).unwrap();
    workflow["timeout"] = json!("400ms");
    workflow["subTasks"][0]["action"] =
        json!({ "http": { "method": "POST", "url": format!("http://{}/", target.address) } });
    engine.put_workflow(serde_json::from_value(workflow).unwrap(), audit()).await.unwrap();
    let record = run(&engine, "calls").await;
    assert_eq!(record.state.status, TaskStatus::Failed);
    brought_to_success(&engine, record).await;
    assert_eq!(target.effects(), 1);
    engine.shutdown(Duration::from_secs(5)).await;
}

/// Returns the next attempt leased to a worker.
async fn leased(engine: &Engine, worker: &str, span: Span) -> longhaul_engine::Assignment {
    let ask = Ask {
        worker: WorkerId(worker.into()),
        queues: vec!["q".into()],
        max: 1,
        wait: Duration::from_secs(20),
        lease: span,
        request: None,
        origin: None,
    };
    let mut leases = engine.lease(ask).await.unwrap().leases;
    leases.pop().expect("work within the time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_see_one_key_over_lost_leases_and_retries_until_one_reports_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let engine = started(dir.path()).await;
    let sub =
        json!({ "retry": { "attempts": 2, "backoff": "10ms" }, "action": { "worker": { "queue": "q" } } });
    engine.put_workflow(definition("works", vec![sub]), audit()).await.unwrap();
    let id = engine.submit(request("works")).await.unwrap().task.id();
    let first = leased(&engine, "w/1", Span(100)).await;
    // The worker's lease expires, and so does the next one's.
    let second = leased(&engine, "w/2", Span(100)).await;
    let record = ended(&engine, id).await;
    assert_eq!(record.state.status, TaskStatus::Failed);
    engine.retry(id, audit()).await.unwrap();
    let third = leased(&engine, "w/3", Span(60_000)).await;
    assert_eq!(
        (&second.idempotency_key, &third.idempotency_key),
        (&first.idempotency_key, &first.idempotency_key)
    );
    let fault = Fault::new("BROKEN", "it broke");
    let failed = Ending::Failed(Failure::Error { fault, retryable: true });
    let report = WorkerReport { lease: third.lease, ending: failed, log: Vec::new() };
    engine.report(WorkerId("w/3".into()), vec![report], None).await.unwrap();
    let fourth = leased(&engine, "w/3", Span(60_000)).await;
    assert_ne!(fourth.idempotency_key, first.idempotency_key);
    engine.shutdown(Duration::from_secs(5)).await;
}
