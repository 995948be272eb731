//! The documented examples, imported, come back as documented: values and the order of members, nothing more.

use serde_json::{Value, json};

use super::support::Running;

const LIST: &str = include_str!("../fixtures/list-tasks.json");
const TASK: &str = include_str!("../fixtures/get-task.json");

/// Equal as JSON, the order of members included.
fn assert_same(got: &str, wanted: &str) {
    let text = |json: &str| serde_json::to_string(&serde_json::from_str::<Value>(json).unwrap()).unwrap();
    assert_eq!(text(got), text(wanted));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn examples_come_back_to_the_byte_of_their_values() {
    let server = Running::start().await;
    let imported = server.send("POST", "/v1/tasks/import", Some(serde_json::from_str(LIST).unwrap())).await;
    assert_eq!(imported.json(), json!({ "imported": 2, "replaced": 0, "kept": 0 }));
    let again = server.send("POST", "/v1/tasks/import", Some(serde_json::from_str(LIST).unwrap())).await;
    assert_eq!(again.json(), json!({ "imported": 0, "replaced": 2, "kept": 0 }));

    // Both examples of the list have one instant; the documented order is then that of descending ids
    // reversed.
    let page = server.get("/v1/tasks?orderBy=id&orderDirection=ASC").await;
    assert_same(&page.text, LIST);

    let list: Value = serde_json::from_str(LIST).unwrap();
    for task in list["elements"].as_array().unwrap() {
        let got = server.get(&format!("/v1/tasks/{}", task["id"].as_str().unwrap())).await;
        assert_same(&got.text, &task.to_string());
    }
    server.send("POST", "/v1/tasks/import", Some(serde_json::from_str(TASK).unwrap())).await;
    let got = server.get("/v1/tasks/bc32f3be-a777-434b-a156-3fa54e8d2ded").await;
    assert_same(&got.text, TASK);
    assert_eq!(server.total().await, 3);
    let failed = server.get("/v1/tasks?taskStatus=failed&include=all").await;
    assert_eq!(failed.json()["pageMetadata"]["totalElements"], 2);
    let refused = server.send("PATCH", "/v1/tasks/bc32f3be-a777-434b-a156-3fa54e8d2ded", None).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "TA_TASK_CAN_NOT_BE_RETRIED"));
}
