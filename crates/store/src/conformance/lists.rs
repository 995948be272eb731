//! Lists against counting by hand: every filter, order and page of a few thousand tasks, active, ended and
//! imported.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use longhaul_model::{
    Command, Env, Failure, Fault, Record, Resolution, Resource, Span, Spec, SubTaskStatus, Task, TaskId,
    TaskStatus, Terms, Timestamp, Token, WorkerId, workflow::Workflow,
};
use serde_json::json;

use super::support::*;
use crate::{Facts, ImportOutcome, ImportedTask, OrderBy, Store, Stored, TaskQuery, Work};

/// Task as this test knows it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) id: TaskId,
    name: String,
    kind: String,
    status: TaskStatus,
    created_at: Timestamp,
    completed_at: Option<Timestamp>,
    resources: Vec<(String, String)>,
    labels: BTreeMap<String, String>,
    /// Somebody dealt with its failure.
    resolved: bool,
}

impl Known {
    pub(super) fn imported(task: ImportedTask) -> Known {
        Known {
            id: task.id,
            name: task.name,
            kind: task.kind,
            status: task.status,
            created_at: task.created_at,
            completed_at: task.completed_at,
            resources: task.resources.into_iter().map(|r| (r.kind, r.resource_id)).collect(),
            resolved: task.json.contains("\"RESOLVED\""),
            labels: match task.json.contains("labels") {
                true => [("site".to_owned(), "old".to_owned())].into(),
                false => BTreeMap::new(),
            },
        }
    }

    pub(super) fn own(record: &Record) -> Known {
        let resources = record.state.resources.iter();
        Known {
            id: record.id,
            name: record.name.clone(),
            kind: record.workflow.definition.kind.clone(),
            status: record.state.status,
            created_at: record.state.created_at,
            completed_at: record.state.completed_at,
            resources: resources.map(|r| (r.kind.clone(), r.resource_id.clone())).collect(),
            labels: BTreeMap::new(),
            resolved: record.state.resolution == Resolution::Resolved,
        }
    }

    pub(super) fn matches(&self, query: &TaskQuery) -> bool {
        let resource = |id: &Option<String>, kind: &Option<String>| {
            self.resources.iter().any(|(this_kind, this_id)| {
                id.as_ref().is_none_or(|id| id == this_id)
                    && kind.as_ref().is_none_or(|kind| kind.eq_ignore_ascii_case(this_kind))
            })
        };
        let asks = query.resource_id.is_some() || query.resource_kind.is_some();
        (query.statuses.is_empty() || query.statuses.contains(&self.status))
            && query.kind.as_ref().is_none_or(|kind| kind.eq_ignore_ascii_case(&self.kind))
            && (!asks || resource(&query.resource_id, &query.resource_kind))
            && query.completed_after.is_none_or(|after| {
                self.status.counts_as_completed() && self.completed_at.is_some_and(|at| at > after)
            })
            && query
                .name_contains
                .as_ref()
                .is_none_or(|text| self.name.to_lowercase().contains(&text.to_lowercase()))
            && !(query.open_failures && self.status == TaskStatus::Failed && self.resolved)
            && query.labels.iter().all(|(name, value)| {
                self.labels.get(name).is_some_and(|is| value.as_ref().is_none_or(|value| value == is))
            })
    }

    pub(super) fn compare(&self, other: &Known, query: &TaskQuery) -> Ordering {
        let by = match query.order {
            OrderBy::Id => Ordering::Equal,
            OrderBy::Name => self.name.cmp(&other.name),
            OrderBy::Kind => self
                .kind
                .to_ascii_lowercase()
                .cmp(&other.kind.to_ascii_lowercase())
                .then(self.created_at.cmp(&other.created_at)),
            OrderBy::Status => self.status.cmp(&other.status).then(self.created_at.cmp(&other.created_at)),
            OrderBy::CreatedAt => self.created_at.cmp(&other.created_at),
            OrderBy::CompletedAt => self.completed_at.cmp(&other.completed_at),
        };
        let by = by.then(self.id.cmp(&other.id));
        if query.descending { by.reverse() } else { by }
    }
}

