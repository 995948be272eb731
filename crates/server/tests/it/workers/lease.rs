//! Leases: long poll, heartbeats, expiry, cancel, the attempt's own timeout.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{PAST_LEASE, Worker, ended, start, task, workflow};
use crate::it::support::Running;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_is_leased_with_all_that_a_worker_needs() {
    let server = Running::start().await;
    workflow(&server, vec![json!({ "timeout": "5m" })]).await;
    let worker = Worker::new(&server, "a");
    let waiting = worker.lease(json!({ "wait": "10s" }));
    let starting = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        (start(&server).await, Instant::now())
    };
    let (leases, (id, started)) = tokio::join!(waiting, starting);
    assert!(started.elapsed() < Duration::from_secs(2), "the call was not woken");
    let lease = &leases[0];
    assert_eq!(
        lease["task"],
        json!({ "id": id, "name": "Commissioning host(s) esx1", "type": "HOST_COMMISSION", "workflow": "work" })
    );
    assert_eq!(
        (&lease["subTask"], &lease["queue"], &lease["attempt"], &lease["token"]),
        (&json!("Step0"), &json!("q"), &json!(1), &json!(1))
    );
    assert_eq!(
        (&lease["input"], &lease["timeoutMs"], &lease["expiresInMs"]),
        (&json!({ "host": "esx1" }), &json!(300_000), &json!(30_000))
    );
    assert!(lease["idempotencyKey"].as_str().unwrap().starts_with(&id));
    assert!(worker.lease(json!({})).await.is_empty(), "an attempt is leased once");
    let shown = task(&server, &id).await;
    assert_eq!(
        (shown["status"].as_str(), shown["subTasks"][0]["status"].as_str()),
        (Some("In Progress"), Some("IN_PROGRESS"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_says_for_which_queue_and_who_serves_it() {
    let server = Running::start().await;
    workflow(&server, vec![json!({})]).await;
    let id = start(&server).await;
    let waits = task(&server, &id).await["waitingFor"].clone();
    assert_eq!(
        (&waits["type"], &waits["queue"], &waits["workers"]),
        (&json!("WORKER"), &json!("q"), &json!(0))
    );
    let _ = Worker::new(&server, "a").lease(json!({ "queues": ["other", "q"], "max": 1 })).await;
    let workers = server.get("/v1/workers").await.json();
    assert_eq!(
        (&workers["elements"][0]["queues"], &workers["elements"][0]["running"]),
        (&json!(["other", "q"]), &json!(1))
    );
    let metrics = server.get("/metrics").await.text;
    assert!(metrics.contains("longhaul_queue_running{queue=\"q\"} 1\n"), "{metrics}");
    assert!(metrics.contains("longhaul_queue_workers{queue=\"q\"} 1\n"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_keep_it_and_silence_gives_it_to_another() {
    let server = Running::start().await;
    workflow(&server, vec![json!({ "retry": { "attempts": 3, "backoff": "1ms", "jitter": false } })]).await;
    let id = start(&server).await;
    let (first, second) = (Worker::new(&server, "a"), Worker::new(&server, "b"));
    let lease = first.lease(json!({ "lease": "1s" })).await[0]["lease"].as_str().unwrap().to_owned();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let (_, beat) =
            first.call("heartbeat", json!({ "leases": [{ "lease": lease, "progress": 40 }] })).await;
        assert_eq!(beat["leases"][0], json!({ "lease": lease, "state": "live", "expiresInMs": 1000 }));
    }
    assert_eq!(task(&server, &id).await["subTasks"][0]["progress"], 40);
    let other = second.call("heartbeat", json!({ "leases": [{ "lease": lease }] })).await.1;
    assert_eq!(other["leases"][0]["state"], "lost", "a lease counts for its worker only");

    tokio::time::sleep(PAST_LEASE).await;
    let taken = second.lease(json!({ "wait": "5s" })).await;
    assert_eq!((&taken[0]["attempt"], &taken[0]["token"]), (&json!(2), &json!(2)));
    let late = first.complete(&lease, json!("late")).await;
    assert_eq!((late.0, late.1["errorCode"].as_str()), (409, Some("LEASE_LOST")));
    assert_eq!(second.complete(taken[0]["lease"].as_str().unwrap(), json!("good")).await.0, 200);
    let done = ended(&server, &id).await;
    assert_eq!((done["status"].as_str(), &done["outputs"]["Step0"]), (Some("Successful"), &json!("good")));
    let attempts = server.get(&format!("/v1/tasks/{id}/attempts")).await.json()["elements"].clone();
    assert_eq!((&attempts[0]["status"], &attempts[1]["status"]), (&json!("LOST"), &json!("SUCCESSFUL")));
    assert_eq!(attempts[0]["error"]["errorCode"], "LEASE_EXPIRED");
    assert!(attempts[1]["worker"].as_str().unwrap().ends_with("/b-0123456789abcdef"), "{attempts}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_is_told_by_the_heartbeat_that_waits() {
    let server = Running::start().await;
    workflow(&server, vec![json!({})]).await;
    let id = start(&server).await;
    let worker = Worker::new(&server, "a");
    let lease = worker.lease_one().await;
    let beat = worker.call("heartbeat", json!({ "leases": [{ "lease": lease }], "wait": "20s" }));
    let cancelling = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(server.send("DELETE", &format!("/v1/tasks/{id}"), None).await.status, 200);
        Instant::now()
    };
    let ((_, told), at) = tokio::join!(beat, cancelling);
    assert!(at.elapsed() < Duration::from_secs(2));
    assert_eq!(told["leases"][0]["state"], "cancelled");
    // Told once: the worker that cleans up is not woken again and again.
    let begun = Instant::now();
    let again = worker.call("heartbeat", json!({ "leases": [{ "lease": lease }], "wait": "1s" })).await.1;
    assert!(begun.elapsed() >= Duration::from_millis(900) && again["leases"][0]["state"] == "cancelled");
    assert_eq!(worker.fail(&lease, json!({})).await.0, 200);
    assert_eq!(ended(&server, &id).await["status"], "Cancelled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_of_an_attempt_ends_whatever_its_worker_says() {
    let server = Running::start().await;
    workflow(&server, vec![json!({ "timeout": "600ms" })]).await;
    let id = start(&server).await;
    let worker = Worker::new(&server, "a");
    let lease = worker.lease_one().await;
    let told = worker.call("heartbeat", json!({ "leases": [{ "lease": lease }], "wait": "10s" })).await.1;
    assert_eq!(told["leases"][0]["state"], "lost");
    let failed = ended(&server, &id).await;
    assert_eq!(failed["subTasks"][0]["errors"][0]["errorCode"], "SUB_TASK_TIMEOUT");
    assert_eq!(worker.complete(&lease, json!(1)).await.0, 409);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_stops_leases_nothing_and_takes_results() {
    let server = Running::start().await;
    workflow(&server, vec![json!({}), json!({})]).await;
    let _ = start(&server).await;
    let worker = Worker::new(&server, "a");
    let lease = worker.lease_one().await;
    let waiting = worker.call("lease", json!({ "queues": ["q"], "wait": "30s" }));
    let draining = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.parts.engine.drain();
    };
    let ((_, answer), ()) = tokio::join!(waiting, draining);
    assert_eq!((&answer["draining"], &answer["leases"]), (&json!(true), &json!([])));
    assert!(answer["retryAfterMs"].as_u64().unwrap() >= 500, "{answer}");
    let (_, again) = worker.call("lease", json!({ "queues": ["q"] })).await;
    assert!(again["retryAfterMs"].as_u64().unwrap() >= 500, "{again}");
    assert_eq!(worker.complete(&lease, json!(1)).await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn call_whose_answer_was_cut_off_is_given_the_same_again() {
    let server = Running::start().await;
    workflow(&server, vec![json!({ "repeatable": false })]).await;
    let id = start(&server).await;
    let worker = Worker::new(&server, "a");
    let call = || async {
        let lost = worker.lease(json!({ "request": "call-1", "lease": "60s", "wait": "5s" })).await;
        (lost[0]["lease"].clone(), lost[0]["input"].clone(), lost[0]["idempotencyKey"].clone())
    };
    // A dropped call is as good as an answer that a proxy has cut off: the caller knows nothing of it.
    let lost = call().await;
    assert_eq!(call().await, lost);
    assert!(
        worker.lease(json!({ "request": "call-2" })).await.is_empty(),
        "another call is given nothing of it"
    );
    assert_eq!(worker.complete(lost.0.as_str().unwrap(), json!(1)).await.0, 200);
    let task = ended(&server, &id).await;
    assert_eq!(
        (&task["status"], &task["subTasks"][0]["status"]),
        (&json!("Successful"), &json!("SUCCESSFUL"))
    );
    assert!(worker.lease(json!({ "request": "call-1" })).await.is_empty());
    let (status, answer) = worker.call("lease", json!({ "queues": ["q"], "request": "no such name!" })).await;
    assert_eq!((status, answer["errorCode"].as_str()), (400, Some("INVALID_REQUEST")), "{answer}");
}
