//! Imports of files as other programs write them: each task is imported, or refused with its position and ID;
//! and lists of the imported ones are readable by typed clients.

use serde_json::{Value, json};

use super::support::{Answer, Running};

const LIST: &str = include_str!("../fixtures/list-tasks.json");
const TASK: &str = include_str!("../fixtures/get-task.json");

async fn import(server: &Running, body: Vec<u8>) -> Answer {
    let request =
        server.client.post(server.url("/v1/tasks/import")).header("content-type", "application/json");
    Answer::of(request.body(body)).await
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_powershell_are_read() {
    let server = Running::start().await;
    let text = LIST.replace("Customer", "Kündigung 客户");
    for body in [
        text.as_bytes().to_vec(),
        [&[0xef, 0xbb, 0xbf], text.as_bytes()].concat(),
        [&[0xff, 0xfe][..], &utf16(&text, u16::to_le_bytes)].concat(),
        [&[0xfe, 0xff][..], &utf16(&text, u16::to_be_bytes)].concat(),
        utf16(&text, u16::to_le_bytes),
    ] {
        let done = import(&server, body).await;
        assert_eq!(done.status, 200, "{done:?}");
        let page = server.get("/v1/tasks?taskName=K%C3%BCndigung").await.json();
        assert_eq!(page["pageMetadata"]["totalElements"], 1);
        assert!(page["elements"][0]["name"].as_str().unwrap().contains("客户"));
    }
    // A byte order mark is skipped in every call.
    server.workflow("w", vec![json!({})]).await;
    let body = "\u{feff}{\"workflow\":\"w\",\"input\":{\"host\":\"a\"}}";
    let start = server.client.post(server.url("/v1/tasks")).header("content-type", "application/json");
    assert_eq!(Answer::of(start.body(body)).await.status, 202);
    let mut broken = utf16(&text, u16::to_le_bytes);
    broken.pop();
    let refused = import(&server, broken).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "MALFORMED_JSON"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_task_is_refused_with_its_index_and_id() {
    let server = Running::start().await;
    let good: Value = serde_json::from_str(TASK).unwrap();
    let id = good["id"].as_str().unwrap();
    let with = |pointer: &str, value: Value| {
        let mut task = good.clone();
        *task.pointer_mut(pointer).unwrap() = value;
        task
    };
    for (bad, pointer, said, remedy) in [
        (
            with("/subTasks/1", json!("@{name=HostMaintenanceModeValidationAction; status=FAILED}")),
            "/subTasks/1",
            id,
            "-Depth",
        ),
        (with("/errors", json!("System.Object[]")), "/errors", id, "-Depth"),
        (with("/resources/0", json!(7)), "/resources/0", id, "Leave this task out"),
        (with("/status", json!("Running")), "/status", id, "Leave"),
        (with("/creationTimestamp", json!("yesterday")), "/creationTimestamp", id, "Leave"),
        (with("/id", json!("host-7")), "/id", "without a valid ID", "Leave"),
        (json!({ "value": [], "Count": 0 }), "", "without a valid ID", "Leave"),
        (json!(17), "", "without a valid ID", "Leave"),
    ] {
        let body = json!([good, bad]).to_string();
        let refused = import(&server, body.into_bytes()).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "INVALID_REQUEST"), "{bad}");
        let error = refused.json();
        assert_eq!(error["context"]["pointer"], format!("/elements/1{pointer}"), "{bad}");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with("task 2 ") && message.contains(said), "{message}");
        assert!(error["remediationMessage"].as_str().unwrap().contains(remedy), "{error}");
        assert_eq!(server.total().await, 0, "nothing of it was imported");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nulls_are_left_out_and_facts_are_text() {
    let server = Running::start().await;
    let mut task: Value = serde_json::from_str(TASK).unwrap();
    task["completionTimestamp"] = Value::Null;
    task["resources"] = json!([null, { "resourceId": "a", "type": "HOST", "fqdn": null, "name": null }]);
    task["errors"] =
        json!([{ "errorCode": "X", "message": "m", "context": { "exitCode": 1, "none": null } }]);
    assert_eq!(import(&server, task.to_string().into_bytes()).await.status, 200);
    let got = server.get(&format!("/v1/tasks/{}", task["id"].as_str().unwrap())).await;
    assert!(!got.text.contains("null"), "{}", got.text);
    assert_eq!(got.json()["resources"], json!([{ "resourceId": "a", "type": "HOST" }]));
    assert_eq!(got.json()["errors"][0]["context"], json!({ "exitCode": "1" }));
}

/// Generator with the same numbers in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn value(&mut self, depth: usize) -> Value {
        let long = "x".repeat(3_000);
        let texts = [
            "",
            "a",
            "Failed",
            "IN_PROGRESS",
            "@{a=b}",
            "System.Object[]",
            "9999-12-31T23:59:59.999Z",
            "0001-01-01T00:00:00+00:00",
            "2016-12-31T23:59:60Z",
            "client \u{1f980} \u{202e}",
            "HOST",
            "a\u{1f}b",
            "%_'\"\\",
            &long,
        ];
        match self.roll(if depth == 0 { 4 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.roll(2) == 0),
            2 => json!(self.roll(1 << 40)),
            3 | 4 => json!(texts[self.roll(texts.len())]),
            5 => (0..self.roll(4)).map(|_| self.value(depth - 1)).collect(),
            _ => {
                let names = ["name", "type", "context", "errors", "resourceId", "subTasks", "status", "x"];
                let members =
                    (0..self.roll(4)).map(|_| (names[self.roll(8)].to_owned(), self.value(depth - 1)));
                Value::Object(members.collect())
            }
        }
    }

    /// Changes a task in some of its places.
    fn spoil(&mut self, task: &mut Value) {
        let pointers = [
            "/name",
            "/type",
            "/status",
            "/creationTimestamp",
            "/completionTimestamp",
            "/subTasks",
            "/subTasks/0",
            "/subTasks/0/description",
            "/errors",
            "/resources",
            "/resources/0",
            "/resources/0/type",
            "/resources/0/fqdn",
            "/errors/0",
            "/errors/0/context",
            "/errors/0/arguments",
            "/isRetryable",
            "/extra",
            "/localizableDescriptionPack",
        ];
        for _ in 0..1 + self.roll(3) {
            let pointer = pointers[self.roll(pointers.len())];
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let value = self.value(3);
            match task.pointer_mut(parent) {
                Some(Value::Object(members)) => drop(members.insert(name.to_owned(), value)),
                Some(Value::Array(items)) if items.is_empty() => items.push(value),
                Some(Value::Array(items)) => items[0] = value,
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_imported_lists_work() {
    let server = Running::start().await;
    let (mut dice, mut taken, mut types) = (Dice(0x5eed), 0_u64, std::collections::BTreeSet::new());
    for n in 0..400 {
        let mut task: Value = serde_json::from_str(TASK).unwrap();
        task["id"] = json!(format!("00000000-0000-4000-8000-{n:012}"));
        dice.spoil(&mut task);
        let done = import(&server, task.to_string().into_bytes()).await;
        match done.status.as_u16() {
            200 => {
                taken += 1;
                types.extend(task["type"].as_str().filter(|kind| kind.len() < 100).map(str::to_owned));
            }
            400 => {
                let error = done.json();
                assert!(error["context"]["pointer"].as_str().unwrap().starts_with("/elements/0"), "{error}");
                assert!(error["message"].as_str().unwrap().contains(task["id"].as_str().unwrap()), "{error}");
            }
            _ => panic!("{task}: {done:?}"),
        }
    }
    assert!((50..350).contains(&taken), "{taken} of 400 were taken");
    assert_eq!(server.total().await, taken);
    let mut filters = vec![String::new(), "&taskStatus=failed,in_progress".into(), "&taskName=domain".into()];
    filters
        .extend(["&resourceType=host", "&resourceId=a", "&completedAfter=0", "&limit=20"].map(str::to_owned));
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    filters.extend(
        types
            .iter()
            .take(5)
            .filter(|kind| !kind.contains('\0'))
            .map(|kind| format!("&taskType={}", encoded(kind))),
    );
    for order in ["id", "name", "type", "status", "creationTimestamp", "completionTimestamp"] {
        for filter in &filters {
            let direction = if dice.roll(2) == 0 { "ASC" } else { "DESC" };
            let mut seen = std::collections::HashSet::new();
            for page in 1.. {
                let path = format!(
                    "/v1/tasks?orderBy={order}&orderDirection={direction}&pageSize=100&pageNumber={page}{filter}"
                );
                let answer = server.get(&path).await;
                assert_eq!(answer.status, 200, "{path}: {answer:?}");
                let body = answer.json();
                let elements = body["elements"].as_array().unwrap();
                seen.extend(elements.iter().map(|task| task["id"].to_string()));
                if elements.is_empty() {
                    assert_eq!(
                        seen.len() as u64,
                        body["pageMetadata"]["totalElements"].as_u64().unwrap(),
                        "{path}"
                    );
                    break;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn extreme_instants_are_kept_and_sorted() {
    let server = Running::start().await;
    let instants = [
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00.000Z",
        "9999-12-31T23:59:59.999Z",
        "9999-12-31T23:59:59+14:00",
    ];
    for (n, at) in instants.iter().enumerate() {
        let mut task: Value = serde_json::from_str(TASK).unwrap();
        task["id"] = json!(format!("00000000-0000-4000-8000-{n:012}"));
        (task["creationTimestamp"], task["completionTimestamp"]) = (json!(at), json!(at));
        assert_eq!(import(&server, task.to_string().into_bytes()).await.status, 200, "{at}");
    }
    for order in ["creationTimestamp", "completionTimestamp"] {
        let page = server.get(&format!("/v1/tasks?orderBy={order}&orderDirection=ASC")).await.json();
        let order: Vec<&str> =
            page["elements"].as_array().unwrap().iter().map(|task| task[order].as_str().unwrap()).collect();
        assert_eq!(order, [instants[0], instants[1], instants[3], instants[2]]);
    }
    server.workflow("w", vec![json!({})]).await;
    let later = |at: &str| json!({ "workflow": "w", "input": { "host": "a" }, "notBefore": at });
    let waiting = server.send("POST", "/v1/tasks", Some(later("9999-12-31T23:59:59Z"))).await;
    assert_eq!(waiting.status, 202, "{waiting:?}");
    assert_eq!(waiting.json()["waitingFor"]["until"], "9999-12-31T23:59:59.000Z");
    assert_eq!(
        server.send("POST", "/v1/tasks?wait=10s", Some(later("0001-01-01T00:00:00Z"))).await.json()["status"],
        "Successful"
    );
    assert_eq!(server.send("POST", "/v1/tasks", Some(later("9999-12-31T23:59:59-01:00"))).await.status, 400);
}
