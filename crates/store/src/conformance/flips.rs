//! Flipped bytes of stored texts: what a reader gets from a store with one must be what was stored, or say
//! that it is damaged.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use crate::{AuditQuery, LogQuery, Store, StoreError, Stored, TaskQuery};

/// Columns with documents or other payloads, and the table that a check names for each. Those of every table
/// that has a column `doc` must be among them.
pub const PAYLOADS: [(&str, &str); 11] = [
    ("workflows", "doc"),
    ("specs", "doc"),
    ("hot", "doc"),
    ("hot", "name"),
    ("chunks", "doc"),
    ("outputs", "doc"),
    ("attempts", "doc"),
    ("history", "doc"),
    ("history", "name"),
    ("settings", "doc"),
    ("logs", "doc"),
];

/// Returns a text with one bit flipped that is as good a text as before: a document still parses. `None` if
/// there is no such bit near the place.
pub fn flipped(text: &str, seed: usize) -> Option<String> {
    let is_document = serde_json::from_str::<IgnoredAny>(text).is_ok();
    // White space behind a document is its checksum, not its payload.
    let length = text.trim_end().len();
    (0..length).find_map(|step| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[(seed + step) % length] ^= 1 << (seed % 5);
        let changed = String::from_utf8(bytes).ok()?;
        let printable = !changed.contains(|c: char| c.is_control() && !c.is_ascii_whitespace());
        let parses = !is_document || serde_json::from_str::<IgnoredAny>(&changed).is_ok();
        (printable && parses).then_some(changed)
    })
}

/// Returns everything that a reader gets, by what it asked for.
pub fn everything(store: &dyn Store) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let page = store.list(&TaskQuery { limit: 100, children: 100, ..TaskQuery::default() });
    let ids: Vec<_> =
        page.as_ref().map(|page| page.tasks.iter().map(|task| task.id()).collect()).unwrap_or_default();
    for task in page.iter().flat_map(|page| &page.tasks) {
        all.insert(format!("list {}", task.id()), shown(Ok(task.clone())));
    }
    for id in ids {
        let log = store.log(id, &LogQuery { limit: 100, ..LogQuery::default() });
        all.insert(format!("task {id}"), shown(store.get(id)));
        all.insert(format!("spec {id}"), format!("{:?}", store.spec(id)));
        all.insert(format!("outputs {id}"), format!("{:?}", store.outputs(id)));
        all.insert(format!("attempts {id}"), format!("{:?}", store.attempts(id)));
        all.insert(format!("log {id}"), format!("{log:?}"));
    }
    all.insert("setting".to_owned(), format!("{:?}", store.setting("tasks")));
    for name in ["w", "large", "locking"] {
        let found: Result<_, StoreError> = store.workflow(name, None).map(|found| found.definition.clone());
        all.insert(format!("workflow {name}"), format!("{found:?}"));
    }
    let notes = store.audit(&AuditQuery { limit: 100, ..AuditQuery::default() });
    all.insert("audit".to_owned(), format!("{notes:?}"));
    all
}

fn shown(task: Result<Stored, StoreError>) -> String {
    match task {
        // A compiled workflow has maps in no order.
        Ok(Stored::Own(record)) => {
            let parts = (&record.id, &record.name, &record.workflow.definition, &record.state);
            format!("{parts:?} {:?}", record.sub_tasks)
        }
        other => format!("{other:?}"),
    }
}

/// Returns the answers that differ from those before the damage without saying that anything is damaged.
pub fn silent(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let says = |text: &str| text.contains("checksum") || text.contains("the name that its document");
    let differs = before.iter().filter(|(asked, said)| after.get(*asked) != Some(said));
    let quiet = differs.filter(|(asked, _)| after.get(*asked).is_none_or(|said| !says(said)));
    let differing = |said: &str, now: &str| {
        let same = said.bytes().zip(now.bytes()).take_while(|(a, b)| a == b).count();
        let from = now.floor_char_boundary(same.saturating_sub(40));
        now[from..now.floor_char_boundary(same + 80)].to_owned()
    };
    let told = |(asked, said): (&String, &String)| match after.get(asked) {
        Some(now) => format!("{asked}: …{}…", differing(said, now)),
        None => format!("{asked}: no answer"),
    };
    quiet.map(told).collect()
}
