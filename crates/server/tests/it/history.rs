//! Settings of tasks, deletion of their history, and the audit log.

use serde_json::json;

use super::support::Running;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_is_read_and_set() {
    let server = Running::start().await;
    let path = "/v1/tasks/config/settings";
    assert_eq!(server.get(path).await.json(), json!({ "retentionDays": 365 }));
    let set = server.send("PATCH", path, Some(json!({ "retentionDays": 30 }))).await;
    assert_eq!((set.status.as_u16(), set.json()), (200, json!({ "retentionDays": 30 })));
    for bad in [
        json!({}),
        json!({ "retentionDays": 0 }),
        json!({ "retentionDays": 731 }),
        json!({ "retentionDays": -1 }),
        json!([]),
    ] {
        let refused = server.send("PATCH", path, Some(bad)).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "INVALID_REQUEST"));
    }
    assert_eq!(server.get(path).await.json(), json!({ "retentionDays": 30 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_deleted_each_task_for_itself() {
    let server = Running::start().await;
    server.workflow("w", vec![json!({})]).await;
    server.workflow("fails", vec![json!({ "action": { "simulate": { "failAttempts": [1] } } })]).await;
    let done = server.run("w").await["id"].as_str().unwrap().to_owned();
    let failed = server.run("fails").await["id"].as_str().unwrap().to_owned();
    let unknown = "bc32f3be-a777-434b-a156-3fa54e8d2ded";
    let wish = json!({ "taskIds": [failed, done, unknown, "nonsense"] });
    let answer = server.send("DELETE", "/v1/tasks/history", Some(wish)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let result = answer.json();
    assert_eq!(result["successful"], json!([done]));
    let codes: Vec<_> = result["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["taskId"].as_str().unwrap(), e["errorCode"].as_str().unwrap()))
        .collect();
    assert_eq!(
        codes,
        [
            (failed.as_str(), "TA_TASK_CAN_NOT_BE_DELETED"),
            (unknown, "TA_TASK_NOT_FOUND"),
            ("nonsense", "TA_TASK_NOT_FOUND")
        ]
    );
    assert_eq!(server.get(&format!("/v1/tasks/{done}")).await.code(), "TA_TASK_NOT_FOUND");
    assert_eq!(server.total().await, 1);
    for bad in [json!({ "taskIds": [] }), json!({}), json!({ "taskIds": "x" })] {
        assert_eq!(server.send("DELETE", "/v1/tasks/history", Some(bad)).await.status, 400);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_tells_who_changed_what() {
    let server = Running::start().await;
    server.workflow("fails", vec![json!({ "action": { "simulate": { "failAttempts": [1] } } })]).await;
    let id = server.run("fails").await["id"].as_str().unwrap().to_owned();
    assert_eq!(server.send("PATCH", &format!("/v1/tasks/{id}"), None).await.status, 200);
    assert_eq!(
        server
            .send(
                "DELETE",
                &format!("/v1/tasks/{unknown}", unknown = "bc32f3be-a777-434b-a156-3fa54e8d2ded"),
                None
            )
            .await
            .status,
        404
    );
    let page = server.get("/v1/audit").await.json();
    let actions: Vec<&str> =
        page["elements"].as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["retryTask", "startTask", "putWorkflow", "addUser", "addUser"]);
    assert_eq!(page["pageMetadata"]["totalElements"], 5);
    let retry = &page["elements"][0];
    assert_eq!(
        (&retry["target"], &retry["from"], &retry["outcome"]),
        (&json!(id), &json!("127.0.0.1"), &json!("ACCEPTED"))
    );
    let some = server
        .get(&format!("/v1/audit?target={id}&action=startTask&outcome=accepted&pageSize=1"))
        .await
        .json();
    assert_eq!(some["pageMetadata"]["totalElements"], 1);
    assert_eq!(server.get("/v1/audit?outcome=maybe").await.code(), "INVALID_PARAMETER");
    assert_eq!(server.get("/v1/audit?since=yesterday").await.code(), "INVALID_PARAMETER");
    assert_eq!(server.get("/v1/audit?since=2999-01-01T00:00:00.000Z").await.json()["elements"], json!([]));
}

/// A clock is confirmed by a caller who says what time it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_is_shown_and_confirmed() {
    let server = Running::start().await;
    let shown = server.get("/v1/clock").await.json();
    assert_eq!(shown["doubted"], json!(false));
    assert_eq!(shown["clockTimestamp"], shown["livedTimestamp"]);
    for wrong in [
        json!({}),
        json!({ "clockTimestamp": "soon" }),
        json!({ "clockTimestamp": "2001-01-01T00:00:00.000Z" }),
    ] {
        let answer = server.send("POST", "/v1/clock/confirm", Some(wrong.clone())).await;
        assert_eq!(answer.status.as_u16(), 400, "{wrong}");
    }
    let right = json!({ "clockTimestamp": shown["clockTimestamp"] });
    assert_eq!(server.send("POST", "/v1/clock/confirm", Some(right)).await.status.as_u16(), 204);
    let metrics = server.get("/metrics").await;
    assert!(metrics.text.contains("longhaul_clock_doubt_seconds 0"), "{metrics:?}");
}
