//! Texts with the NUL character, which not every database accepts: stored text keeps it or shows a
//! replacement, and a query with a NUL finds nothing.

use longhaul_model::{Command, Failure, Fault, Span, Spec, Task, Token};
use serde_json::json;

use super::support::*;
use crate::{
    Audit, AuditQuery, IdempotencyKey, LockQuery, LogLine, LogQuery, LogStream, StoreError, Submission,
    TaskQuery,
};

/// Checks that a task with NUL in any of its texts is read, listed and ended like any other.
pub async fn nul_is_kept_or_replaced(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let mut locking = definition("nul", "T\0RUN", 1);
    locking.resources[0].lock = Default::default();
    let workflow = put(&*store, locking).await;
    let input = json!({ "title": "a\0title", "host": "host\0", "\0": "\0" });
    let labels = [("a\0".to_owned(), "\0".to_owned())].into();
    let spec = Spec { input, labels, requested_by: Some("a\0da".into()), caller: None };
    let task = Task::new(env.new_task_id(), workflow, spec.clone(), None, None, env.now()).expect("a task");
    let id = task.id();
    let key = Some(IdempotencyKey { principal: "a\0da".into(), key: "k\0".into(), fingerprint: [1; 32] });
    let note = |action| Some(Audit::new("a\0da".into(), None, action).target("\0").detail("a\0wish"));
    let submission =
        Submission { task: Box::new(task), key: key.clone(), audit: note("startTask"), newest: false };
    store.submit(submission).await.expect("submitted");
    let line = LogLine::new(env.now(), LogStream::Out, "a\0line".to_owned());
    store.write_log(id, 0, 1, vec![line.clone()]).await.expect("logged");
    store.close().await;

    let store = fixture.open().await;
    assert_eq!(store.spec(id).expect("read"), Some(spec));
    let log = store.log(id, &LogQuery { after: 0, sub_task: None, limit: 10 }).expect("read");
    assert_eq!(log[0].lines, [line]);
    let page = store.list(&TaskQuery::default()).expect("a list");
    assert_eq!((page.total, page.tasks[0].id()), (1, id));
    assert_eq!(store.locks(&LockQuery { limit: 10, ..LockQuery::default() }).expect("read").total, 1);
    let fault = Fault::new("C\0DE", "a\0message").cause("\0", "\0");
    let failure = Failure::Error { fault: fault.clone(), retryable: false };
    // The running attempt belonged to another process, and is lost.
    store.recover().await.expect("recovered");
    let token = Token(record(&*store, id).sub_tasks[0].attempt.into());
    store.command(id, Command::Fail { sub_task: 0, token, failure, by: None }, None).await.expect("failed");
    assert_eq!(record(&*store, id).state.errors, [fault]);
    let resolve = Command::Resolve { by: "a\0da".into(), reason: "a\0reason".into(), verdict: None };
    store.command(id, resolve, note("resolveTask")).await.expect("resolved");
    assert!(store.delete_history(vec![id], note("deleteHistory")).await.is_ok());
    assert_eq!(store.list(&TaskQuery::default()).expect("a list").total, 0);
    assert_eq!(store.audit(&AuditQuery { limit: 10, ..AuditQuery::default() }).expect("read").total, 3);
    store.close().await;
}

/// Checks that queries with NUL are answered as not found.
pub async fn nul_finds_nothing(fixture: &mut impl Fixture) {
    let (store, accounts) = fixture.open_accounts().await;
    let env = fixture.env();
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    let id = start(&*store, &env, &workflow, "one").await;
    let text = |text: &str| Some(text.to_owned());
    for query in [
        TaskQuery { kind: text("T_RUN\0"), ..TaskQuery::default() },
        TaskQuery { resource_id: text("host-one\0"), ..TaskQuery::default() },
        TaskQuery { resource_kind: text("HOST\0"), ..TaskQuery::default() },
        TaskQuery { resource_id: text("\0"), resource_kind: text("\0"), ..TaskQuery::default() },
        TaskQuery { name_contains: text("one\0"), ..TaskQuery::default() },
        TaskQuery { name_contains: text("\0"), ..TaskQuery::default() },
    ] {
        assert_eq!(store.list(&query).unwrap_or_else(|e| panic!("{query:?}: {e}")).total, 0, "{query:?}");
    }
    for (kind, name) in [(text("HOST\0"), None), (None, text("host-one\0"))] {
        let query = LockQuery { kind, name, limit: 10, ..LockQuery::default() };
        assert_eq!(store.locks(&query).expect("read").total, 0);
    }
    for query in [
        AuditQuery { by: text("\0"), limit: 10, ..AuditQuery::default() },
        AuditQuery { action: text("\0"), limit: 10, ..AuditQuery::default() },
        AuditQuery { target: text("\0"), limit: 10, ..AuditQuery::default() },
    ] {
        assert_eq!(store.audit(&query).expect("read").total, 0);
    }
    for name in ["w\0", "\0"] {
        assert!(matches!(store.workflow(name, None), Err(StoreError::NotFound)));
        assert!(matches!(store.workflow(name, Some(1)), Err(StoreError::NotFound)));
        assert!(matches!(store.delete_workflow(name, None).await, Err(StoreError::NotFound)));
        assert_eq!(store.setting(name).expect("read"), None);
        assert!(matches!(accounts.user(name), Err(StoreError::NotFound)));
        assert!(matches!(accounts.delete_user(name, None).await, Err(StoreError::NotFound)));
    }
    let cancel = Command::Cancel { by: "ada".into(), grace: Span(0) };
    store.command(id, cancel, None).await.expect("the store goes on");
    store.close().await;
}
