//! Counters against the store: after a random history they equal what the rows and attempts say.

use std::collections::BTreeMap;
use std::time::Duration;

use longhaul_engine::Engine;
use longhaul_metrics::text;
use longhaul_model::{Outcome, SubTaskStatus, TaskStatus};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use super::support::*;

/// Decision about a task, when it comes to it.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// Failures stay.
    Leave,
    Retry,
    Skip,
    /// The task is cancelled while it runs.
    Cancel,
}

/// Workflows: their names, and the attempts of the second step that fail.
const WORKFLOWS: [(&str, &[u32]); 4] = [("well", &[]), ("once", &[1]), ("twice", &[1, 2]), ("slow", &[])];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_equal_rows_and_attempts() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path()).await;
    for (name, fails) in WORKFLOWS {
        let duration = if name == "slow" { "1h" } else { "0ms" };
        let second = json!({ "action": { "simulate": { "failAttempts": fails, "duration": duration } } });
        let wait = json!({ "action": { "wait": { "for": "5ms" } } });
        let last = json!({ "when": "{{ false }}" });
        let steps = vec![json!({}), second, wait, last];
        engine.put_workflow(definition(name, steps), audit()).await.unwrap();
    }
    let then = prop_oneof![Just(Then::Leave), Just(Then::Retry), Just(Then::Skip), Just(Then::Cancel)];
    let histories = prop::collection::vec((0..WORKFLOWS.len(), then), 60);
    let histories = histories.new_tree(&mut TestRunner::default()).unwrap().current();
    let mut wanted = Wanted::default();
    for (workflow, then) in histories {
        let (name, fails) = WORKFLOWS[workflow];
        run_one(&engine, name, fails.len(), then, &mut wanted).await;
    }
    let scrape = text(&engine.families());
    for (sample, count) in wanted.0 {
        let line = format!("{sample} {count}");
        assert!(scrape.lines().any(|there| there == line), "{line}\n{scrape}");
    }
    engine.shutdown(Duration::from_secs(5)).await;
}

/// Samples by name and labels.
#[derive(Default)]
struct Wanted(BTreeMap<String, u64>);

impl Wanted {
    fn add(&mut self, sample: String) {
        *self.0.entry(sample).or_default() += 1;
    }

    fn ended(&mut self, workflow: &str, status: TaskStatus) {
        let status = status.constant();
        self.add(format!("longhaul_tasks_ended_total{{status=\"{status}\",workflow=\"{workflow}\"}}"));
    }
}

/// Runs one task through its history, and adds what its rows and attempts say in the end.
async fn run_one(engine: &Engine, workflow: &str, failures: usize, then: Then, wanted: &mut Wanted) {
    let id = engine.submit(request(workflow)).await.unwrap().task.id();
    let slow = workflow == "slow";
    if slow || matches!(then, Then::Cancel) {
        // A task that has ended already stays as it is.
        let _ = engine.cancel(id, audit()).await;
    }
    let mut record = ended(engine, id).await;
    let mut skipped = false;
    for _ in 0..failures {
        if record.state.status != TaskStatus::Failed {
            break;
        }
        match then {
            Then::Retry => drop(engine.retry(id, audit()).await.unwrap()),
            Then::Skip => {
                drop(engine.skip(id, "Step1", "not needed", audit()).await.unwrap());
                skipped = true;
            }
            Then::Leave | Then::Cancel => break,
        }
        wanted.ended(workflow, TaskStatus::Failed);
        wanted.add("longhaul_sub_tasks_ended_total{status=\"FAILED\"}".to_owned());
        record = ended(engine, id).await;
    }
    assert_eq!(skipped, record.sub_tasks.iter().any(|sub| sub.status == SubTaskStatus::Skipped));
    wanted.ended(workflow, record.state.status);
    wanted.add(format!("longhaul_tasks_accepted_total{{workflow=\"{workflow}\"}}"));
    wanted.add(format!("longhaul_tasks_started_total{{workflow=\"{workflow}\"}}"));
    for sub in &record.sub_tasks {
        let status = sub.status.constant();
        if !matches!(sub.status, SubTaskStatus::Pending | SubTaskStatus::InProgress) {
            wanted.add(format!("longhaul_sub_tasks_ended_total{{status=\"{status}\"}}"));
        }
    }
    for attempt in engine.attempts(id).await.unwrap().attempts {
        let action = if attempt.sub_task == 2 { "wait" } else { "simulate" };
        let outcome = match attempt.outcome {
            Outcome::Successful => "successful",
            Outcome::Failed => "failed",
            Outcome::Stopped => "stopped",
            other => panic!("{other:?}"),
        };
        wanted.add(format!("longhaul_attempts_started_total{{action=\"{action}\"}}"));
        let labels = format!("{{action=\"{action}\",outcome=\"{outcome}\"}}");
        wanted.add(format!("longhaul_attempt_duration_seconds_count{labels}"));
    }
}