/// Stores a few thousand tasks of every kind; returns what is known of them.
async fn populate(store: &dyn Store, env: &longhaul_model::Env) -> Vec<Known> {
    let mut known = import_many(store, env).await;
    let mut ids = Vec::new();
    for (kind, count) in [("HOST_COMMISSION", 1800), ("CREDENTIALS_ROTATE", 900)] {
        let workflow = put(store, definition(&kind.to_lowercase(), kind, 2)).await;
        for n in 0..count {
            env.advance(Span(37_000));
            let id = submit(store, labelled(env, &workflow, &format!("Task {n} of {kind}"), n), None)
                .await
                .task
                .id();
            match n % 9 {
                0 => {}
                1 => {
                    let cancel = Command::Cancel { by: "me".into(), grace: Span(0) };
                    store.command(id, cancel, None).await.expect("cancelled");
                    store.command(id, Command::Due, None).await.expect("given up");
                }
                2 => fail(store, id, 0).await,
                3 => {
                    fail(store, id, 0).await;
                    let resolve =
                        Command::Resolve { by: "me".into(), reason: "by hand".into(), verdict: None };
                    store.command(id, resolve, None).await.expect("resolved");
                }
                _ => {
                    complete(store, id, 0, None).await;
                    complete(store, id, 1, None).await;
                }
            }
            ids.push(id);
        }
    }
    known.extend(ids.into_iter().map(|id| {
        let labels = store.spec(id).expect("readable").expect("a specification").labels;
        Known { labels, ..Known::own(&record(store, id)) }
    }));
    known
}

/// A task with labels by its number.
fn labelled(env: &Env, workflow: &Arc<Workflow>, title: &str, n: u32) -> Box<Task> {
    let mut labels = BTreeMap::new();
    if n.is_multiple_of(5) {
        labels.insert("change \"x\"".to_owned(), format!("C={}", n % 50));
    }
    if n % 7 < 2 {
        labels.insert("site".to_owned(), ["old", ""][n as usize % 2].to_owned());
    }
    let input = json!({ "title": title, "host": format!("host-{title}"), "l": { "site": "old" } });
    let spec = Spec { input, labels, requested_by: None, caller: None };
    Box::new(Task::new(env.new_task_id(), workflow.clone(), spec, None, None, env.now()).expect("a task"))
}

async fn import_many(store: &dyn Store, env: &longhaul_model::Env) -> Vec<Known> {
    let tasks: Vec<ImportedTask> = (0..300).map(|n| imported(env.new_task_id(), n)).collect();
    store.import(tasks.clone(), None).await.expect("imported");
    tasks.into_iter().map(Known::imported).collect()
}

fn imported(id: TaskId, n: i64) -> ImportedTask {
    let status = TaskStatus::ALL[n as usize % TaskStatus::ALL.len()];
    let resource =
        |kind: &str, id: String| Resource { resource_id: id, kind: kind.into(), fqdn: None, name: None };
    let task = ImportedTask {
        id,
        name: format!("Älterer Task {} \"{n}\"", n % 50),
        kind: ["Domain_Create", "HOST_COMMISSION", ""][n as usize % 3].into(),
        status,
        created_at: Timestamp(START.0 - 86_400_000 * (n % 40)),
        completed_at: status.is_ended().then_some(Timestamp(START.0 - 86_400_000 * (n % 40) + 1000 * n)),
        resources: vec![resource("VCENTER", format!("vc-{}", n % 7)), resource("Host", format!("host-{n}"))],
        json: String::new(),
    };
    let mut document = json!({
        "id": id, "n": n, "name": task.name, "type": task.kind, "status": task.status.constant(),
        "resources": task.resources, "completionTimestamp": task.completed_at.map(|at| at.text().as_str().to_owned()),
    });
    match n % 4 {
        0 => {}
        1 => document["resolutionStatus"] = json!("RESOLVED"),
        2 => document["resolutionStatus"] = json!("UNRESOLVED"),
        _ => document["labels"] = json!({ "site": "old" }),
    }
    let json = if n % 8 < 4 { document.to_string() } else { format!("{document:#}") };
    ImportedTask { json, ..task }
}

