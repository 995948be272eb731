//! Credentials tasks, in the requests of the wire contract's clients.

use serde_json::{Value, json};

use super::support::{Answer, Running};

const PASSWORD: &str = "N3w!passw0rd-of-root";

/// Stores the workflow of an operation.
async fn supply(server: &Running, operation: &str, sub_task: Value) {
    let mut sub = json!({ "name": "Change", "description": "Password change", "action": { "simulate": {} } });
    sub.as_object_mut().unwrap().extend(sub_task.as_object().unwrap().clone());
    let name = operation.to_ascii_lowercase();
    let definition = json!({
        "name": name, "type": format!("CREDENTIALS_{operation}"), "title": format!("Credentials {name} operation"),
        "credentials": operation, "subTasks": [sub]
    });
    let put = server.send("PUT", &format!("/v1/workflows/{name}"), Some(definition)).await;
    assert_eq!(put.status, 201, "{put:?}");
}

fn spec(operation: &str, host: &str) -> Value {
    json!({ "operationType": operation, "elements": [{ "resourceName": host, "resourceType": "ESXI",
        "credentials": [{ "credentialType": "SSH", "username": "root", "password": PASSWORD }] }] })
}

async fn change(server: &Running, operation: &str, host: &str) -> Answer {
    server.send("PATCH", "/v1/credentials", Some(spec(operation, host))).await
}

