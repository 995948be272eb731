//! Queues: priorities, limits, and their state after a restart.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Worker, start, workflow};
use crate::it::support::Running;

async fn limit(server: &Running, limits: Value) -> Value {
    let answer = server.send("PUT", "/v1/queues/q", Some(limits)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn highest_priority_is_leased_first_then_the_oldest() {
    let server = Running::start().await;
    let of = |priority: i32| json!({ "needs": [], "action": { "worker": { "queue": "q", "priority": priority } } });
    workflow(&server, vec![of(0), of(10), of(-5), of(10)]).await;
    let _ = start(&server).await;
    let leases = Worker::new(&server, "a").lease(json!({})).await;
    let order: Vec<&str> = leases.iter().map(|one| one["subTask"].as_str().unwrap()).collect();
    assert_eq!(order, ["Step1", "Step3", "Step0", "Step2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_and_are_lifted() {
    let server = Running::start().await;
    workflow(&server, vec![json!({}), json!({})]).await;
    for _ in 0..6 {
        let _ = start(&server).await;
    }
    let worker = Worker::new(&server, "a");
    assert_eq!(limit(&server, json!({ "paused": true })).await["limits"], json!({ "paused": true }));
    assert_eq!(worker.lease(json!({})).await.len(), 0);
    limit(&server, json!({ "maxRunning": 2 })).await;
    let leases = worker.lease(json!({})).await;
    assert_eq!(leases.len(), 2);
    // Sub-tasks that become ready by a report count like any other.
    let done =
        json!({ "completed": [{ "lease": leases[0]["lease"] }], "next": { "queues": ["q"], "max": 10 } });
    assert_eq!(worker.call("complete", done).await.1["leases"].as_array().unwrap().len(), 1);
    let waiting = worker.lease(json!({ "wait": "10s", "max": 1 }));
    let lifting = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        limit(&server, json!({})).await;
        Instant::now()
    };
    let (leases, at) = tokio::join!(waiting, lifting);
    assert!(leases.len() == 1 && at.elapsed() < Duration::from_secs(2));
    limit(&server, json!({ "rate": "2/1s" })).await;
    assert_eq!(worker.lease(json!({})).await.len(), 2);
    let begun = Instant::now();
    assert_eq!(worker.lease(json!({ "wait": "5s" })).await.len(), 1);
    assert!(begun.elapsed() >= Duration::from_millis(350), "{:?}", begun.elapsed());
    let listed = server.get("/v1/queues").await.json();
    assert_eq!(
        (&listed["elements"][0]["name"], &listed["elements"][0]["limits"]),
        (&json!("q"), &json!({ "rate": "2/1s" }))
    );
    let noted = server.get("/v1/audit?action=limitQueue").await.json();
    assert_eq!(
        (&noted["elements"][0]["target"], &noted["pageMetadata"]["totalElements"]),
        (&json!("q"), &json!(4))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_wait_for_each_other_say_so() {
    let server = Running::start().await;
    let definition = json!({
        "name": "work", "type": "T", "title": "Work", "input": { "type": "object" },
        "resources": [{ "type": "HOST", "resourceId": "h1" }],
        "subTasks": [{ "name": "Step0", "description": "x", "action": { "worker": { "queue": "q" } } }]
    });
    assert_eq!(server.send("PUT", "/v1/workflows/work", Some(definition)).await.status, 201);
    let (first, second) = (start(&server).await, start(&server).await);
    let waits = server.get(&format!("/v1/tasks/{second}")).await.json();
    assert_eq!((&waits["status"], &waits["waitingFor"]["type"]), (&json!("Pending"), &json!("LOCK")));
    let lock = &waits["waitingFor"]["locks"][0];
    assert_eq!(
        (&lock["taskId"], &lock["state"], &lock["resourceId"]),
        (&json!(first), &json!("HELD"), &json!("h1"))
    );
    let locks = server.get("/v1/resources/locks?resourceType=host&resourceId=H1").await.json();
    assert_eq!(locks["pageMetadata"]["totalElements"], 2);
    let body = json!({ "reason": "because" });
    let refused = server.send("POST", &format!("/v1/tasks/{first}/release-locks"), Some(body)).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "TA_TASK_HOLDS_NO_LOCKS"));
    let worker = Worker::new(&server, "a");
    let lease = worker.lease_one().await;
    let done = json!({ "completed": [{ "lease": lease }], "next": { "queues": ["q"] } });
    let (_, answer) = worker.call("complete", done).await;
    let next = if answer["leases"][0].is_null() {
        worker.lease(json!({ "wait": "5s" })).await[0].clone()
    } else {
        answer["leases"][0].clone()
    };
    assert_eq!(next["task"]["id"], json!(second));
}

/// Each call changes what it names and nothing else, however many come at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_the_same_time_are_all_kept() {
    let server = Running::start().await;
    let patch = async |path: String, body: Value| server.send("PATCH", &path, Some(body)).await;
    let unknown = patch("/v1/queues/a".to_owned(), json!({ "paused": true })).await;
    assert_eq!((unknown.status.as_u16(), unknown.code().as_str()), (404, "QUEUE_NOT_FOUND"));
    assert_eq!(server.get("/v1/queues").await.json()["elements"], json!([]));
    for round in 1..=8 {
        let changes = ["a", "b", "c"].into_iter().flat_map(|queue| {
            let path = format!("/v1/queues/{queue}?create=true");
            [
                json!({ "maxRunning": round }),
                json!({ "rate": format!("{round}/1m") }),
                json!({ "paused": round % 2 == 0 }),
            ]
            .map(|body| patch(path.clone(), body))
        });
        for answer in futures_util::future::join_all(changes).await {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        let mut limits = json!({ "maxRunning": round, "rate": format!("{round}/1m") });
        if round % 2 == 0 {
            limits["paused"] = json!(true);
        }
        let listed = server.get("/v1/queues").await.json();
        let found: Vec<&Value> =
            listed["elements"].as_array().unwrap().iter().map(|queue| &queue["limits"]).collect();
        assert_eq!(found, [&limits; 3], "{listed}");
    }
    let one = |body| patch("/v1/queues/a".to_owned(), body);
    assert_eq!(
        one(json!({})).await.json()["limits"],
        json!({ "maxRunning": 8, "rate": "8/1m", "paused": true })
    );
    assert_eq!(
        one(json!({ "rate": null })).await.json()["limits"],
        json!({ "maxRunning": 8, "paused": true })
    );
    assert_eq!(
        one(json!({ "paused": null, "maxRunning": 0 })).await.json()["limits"],
        json!({ "maxRunning": 0 })
    );
    assert_eq!(limit_of(&server, "b", json!({ "rate": "1/1s" })).await, json!({ "rate": "1/1s" }));
    for (body, pointer) in [
        (json!({ "rate": "fast" }), "/rate"),
        (json!({ "maxRunning": -1 }), "/maxRunning"),
        (json!({ "paused": "yes" }), "/paused"),
        (json!({ "pause": true }), ""),
    ] {
        let refused = one(body.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "INVALID_REQUEST"), "{body}");
        assert!(refused.json()["context"]["pointer"].as_str().unwrap().starts_with(pointer), "{refused:?}");
    }
    assert_eq!(
        patch("/v1/queues/a?create=maybe".to_owned(), json!({})).await.json()["arguments"],
        json!(["create"])
    );
    assert_eq!(one(json!({})).await.json()["limits"], json!({ "maxRunning": 0 }));
    let noted = server.get("/v1/audit?action=changeQueue&size=1").await.json();
    assert_eq!(noted["elements"][0]["target"], "a", "{noted}");
}

/// A queue that a stored workflow names is known before any of its work waits there.
#[tokio::test]
async fn queue_of_a_stored_workflow_can_be_paused() {
    let server = Running::start().await;
    let pause = async || server.send("PATCH", "/v1/queues/q", Some(json!({ "paused": true }))).await;
    assert_eq!(pause().await.code(), "QUEUE_NOT_FOUND");
    workflow(&server, vec![json!({ "action": { "worker": { "queue": "q" } } })]).await;
    let paused = pause().await;
    assert_eq!((paused.status.as_u16(), &paused.json()["limits"]["paused"]), (200, &json!(true)));
    let other = server.send("PATCH", "/v1/queues/p", Some(json!({ "paused": true }))).await;
    assert_eq!(other.code(), "QUEUE_NOT_FOUND");
}

/// A `PUT` replaces every limit of a queue.
async fn limit_of(server: &Running, queue: &str, limits: Value) -> Value {
    let answer = server.send("PUT", &format!("/v1/queues/{queue}"), Some(limits)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["limits"].clone()
}