fn queries() -> Vec<TaskQuery> {
    let text = |text: &str| Some(text.to_owned());
    let mut filters: Vec<TaskQuery> = vec![
        TaskQuery::default(),
        TaskQuery { statuses: vec![TaskStatus::Failed], ..Default::default() },
        TaskQuery { statuses: vec![TaskStatus::Cancelled, TaskStatus::InProgress], ..Default::default() },
        TaskQuery { kind: text("host_commission"), ..Default::default() },
        TaskQuery { kind: text("nothing"), ..Default::default() },
        TaskQuery {
            kind: text("CREDENTIALS_ROTATE"),
            statuses: vec![TaskStatus::Successful],
            ..Default::default()
        },
        TaskQuery { resource_id: text("host-7"), ..Default::default() },
        TaskQuery { resource_id: text("d1"), resource_kind: text("DOMAIN"), ..Default::default() },
        TaskQuery { resource_id: text("d1"), resource_kind: text("HOST"), ..Default::default() },
        TaskQuery { resource_kind: text("vcenter"), ..Default::default() },
        TaskQuery { resource_kind: text("host"), statuses: vec![TaskStatus::Failed], ..Default::default() },
        TaskQuery { completed_after: Some(Timestamp(START.0 + 40_000_000)), ..Default::default() },
        TaskQuery {
            completed_after: Some(Timestamp(START.0 - 86_400_000 * 17 + 123_456)),
            ..Default::default()
        },
        TaskQuery {
            completed_after: Some(Timestamp(START.0 + 3_700_001)),
            statuses: vec![TaskStatus::Failed, TaskStatus::Cancelled],
            kind: text("HOST_COMMISSION"),
            ..Default::default()
        },
        TaskQuery { completed_after: Some(START), resource_kind: text("domain"), ..Default::default() },
        TaskQuery { name_contains: text("TASK 17"), ..Default::default() },
        TaskQuery { name_contains: text("älterer"), ..Default::default() },
        TaskQuery { name_contains: text("\"3"), ..Default::default() },
        TaskQuery { name_contains: text("of"), statuses: vec![TaskStatus::Failed], ..Default::default() },
        TaskQuery { name_contains: text("commission"), resource_id: text("d1"), ..Default::default() },
        TaskQuery { name_contains: text("rotate"), resource_kind: text("domain"), ..Default::default() },
        TaskQuery { name_contains: text(""), ..Default::default() },
    ];
    let failed = vec![TaskStatus::Failed];
    let label = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
    let site = vec![label("site", None)];
    let by_documents = vec![
        TaskQuery { open_failures: true, statuses: failed.clone(), ..Default::default() },
        TaskQuery {
            open_failures: true,
            statuses: vec![TaskStatus::Failed, TaskStatus::Cancelled],
            kind: text("host_commission"),
            ..Default::default()
        },
        TaskQuery {
            open_failures: true,
            statuses: failed.clone(),
            completed_after: Some(START),
            ..Default::default()
        },
        TaskQuery { labels: site.clone(), ..Default::default() },
        TaskQuery { labels: vec![label("site", Some("old"))], ..Default::default() },
        TaskQuery {
            labels: vec![label("site", Some("")), label("change \"x\"", None)],
            ..Default::default()
        },
        TaskQuery { labels: vec![label("change \"x\"", Some("C=15"))], ..Default::default() },
        TaskQuery { labels: vec![label("Site", None)], ..Default::default() },
        TaskQuery {
            labels: site.clone(),
            open_failures: true,
            statuses: failed.clone(),
            ..Default::default()
        },
        TaskQuery { labels: site.clone(), name_contains: text("task 1"), ..Default::default() },
        TaskQuery {
            labels: site.clone(),
            resource_id: text("d1"),
            kind: text("host_commission"),
            ..Default::default()
        },
        TaskQuery { labels: site.clone(), resource_kind: text("vcenter"), ..Default::default() },
        TaskQuery {
            open_failures: true,
            statuses: failed.clone(),
            resource_id: text("d1"),
            ..Default::default()
        },
        TaskQuery {
            open_failures: true,
            statuses: failed,
            name_contains: text("rotate"),
            ..Default::default()
        },
    ];
    filters.extend(by_documents);
    let mut all = Vec::new();
    for filter in filters {
        for order in OrderBy::ALL {
            for descending in [false, true] {
                for (offset, limit) in [(0, 10), (7, 3), (1_234, 25), (100_000, 10)] {
                    all.push(TaskQuery { order, descending, offset, limit, ..filter.clone() });
                }
            }
        }
    }
    all
}

