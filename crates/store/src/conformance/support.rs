//! Parts of the suite: a store to test, tasks in a line, a sink that remembers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use longhaul_model::workflow::{Definition, Workflow};
use longhaul_model::{
    Command, Effect, Env, NodeId, Permit, Record, Spec, SubTask, Task, TaskId, Timestamp, Token,
};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{Accounts, Commit, CommitSink, IdempotencyKey, Store, StoreError, Stored, Submission, Submitted};

/// The beginning of time in these tests.
pub const START: Timestamp = Timestamp(1_700_000_000_000);

/// Makes stores of one engine.
#[async_trait::async_trait]
pub trait Fixture: Send {
    /// Creates an empty place for one store.
    fn new() -> Self
    where
        Self: Sized;
    /// Clock of the store, which stands still.
    fn env(&self) -> Env;
    /// Opens the store, for the first time or once more after [`Store::close`].
    async fn open(&mut self) -> Arc<dyn Store>;
    /// Opens the store like [`Fixture::open`], with the accounts in it.
    async fn open_accounts(&mut self) -> (Arc<dyn Store>, Arc<dyn Accounts>);
}

/// Returns sub-tasks without the node that owns them, which may be another one by now.
pub fn sub_tasks(record: &Record) -> Vec<SubTask> {
    record.sub_tasks.iter().map(|sub| SubTask { node: NodeId::default(), ..sub.clone() }).collect()
}

/// A workflow of simulated sub-tasks.
pub fn definition(name: &str, kind: &str, sub_tasks: usize) -> Definition {
    let subs: Vec<Value> = (0..sub_tasks)
        .map(|i| json!({ "name": format!("Step{i}"), "description": "…", "action": { "simulate": {} } }))
        .collect();
    serde_json::from_value(json!({
        "name": name, "type": kind, "title": "{{ input.title }}",
        "input": { "type": "object" },
        "resources": [{ "type": "HOST", "resourceId": "{{ input.host }}", "lock": "none" },
                      { "type": "Domain", "resourceId": "d1", "lock": "none" }],
        "subTasks": subs
    }))
    .expect("a definition")
}

/// Stores a workflow.
pub async fn put(store: &dyn Store, definition: Definition) -> Arc<Workflow> {
    store.put_workflow(definition, None).await.expect("stored").workflow
}

/// A new task of a workflow.
pub fn task(env: &Env, workflow: &Arc<Workflow>, title: &str, not_before: Option<Timestamp>) -> Box<Task> {
    let input = json!({ "title": title, "host": format!("host-{title}") });
    let spec = Spec { input, labels: Default::default(), requested_by: None, caller: None };
    let id = env.new_task_id();
    Box::new(Task::new(id, workflow.clone(), spec, None, not_before, env.now()).expect("a task"))
}

/// Submits a task.
pub async fn submit(store: &dyn Store, task: Box<Task>, key: Option<IdempotencyKey>) -> Submitted {
    store.submit(Submission { task, key, audit: None, newest: false }).await.expect("submitted")
}

/// Submits a task and returns its ID.
pub async fn start(store: &dyn Store, env: &Env, workflow: &Arc<Workflow>, title: &str) -> TaskId {
    submit(store, task(env, workflow, title, None), None).await.task.id()
}

/// Completes the running attempt. That is the first one, unless the store was opened again and another node
/// took it over since.
pub async fn complete(store: &dyn Store, id: TaskId, sub_task: u32, output: Option<Value>) {
    let command = |token| Command::Complete { sub_task, token, output: output.clone(), by: None, next: None };
    let first = store.command(id, command(Token(1)), None).await;
    let done = match first {
        Err(StoreError::Refused(_)) => store.command(id, command(Token(2)), None).await,
        first => first,
    };
    done.expect("completed");
}

/// Fails one attempt without a retry.
pub async fn fail(store: &dyn Store, id: TaskId, sub_task: u32) {
    let failure = longhaul_model::Failure::Error {
        fault: longhaul_model::Fault::new("BROKEN", "it broke"),
        retryable: false,
    };
    store
        .command(id, Command::Fail { sub_task, token: Token(1), failure, by: None }, None)
        .await
        .expect("failed");
}

/// The record of an own task.
pub fn record(store: &dyn Store, id: TaskId) -> Record {
    match store.get(id).expect("stored") {
        Stored::Own(record) => *record,
        other => panic!("task {id} is not whole: {other:?}"),
    }
}

/// Sink that remembers commits.
#[derive(Default)]
pub struct Remembering(pub Mutex<Vec<(TaskId, Effect)>>);

impl CommitSink for Remembering {
    fn committed(&self, commits: Vec<Commit>) {
        let mut all = self.0.lock();
        for commit in commits {
            all.extend(commit.effects.into_iter().map(|effect| (commit.id, effect)));
        }
    }
}

/// Switch of a fault that tests plant: while it is on, a change that asks for room panics.
#[derive(Default)]
pub struct Faulty(pub AtomicBool);

impl CommitSink for Faulty {
    fn committed(&self, _: Vec<Commit>) {}

    fn permit(&self) -> Option<Permit> {
        assert!(!self.0.load(Ordering::Relaxed), "a planted fault");
        Some(Permit::default())
    }
}

/// Sink that remembers the tasks that came with commits.
#[derive(Default)]
pub struct Rested(pub Mutex<Vec<Record>>);

impl CommitSink for Rested {
    fn committed(&self, commits: Vec<Commit>) {
        self.0.lock().extend(commits.into_iter().filter_map(|commit| Some(commit.at_rest?.into_record())));
    }
}
