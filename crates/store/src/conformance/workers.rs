//! Work of workers: leases and reports in one transaction, children of `forEach`, logs.

use std::sync::Arc;

use longhaul_model::{Command, Record, Refused, Span, Terms, Timestamp, Token, WorkerId};
use serde_json::json;

use super::support::*;
use crate::{LARGEST_LOG, LogLine, LogQuery, LogStream, StoreError, Work};

/// Children of a `forEach` over many items are all stored and found again after a crash, and a change of one
/// writes little.
pub async fn children_are_kept(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let definition = serde_json::from_value(json!({
        "name": "fan", "type": "FAN", "title": "Fan", "input": { "type": "object" },
        "subTasks": [
            { "name": "Before", "description": "…", "action": { "simulate": {} } },
            { "name": "Each", "description": "…", "forEach": "{{ subTasks.Before.output }}", "parallel": 40,
              "action": { "worker": { "queue": "q", "input": "{{ item }}" } } }
        ]
    }));
    let workflow = put(&*store, definition.expect("a definition")).await;
    let id = start(&*store, &env, &workflow, "one").await;
    complete(&*store, id, 0, Some(json!((0..100).collect::<Vec<u32>>()))).await;
    assert_eq!(record(&*store, id).sub_tasks.len(), 102);
    let waiting = |record: &Record| record.sub_tasks.iter().filter(|sub| sub.queued_at.is_some()).count();
    assert_eq!(waiting(&record(&*store, id)), 40);
    store.close().await;

    let store = fixture.open().await;
    let read = record(&*store, id);
    assert_eq!((read.sub_tasks.len(), waiting(&read)), (102, 40));
    assert_eq!(read.sub_tasks[101].child.as_ref().map(|child| child.item.clone()), Some(99.into()));
    let worker = WorkerId("a/w".into());
    let terms = Terms {
        worker: worker.clone(),
        queues: vec![("q".into(), -128)],
        span: Span(1_000),
        request: Some("r".into()),
    };
    let terms = Arc::new(terms);
    let work = Work {
        leases: vec![(id, 2), (id, 3), (id, 99)],
        terms: Some(terms.clone()),
        room: 2,
        ..Work::default()
    };
    let worked = store.work(work).await.expect("leased");
    let leased: Vec<_> =
        worked.grants.iter().map(|grant| (grant.launch.sub_task, grant.launch.item)).collect();
    assert_eq!((leased, worked.unused), (vec![(2, Some(0)), (3, Some(1))], vec![(id, 99)]));
    // A repeated call returns the attempts that the worker still holds, and starts nothing new.
    let again = Work {
        again: vec![(id, 3, Token(1)), (id, 2, Token(9))],
        terms: Some(terms.clone()),
        room: 2,
        ..Work::default()
    };
    let again = store.work(again).await.expect("given again");
    assert_eq!(again.grants.len(), 1);
    assert_eq!((again.grants[0].launch.sub_task, again.grants[0].launch.number), (3, 1));
    assert_eq!(again.grants[0].launch.idempotency_key, worked.grants[1].launch.idempotency_key);
    // One report, and what becomes ready by it is leased in the same change.
    let token = Token(1);
    let done = Command::Complete {
        sub_task: 2,
        token,
        output: None,
        by: Some(worker.clone()),
        next: Some(terms.clone()),
    };
    let work = Work { reports: vec![(id, done.clone())], terms: Some(terms), room: 4, ..Work::default() };
    let worked = store.work(work).await.expect("reported");
    assert!(worked.reports[0].is_ok());
    assert_eq!(worked.grants[0].launch.item, Some(40));
    let again = Work { reports: vec![(id, done)], ..Work::default() };
    let again = store.work(again).await.expect("told");
    assert!(matches!(again.reports[0], Err(StoreError::Refused(Refused::Repeated))));
    store.close().await;
}

/// Log lines are numbered through the task, read in pages, bounded for each attempt, and deleted with their
/// task.
pub async fn logs_are_kept_in_order_and_bounded(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 2)).await;
    let id = start(&*store, &env, &workflow, "one").await;
    let line = |n: u64| LogLine::new(Timestamp(1_000), LogStream::Out, format!("line {n}"));
    for (sub_task, lines) in [(0, 1..=3), (1, 4..=5), (0, 6..=6)] {
        store.write_log(id, sub_task, 1, lines.map(line).collect()).await.expect("written");
    }
    store.close().await;

    let store = fixture.open().await;
    let texts = |query: LogQuery| -> Vec<(u64, u32, String)> {
        let chunks = store.log(id, &query).expect("read");
        let numbered = chunks.iter().flat_map(|chunk| {
            (chunk.number..).zip(&chunk.lines).map(|(n, line)| (n, chunk.sub_task, line.text.clone()))
        });
        numbered.filter(|(n, ..)| *n > query.after).collect()
    };
    let all = LogQuery { limit: 100, ..LogQuery::default() };
    let numbers = |query| texts(query).iter().map(|(n, ..)| *n).collect::<Vec<_>>();
    assert_eq!(numbers(all), [1, 2, 3, 4, 5, 6]);
    assert_eq!(numbers(LogQuery { after: 2, ..all }), [3, 4, 5, 6]);
    assert_eq!(numbers(LogQuery { after: 6, ..all }), Vec::<u64>::new());
    assert_eq!(numbers(LogQuery { after: 3, limit: 1, ..all }), [4, 5]);
    assert_eq!(numbers(LogQuery { sub_task: Some(1), ..all }), [4, 5]);
    assert_eq!(texts(LogQuery { after: 5, ..all }), [(6, 0, "line 6".to_owned())]);

    let long = LogLine::new(Timestamp(1_000), LogStream::Err, "x".repeat(100_000));
    assert!(long.text.len() <= crate::LONGEST_LINE && long.text.ends_with('…'));
    let many = vec![long; 1 + (LARGEST_LOG as usize / crate::LONGEST_LINE)];
    store.write_log(id, 1, 2, many.clone()).await.expect("written");
    let before = numbers(LogQuery { limit: 1_000_000, ..all }).len();
    store.write_log(id, 1, 2, many).await.expect("left out");
    let after = texts(LogQuery { limit: 1_000_000, ..all });
    assert_eq!(after.len(), before);
    assert!(after.last().expect("a line").2.contains("4 MiB"), "{:?}", after.last());
    store.write_log(id, 1, 3, vec![line(1)]).await.expect("of another attempt");
    assert_eq!(numbers(LogQuery { limit: 1_000_000, ..all }).len(), before + 1);

    let unknown = env.new_task_id();
    assert!(matches!(store.write_log(unknown, 0, 1, vec![line(1)]).await, Err(StoreError::NotFound)));
    complete(&*store, id, 0, None).await;
    complete(&*store, id, 1, None).await;
    store.delete_history(vec![id], None).await.expect("deleted");
    assert!(matches!(store.log(id, &all), Err(StoreError::NotFound)));
    store.close().await;
}
