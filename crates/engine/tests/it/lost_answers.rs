//! Lost answers to workers: a repeated call gets the same leases, and an attempt that nobody saw never began.

use std::path::Path;
use std::time::Duration;

use longhaul_engine::{Ask, Assigned, Assignment, Ending, Engine, WorkerReport};
use longhaul_model::{Span, TaskId, TaskStatus, WorkerId};
use serde_json::json;

use super::support::*;

async fn started(directory: &Path) -> Engine {
    let engine = engine(directory).await;
    let once = json!({ "repeatable": false, "action": { "worker": { "queue": "q", "input": { "n": "{{ input.n }}" } } } });
    engine.put_workflow(definition("works", vec![once]), audit()).await.unwrap();
    engine
}

async fn submit(engine: &Engine, n: u32) -> TaskId {
    let request = longhaul_engine::SubmitRequest { input: json!({ "n": n }), ..request("works") };
    engine.submit(request).await.unwrap().task.id()
}

fn ask(worker: &str, request: Option<&str>, max: usize) -> Ask {
    Ask {
        worker: WorkerId(worker.into()),
        queues: vec!["q".into()],
        max,
        wait: Duration::from_secs(20),
        lease: Span(60_000),
        request: request.map(Into::into),
        origin: None,
    }
}

fn told(assigned: &Assigned) -> Vec<(String, Option<serde_json::Value>, String)> {
    let told = |one: &Assignment| (one.lease.to_string(), one.input.clone(), one.idempotency_key.clone());
    let mut all: Vec<_> = assigned.leases.iter().map(told).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

async fn complete(engine: &Engine, worker: &str, assigned: Assigned) {
    let done = |one: Assignment| WorkerReport {
        lease: one.lease,
        ending: Ending::Completed { output: None },
        log: Vec::new(),
    };
    let reports = assigned.leases.into_iter().map(done).collect();
    engine.report(WorkerId(worker.into()), reports, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn same_call_again_is_given_the_same_leases_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let engine = started(dir.path()).await;
    let ids = [submit(&engine, 1).await, submit(&engine, 2).await, submit(&engine, 3).await];
    let first = engine.lease(ask("w/1", Some("a"), 2)).await.unwrap();
    assert_eq!(first.leases.len(), 2);
    let again = engine.lease(ask("w/1", Some("a"), 2)).await.unwrap();
    assert_eq!(told(&again), told(&first));
    // Neither a call of that name by another worker, nor another call.
    let other = engine.lease(ask("w/2", Some("a"), 2)).await.unwrap();
    assert_eq!(other.leases.len(), 1);
    complete(&engine, "w/2", other).await;
    engine.shutdown(Duration::from_secs(5)).await;
    drop(engine);

    let engine = started(dir.path()).await;
    // Leases recover in the background after the start.
    while engine.workers().iter().map(|worker| worker.running).sum::<usize>() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let again = engine.lease(ask("w/1", Some("a"), 2)).await.unwrap();
    assert_eq!(told(&again), told(&first));
    complete(&engine, "w/1", again).await;
    for id in ids {
        let record = ended(&engine, id).await;
        assert_eq!((record.state.status, record.sub_tasks[0].attempt), (TaskStatus::Successful, 1));
    }
    engine.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn report_again_is_given_the_leases_that_came_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let engine = started(dir.path()).await;
    submit(&engine, 1).await;
    submit(&engine, 2).await;
    let first = engine.lease(ask("w/1", Some("a"), 1)).await.unwrap();
    let report = || {
        let lease = first.leases[0].lease;
        vec![WorkerReport { lease, ending: Ending::Completed { output: None }, log: Vec::new() }]
    };
    let worker = || WorkerId("w/1".into());
    let (_, next) = engine.report(worker(), report(), Some(ask("w/1", Some("b"), 1))).await.unwrap();
    let (recorded, again) = engine.report(worker(), report(), Some(ask("w/1", Some("b"), 1))).await.unwrap();
    assert_eq!(recorded, [longhaul_engine::Recorded::Yes]);
    assert_eq!((told(&again), next.leases.len()), (told(&next), 1));
    engine.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn same_call_again_takes_the_place_of_one_that_waits() {
    let dir = tempfile::tempdir().unwrap();
    let engine = started(dir.path()).await;
    let call = || {
        let engine = engine.clone();
        tokio::spawn(async move { engine.lease(ask("w/1", Some("a"), 1)).await.unwrap() })
    };
    let first = call();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = call();
    assert!(first.await.unwrap().leases.is_empty());
    submit(&engine, 1).await;
    assert_eq!(second.await.unwrap().leases.len(), 1);
    engine.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_leased_to_a_caller_who_has_gone_is_leased_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let engine = started(dir.path()).await;
    for n in 0..60 {
        let gone = {
            let engine = engine.clone();
            tokio::spawn(async move { engine.lease(ask("w/gone", None, 1)).await })
        };
        let id = submit(&engine, n).await;
        // Before, during and after the write of the lease.
        tokio::time::sleep(Duration::from_micros(u64::from(n % 20) * 100)).await;
        gone.abort();
        if let Ok(answered) = gone.await {
            complete(&engine, "w/gone", answered.unwrap()).await;
        } else {
            let next = engine.lease(ask("w/next", None, 1)).await.unwrap();
            assert_eq!(next.leases.len(), 1, "round {n}: nobody was given it again");
            complete(&engine, "w/next", next).await;
        }
        let record = ended(&engine, id).await;
        assert_eq!(record.state.status, TaskStatus::Successful);
        assert!(
            engine.attempts(id).await.unwrap().attempts.len() == 1,
            "what nobody saw counts as an attempt"
        );
    }
    engine.shutdown(Duration::from_secs(5)).await;
}
