//! Damage: fills a store with a bit of everything and goes through every query and command. Damage to a row
//! may cost only the task that the row belongs to.

use std::collections::BTreeMap;
use std::sync::Arc;

use longhaul_model::workflow::Workflow;
use longhaul_model::{Command, Env, Resource, Span, TaskId, TaskStatus, Timestamp};
use serde_json::json;

use super::support::*;
use crate::{
    Accounts, Audit, AuditQuery, Deletion, IdempotencyKey, ImportedTask, LockQuery, LogLine, LogQuery,
    LogStream, OrderBy, SessionQuery, Store, StoreError, Stored, TaskQuery,
};

/// Contents of a filled store.
pub struct Everything {
    /// Text form of every task before the damage.
    tasks: BTreeMap<TaskId, String>,
    /// Workflow of most of the tasks.
    pub workflow: Arc<Workflow>,
}

fn audit(action: &'static str) -> Option<Audit> {
    Some(Audit::new("ada".into(), Some("192.0.2.7".parse().expect("an address")), action).detail("a wish"))
}

fn all_tasks() -> TaskQuery {
    TaskQuery { limit: 100, ..TaskQuery::default() }
}

/// Fills a store with tasks that run, wait for their start or for locks, have failed or ended, with outputs,
/// attempts, logs and many sub-tasks; an imported task; keys, notes, settings, and accounts.
pub async fn fill(store: &dyn Store, accounts: &dyn Accounts, env: &Env) -> Everything {
    let workflow = put(store, definition("w", "T_RUN", 2)).await;
    let large = put(store, definition("large", "T_LARGE", 40)).await;
    let mut locking = definition("locking", "T_LOCK", 1);
    locking.resources[0].lock = Default::default();
    let locking = put(store, locking).await;
    let key = Some(IdempotencyKey { principal: "ada".into(), key: "k".into(), fingerprint: [1; 32] });
    let running = submit(store, task(env, &workflow, "running", None), key).await.task.id();
    complete(store, running, 0, Some(json!({ "n": [1, 2, 3] }))).await;
    let line = LogLine::new(env.now(), LogStream::Out, "a line".to_owned());
    store.write_log(running, 0, 1, vec![line]).await.expect("logged");
    let many = start(store, env, &large, "many").await;
    complete(store, many, 0, Some(json!("one"))).await;
    let later = Timestamp(env.now().0 + 1_000_000);
    submit(store, task(env, &workflow, "later", Some(later)), None).await;
    let failed = start(store, env, &workflow, "failed").await;
    fail(store, failed, 0).await;
    for name in ["ended", "old"] {
        let ended = start(store, env, &workflow, name).await;
        complete(store, ended, 0, Some(json!([name]))).await;
        complete(store, ended, 1, None).await;
    }
    // The second task waits for the first.
    for _ in 0..2 {
        start(store, env, &locking, "locks").await;
    }
    let resource = Resource { resource_id: "vc-1".into(), kind: "VCENTER".into(), fqdn: None, name: None };
    let id = env.new_task_id();
    let imported = ImportedTask {
        id,
        name: "imported".into(),
        kind: "T_OLD".into(),
        status: TaskStatus::Successful,
        created_at: START,
        completed_at: Some(START),
        resources: vec![resource],
        json: format!("{{\"id\":\"{id}\"}}"),
    };
    store.import(vec![imported], audit("importTasks")).await.expect("imported");
    store.put_setting("tasks", json!({ "retentionDays": 30 }), audit("putSettings")).await.expect("kept");
    let user = |name: &str| crate::User {
        name: name.to_owned(),
        role: crate::ADMIN.to_owned(),
        kind: "USER".to_owned(),
        bounds: None,
        password_hash: Some("hash".to_owned()),
        disabled: false,
        epoch: 0,
        created_at: START,
        api_keys: vec![crate::ApiKey {
            id: format!("key-{name}"),
            name: None,
            hash: [name.len() as u8; 32],
            created_at: START,
            last_used_at: None,
        }],
    };
    for name in ["ada", "grace"] {
        let user = accounts.create_user(user(name), audit("createUser")).await.expect("created");
        let token = crate::RefreshToken {
            hash: [name.len() as u8; 32],
            user: name.to_owned(),
            basis: crate::Basis::Account { epoch: user.epoch },
            means: Some("PASSWORD".to_owned()),
            origin: None,
            created_at: START,
            expires_at: later,
        };
        accounts.put_refresh_token(token, None).await.expect("kept");
    }
    Everything { tasks: BTreeMap::new(), workflow }
}