/// A query gives the page and the total that counting by hand gives, after reopening, too.
pub async fn lists_agree_with_counting_by_hand(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let known = populate(&*store, &env).await;
    agree(&*store, &known);
    store.close().await;
    let store = fixture.open().await;
    agree(&*store, &known);
    store.close().await;
}

fn agree(store: &dyn Store, known: &[Known]) {
    // Readers of changes are told of the same tasks, which is decided without the store's queries.
    let facts: Vec<Facts> = known
        .iter()
        .map(|task| {
            let spec = store.spec(task.id).expect("a specification");
            Facts::of(&store.get_short(task.id).expect("a task"), spec.as_ref())
        })
        .collect();
    for query in queries() {
        for (task, facts) in known.iter().zip(&facts) {
            assert_eq!(query.matches(facts), task.matches(&query), "{query:?} of {facts:?}");
            assert!(query.may_have_matched(facts) || !query.matches(facts), "{query:?} of {facts:?}");
        }
        let mut expected: Vec<&Known> = known.iter().filter(|task| task.matches(&query)).collect();
        expected.sort_by(|a, b| a.compare(b, &query));
        let page = store.list(&query).expect("a page");
        assert_eq!(page.total, expected.len() as u64, "total of {query:?}");
        let wanted: Vec<TaskId> = expected
            .iter()
            .skip(query.offset as usize)
            .take(query.limit as usize)
            .map(|task| task.id)
            .collect();
        let got: Vec<TaskId> = page.tasks.iter().map(Stored::id).collect();
        assert_eq!(got, wanted, "page of {query:?}");
    }
    let by_status: u64 = store.stats().expect("stats").tasks.iter().map(|(_, n)| n).sum();
    assert_eq!(by_status, known.len() as u64);
}

/// Totals are exact at every moment of a task's life.
pub async fn totals_follow_changes(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    let id = start(&*store, &env, &workflow, "one").await;
    let total = |status: TaskStatus| {
        let query = TaskQuery { statuses: vec![status], completed_after: None, ..Default::default() };
        store.list(&query).expect("a page").total
    };
    let completed = || {
        let query = TaskQuery { completed_after: Some(Timestamp(0)), ..Default::default() };
        store.list(&query).expect("a page").total
    };
    assert_eq!((total(TaskStatus::InProgress), completed()), (1, 0));
    fail(&*store, id, 0).await;
    assert_eq!((total(TaskStatus::InProgress), total(TaskStatus::Failed), completed()), (0, 1, 1));
    store.command(id, Command::Retry { by: "me".into() }, None).await.expect("retried");
    assert_eq!((total(TaskStatus::InProgress), total(TaskStatus::Failed), completed()), (1, 0, 0));
    store.close().await;
}

/// Imported tasks come back to the letter.
pub async fn imported_tasks_come_back_as_they_came(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let task = imported(env.new_task_id(), 3);
    store.import(vec![task.clone()], None).await.expect("imported");
    store.close().await;
    let store = fixture.open().await;
    let same = |stored: &Stored| matches!(stored, Stored::Imported { json, .. } if *json == task.json);
    assert!(same(&store.get(task.id).expect("stored")));
    assert!(same(&store.list(&TaskQuery::default()).expect("a page").tasks[0]));
    assert_eq!(store.spec(task.id).expect("spec"), None);
    assert!(store.command(task.id, Command::Retry { by: "me".into() }, None).await.is_err());
    assert!(same(&store.get(task.id).expect("stored")));
    store.close().await;
}

