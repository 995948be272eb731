//! Changes of tasks: whole or not at all, announced after the commit, found again however long ago the tasks
//! ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use longhaul_model::{Command, Effect, Outcome, Refused, Span, SubTaskStatus, TaskStatus, Token};
use serde_json::json;

use super::support::*;
use crate::{StoreError, Submission};

/// A refusal is answered, and nothing changed.
pub async fn refused_command_changes_nothing(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 2)).await;
    let id = start(&*store, &env, &workflow, "one").await;
    let before = record(&*store, id);
    let refused = store.command(id, Command::Retry { by: "me".into() }, None).await;
    assert!(matches!(refused, Err(StoreError::Refused(Refused::NotFailed(TaskStatus::InProgress)))));
    let after = record(&*store, id);
    assert_eq!((after.state, after.sub_tasks), (before.state, before.sub_tasks));
    store.close().await;
}

/// A result of an attempt that is not live changes nothing.
pub async fn stale_token_is_refused(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 2)).await;
    let id = start(&*store, &env, &workflow, "one").await;
    complete(&*store, id, 0, None).await;
    let before = record(&*store, id);
    for (sub_task, token) in [(0, 1), (1, 0), (1, 2), (7, 1)] {
        let late = Command::Complete { sub_task, token: Token(token), output: None, by: None, next: None };
        assert!(matches!(store.command(id, late, None).await, Err(StoreError::Refused(Refused::Stale))));
    }
    assert_eq!(record(&*store, id).state, before.state);
    store.close().await;
}

/// A command on a task that does not exist creates nothing.
pub async fn command_on_unknown_task_is_not_found(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let nobody = env.new_task_id();
    assert!(matches!(store.command(nobody, Command::Due, None).await, Err(StoreError::NotFound)));
    assert!(matches!(store.get(nobody), Err(StoreError::NotFound)));
    assert!(matches!(store.attempts(nobody), Err(StoreError::NotFound)));
    store.close().await;
}

/// Effects of a change are announced once, in order, not before they can be read.
pub async fn effects_follow_their_commit(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let sink = Arc::new(Remembering::default());
    store.attach(sink.clone());
    let workflow = put(&*store, definition("w", "T_RUN", 2)).await;
    let id = start(&*store, &env, &workflow, "one").await;
    complete(&*store, id, 0, None).await;
    complete(&*store, id, 1, None).await;
    let told: Vec<String> = sink
        .0
        .lock()
        .iter()
        .filter(|(_, effect)| !matches!(effect, Effect::Measured(_)))
        .map(|(_, effect)| match effect {
            Effect::Start(launch) => format!("start {}", launch.sub_task),
            Effect::Ended(status) => format!("ended {}", status.constant()),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(told, ["start 0", "start 1", "ended SUCCESSFUL"]);
    store.close().await;
}

/// Effects of a task's end carry the task with it, as it is stored; effects of a task that goes on do not.
pub async fn ended_task_goes_with_its_effects(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let sink = Arc::new(Rested::default());
    store.attach(sink.clone());
    let workflow = put(&*store, definition("w", "T_RUN", 2)).await;
    let (good, bad) =
        (start(&*store, &env, &workflow, "good").await, start(&*store, &env, &workflow, "bad").await);
    complete(&*store, good, 0, Some(json!({ "a": 1 }))).await;
    assert!(sink.0.lock().is_empty());
    complete(&*store, good, 1, None).await;
    fail(&*store, bad, 0).await;
    let rested = std::mem::take(&mut *sink.0.lock());
    assert_eq!(rested.iter().map(|told| told.id).collect::<Vec<_>>(), [good, bad]);
    for told in rested {
        let stored = record(&*store, told.id);
        assert_eq!((&told.state, &told.sub_tasks), (&stored.state, &stored.sub_tasks));
        assert_eq!((&told.name, told.workflow.version), (&stored.name, stored.workflow.version));
    }
    store.close().await;
}

/// Running attempts are lost and repeated after reopening; ended and waiting tasks are left alone.
pub async fn recover_asks_active_tasks_only(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    let done = start(&*store, &env, &workflow, "done").await;
    complete(&*store, done, 0, None).await;
    let running = start(&*store, &env, &workflow, "running").await;
    let later = task(&env, &workflow, "later", Some(env.now().after(Span(60_000))));
    let waiting = submit(&*store, later, None).await.task.id();
    store.close().await;

    let store = fixture.open().await;
    let sink = Arc::new(Remembering::default());
    store.attach(sink.clone());
    assert_eq!(store.recover().await.expect("recovered"), 1);
    {
        let told = sink.0.lock();
        assert!(
            told.iter()
                .any(|(id, effect)| *id == running
                    && matches!(effect, Effect::Start(l) if l.token == Token(2)))
        );
        assert!(told.iter().all(|(id, _)| *id != done && *id != waiting));
    }
    assert_eq!(store.attempts(running).expect("attempts")[0].outcome, Outcome::Lost);
    store.close().await;
}

/// Commands arrive while tasks of an earlier process recover: each task recovers once, and attempts begun
/// since are not lost.
pub async fn commands_and_recovery_come_in_any_order(fixture: &mut impl Fixture) {
    const TASKS: usize = 200;
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 2)).await;
    let mut tasks = Vec::new();
    for n in 0..TASKS {
        tasks.push(start(&*store, &env, &workflow, &n.to_string()).await);
    }
    store.close().await;

    let store = fixture.open().await;
    assert!(store.recovers_behind());
    // While recovery runs, commands reach some tasks before it, some after it, some twice; and one task is
    // new.
    let (behind, mut random) = (store.clone(), 17_u64);
    let recovery = tokio::spawn(async move { behind.recover().await });
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize
    };
    let new = start(&*store, &env, &workflow, "new").await;
    for _ in 0..TASKS {
        let id = tasks[next() % TASKS];
        match next() % 3 {
            0 => {
                store.recover_first(&[id]).await.expect("recovered");
                assert_eq!(record(&*store, id).sub_tasks[0].attempt, 2, "it has recovered");
            }
            // The report of this process's attempt, which may not have begun.
            1 => {
                let done =
                    Command::Complete { sub_task: 0, token: Token(2), output: None, by: None, next: None };
                let done = store.command(id, done, None).await;
                assert!(matches!(done, Ok(()) | Err(StoreError::Refused(_))), "{done:?}");
            }
            _ => store.post(id, Command::Due).await,
        }
    }
    store.recover_first(&[new, tasks[0], tasks[1]]).await.expect("recovered");
    recovery.await.expect("it ends").expect("recovered");
    assert_eq!(store.recover().await.expect("recovered"), 0, "there is nothing left to recover");
    for id in &tasks {
        let record = record(&*store, *id);
        let attempts = store.attempts(*id).expect("attempts");
        let lost = attempts.iter().filter(|one| one.outcome == Outcome::Lost).count();
        assert_eq!((lost, record.sub_tasks[0].attempt), (1, 2), "{:?}", record.sub_tasks);
    }
    assert_eq!(record(&*store, new).sub_tasks[0].attempt, 1, "what is new is not lost");
    store.close().await;
}