async fn ended(server: &Running, id: &str) -> Value {
    server.get(&format!("/v1/tasks/{id}?wait=10s")).await.json();
    server.get(&format!("/v1/credentials/tasks/{id}")).await.json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn change_of_credentials_is_a_task_of_both_apis() {
    let server = Running::start().await;
    assert_eq!(change(&server, "UPDATE", "esxi-1").await.code(), "CREDENTIALS_OPERATION_NOT_SUPPORTED");
    supply(&server, "UPDATE", json!({})).await;
    let started = change(&server, "UPDATE", "esxi-1").await;
    assert_eq!(started.status, 202, "{started:?}");
    let task = started.json();
    let id = task["id"].as_str().unwrap();
    assert_eq!(started.header("location"), format!("/v1/tasks/{id}"));
    assert_eq!((&task["type"], &task["isRetryable"]), (&json!("CREDENTIALS_UPDATE"), &json!(false)));
    assert_eq!(
        task["resources"][0],
        json!({ "resourceId": "esxi-1", "type": "ESXI", "fqdn": "esxi-1", "name": "esxi-1" })
    );

    let credentials = ended(&server, id).await;
    assert_eq!(
        (&credentials["id"], &credentials["type"], &credentials["status"]),
        (&json!(id), &json!("UPDATE"), &json!("SUCCESSFUL"))
    );
    let sub = &credentials["subTasks"][0];
    assert_eq!((&sub["resourceName"], &sub["entityType"]), (&json!("esxi-1"), &json!("ESXI")));
    let sub_id = sub["id"].as_str().unwrap();
    let one = server.get(&format!("/v1/credentials/tasks/{id}/subtasks/{sub_id}")).await.json();
    assert_eq!(
        (&one["id"], &one["name"], &one["type"]),
        (&json!(sub_id), &json!("Change"), &json!("UPDATE"))
    );
    let unknown = server.get(&format!("/v1/credentials/tasks/{id}/subtasks/{id}")).await;
    assert_eq!(unknown.code(), "SUB_TASK_NOT_FOUND");
    let about = server.get(&format!("/v1/credentials/tasks/{id}/resource-credentials")).await.json();
    assert_eq!(
        about,
        json!([{ "resourceName": "esxi-1", "resourceType": "ESXI",
                 "credentials": [{ "credentialType": "SSH", "username": "root" }] }])
    );
    let list = server.get("/v1/credentials/tasks?limit=1").await.json();
    assert_eq!((&list["elements"][0]["id"], &list["pageMetadata"]["totalElements"]), (&json!(id), &json!(1)));
    let other = server.get(&format!("/v1/tasks/{id}?include=all")).await;
    assert!(!other.text.contains(PASSWORD), "{other:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_one_holds_its_resources_until_retried() {
    let server = Running::start().await;
    supply(&server, "ROTATE", json!({ "action": { "simulate": { "failAttempts": [1] } } })).await;
    let id = change(&server, "ROTATE", "esxi-1").await.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(ended(&server, &id).await["status"], "FAILED");
    let refused = change(&server, "ROTATE", "ESXI-1").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "RESOURCES_LOCKED"));
    assert_eq!(refused.json()["arguments"], json!([id]));

    let path = format!("/v1/tasks/{id}");
    for (method, code) in
        [("PATCH", "TA_TASK_CAN_NOT_BE_RETRIED"), ("DELETE", "TA_TASK_CAN_NOT_BE_CANCELLED")]
    {
        let refused = server.send(method, &path, None).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, code));
        let remedy = refused.json()["remediationMessage"].as_str().unwrap().to_owned();
        assert!(remedy.contains(&format!("{method} /v1/credentials/tasks/{id}")), "{remedy}");
    }
    let own = format!("/v1/credentials/tasks/{id}");
    let others = server.send("PATCH", &own, Some(spec("ROTATE", "esxi-2"))).await;
    assert_eq!((others.status.as_u16(), others.code().as_str()), (400, "CREDENTIALS_OTHER_RESOURCES"));
    let operation = server.send("PATCH", &own, Some(spec("UPDATE", "esxi-1"))).await;
    assert_eq!(operation.code(), "CREDENTIALS_OTHER_RESOURCES");
    let retried = server.send("PATCH", &own, Some(spec("ROTATE", "esxi-1"))).await;
    assert_eq!((retried.status.as_u16(), &retried.json()["id"]), (202, &json!(id)));
    assert_eq!(ended(&server, &id).await["status"], "SUCCESSFUL");
    assert_eq!(change(&server, "ROTATE", "esxi-1").await.status, 202, "free after success");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_one_is_given_up_by_its_own_call() {
    let server = Running::start().await;
    let fails = json!({ "action": { "simulate": { "failAttempts": [1, 2] } } });
    supply(&server, "REMEDIATE", fails).await;
    let id = change(&server, "REMEDIATE", "esxi-1").await.json()["id"].as_str().unwrap().to_owned();
    ended(&server, &id).await;
    let own = format!("/v1/credentials/tasks/{id}");
    // A retry without a body goes on as it was.
    assert_eq!(server.send("PATCH", &own, None).await.status, 202);
    assert_eq!(ended(&server, &id).await["status"], "FAILED");
    let given_up = server.send("DELETE", &own, None).await;
    assert_eq!((given_up.status.as_u16(), &given_up.json()["status"]), (202, &json!("Cancelled")));
    assert_eq!(ended(&server, &id).await["status"], "USER_CANCELLED");
    let again = server.send("DELETE", &own, None).await;
    assert_eq!((again.status.as_u16(), again.code().as_str()), (400, "TA_TASK_CAN_NOT_BE_CANCELLED"));
    assert_eq!(server.send("PATCH", &own, None).await.status, 400);
    assert_eq!(change(&server, "REMEDIATE", "esxi-1").await.status, 202, "free after the cancel");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn specs_and_other_tasks_are_refused_by_name() {
    let server = Running::start().await;
    supply(&server, "UPDATE", json!({})).await;
    let mut without = spec("UPDATE", "esxi-1");
    without["elements"][0]["credentials"][0].as_object_mut().unwrap().remove("password");
    let mut service = spec("UPDATE", "esxi-1");
    service["elements"][0]["credentials"][0]["accountType"] = json!("SERVICE");
    let mut kind = spec("UPDATE", "esxi-1");
    kind["elements"][0]["resourceType"] = json!("TOASTER");
    for (body, pointer) in [
        (Some(without), "/elements/0/credentials/0"),
        (Some(service), "/elements/0/credentials/0/accountType"),
        (Some(kind), "/elements/0/resourceType"),
        (Some(json!({ "operationType": "UPDATE" })), ""),
        (Some(json!([])), ""),
        (None, ""),
    ] {
        let refused = server.send("PATCH", "/v1/credentials", body).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "INVALID_CREDENTIALS_SPEC"));
        assert_eq!(refused.json()["nestedErrors"][0]["context"]["pointer"], pointer, "{refused:?}");
        assert!(!refused.text.contains(PASSWORD));
    }
    server.workflow("w", vec![json!({})]).await;
    let task = server.run("w").await;
    let other = server.get(&format!("/v1/credentials/tasks/{}", task["id"].as_str().unwrap())).await;
    assert_eq!((other.status.as_u16(), other.code().as_str()), (400, "CREDENTIALS_TASK_NOT_FOUND"));
    let start = json!({ "workflow": "update", "input": spec("UPDATE", "esxi-1") });
    assert_eq!(server.send("POST", "/v1/tasks", Some(start)).await.code(), "CREDENTIALS_OWN_CALL");
    let second = json!({ "name": "second", "type": "CREDENTIALS_UPDATE", "title": "x", "credentials": "UPDATE",
        "subTasks": [{ "name": "A", "description": "x", "action": { "simulate": {} } }] });
    let taken = server.send("PUT", "/v1/workflows/second", Some(second)).await;
    assert_eq!((taken.status.as_u16(), taken.code().as_str()), (409, "CREDENTIALS_OPERATION_TAKEN"));
    assert_eq!(server.total().await, 1);
}
