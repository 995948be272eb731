//! Generated lists, any filters in any order and any page, against a plain model: more tasks than an engine
//! takes for few, so that each of its ways to a page is gone.

use longhaul_model::{Resource, Span, TaskId, TaskStatus, Timestamp};

use super::lists::Known;
use super::support::*;
use crate::{ImportedTask, OrderBy, Store, Stored, TaskQuery};

/// Imported tasks.
const TASKS: u64 = 4_200;
/// Tasks that were started, and are under way still.
const STARTED: u64 = 40;
/// Queries.
const QUERIES: u64 = 170;

const KINDS: [&str; 3] = ["HOST_UPDATE", "Host_Drain", "VM_MOVE"];
/// Texts that names are searched for: with and without trigrams, wildcards of databases, in all or no names.
const NEEDLES: [&str; 23] = [
    "h",
    "o",
    "it",
    "OST",
    "host-1",
    "upgrade",
    "nightly",
    "long",
    "%",
    "_",
    "\\",
    "é",
    "Ö 100%",
    "a b",
    " b",
    "zz",
    "zzz",
    "1 ",
    "\"",
    "-",
    "of cluster-3, unit 00",
    "東京",
    "g host",
];

/// A repeatable source of numbers (the finish of splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize].clone()
    }
}

/// Names as they occur: most of one pattern, many the same, some that differ behind 500 bytes only.
fn name(n: u64, numbers: &mut Numbers) -> String {
    match numbers.below(100) {
        0..72 => format!("Upgrade host-{} of cluster-{}, unit {n:06}", n % 40, n % 7),
        72..90 => "Nightly".to_owned(),
        90..92 => format!("{}{}", "long ".repeat(99), "é".repeat((n % 9) as usize)),
        92..94 => format!("{}{}", "long ".repeat(110), n % 5),
        94..96 => format!("ÄÖ 100% _{}\\ \"{}\"", n % 3, n % 50),
        _ => ["a b", "it", "ab", "東京 1", " b ", "ZZ"][(n % 6) as usize].to_owned(),
    }
}

fn imported(id: TaskId, n: u64, numbers: &mut Numbers) -> ImportedTask {
    let status = match numbers.below(100) {
        0..75 => TaskStatus::Successful,
        75..90 => TaskStatus::Failed,
        _ => numbers.of(&TaskStatus::ALL),
    };
    // Some moments are those of many tasks.
    let created_at = Timestamp(START.0 + 1_000 * numbers.below(2_000) as i64);
    let completed_at = status.is_ended().then(|| created_at.after(Span(numbers.below(90_000))));
    let kind = numbers.of(&KINDS);
    let resource =
        |kind: &str, id: String| Resource { resource_id: id, kind: kind.into(), fqdn: None, name: None };
    // Each task of the first type has a host, which makes the filter needless there.
    let mut resources = Vec::new();
    if kind == KINDS[0] || numbers.below(2) == 0 {
        resources.push(resource("HOST", format!("host-{}", n % 40)));
    }
    if numbers.below(10) == 0 {
        resources.push(resource("vm", "vm-1".to_owned()));
    }
    let (name, json) = (name(n, numbers), format!("{{\"id\":\"{id}\"}}"));
    ImportedTask { id, name, kind: kind.to_owned(), status, created_at, completed_at, resources, json }
}

/// A query in which each filter has a chance of its own.
fn query(numbers: &mut Numbers) -> TaskQuery {
    let mut asked = TaskQuery {
        order: numbers.of(&OrderBy::ALL),
        descending: numbers.below(2) == 0,
        offset: numbers.of(&[0, 0, 0, 3, 40, 700, 2_500, 3_100, 4_100]),
        limit: numbers.of(&[1, 10, 10, 25]),
        ..TaskQuery::default()
    };
    match numbers.below(8) {
        0 | 1 => asked.statuses = vec![TaskStatus::Successful],
        2 => asked.statuses = vec![numbers.of(&TaskStatus::ALL)],
        3 => asked.statuses = vec![TaskStatus::Failed, TaskStatus::Successful],
        4 => asked.statuses = vec![numbers.of(&TaskStatus::ALL), numbers.of(&TaskStatus::ALL)],
        _ => {}
    }
    if numbers.below(4) == 0 {
        asked.kind = Some(numbers.of(&["host_update", "HOST_DRAIN", "vm_move", "none"]).to_owned());
    }
    if numbers.below(4) == 0 {
        asked.resource_kind = Some(numbers.of(&["host", "HOST", "VM", "none"]).to_owned());
    }
    if numbers.below(8) == 0 {
        asked.resource_id = Some(numbers.of(&["host-7", "vm-1", "none"]).to_owned());
    }
    if numbers.below(4) == 0 {
        let after = numbers.of(&[-1, 0, 1_000, 500_000, 1_000_123, 1_999_000, 3_000_000]);
        asked.completed_after = Some(Timestamp(START.0 + after));
    }
    if numbers.below(3) == 0 {
        asked.name_contains = Some(numbers.of(&NEEDLES).to_owned());
    }
    asked
}

/// Checks total and page of generated queries, each against all tasks, filtered and sorted by hand.
pub async fn generated_lists_agree_with_a_plain_model(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let mut numbers = Numbers(20);
    let tasks: Vec<ImportedTask> = (0..TASKS).map(|n| imported(env.new_task_id(), n, &mut numbers)).collect();
    for batch in tasks.chunks(700) {
        store.import(batch.to_vec(), None).await.expect("imported");
    }
    let mut known: Vec<Known> = tasks.into_iter().map(Known::imported).collect();
    let workflow = put(&*store, definition("host-update", KINDS[0], 1)).await;
    for n in 0..STARTED {
        env.advance(Span(40_000));
        let id = start(&*store, &env, &workflow, &name(n, &mut numbers)).await;
        known.push(Known::own(&record(&*store, id)));
    }
    // Those without a filter, too, up to their last page.
    let plain = OrderBy::ALL.into_iter().flat_map(|order| {
        [(false, 0), (true, 0), (false, 2_400), (true, TASKS + STARTED - 4)]
            .map(|(descending, offset)| TaskQuery { order, descending, offset, ..TaskQuery::default() })
    });
    let asked: Vec<TaskQuery> = plain.chain((0..QUERIES).map(|_| query(&mut numbers))).collect();
    let many = asked.iter().filter(|asked| agrees(&*store, &known, asked) > 3_000).count();
    assert!(many > 25, "{many} queries have many matches");
    store.close().await;
}

/// Checks one query; returns how many tasks match.
fn agrees(store: &dyn Store, known: &[Known], asked: &TaskQuery) -> usize {
    let mut expected: Vec<&Known> = known.iter().filter(|task| task.matches(asked)).collect();
    expected.sort_by(|a, b| a.compare(b, asked));
    let page = store.list(asked).expect("a page");
    assert_eq!(page.total, expected.len() as u64, "total of {asked:?}");
    let (offset, limit) = (asked.offset as usize, asked.limit as usize);
    let wanted: Vec<TaskId> = expected.iter().skip(offset).take(limit).map(|task| task.id).collect();
    let got: Vec<TaskId> = page.tasks.iter().map(Stored::id).collect();
    assert_eq!(got, wanted, "page of {asked:?}");
    expected.len()
}