/// Due tasks are found by their time, and no sooner.
pub async fn due_tasks_are_found(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    let at = env.now().after(Span(60_000));
    let id = submit(&*store, task(&env, &workflow, "later", Some(at)), None).await.task.id();
    assert!(store.due(env.now(), 10).await.expect("due").is_empty());
    assert_eq!(store.due(at, 10).await.expect("due"), [id]);
    env.advance(Span(60_000));
    store.command(id, Command::Due, None).await.expect("begun");
    assert_eq!(record(&*store, id).state.status, TaskStatus::InProgress);
    assert!(store.due(at, 10).await.expect("due").is_empty());
    store.close().await;
}

/// Outputs come back as given, and all attempts are there.
pub async fn outputs_and_attempts_are_kept(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 2)).await;
    let id = start(&*store, &env, &workflow, "one").await;
    let output = json!({ "z": [1, 2.5, null], "a": "ü" });
    complete(&*store, id, 0, Some(output.clone())).await;
    fail(&*store, id, 1).await;
    assert_eq!(store.outputs(id).expect("outputs"), [(0, output)]);
    let attempts = store.attempts(id).expect("attempts");
    let brief: Vec<_> = attempts.iter().map(|a| (a.sub_task, a.number, a.outcome)).collect();
    assert_eq!(brief, [(0, 1, Outcome::Successful), (1, 1, Outcome::Failed)]);
    assert_eq!(attempts[1].error.as_ref().map(|e| e.error_code.as_str()), Some("BROKEN"));
    store.close().await;
}

/// A task of many sub-tasks is the same after each change and after reopening.
pub async fn large_task_is_kept_whole(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 100)).await;
    let id = start(&*store, &env, &workflow, "one").await;
    for sub_task in 0..60 {
        complete(&*store, id, sub_task, None).await;
    }
    let before = record(&*store, id);
    store.close().await;
    let store = fixture.open().await;
    let after = record(&*store, id);
    assert_eq!(sub_tasks(&after), sub_tasks(&before));
    assert_eq!(after.sub_tasks[59].status, SubTaskStatus::Successful);
    assert_eq!(after.sub_tasks[60].status, SubTaskStatus::InProgress);
    complete(&*store, id, 60, None).await;
    assert_eq!(record(&*store, id).sub_tasks[61].status, SubTaskStatus::InProgress);
    store.close().await;
}

