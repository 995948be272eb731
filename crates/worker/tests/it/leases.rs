//! Leases: kept by heartbeats, cancelled, lost, and kept over a restart of the server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use longhaul_worker::{ActionError, Context, StopReason};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::support::{AtWork, Server, eventually};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_keep_leases_for_longer_than_they_last() {
    let server = Server::start().await;
    server.workflow("long", json!({})).await;
    let worker =
        server.worker().slots(3).lease(SECOND).queue("long", |ctx: Context, _input: Value| async move {
            sleep(Duration::from_millis(3500)).await;
            Ok(ctx.attempt())
        });
    let worker = AtWork::start(worker);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(server.task("long", json!({})).await);
        sleep(Duration::from_millis(300)).await;
    }
    for id in ids {
        let task = server.ended(&id).await;
        assert_eq!((&task["status"], &task["outputs"]["Work"]), (&json!("Successful"), &json!(1)));
        assert_eq!(server.attempts(&id).await.len(), 1);
    }
    worker.stop().await.unwrap();
}

/// A blocked runtime is the handler's mistake, and costs it no lease.
#[tokio::test]
async fn handler_that_blocks_keeps_its_lease() {
    let server = Server::start().await;
    server.workflow("block", json!({})).await;
    let worker = server.worker().lease(SECOND).queue("block", |_ctx: Context, _input: Value| async move {
        std::thread::sleep(Duration::from_millis(3000));
        Ok(())
    });
    let worker = AtWork::start(worker);
    let id = server.task("block", json!({})).await;
    assert_eq!(server.ended(&id).await["status"], "Successful");
    assert_eq!(server.attempts(&id).await.len(), 1);
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_arrives_at_once_and_its_report_changes_nothing() {
    let server = Server::start().await;
    server.workflow("stop", json!({})).await;
    let seen = Arc::new(Mutex::new(None));
    let known = seen.clone();
    let worker = server.worker().queue("stop", move |ctx: Context, _input: Value| {
        let known = known.clone();
        async move {
            ctx.cancellation().cancelled().await;
            *known.lock() = Some((ctx.stop_reason(), Instant::now()));
            ctx.log("cleaned up");
            Err::<(), _>(ActionError::new("STOPPED", "stopped half way"))
        }
    });
    // Heartbeats are ten seconds apart: only the waiting one can be so fast.
    let worker = AtWork::start(worker.lease(Duration::from_secs(30)));
    let id = server.task("stop", json!({})).await;
    server
        .until(&id, |task| {
            task["subTasks"][0]["status"] == "In Progress" || task["subTasks"][0]["status"] == "IN_PROGRESS"
        })
        .await;
    sleep(SECOND).await;
    let asked = Instant::now();
    server.admin.cancel_task(&id).await.unwrap();
    eventually("the handler is told", || seen.lock().is_some()).await;
    let (why, at) = seen.lock().take().unwrap();
    assert_eq!(why, Some(StopReason::Cancelled));
    assert!(at - asked < Duration::from_secs(2), "{:?}", at - asked);
    assert_eq!(server.ended(&id).await["status"], "Cancelled");
    worker.stop().await.unwrap();
    assert_eq!(server.log(&id).await, [("stdout".to_owned(), "cleaned up".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handler_that_ignores_a_cancel_is_broken_off() {
    let server = Server::start().await;
    server.workflow("deaf", json!({})).await;
    let worker = server.worker().cleanup(Duration::from_millis(300));
    let worker = AtWork::start(worker.queue("deaf", |_ctx: Context, input: Value| async move {
        sleep(Duration::from_secs(input["seconds"].as_u64().unwrap_or_default())).await;
        Ok(())
    }));
    let id = server.task("deaf", json!({ "seconds": 3600 })).await;
    server.until(&id, |task| task["subTasks"][0]["status"] != "PENDING").await;
    sleep(SECOND).await;
    server.admin.cancel_task(&id).await.unwrap();
    assert_eq!(server.ended(&id).await["status"], "Cancelled");
    // Its only slot is free again.
    let next = server.task("deaf", json!({ "seconds": 0 })).await;
    assert_eq!(server.ended(&next).await["status"], "Successful");
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_lease_stops_its_handler_and_is_never_reported() {
    let server = Server::start().await;
    server.workflow("late", json!({ "timeout": "1s" })).await;
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let known = reasons.clone();
    let worker = AtWork::start(server.worker().queue("late", move |ctx: Context, _input: Value| {
        let known = known.clone();
        async move {
            ctx.cancellation().cancelled().await;
            known.lock().push(ctx.stop_reason());
            Ok("too late")
        }
    }));
    let id = server.task("late", json!({})).await;
    let task = server.ended(&id).await;
    assert_eq!(task["status"], "Failed", "{task}");
    eventually("the handler is told", || !reasons.lock().is_empty()).await;
    worker.stop().await.unwrap();
    assert_eq!(*reasons.lock(), [Some(StopReason::Lost)]);
    assert!(server.ended(&id).await["outputs"].get("Work").is_none());
    assert_eq!(server.attempts(&id).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_outlive_a_killed_server() {
    let mut server = Server::start().await;
    server.workflow("work", json!({})).await;
    let worker = server.worker().slots(2).lease(Duration::from_secs(3)).queue(
        "work",
        |ctx: Context, input: Value| async move {
            ctx.log("begun");
            sleep(Duration::from_millis(input["ms"].as_u64().unwrap_or_default())).await;
            Ok(ctx.attempt())
        },
    );
    let worker = AtWork::start(worker);
    // One ends while the server is away, the other one long after.
    let (short, long) =
        (server.task("work", json!({ "ms": 1500 })).await, server.task("work", json!({ "ms": 6000 })).await);
    for id in [&short, &long] {
        server.until(id, |task| task["subTasks"][0]["status"] != "PENDING").await;
    }
    server.kill();
    sleep(Duration::from_millis(2500)).await;
    server.start_again();
    for id in [&short, &long] {
        let task = server.ended(id).await;
        assert_eq!((&task["status"], &task["outputs"]["Work"]), (&json!("Successful"), &json!(1)), "{task}");
        assert_eq!(server.attempts(id).await.len(), 1);
    }
    let next = server.task("work", json!({ "ms": 0 })).await;
    assert_eq!(server.ended(&next).await["status"], "Successful");
    worker.stop().await.unwrap();
}
