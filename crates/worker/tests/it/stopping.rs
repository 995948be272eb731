//! Workers that stop in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use longhaul_worker::{ActionError, Context, WorkerError};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::support::{AtWork, Server, eventually};

fn milliseconds(input: &Value) -> Duration {
    Duration::from_millis(input["ms"].as_u64().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_worker_stops_at_once() {
    let server = Server::start().await;
    let worker =
        AtWork::start(server.worker().queue("idle", |_ctx: Context, _input: Value| async move { Ok(()) }));
    sleep(Duration::from_millis(500)).await;
    let asked = Instant::now();
    worker.stop().await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_may_end_within_the_grace_and_what_comes_is_given_back() {
    let server = Server::start().await;
    server.workflow("work", json!({ "retry": { "attempts": 1 } })).await;
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = begun.clone();
    let worker = AtWork::start(server.worker().slots(2).queue("work", move |_ctx: Context, input: Value| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            sleep(milliseconds(&input)).await;
            Ok("first")
        }
    }));
    let running = server.task("work", json!({ "ms": 2000 })).await;
    eventually("it begins", || begun.load(Ordering::SeqCst) == 1).await;
    // The question for a second one is under way.
    sleep(Duration::from_millis(200)).await;
    worker.ask_to_stop();
    sleep(Duration::from_millis(200)).await;
    let next = server.task("work", json!({ "ms": 0 })).await;
    assert_eq!(server.ended(&running).await["outputs"]["Work"], "first");
    worker.ended().await.unwrap();
    assert_eq!(begun.load(Ordering::SeqCst), 1, "the second one was not begun");
    let other = AtWork::start(
        server.worker().queue("work", |_ctx: Context, _input: Value| async move { Ok("other") }),
    );
    assert_eq!(server.ended(&next).await["outputs"]["Work"], "other");
    assert_eq!(server.attempts(&next).await.len(), 1, "what was given back is no attempt");
    other.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_end_is_taken_over() {
    let server = Server::start().await;
    // Without `retry`: that a worker stops is no failure of the work.
    server.workflow("work", json!({})).await;
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = begun.clone();
    let (grace, cleanup) = (Duration::from_millis(300), Duration::from_millis(300));
    let worker = server.worker().slots(2).grace(grace).cleanup(cleanup);
    let worker = AtWork::start(worker.queue("work", move |ctx: Context, input: Value| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            if input["polite"] == true {
                ctx.cancellation().cancelled().await;
                return Err(ActionError::new("HALF_WAY", "half way").permanent());
            }
            sleep(Duration::from_secs(3600)).await;
            Ok("never")
        }
    }));
    let polite = server.task("work", json!({ "polite": true })).await;
    let deaf = server.task("work", json!({})).await;
    eventually("both begin", || begun.load(Ordering::SeqCst) == 2).await;
    let asked = Instant::now();
    worker.stop().await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    let other = AtWork::start(
        server.worker().slots(2).queue("work", |_ctx: Context, _input: Value| async move { Ok("other") }),
    );
    for (id, cause) in [(&polite, "HALF_WAY"), (&deaf, "STOPPED")] {
        let task = server.ended(id).await;
        assert_eq!(task["outputs"]["Work"], "other", "{task}");
        let attempts = server.attempts(id).await;
        assert_eq!(attempts.len(), 2);
        let error = attempts[0]["error"].to_string();
        assert!(error.contains("WORKER_STOPPED") && error.contains(cause), "{error}");
    }
    other.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_that_cannot_be_told_are_counted() {
    let mut server = Server::start().await;
    server.workflow("work", json!({})).await;
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = begun.clone();
    let worker = server.worker().grace(Duration::ZERO);
    let worker = AtWork::start(worker.queue("work", move |_ctx: Context, input: Value| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            sleep(milliseconds(&input)).await;
            Ok(())
        }
    }));
    server.task("work", json!({ "ms": 500 })).await;
    eventually("it begins", || begun.load(Ordering::SeqCst) == 1).await;
    server.kill();
    sleep(Duration::from_millis(700)).await;
    let ended = worker.stop().await;
    assert!(matches!(ended, Err(WorkerError::Unreported { count: 1 })), "{ended:?}");
}