impl Everything {
    /// Remembers the current form of every task.
    pub fn remember(&mut self, store: &dyn Store) {
        let page = store.list(&all_tasks()).expect("a list");
        self.tasks = page.tasks.iter().map(|task| (task.id(), shown(task))).collect();
        assert!(self.tasks.len() >= 9, "{:?}", self.tasks);
    }

    /// Runs every query and command against a store with one damaged row. At most one task may have lost
    /// anything, or all tasks of a damaged workflow.
    pub async fn walk(&self, store: &dyn Store, accounts: &dyn Accounts, env: &Env, what: &Damage) {
        let hurt = self.reads(store, what);
        self.rest(store, accounts, what).await;
        self.commands(store, env, &hurt, what).await;
    }

    /// Checks that lists are complete in every order and under every filter, and returns the tasks that are
    /// missing or changed.
    fn reads(&self, store: &dyn Store, what: &Damage) -> Vec<TaskId> {
        let list =
            |query: TaskQuery| store.list(&query).unwrap_or_else(|e| panic!("{what:?}: {query:?}: {e}"));
        let mut hurt = Vec::new();
        for order in OrderBy::ALL {
            for descending in [false, true] {
                let page = list(TaskQuery { order, descending, ..all_tasks() });
                let there = self.tasks.len() - what.gone();
                assert_eq!(page.tasks.len(), there, "{what:?}");
                // Counts are kept beside the rows: `check` finds those that are wrong, and makes them anew.
                let counted = what.gone() == 0 && (what.value != DELETED || what.table != "counters");
                assert!(!counted || page.total == there as u64, "{what:?}: {}", page.total);
                hurt = self.missing(&page.tasks);
                assert!(hurt.len() <= what.most, "{what:?} {order:?}: {hurt:?}");
            }
        }
        for filter in [
            TaskQuery { name_contains: Some("running".into()), ..all_tasks() },
            TaskQuery { name_contains: Some("im".into()), ..all_tasks() },
            TaskQuery { kind: Some("t_run".into()), ..all_tasks() },
            TaskQuery { statuses: vec![TaskStatus::InProgress], ..all_tasks() },
            TaskQuery { resource_id: Some("vc-1".into()), ..all_tasks() },
            TaskQuery { resource_kind: Some("host".into()), ..all_tasks() },
            TaskQuery { completed_after: Some(Timestamp(0)), ..all_tasks() },
        ] {
            list(filter);
        }
        let mut refused = Vec::new();
        for &id in self.tasks.keys() {
            let found = store.get(id).map(|task| shown(&task));
            let log = store.log(id, &LogQuery { after: 0, sub_task: None, limit: 10 });
            let parts = [
                found.as_ref().is_ok_and(|task| Some(task) == self.tasks.get(&id)),
                store.spec(id).is_ok_and(|spec| spec.is_some() || self.tasks[&id].starts_with("Imported")),
                store.outputs(id).is_ok(),
                store.attempts(id).is_ok(),
                store.blockers(id, 10).is_ok(),
                log.is_ok(),
            ];
            if parts.contains(&false) {
                refused.push(id);
            }
        }
        assert!(refused.len() <= what.most, "{what:?}: {refused:?}");
        hurt.extend(refused);
        hurt.sort_unstable();
        hurt.dedup();
        assert!(hurt.len() <= what.most, "{what:?}: {hurt:?}");
        hurt
    }

    /// Returns the tasks that are missing or changed.
    fn missing(&self, tasks: &[Stored]) -> Vec<TaskId> {
        let found: BTreeMap<TaskId, String> = tasks.iter().map(|task| (task.id(), shown(task))).collect();
        self.tasks.iter().filter(|(id, task)| found.get(id) != Some(task)).map(|(id, _)| *id).collect()
    }

    async fn rest(&self, store: &dyn Store, accounts: &dyn Accounts, what: &Damage) {
        let locks = store.locks(&LockQuery { limit: 10, ..LockQuery::default() });
        assert!(locks.is_ok(), "{what:?}: {locks:?}");
        let works = [
            ("stats", store.stats().map(drop)),
            ("workflows", store.workflows().map(drop)),
            ("audit", store.audit(&AuditQuery { limit: 100, ..AuditQuery::default() }).map(drop)),
            ("recover", store.recover().await.map(drop)),
            ("due", store.due(Timestamp(i64::MAX / 2), 100).await.map(drop)),
            ("flush", store.flush().await),
            ("users", accounts.users().map(drop)),
            ("sessions", accounts.sessions(&SessionQuery { limit: 10, ..SessionQuery::default() }).map(drop)),
            ("tokens", accounts.prune_refresh_tokens(START, 100).await.map(drop)),
            ("notes", store.prune_audit(START, 100).await.map(drop)),
        ];
        for (name, done) in works {
            what.works(name, done);
        }
        for name in ["ada", "grace"] {
            let found = accounts.user(name).map(drop);
            assert!(
                found.is_ok() || what.table.starts_with("users") || what.table.starts_with("api_keys"),
                "{what:?}: {found:?}"
            );
        }
    }

