//! Built-in actions with permits for only a few: the others stand in line, and cost nothing until they begin.

use std::path::Path;
use std::time::Duration;

use longhaul_engine::{Engine, EngineConfig, SubmitRequest};
use longhaul_model::{Outcome, Record, SubTaskStatus, TaskId, TaskStatus, WaitingFor};
use serde_json::{Value, json};

use super::support::*;

const ROOM: usize = 16;

async fn engine_of(directory: &Path, max_running: usize) -> Engine {
    engine_with(directory, EngineConfig { max_running, ..EngineConfig::default() }).await
}

/// Stores a workflow with one child for each item, all of which may run in parallel.
async fn put_fan(engine: &Engine, name: &str, duration: &str, more: Value) {
    let mut fan = json!({ "forEach": "{{ input.items }}", "parallel": 10_000,
        "action": { "simulate": { "duration": duration, "output": "{{ item }}" } } });
    fan.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    engine.put_workflow(definition(name, vec![fan]), audit()).await.unwrap();
}

fn fan_of(name: &str, count: u32) -> SubmitRequest {
    SubmitRequest { input: json!({ "items": (0..count).collect::<Vec<_>>() }), ..request(name) }
}

fn count(record: &Record, status: SubTaskStatus) -> usize {
    record.sub_tasks.iter().filter(|sub| sub.child.is_some() && sub.status == status).count()
}

fn begun(record: &Record) -> usize {
    record.sub_tasks.iter().filter(|sub| sub.child.is_some() && sub.attempt > 0).count()
}