/// A failed task can be retried however many ended after it.
pub async fn long_ended_task_is_retried(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    let id = start(&*store, &env, &workflow, "old one").await;
    fail(&*store, id, 0).await;
    for n in 0..3_000 {
        let other = start(&*store, &env, &workflow, &format!("{n}")).await;
        complete(&*store, other, 0, None).await;
    }
    let by_name = crate::TaskQuery { name_contains: Some("old ONE".into()), ..Default::default() };
    assert_eq!(store.list(&by_name).expect("a list").total, 1);
    store.command(id, Command::Retry { by: "me".into() }, None).await.expect("retried");
    assert_eq!(record(&*store, id).state.status, TaskStatus::InProgress);
    assert_eq!(store.list(&by_name).expect("a list").total, 1);
    store
        .command(
            id,
            Command::Complete { sub_task: 0, token: Token(2), output: None, by: None, next: None },
            None,
        )
        .await
        .expect("completed");
    assert_eq!(record(&*store, id).state.status, TaskStatus::Successful);
    let all = store.list(&Default::default()).expect("a list").total;
    assert_eq!(all, 3_001);
    store.close().await;
}

/// A change that panics for a fault of ours is answered, and costs neither other tasks nor the store: its
/// task is as it was before, can be cancelled, and goes on once the fault is gone.
pub async fn change_that_panics_costs_only_its_task(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let sink = Arc::new(Faulty::default());
    store.attach(sink.clone());
    let two = put(&*store, definition("two", "T_RUN", 2)).await;
    let one = put(&*store, definition("one", "T_RUN", 1)).await;
    let goes_on = start(&*store, &env, &two, "goes-on").await;
    let cancelled = start(&*store, &env, &two, "cancelled").await;
    let before = record(&*store, goes_on);
    sink.0.store(true, Ordering::Relaxed);
    let spoilt = Submission { task: task(&env, &two, "spoilt", None), key: None, audit: None, newest: false };
    let id = spoilt.task.id();
    assert!(matches!(store.submit(spoilt).await, Err(StoreError::Corrupt(_))));
    assert!(matches!(store.get(id), Err(StoreError::NotFound)));
    let end = || Command::Complete { sub_task: 0, token: Token(1), output: None, by: None, next: None };
    // The last ones find a task that an earlier change of the same transaction may have spoilt.
    for _ in 0..3 {
        let (first, second) =
            tokio::join!(store.command(cancelled, end(), None), store.command(goes_on, end(), None));
        assert!(matches!((first, second), (Err(StoreError::Corrupt(_)), Err(StoreError::Corrupt(_)))));
        assert_eq!(sub_tasks(&record(&*store, goes_on)), sub_tasks(&before));
    }
    sink.0.store(false, Ordering::Relaxed);
    let sound = start(&*store, &env, &one, "sound").await;
    sink.0.store(true, Ordering::Relaxed);
    complete(&*store, sound, 0, None).await;
    let cancel = Command::Cancel { by: "me".into(), grace: Span(0) };
    store.command(cancelled, cancel, None).await.expect("cancelled");
    assert_eq!(record(&*store, sound).state.status, TaskStatus::Successful);
    sink.0.store(false, Ordering::Relaxed);
    store.close().await;
    let store = fixture.open().await;
    complete(&*store, goes_on, 0, None).await;
    assert_eq!(record(&*store, goes_on).sub_tasks[0].status, SubTaskStatus::Successful);
    store.close().await;
}

/// An attempt whose end cannot be applied for a fault of ours, with nobody waiting for the answer, fails and
/// counts; waiting changes are written besides, and the next start has no trouble.
pub async fn posted_change_that_panics_fails_its_attempt(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let sink = Arc::new(Faulty::default());
    store.attach(sink.clone());
    let two = put(&*store, definition("two", "T_RUN", 2)).await;
    let one = put(&*store, definition("one", "T_RUN", 1)).await;
    let spoilt = start(&*store, &env, &two, "spoilt").await;
    let sound = start(&*store, &env, &one, "sound").await;
    sink.0.store(true, Ordering::Relaxed);
    let end = || Command::Complete { sub_task: 0, token: Token(1), output: None, by: None, next: None };
    for id in [spoilt, sound] {
        store.post(id, end()).await;
    }
    let status = |id| record(&*store, id).state.status;
    for _ in 0..1000 {
        if status(spoilt) == TaskStatus::Failed && status(sound) == TaskStatus::Successful {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!((status(spoilt), status(sound)), (TaskStatus::Failed, TaskStatus::Successful));
    let attempts = store.attempts(spoilt).expect("attempts");
    let codes: Vec<_> = attempts.iter().map(|a| a.error.as_ref().map(|e| e.error_code.as_str())).collect();
    assert_eq!(codes, [Some("CHANGE_FAILED")]);
    assert!(store.health().set_aside.is_empty());
    store.close().await;
    let store = fixture.open().await;
    store.command(spoilt, Command::Retry { by: "me".into() }, None).await.expect("retried");
    assert_eq!(record(&*store, spoilt).state.status, TaskStatus::InProgress);
    store.close().await;
}
