//! A store in a temporary directory, an engine on it, workflows in a line.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use longhaul_crypto::{Keyring, Rotation};
use longhaul_engine::{Audit, Engine, EngineConfig, Stored, SubmitRequest};
use longhaul_model::workflow::Definition;
use longhaul_model::{Env, Record, TaskId};
use longhaul_store::postgres::{Postgres, PostgresOptions};
use longhaul_store::sqlite::Sqlite;
use longhaul_store::{Node, Store};
use serde_json::{Value, json};

pub(crate) async fn engine(directory: &Path) -> Engine {
    engine_with(directory, EngineConfig::default()).await
}

pub(crate) async fn engine_with(directory: &Path, config: EngineConfig) -> Engine {
    started(directory, Env::real(), config).await
}

/// Starts an engine with a clock of its own.
pub(crate) async fn engine_at(directory: &Path, env: Env) -> Engine {
    started(directory, env, EngineConfig::default()).await
}

/// Starts an engine on a PostgreSQL database, with a clock of its own.
pub(crate) async fn engine_on(url: &str, directory: &Path, env: Env) -> Engine {
    let options = PostgresOptions {
        url: url.to_owned(),
        connections: 4,
        keys: None,
        node: Node::default(),
        allow_unsafe: true,
        before: None,
    };
    let store = Postgres::open(&options, env.clone()).await.unwrap();
    engine_of(store, directory, env, EngineConfig::default()).await
}

async fn started(directory: &Path, env: Env, config: EngineConfig) -> Engine {
    engine_of(Sqlite::open(directory, env.clone()).unwrap(), directory, env, config).await
}

async fn engine_of(store: Arc<dyn Store>, directory: &Path, env: Env, config: EngineConfig) -> Engine {
    let keys = Keyring::open(&directory.join("keys.json"), Rotation::default(), env.now().0).unwrap();
    Engine::start(store, env, keys.sealer(), config).await.unwrap()
}

/// Builds a workflow of simulated sub-tasks; each is given by the members of its definition beyond name and
/// description.
pub(crate) fn definition(name: &str, sub_tasks: Vec<Value>) -> Definition {
    let sub_tasks: Vec<Value> = sub_tasks
        .into_iter()
        .enumerate()
        .map(|(i, extra)| {
            let mut sub =
                json!({ "name": format!("Step{i}"), "description": "…", "action": { "simulate": {} } });
            sub.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            sub
        })
        .collect();
    serde_json::from_value(json!({
        "name": name, "type": "TEST_RUN", "title": "Test",
        "input": { "type": "object" },
        "resources": [{ "type": "HOST", "resourceId": "h1", "lock": "none" }],
        "subTasks": sub_tasks
    }))
    .unwrap()
}

/// Audit entry of the caller in tests.
pub(crate) fn audit() -> Audit {
    Audit::new("tester".into(), None, "test")
}

pub(crate) fn request(workflow: &str) -> SubmitRequest {
    SubmitRequest {
        workflow: workflow.to_owned(),
        version: None,
        input: json!({}),
        name: None,
        not_before: None,
        labels: Default::default(),
        audit: None,
        key: None,
        room: None,
        caller: None,
    }
}

pub(crate) async fn run(engine: &Engine, workflow: &str) -> Record {
    let submitted = engine.submit_and_wait(request(workflow), Duration::from_secs(10)).await.unwrap();
    own(submitted.task)
}

pub(crate) fn own(stored: Stored) -> Record {
    match stored {
        Stored::Own(record) => *record,
        other => panic!("an own task was expected: {other:?}"),
    }
}

pub(crate) async fn ended(engine: &Engine, id: TaskId) -> Record {
    own(engine.wait(id, Duration::from_secs(10)).await.unwrap())
}