async fn until(engine: &Engine, id: TaskId, what: impl Fn(&Record) -> bool) -> Record {
    for _ in 0..3_000 {
        let record = own(engine.get(id).unwrap());
        if what(&record) {
            return record;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come to that: {:?}", own(engine.get(id).unwrap()).state);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_counts_no_attempt_of_what_stands_in_line() {
    let dir = tempfile::tempdir().unwrap();
    let first = engine_of(dir.path(), ROOM).await;
    put_fan(&first, "once", "1h", json!({ "repeatable": false })).await;
    let id = first.submit(fan_of("once", 5_000)).await.unwrap().task.id();
    let record = own(first.get(id).unwrap());
    assert_eq!((begun(&record), count(&record, SubTaskStatus::InProgress)), (ROOM, ROOM));
    assert_eq!((first.line().running, first.line().waiting), (ROOM, 5_000 - ROOM));
    first.shutdown(Duration::ZERO).await;
    drop(first);

    let second = engine_of(dir.path(), ROOM).await;
    // The sixteen that ran are of unknown outcome; as many others have begun meanwhile, and the rest stands
    // in line again. The recovery after the start finds this out in the background.
    let recovered = |record: &Record| record.sub_tasks.iter().any(|sub| sub.outcome_unknown);
    let runs = |record: &Record| count(record, SubTaskStatus::InProgress) == ROOM;
    let record = until(&second, id, |record| recovered(record) && runs(record)).await;
    let in_doubt = record.sub_tasks.iter().filter(|sub| sub.outcome_unknown).count();
    assert_eq!((in_doubt, begun(&record)), (ROOM, 2 * ROOM));
    let limit = std::time::Instant::now() + Duration::from_secs(60);
    while second.line().waiting != 5_000 - 2 * ROOM {
        assert!(std::time::Instant::now() < limit, "{} stand in line", second.line().waiting);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    second.shutdown(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_counts_no_attempt_of_what_stands_in_line() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine_of(dir.path(), ROOM).await;
    put_fan(&engine, "many", "1h", json!({})).await;
    let id = engine.submit(fan_of("many", 300)).await.unwrap().task.id();
    engine.cancel(id, audit()).await.unwrap();
    let record = ended(&engine, id).await;
    assert_eq!((record.state.status, begun(&record)), (TaskStatus::Cancelled, ROOM));
    let attempts = engine.attempts(id).await.unwrap().attempts;
    assert_eq!(attempts.iter().filter(|attempt| attempt.outcome == Outcome::Stopped).count(), ROOM);
    assert_eq!(attempts.len(), ROOM);
    // Their permits are free again once the last of them has ended.
    put_fan(&engine, "after", "0s", json!({})).await;
    assert_eq!(
        ended(&engine, engine.submit(fan_of("after", 50)).await.unwrap().task.id()).await.state.status,
        TaskStatus::Successful
    );
    assert_eq!((engine.line().running, engine.line().waiting), (0, 0));
    engine.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_run_at_once_than_there_is_room_for_and_all_of_them_do() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine_of(dir.path(), 3).await;
    put_fan(&engine, "many", "5ms", json!({})).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(engine.submit(fan_of("many", 60)).await.unwrap().task.id());
    }
    let mut waited = false;
    loop {
        let records: Vec<Record> = ids.iter().map(|id| own(engine.get(*id).unwrap())).collect();
        assert!(engine.line().running <= 3);
        waited |= records.iter().any(|record| matches!(record.waiting_for(), Some(WaitingFor::Capacity(..))));
        if records.iter().all(|record| record.state.status.is_ended()) {
            assert!(
                records
                    .iter()
                    .all(|record| record.state.status == TaskStatus::Successful && begun(record) == 60)
            );
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(waited, "no task ever waited for room");
    assert_eq!((engine.line().running, engine.line().waiting), (0, 0));
    engine.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn task_of_one_does_not_wait_behind_a_task_of_many() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine_of(dir.path(), 2).await;
    put_fan(&engine, "many", "20ms", json!({})).await;
    engine.put_workflow(definition("one", vec![json!({})]), audit()).await.unwrap();
    let many = engine.submit(fan_of("many", 400)).await.unwrap().task.id();
    assert_eq!(run(&engine, "one").await.state.status, TaskStatus::Successful);
    assert!(!own(engine.get(many).unwrap()).state.status.is_ended());
    engine.shutdown(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn task_of_five_steps_is_six_durable_changes() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine_of(dir.path(), 1).await;
    engine.put_workflow(definition("five", vec![json!({}); 5]), audit()).await.unwrap();
    assert_eq!(run(&engine, "five").await.state.revision, 6);
    engine.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_goes_on_while_a_server_drains() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine_of(dir.path(), 4).await;
    let waits = json!({ "action": { "wait": { "for": "300ms" } } });
    engine.put_workflow(definition("waits", vec![waits, json!({})]), audit()).await.unwrap();
    let works = json!({ "repeatable": false, "action": { "worker": { "queue": "q" } } });
    engine.put_workflow(definition("works", vec![works]), audit()).await.unwrap();
    let (waiting, working) = (
        engine.submit(request("waits")).await.unwrap().task.id(),
        engine.submit(request("works")).await.unwrap().task.id(),
    );
    let ask = longhaul_engine::Ask {
        worker: longhaul_model::WorkerId("w/1".into()),
        queues: vec!["q".into()],
        max: 1,
        wait: Duration::from_secs(20),
        lease: longhaul_model::Span(300),
        request: None,
        origin: None,
    };
    assert_eq!(engine.lease(ask).await.unwrap().leases.len(), 1);
    engine.drain();
    // The lease expires, as nobody extends it; the timer fires, and the next sub-task stands in line.
    until(&engine, working, |record| record.sub_tasks[0].outcome_unknown).await;
    let record =
        until(&engine, waiting, |record| record.sub_tasks[0].status == SubTaskStatus::Successful).await;
    assert_eq!((record.sub_tasks[1].attempt, record.sub_tasks[1].queued_at.is_some()), (0, true));
    engine.shutdown(Duration::from_secs(5)).await;
    drop(engine);
    let engine = engine_of(dir.path(), 4).await;
    assert_eq!(ended(&engine, waiting).await.sub_tasks[1].attempt, 1);
    engine.shutdown(Duration::from_secs(5)).await;
}