    /// Checks that every task can be ended, that everything it holds is released, and that ended tasks are
    /// deleted, each independently of the others.
    async fn commands(&self, store: &dyn Store, env: &Env, hurt: &[TaskId], what: &Damage) {
        let cancel = || Command::Cancel { by: "ada".into(), grace: Span(0) };
        let release = || Command::Release { by: "ada".into(), reason: "damaged".into() };
        for &id in self.tasks.keys() {
            for command in [cancel(), release()] {
                match store.command(id, command, audit("cancelTask")).await {
                    Ok(()) | Err(StoreError::Refused(_)) => {}
                    // The task is imported, or can no longer be found.
                    Err(StoreError::NotFound) => {}
                    Err(e) => panic!("{what:?}: {id}: {e}"),
                }
            }
            // A damaged task has ended by now; the others end when their attempts do.
            if let Ok(Stored::Damaged(damaged)) = store.get(id) {
                assert!(damaged.has_ended() && hurt.contains(&id), "{what:?}: {damaged:?}");
                let mine = store.blockers(id, 10).map(|blockers| blockers.len());
                assert!(mine.as_ref().is_ok_and(|n| *n == 0), "{what:?}: {mine:?}");
            }
        }
        // Retention continues past damaged tasks.
        let (mut from, mut rounds) = (None, 0);
        loop {
            let purged = store.purge(Timestamp(env.now().0 + 1), from, 2).await;
            let purged = purged.unwrap_or_else(|e| panic!("{what:?}: {e}"));
            from = purged.next;
            rounds += 1;
            assert!(rounds < 100, "{what:?}");
            if from.is_none() {
                break;
            }
        }
        let ids: Vec<TaskId> = self.tasks.keys().copied().collect();
        let deleted = store.delete_history(ids, audit("deleteHistory")).await;
        let deleted = deleted.unwrap_or_else(|e| panic!("{what:?}: {e}"));
        for (id, deletion) in &deleted {
            assert!(*deletion != Deletion::Unreadable || hurt.contains(id), "{what:?}: {id}");
        }
        let left = hurt.iter().find(|id| matches!(store.get(**id), Ok(Stored::Damaged(_))));
        assert_eq!(left, None, "{what:?}: it is there still");
        // New work goes on.
        if what.table != "workflows" {
            let id = start(store, env, &self.workflow, "new").await;
            complete(store, id, 0, None).await;
            assert_eq!(record(store, id).sub_tasks[1].status, longhaul_model::SubTaskStatus::InProgress);
        }
    }
}

/// Mark in the place of a value: the whole row is deleted.
const DELETED: &str = "(the row is deleted)";

/// Damage to one column of one row, or the deletion of the row.
#[derive(Clone, Debug)]
pub struct Damage {
    /// Name of the damaged table.
    pub table: String,
    /// Name of the damaged column.
    pub column: String,
    /// Value now in the column, as an SQL expression.
    pub value: String,
    /// Maximum number of tasks that the damage may affect.
    pub most: usize,
}

impl Damage {
    /// Deletion of a row.
    pub fn deletion(table: &str) -> Damage {
        let most = if table == "workflows" { usize::MAX } else { 1 };
        Damage { table: table.to_owned(), column: String::new(), value: DELETED.to_owned(), most }
    }

    /// Number of tasks that are gone with the row.
    fn gone(&self) -> usize {
        usize::from(self.value == DELETED && matches!(self.table.as_str(), "hot" | "history"))
    }

    /// Accepts a failure of a store-wide operation only if the error names the damaged table.
    fn works(&self, name: &str, done: Result<(), StoreError>) {
        match done {
            Ok(()) => {}
            Err(e) => assert!(e.to_string().contains(&self.table), "{self:?}: {name}: {e}"),
        }
    }
}

fn shown(task: &Stored) -> String {
    match task {
        Stored::Own(record) => {
            // Attempts are left out: another node may have taken over the running ones.
            let sub_tasks: Vec<_> = record.sub_tasks.iter().map(|sub| sub.status).collect();
            format!("{} {} {:?} {sub_tasks:?}", record.id, record.name, record.state.status)
        }
        other => format!("{other:?}"),
    }
}
