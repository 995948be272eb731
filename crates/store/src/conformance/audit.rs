//! The audit log and the settings.

use longhaul_model::{Command, Timestamp};
use serde_json::json;

use super::support::*;
use crate::{Audit, AuditQuery, IdempotencyKey, Store, StoreError, Submission};

fn by(name: &str, action: &'static str) -> Option<Audit> {
    Some(Audit::new(name.into(), Some("192.0.2.7".parse().expect("an address")), action))
}

fn actions(store: &dyn Store, query: AuditQuery) -> Vec<(String, String)> {
    let page = store.audit(&query).expect("a page");
    page.entries.into_iter().map(|entry| (entry.by, entry.action)).collect()
}

fn all() -> AuditQuery {
    AuditQuery { limit: 100, ..AuditQuery::default() }
}

/// Accepted changes have one entry each, in their transaction; commands that change nothing have none.
pub async fn each_change_is_noted_once(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let put = |version| store.put_workflow(definition("w", "T_RUN", version), by("ada", "putWorkflow"));
    let workflow = put(1).await.expect("stored").workflow;
    assert!(!put(1).await.expect("the same").created);
    let key = || Some(IdempotencyKey { principal: "bob".into(), key: "k".into(), fingerprint: [7; 32] });
    let submission = || Submission {
        task: task(&env, &workflow, "one", None),
        key: key(),
        audit: by("bob", "startTask"),
        newest: false,
    };
    let first = store.submit(submission()).await.expect("submitted");
    assert!(store.submit(submission()).await.expect("replayed").replayed);
    let id = first.task.id();
    let cancel = || Command::Cancel { by: "bob".into(), grace: longhaul_model::Span(1000) };
    let audit = || by("bob", "cancelTask").map(|audit| audit.target(id.to_string()).detail("a wish"));
    let referenced = crate::audit::referenced("7K2Q9Z", async { audit() }).await;
    store.command(id, cancel(), referenced).await.expect("cancelled");
    assert!(matches!(store.command(id, cancel(), audit()).await, Err(StoreError::Refused(_))));
    store.delete_workflow("w", by("ada", "deleteWorkflow")).await.expect("deleted");
    store.delete_workflow("w", by("ada", "deleteWorkflow")).await.expect_err("it is gone");
    store.note(by("eve", "login").expect("one").refused()).await.expect("noted");
    store.close().await;

    let store = fixture.open().await;
    let wanted = [("eve", "login"), ("ada", "deleteWorkflow"), ("bob", "cancelTask"), ("bob", "startTask")];
    let wanted: Vec<_> = wanted.into_iter().chain([("ada", "putWorkflow")]).collect();
    let found = actions(&*store, all());
    assert_eq!(found.iter().map(|(by, what)| (by.as_str(), what.as_str())).collect::<Vec<_>>(), wanted);
    let page = store.audit(&AuditQuery { target: Some(id.to_string()), ..all() }).expect("a page");
    assert_eq!(page.total, 2, "a new task is the target of its start");
    let entry = &page.entries[0];
    assert_eq!((entry.from.as_deref(), entry.detail.as_deref()), (Some("192.0.2.7"), Some("a wish")));
    assert_eq!((entry.at, entry.accepted), (env.now(), true));
    assert_eq!((entry.reference.as_deref(), page.entries[1].reference.as_deref()), (Some("7K2Q9Z"), None));
    store.close().await;
}

/// Filters, pages and exact totals of the audit log; the oldest entries are deleted first.
pub async fn notes_are_found_and_pruned(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    for n in 0..10 {
        let note = by(if n % 2 == 0 { "ada" } else { "bob" }, "login").expect("one");
        store.note(if n < 4 { note.refused() } else { note }).await.expect("noted");
    }
    let total = |query: AuditQuery| store.audit(&query).expect("a page").total;
    assert_eq!(total(all()), 10);
    assert_eq!(total(AuditQuery { by: Some("ADA".into()), ..all() }), 5);
    assert_eq!(total(AuditQuery { accepted: Some(false), ..all() }), 4);
    assert_eq!(total(AuditQuery { action: Some("startTask".into()), ..all() }), 0);
    assert_eq!(total(AuditQuery { since: Some(Timestamp(env.now().0 + 1)), ..all() }), 0);
    let page = store.audit(&AuditQuery { offset: 8, limit: 5, ..AuditQuery::default() }).expect("a page");
    assert_eq!((page.entries.len(), page.total), (2, 10));
    assert_eq!(store.prune_audit(env.now(), 100).await.expect("pruned"), 0, "none is older");
    let later = Timestamp(env.now().0 + 1);
    assert_eq!(store.prune_audit(later, 3).await.expect("pruned"), 3);
    assert_eq!((total(all()), total(AuditQuery { accepted: Some(false), ..all() })), (7, 1));
    assert_eq!(store.prune_audit(later, 100).await.expect("pruned"), 6, "the newest stays, for its number");
    store.note(by("ada", "login").expect("one")).await.expect("noted");
    assert_eq!(total(all()), 2);
    store.close().await;
}

/// A setting is kept, with its audit entry.
pub async fn settings_are_kept(fixture: &mut impl Fixture) {
    let store = fixture.open().await;
    assert_eq!(store.setting("retention").expect("read"), None);
    for days in [30, 60] {
        let value = json!({ "days": days });
        store.put_setting("retention", value, by("ada", "patchSettings")).await.expect("kept");
    }
    store.close().await;
    let store = fixture.open().await;
    assert_eq!(store.setting("retention").expect("read"), Some(json!({ "days": 60 })));
    assert_eq!(actions(&*store, all()).len(), 2);
    store.close().await;
}

/// Changes of one setting at the same time are all kept, whatever else of it they leave alone.
pub async fn settings_are_merged(fixture: &mut impl Fixture) {
    let store = fixture.open().await;
    let merge = |patch| store.merge_setting("queues", patch, by("ada", "changeQueue"));
    let changes = (0..24).map(|n| {
        let (queue, member) = (format!("q{}", n % 3), format!("m{n}"));
        merge(json!({ queue: { member: n } }))
    });
    for answer in futures_util::future::join_all(changes).await {
        answer.expect("merged");
    }
    let of = |queue: u64| -> serde_json::Map<String, serde_json::Value> {
        (0..24).filter(|n| n % 3 == queue).map(|n| (format!("m{n}"), json!(n))).collect()
    };
    let wanted = json!({ "q0": of(0), "q1": of(1), "q2": of(2) });
    assert_eq!(store.setting("queues").expect("read"), Some(wanted.clone()));
    let gone: serde_json::Map<_, _> = of(1).into_iter().map(|(member, _)| (member, json!(null))).collect();
    let left = merge(json!({ "q1": gone, "q0": { "m0": "other" } })).await.expect("merged");
    let mut wanted = wanted;
    wanted.as_object_mut().expect("an object").remove("q1");
    wanted["q0"]["m0"] = json!("other");
    assert_eq!(left, wanted);
    assert_eq!(actions(&*store, AuditQuery { limit: 100, ..all() }).len(), 25);
    store.close().await;
    let store = fixture.open().await;
    assert_eq!(store.setting("queues").expect("read"), Some(wanted));
    store.close().await;
}