/// An import can be repeated, and never overwrites a task of our own.
pub async fn import_replaces_imported_and_keeps_own(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    let own = start(&*store, &env, &workflow, "own").await;
    let mut tasks = vec![imported(env.new_task_id(), 1), imported(own, 2)];
    let first = store.import(tasks.clone(), None).await.expect("imported");
    assert_eq!(first, ImportOutcome { imported: 1, replaced: 0, kept: 1 });
    tasks[0].name = "New name".into();
    let second = store.import(tasks, None).await.expect("imported");
    assert_eq!(second, ImportOutcome { imported: 0, replaced: 1, kept: 1 });
    assert_eq!(record(&*store, own).name, "own");
    let named = |name: &str| {
        store
            .list(&TaskQuery { name_contains: Some(name.into()), ..Default::default() })
            .expect("a page")
            .total
    };
    assert_eq!(
        (named("new name"), named("älterer"), store.list(&TaskQuery::default()).expect("a page").total),
        (1, 0, 2)
    );
    store.close().await;
}

/// The first and the last instant that can be written are treated like any other.
pub async fn extreme_instants_are_kept_and_sorted(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let instants =
        ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2026-01-31T12:00:00Z", "9999-12-31T23:59:59.999Z"];
    let instants = instants.map(|text| text.parse::<Timestamp>().expect("an instant"));
    let tasks: Vec<ImportedTask> = instants
        .iter()
        .map(|at| ImportedTask {
            created_at: *at,
            completed_at: Some(*at),
            status: TaskStatus::Successful,
            ..imported(env.new_task_id(), 1)
        })
        .collect();
    let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
    store.import(tasks, None).await.expect("imported");
    store.close().await;
    let store = fixture.open().await;
    for order in [OrderBy::CreatedAt, OrderBy::CompletedAt] {
        let query = TaskQuery { order, descending: false, ..TaskQuery::default() };
        let page = store.list(&query).expect("a page");
        assert_eq!(page.tasks.iter().map(Stored::id).collect::<Vec<_>>(), ids, "{order:?}");
    }
    for (after, wanted) in
        [(i64::MIN, 4), (instants[0].0, 3), (0, 2), (instants[2].0, 1), (instants[3].0, 0), (i64::MAX, 0)]
    {
        let query = TaskQuery { completed_after: Some(Timestamp(after)), ..TaskQuery::default() };
        let page = store.list(&query).expect("a page");
        assert_eq!((page.total, page.tasks.len() as u64), (wanted, wanted), "{after}");
    }
    store.close().await;
}

