//! Tasks over their life: started, watched, retried, skipped, resolved, cancelled.

use std::time::Instant;

use longhaul_server::{ActionBody, ServerConfig, WireConfig};
use serde_json::{Value, json};

use super::support::Running;

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_task_has_the_documented_members_in_order() {
    let server = Running::start().await;
    server.workflow("commission", vec![json!({}), json!({})]).await;
    let task = server.run("commission").await;
    let documented = [
        "id",
        "name",
        "type",
        "status",
        "creationTimestamp",
        "completionTimestamp",
        "subTasks",
        "errors",
        "resources",
        "resolutionStatus",
        "isCancellable",
        "isRetryable",
    ];
    assert_eq!(keys(&task)[..12], documented);
    assert_eq!(keys(&task)[12..], ["progress", "workflow", "attempt", "version"]);
    assert_eq!(task["name"], "Commissioning host(s) esx1");
    assert_eq!(task["status"], "Successful");
    assert_eq!(task["subTasks"][0]["status"], "SUCCESSFUL");
    assert_eq!(task["resources"], json!([{ "resourceId": "esx1", "type": "HOST" }]));

    let listed = server.get("/v1/tasks").await.json();
    assert_eq!(keys(&listed["elements"][0]), documented);
    let more = server.get("/v1/tasks?include=progress,workflow").await.json();
    assert_eq!(keys(&more["elements"][0])[12..], ["progress", "workflow"]);
    let path = format!("/v1/tasks/{}?include=input,outputs,labels", task["id"].as_str().unwrap());
    assert_eq!(server.get(&path).await.json()["input"], json!({ "host": "esx1" }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_task_is_retried_and_answers_as_running() {
    let server = Running::start().await;
    let fails = json!({ "action": { "simulate": { "duration": "100ms", "failAttempts": [1] } } });
    server.workflow("fails", vec![json!({}), fails, json!({})]).await;
    let task = server.run("fails").await;
    let path = format!("/v1/tasks/{}", task["id"].as_str().unwrap());
    assert_eq!((&task["status"], &task["isRetryable"]), (&json!("Failed"), &json!(true)));
    assert_eq!(task["errors"][0]["errorCode"], "SIMULATED_FAILURE");
    let summary = server.get(&format!("{path}?view=summary")).await.json();
    assert_eq!(summary["subTasks"].as_array().unwrap().len(), 1);

    let retried = server.send("PATCH", &path, None).await;
    assert_eq!((retried.status.as_u16(), &retried.json()["status"]), (200, &json!("In Progress")));
    let ended = server.get(&format!("{path}?wait=10s")).await.json();
    assert_eq!((&ended["status"], &ended["resolutionStatus"]), (&json!("Successful"), &json!("RESOLVED")));
    let attempts = server.get(&format!("{path}/attempts")).await.json();
    let brief: Vec<String> = attempts["elements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| {
            format!("{} {} {}", a["subTask"].as_str().unwrap(), a["number"], a["status"].as_str().unwrap())
        })
        .collect();
    assert_eq!(brief, ["Step0 1 SUCCESSFUL", "Step1 1 FAILED", "Step1 2 SUCCESSFUL", "Step2 1 SUCCESSFUL"]);
    let refused = server.send("PATCH", &path, Some(json!({}))).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "TA_TASK_CAN_NOT_BE_RETRIED"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_skip_and_resolve_do_what_they_say() {
    let server = Running::start().await;
    server.workflow("slow", vec![json!({ "action": { "wait": { "for": "1h" } } })]).await;
    let started =
        server.send("POST", "/v1/tasks", Some(json!({ "workflow": "slow", "input": { "host": "a" } }))).await;
    assert_eq!(started.header("location"), format!("/v1/tasks/{}", started.json()["id"].as_str().unwrap()));
    assert_eq!(started.json()["waitingFor"]["type"], "TIMER");
    let path = started.header("location").to_owned();
    let cancelled = server.send("DELETE", &path, None).await;
    assert_eq!((cancelled.status.as_u16(), &cancelled.json()["status"]), (200, &json!("Cancelled")));
    assert_eq!(server.send("DELETE", &path, None).await.code(), "TA_TASK_CAN_NOT_BE_CANCELLED");

    let fails = json!({ "name": "Odd name/ü", "action": { "simulate": { "failAttempts": [1] } } });
    server.workflow("fails", vec![fails, json!({})]).await;
    let path = format!("/v1/tasks/{}", server.run("fails").await["id"].as_str().unwrap());
    let resolved = server.send("POST", &format!("{path}/resolve"), Some(json!({ "reason": "known" }))).await;
    assert_eq!(resolved.json()["resolutionStatus"], "RESOLVED");
    let skip = format!("{path}/subtasks/Odd%20name%2F%C3%BC/skip");
    let skipped = server.send("POST", &skip, Some(json!({ "reason": "not today" }))).await;
    assert_eq!(skipped.status, 200, "{skipped:?}");
    let ended = server.get(&format!("{path}?wait=10s")).await.json();
    assert_eq!(
        (&ended["status"], &ended["subTasks"][0]["status"]),
        (&json!("Completed With Warning"), &json!("SKIPPED"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idempotency_key_gives_the_same_task() {
    let server = Running::start().await;
    server.workflow("commission", vec![json!({})]).await;
    let send = async |host: &str| {
        let body = json!({ "workflow": "commission", "input": { "host": host } }).to_string();
        let request = server.client.post(format!("http://{}/v1/tasks", server.address));
        super::support::Answer::of(request.header("idempotency-key", "k1").body(body)).await
    };
    let (first, again, other) = (send("a").await, send("a").await, send("b").await);
    assert_eq!(first.json()["id"], again.json()["id"]);
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    assert_eq!((other.status.as_u16(), other.code().as_str()), (422, "IDEMPOTENCY_KEY_REUSED"));
    assert_eq!(server.total().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn etag_spares_what_the_caller_knows() {
    let server = Running::start().await;
    server.workflow("commission", vec![json!({})]).await;
    let url = format!(
        "http://{}/v1/tasks/{}",
        server.address,
        server.run("commission").await["id"].as_str().unwrap()
    );
    let first = super::support::Answer::of(server.client.get(&url)).await;
    let same =
        super::support::Answer::of(server.client.get(&url).header("if-none-match", first.header("etag")))
            .await;
    assert_eq!((same.status.as_u16(), same.text.as_str()), (304, ""));
    let other =
        server.client.get(format!("{url}?view=summary")).header("if-none-match", first.header("etag"));
    assert_eq!(super::support::Answer::of(other).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wait_ends_with_the_task_or_the_time() {
    let server = Running::start().await;
    server.workflow("slow", vec![json!({ "action": { "simulate": { "duration": "400ms" } } })]).await;
    let begun = Instant::now();
    let body = json!({ "workflow": "slow", "input": { "host": "a" } });
    let short = server.send("POST", "/v1/tasks?wait=100ms", Some(body)).await.json();
    assert_eq!(short["status"], "In Progress");
    let ended = server.get(&format!("/v1/tasks/{}?wait=30s", short["id"].as_str().unwrap())).await.json();
    assert_eq!(ended["status"], "Successful");
    assert!(begun.elapsed().as_secs() < 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switches_of_the_wire_are_obeyed() {
    let wire = WireConfig {
        status_style: longhaul_model::StatusStyle::Constant,
        action_body: ActionBody::Empty,
        default_page_size: 100,
        extensions: false,
        ..WireConfig::default()
    };
    let server = Running::with(ServerConfig { wire, ..ServerConfig::default() }).await;
    server.workflow("fails", vec![json!({ "action": { "simulate": { "failAttempts": [1] } } })]).await;
    let task = server.run("fails").await;
    assert_eq!((keys(&task).len(), &task["status"]), (12, &json!("FAILED")));
    let path = format!("/v1/tasks/{}", task["id"].as_str().unwrap());
    let retried = server.send("PATCH", &path, None).await;
    assert_eq!(
        (retried.status.as_u16(), retried.text.as_str(), retried.header("content-length")),
        (200, "", "0")
    );
    assert_eq!(server.get("/v1/tasks").await.json()["pageMetadata"]["pageSize"], 100);
}
