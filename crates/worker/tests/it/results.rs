//! Results of handlers, as the server records them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use longhaul_worker::{ActionError, Context};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::support::{AtWork, Server};

#[derive(Deserialize)]
struct HostSpec {
    host: String,
}

#[derive(Serialize)]
struct Updated {
    host: String,
    attempt: u32,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typed_work_succeeds_and_knows_its_attempt() {
    let server = Server::start().await;
    server.workflow("esxi", json!({ "timeout": "5m" })).await;
    let seen = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let known = seen.clone();
    let worker =
        AtWork::start(server.worker().slots(8).queue("esxi", move |ctx: Context, input: HostSpec| {
            known.lock().push(ctx.clone());
            async move { Ok(Updated { host: input.host, attempt: ctx.attempt() }) }
        }));
    let id = server.task("esxi", json!({ "host": "esx1" })).await;
    let task = server.ended(&id).await;
    assert_eq!(task["status"], "Successful", "{task}");
    assert_eq!(task["outputs"]["Work"], json!({ "host": "esx1", "attempt": 1 }));
    worker.stop().await.unwrap();
    let seen = seen.lock();
    let [ctx] = &seen[..] else { panic!("one attempt") };
    assert_eq!((ctx.task().id.as_str(), ctx.task().name.as_str()), (id.as_str(), "Work to do"));
    assert_eq!((ctx.task().kind.as_str(), ctx.task().workflow.as_str()), ("HOST_WORK", "esxi"));
    assert_eq!((ctx.sub_task(), ctx.queue(), ctx.item_index()), ("Work", "esxi", None));
    assert_eq!(ctx.timeout(), Some(Duration::from_secs(300)));
    assert!(ctx.token() >= 1 && ctx.idempotency_key().starts_with(&id));
    assert!(!ctx.is_cancelled());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_know_their_number() {
    let server = Server::start().await;
    let more = json!({ "forEach": "{{ input.hosts }}", "action": { "worker": { "queue": "each", "input": "{{ item }}" } } });
    server.workflow("each", more).await;
    let worker =
        AtWork::start(server.worker().slots(4).queue("each", |ctx: Context, host: String| async move {
            Ok(format!(
                "{host} {}",
                ctx.item_index().ok_or_else(|| ActionError::new("NO_INDEX", "no index"))?
            ))
        }));
    let id = server.task("each", json!({ "hosts": ["a", "b", "c"] })).await;
    let task = server.ended(&id).await;
    assert_eq!(task["status"], "Successful", "{task}");
    let text = task["outputs"].to_string();
    assert!(["a 0", "b 1", "c 2"].iter().all(|wanted| text.contains(wanted)), "{text}");
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_arrive_with_all_they_say() {
    let server = Server::start().await;
    server.workflow("fails", json!({ "retry": { "attempts": 3, "backoff": "1ms" } })).await;
    let worker = AtWork::start(server.worker().queue("fails", |_ctx: Context, _input: Value| async move {
        Err::<(), _>(
            ActionError::new("HOST_UNREACHABLE", "esx2 does not answer")
                .remediation("Check its network")
                .cause("PING", "no answer")
                .with("host", "esx2")
                .permanent(),
        )
    }));
    let id = server.task("fails", json!({})).await;
    let error = server.error(&id).await;
    assert_eq!(
        (&error["errorCode"], &error["message"]),
        (&json!("HOST_UNREACHABLE"), &json!("esx2 does not answer"))
    );
    assert_eq!(error["remediationMessage"], "Check its network");
    assert_eq!(error["causes"], json!([{ "type": "PING", "message": "no answer" }]));
    assert_eq!(error["context"], json!({ "host": "esx2" }));
    assert_eq!(server.attempts(&id).await.len(), 1, "not retryable");
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_of_others_are_retried_until_it_succeeds() {
    let server = Server::start().await;
    server.workflow("flaky", json!({ "retry": { "attempts": 3, "backoff": "1ms" } })).await;
    let worker = AtWork::start(server.worker().queue("flaky", |ctx: Context, _input: Value| async move {
        if ctx.attempt() < 3 {
            Err(std::io::Error::other("connection refused"))?;
        }
        Ok(ctx.attempt())
    }));
    let id = server.task("flaky", json!({})).await;
    assert_eq!(server.ended(&id).await["outputs"]["Work"], 3);
    let attempts = server.attempts(&id).await;
    assert_eq!(attempts.len(), 3);
    assert_eq!(attempts[0]["error"]["message"], "connection refused");
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_outcome_waits_for_an_operator() {
    let server = Server::start().await;
    server.workflow("once", json!({ "repeatable": false, "retry": { "attempts": 2 } })).await;
    let worker = AtWork::start(server.worker().queue("once", |_ctx: Context, _input: Value| async move {
        Err::<(), _>(ActionError::new("CUT_OFF", "the connection broke").outcome_unknown())
    }));
    let id = server.task("once", json!({})).await;
    let task = server.until(&id, |task| task["status"] == "Failed").await;
    assert_eq!(task["subTasks"][0]["errors"][0]["errorCode"], "OUTCOME_UNKNOWN", "{task}");
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn input_that_does_not_fit_is_not_tried_again() {
    let server = Server::start().await;
    server.workflow("typed", json!({ "retry": { "attempts": 3, "backoff": "1ms" } })).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let worker = AtWork::start(server.worker().queue("typed", move |_ctx: Context, input: HostSpec| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move { Ok(input.host) }
    }));
    let id = server.task("typed", json!({ "host": 7 })).await;
    let error = server.error(&id).await;
    assert_eq!(error["errorCode"], "INPUT_INVALID");
    assert_eq!(error["message"], "input.host: invalid type: integer `7`, expected a string");
    assert_eq!((server.attempts(&id).await.len(), calls.load(Ordering::Relaxed)), (1, 0));
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panic_fails_the_attempt_and_the_worker_goes_on() {
    let server = Server::start().await;
    server.workflow("wild", json!({})).await;
    let worker = AtWork::start(server.worker().queue("wild", |_ctx: Context, input: HostSpec| async move {
        assert_ne!(input.host, "bad", "this host is not wanted");
        Ok(())
    }));
    let bad = server.task("wild", json!({ "host": "bad" })).await;
    let error = server.error(&bad).await;
    assert_eq!(error["errorCode"], "HANDLER_PANICKED");
    assert!(error["message"].as_str().unwrap().contains("this host is not wanted"), "{error}");
    let good = server.task("wild", json!({ "host": "good" })).await;
    assert_eq!(server.ended(&good).await["status"], "Successful");
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_that_is_too_large_fails_clearly() {
    let server = Server::start().await;
    server.workflow("large", json!({})).await;
    let worker = AtWork::start(server.worker().queue("large", |_ctx: Context, input: Value| async move {
        Ok("x".repeat(input["size"].as_u64().unwrap_or_default() as usize))
    }));
    let fits = server.task("large", json!({ "size": (1 << 20) - 2 })).await;
    assert_eq!(server.ended(&fits).await["status"], "Successful");
    let larger = server.task("large", json!({ "size": (1 << 20) - 1 })).await;
    assert_eq!(server.error(&larger).await["errorCode"], "OUTPUT_TOO_LARGE");
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_attempts_are_all_done_once() {
    let server = Server::start().await;
    server.workflow("many", json!({})).await;
    let most = Arc::new(AtomicUsize::new(0));
    let running = Arc::new(AtomicUsize::new(0));
    let (high, now) = (most.clone(), running.clone());
    let worker =
        AtWork::start(server.worker().slots(5).queue("many", move |_ctx: Context, _input: Value| {
            let (high, now) = (high.clone(), now.clone());
            async move {
                high.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        }));
    let mut ids = Vec::new();
    for _ in 0..60 {
        ids.push(server.task("many", json!({})).await);
    }
    for id in ids {
        assert_eq!(server.ended(&id).await["status"], "Successful");
        assert_eq!(server.attempts(&id).await.len(), 1);
    }
    let most = most.load(Ordering::SeqCst);
    assert!((2..=5).contains(&most), "{most} at once");
    worker.stop().await.unwrap();
}