/// Checks that a list gives only the counts of `forEach` children, kept up to date by every change, unless
/// the children are requested and few.
pub async fn children_are_listed_in_numbers(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    // More own sub-tasks than fit in one chunk.
    let mut sub_tasks = vec![
        json!({ "name": "Before", "description": "…", "action": { "simulate": {} } }),
        json!({ "name": "Each", "description": "…", "forEach": "{{ subTasks.Before.output }}", "parallel": 40,
                "action": { "worker": { "queue": "q" } } }),
    ];
    let later = |n| json!({ "name": format!("Later{n}"), "description": "…", "action": { "simulate": {} } });
    sub_tasks.extend((0..20).map(later));
    let definition = serde_json::from_value(json!({
        "name": "fan", "type": "FAN", "title": "Fan", "input": { "type": "object" }, "subTasks": sub_tasks
    }));
    let workflow = put(&*store, definition.expect("a definition")).await;
    let id = start(&*store, &env, &workflow, "one").await;
    let listed = |store: &dyn Store, children: u32| {
        let page = store.list(&TaskQuery { children, ..TaskQuery::default() }).expect("a page");
        match page.tasks.into_iter().next() {
            Some(Stored::Own(record)) => *record,
            other => panic!("one own task was expected: {other:?}"),
        }
    };
    let check = |store: &dyn Store, wanted: &[(SubTaskStatus, u32)]| {
        let (short, whole) = (listed(store, 0), record(store, id));
        assert!(short.leaves_out_children());
        let numbers = short.children_in_numbers(1).expect("a `forEach`");
        assert_eq!(numbers.by_status().collect::<Vec<_>>(), wanted);
        let (progress, retryable) = (whole.progress(), whole.is_retryable());
        assert_eq!((short.progress(), short.is_retryable()), (progress, retryable));
        assert_eq!(short.waiting_for().is_some(), whole.waiting_for().is_some());
        let counted = whole.without_children();
        assert_eq!((&short.state, &short.sub_tasks), (&counted.state, &counted.sub_tasks));
        assert_eq!((short.own(22), short.own(121), short.own(1)), (1, 1, 1));
        let Stored::Own(alone) = store.get_short(id).expect("read") else { panic!("an own task") };
        assert_eq!((&alone.state, &alone.sub_tasks), (&counted.state, &counted.sub_tasks));
    };
    assert!(!listed(&*store, 0).leaves_out_children(), "there are none yet");
    complete(&*store, id, 0, Some(json!((0..100).collect::<Vec<u32>>()))).await;
    check(&*store, &[(SubTaskStatus::Pending, 100)]);

    let worker = WorkerId("a/w".into());
    let terms =
        Terms { worker: worker.clone(), queues: vec![("q".into(), -128)], span: Span(1_000), request: None };
    let leases = (22..27).map(|child| (id, child)).collect();
    let work = Work { leases, terms: Some(Arc::new(terms)), room: 5, ..Work::default() };
    store.work(work).await.expect("leased");
    check(&*store, &[(SubTaskStatus::Pending, 95), (SubTaskStatus::InProgress, 5)]);
    let (token, by) = (Token(1), Some(worker));
    let done = Command::Complete { sub_task: 22, token, output: None, by: by.clone(), next: None };
    let failure = Failure::Error { fault: Fault::new("X", "it failed"), retryable: false };
    let failed = Command::Fail { sub_task: 23, token, failure, by };
    store.work(Work { reports: vec![(id, done), (id, failed)], ..Work::default() }).await.expect("reported");
    let now = [
        (SubTaskStatus::Pending, 95),
        (SubTaskStatus::InProgress, 3),
        (SubTaskStatus::Successful, 1),
        (SubTaskStatus::Failed, 1),
    ];
    check(&*store, &now);
    store.close().await;

    let store = fixture.open().await;
    check(&*store, &now);
    assert!(listed(&*store, 99).leaves_out_children(), "there is no room for all of them");
    assert_eq!(listed(&*store, 100).sub_tasks, record(&*store, id).sub_tasks);
    store.close().await;
}

/// Active, sealed and imported tasks are found by each beginning and end of their IDs, against counting by
/// hand.
pub async fn tasks_are_found_by_either_end_of_their_id(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("found", "FOUND", 1)).await;
    let mut known = Vec::new();
    for n in 0..40 {
        env.advance(Span(7_000_000));
        let id = start(&*store, &env, &workflow, &format!("Task {n}")).await;
        if n % 2 == 0 {
            complete(&*store, id, 0, None).await;
        }
        known.push(id);
    }
    // One whose end is the beginning of another.
    let twin = format!("{:.8}-0000-4000-8000-0000{:.8}", known[0].to_string(), known[39].to_string());
    let body = json!({ "id": twin, "name": "twin", "status": "Successful",
                       "creationTimestamp": "2023-01-01T00:00:00.000Z" });
    let twin = ImportedTask {
        id: twin.parse().expect("an id"),
        name: "twin".into(),
        kind: "FOUND".into(),
        status: TaskStatus::Successful,
        created_at: START,
        completed_at: None,
        resources: Vec::new(),
        json: body.to_string(),
    };
    known.push(twin.id);
    store.import(vec![twin], None).await.expect("imported");
    known.sort();
    let digits = |id: &TaskId| id.to_string().replace('-', "");
    let parts = known.iter().flat_map(|id| {
        let all = digits(id);
        [4, 7, 8, 12, 31, 32].into_iter().flat_map(move |n| [all[..n].to_owned(), all[32 - n..].to_owned()])
    });
    for part in parts.chain(["ffffffff".to_owned()]) {
        let wanted: Vec<TaskId> = known
            .iter()
            .filter(|id| digits(id).starts_with(&part) || digits(id).ends_with(&part))
            .copied()
            .collect();
        assert_eq!(store.ids_like(&part, 100).expect("found"), wanted, "{part}");
        assert_eq!(store.ids_like(&part, 2).expect("found"), wanted[..wanted.len().min(2)], "{part}");
    }
    store.close().await;
}
