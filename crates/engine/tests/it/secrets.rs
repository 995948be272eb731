//! Secrets of inputs: usable by actions, and found nowhere else.

use std::path::Path;

use longhaul_engine::SubmitRequest;
use longhaul_model::TaskStatus;
use serde_json::{Value, json};

use super::support::*;

const PASSWORD: &str = "correct-horse-battery";

fn input() -> Value {
    json!({ "type": "object", "properties": { "host": {}, "password": { "type": "string", "writeOnly": true } } })
}

async fn start(engine: &longhaul_engine::Engine, subs: Vec<Value>) -> longhaul_model::Record {
    let mut definition = definition("secret", subs);
    definition.input = Some(input());
    engine.put_workflow(definition, audit()).await.unwrap();
    let input = json!({ "host": "h1", "password": PASSWORD });
    let request = SubmitRequest { input, ..request("secret") };
    let id = engine.submit(request).await.unwrap().task.id();
    ended(engine, id).await
}

fn holds(path: &Path, text: &str) -> bool {
    if path.is_dir() {
        return std::fs::read_dir(path).unwrap().any(|entry| holds(&entry.unwrap().path(), text));
    }
    let bytes = std::fs::read(path).unwrap();
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_reach_actions_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path()).await;
    let telling = json!({ "action": { "simulate": { "output": {
        "length": "{{ input.password | length }}", "said": "the password is {{ input.password }}" } } } });
    let failing = json!({ "onFailure": "continue", "action": { "http": {
        "method": "GET", "url": "http://127.0.0.1:9/{{ input.password }}" } } });
    let record = start(&engine, vec![telling, failing]).await;
    assert_eq!(record.state.status, TaskStatus::CompletedWithWarning);
    let outputs = engine.outputs(record.id).await.unwrap();
    assert_eq!(outputs[0].1, json!({ "length": PASSWORD.len(), "said": "the password is <redacted>" }));
    let spec = engine.spec(&record).await.unwrap().unwrap();
    assert_eq!(spec.input, json!({ "host": "h1", "password": "<redacted>" }));
    let errors = serde_json::to_string(&record.sub_tasks[1].errors).unwrap();
    assert!(!errors.contains(PASSWORD), "{errors}");
    assert!(holds(dir.path(), "h1") && !holds(dir.path(), PASSWORD), "while the server runs");
    engine.shutdown(std::time::Duration::from_secs(5)).await;
    assert!(!holds(dir.path(), PASSWORD), "after it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_open_again_after_a_restart_and_for_a_retry() {
    let dir = tempfile::tempdir().unwrap();
    let first = engine(dir.path()).await;
    let telling = json!({ "action": { "simulate": { "failAttempts": [1], "output": "{{ input.password | length }}" } } });
    let record = start(&first, vec![telling]).await;
    assert_eq!(record.state.status, TaskStatus::Failed);
    first.shutdown(std::time::Duration::from_secs(5)).await;
    let second = engine(dir.path()).await;
    second.retry(record.id, audit()).await.unwrap();
    assert_eq!(ended(&second, record.id).await.state.status, TaskStatus::Successful);
    assert_eq!(second.outputs(record.id).await.unwrap()[0].1, json!(PASSWORD.len()));
    second.shutdown(std::time::Duration::from_secs(5)).await;

    // Another key file cannot open the secret: the attempt fails with advice, and is not run without it.
    let third = engine(dir.path()).await;
    let record = start(
        &third,
        vec![json!({ "action": { "simulate": { "failAttempts": [1],
        "output": "{{ input.password }}" } } })],
    )
    .await;
    third.shutdown(std::time::Duration::from_secs(5)).await;
    std::fs::remove_file(dir.path().join("keys.json")).unwrap();
    let fourth = engine(dir.path()).await;
    fourth.retry(record.id, audit()).await.unwrap();
    let record = ended(&fourth, record.id).await;
    assert_eq!(record.state.status, TaskStatus::Failed);
    assert_eq!(record.sub_tasks[0].errors.last().unwrap().error_code, "SECRET_UNREADABLE");
    fourth.shutdown(std::time::Duration::from_secs(5)).await;
}
