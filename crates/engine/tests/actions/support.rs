//! Attempts made by hand, and the processes that they leave.

use std::time::{Duration, Instant};

use longhaul_engine::action::Actions;
use longhaul_engine::{AllowedProgram, Log};
use longhaul_model::expr::{Scope, visible};
use longhaul_model::workflow::Workflow;
use longhaul_model::{Env, Failure, Fault, Launch, Token};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Builds an attempt of an action, as a workflow file writes it, with an input.
pub(crate) fn launch(action: Value, input: Value) -> Launch {
    let definition = json!({
        "name": "test", "type": "TEST", "title": "Test", "input": { "type": "object" },
        "subTasks": [{ "name": "only", "description": "", "action": action }],
    });
    let definition = serde_json::from_value(definition).expect("a definition");
    let workflow = Workflow::compile(definition, 1).expect("a workflow without problems");
    Launch {
        sub_task: 0,
        token: Token(1),
        number: 1,
        item: None,
        idempotency_key: "key-of-the-attempt".to_owned(),
        action: workflow.sub_tasks[0].action.clone(),
        timeout: None,
        lease: None,
        repeatable: true,
        scope: Scope::new([("input", visible(&input))]),
        permit: Default::default(),
        secrets: None,
        trace: None,
    }
}

/// Returns a program as these tests allow it: marked, a shell with the usual programs.
pub(crate) fn program(path: &str) -> AllowedProgram {
    let env = ["MARK", "A", "B"].map(str::to_owned).to_vec();
    let usual = (path == "/bin/sh").then(|| ("PATH".to_owned(), "/usr/bin:/bin".to_owned()));
    AllowedProgram { env, set: usual.into_iter().collect(), ..AllowedProgram::from(path) }
}

/// Creates a log that nobody reads.
pub(crate) fn log() -> &'static Log {
    Box::leak(Box::new(Log::new(Env::real())))
}

/// Runs an attempt that nobody stops.
pub(crate) async fn run(actions: &Actions, action: Value, input: Value) -> Result<Option<Value>, Failure> {
    actions.run(&launch(action, input), CancellationToken::new(), log()).await
}

/// Returns the error of an attempt that failed, and true if another may do better.
#[track_caller]
pub(crate) fn error(result: Result<Option<Value>, Failure>) -> (Fault, bool) {
    match result {
        Err(Failure::Error { fault, retryable } | Failure::Local { fault, retryable }) => (fault, retryable),
        other => panic!("not a failure with an error: {other:?}"),
    }
}

/// Returns the processes that have a variable of this value in their environment.
pub(crate) fn marked(mark: &str) -> Vec<i32> {
    let wanted = format!("MARK={mark}");
    let pids = std::fs::read_dir("/proc").expect("a proc file system").flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    })
    .collect()
}

/// Waits until no process has this mark; panics with those that still have it.
pub(crate) async fn assert_gone(mark: &str) {
    let limit = Instant::now() + Duration::from_secs(10);
    while !marked(mark).is_empty() {
        assert!(Instant::now() < limit, "left over: {:?}", marked(mark));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
