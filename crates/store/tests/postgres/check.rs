//! Check of a database: nothing is found in a sound one beside its nodes; data that was tampered with is
//! named, and rebuilt where it is derived.

use longhaul_model::Env;
use longhaul_store::conformance::damage::fill;
use longhaul_store::conformance::support::{Fixture, START};
use longhaul_store::{Finding, Inspector, Location, Remedy, Store, StoreError, check, repair};

use super::{CLUSTER, Database};

#[derive(Default)]
struct Found(Vec<Finding>);

impl Inspector for Found {
    fn found(&mut self, finding: Finding) {
        self.0.push(finding);
    }
}

/// Runs where no runtime is.
fn alone<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(work).join().unwrap())
}

pub(super) fn checked(url: &str) -> Result<Vec<Finding>, StoreError> {
    alone(|| {
        let mut found = Found::default();
        check(&Location::Database(url.to_owned()), &mut found)?;
        Ok(found.0)
    })
}

fn repaired(url: &str) -> Result<Vec<String>, StoreError> {
    alone(|| repair(&Location::Database(url.to_owned()), &Env::manual(START)))
}

/// Cases of tampering with a database: the change, the table of the finding, a word of its message, and
/// whether the data is derived.
const TAMPERING: [(&str, &str, &str, bool); 16] = [
    ("INSERT INTO counters VALUES (0, 't_run', 5, 'nothing', 3)", "counters", "wrong by 3", true),
    ("DELETE FROM counters; DELETE FROM tallies", "counters", "wrong by -", true),
    ("INSERT INTO completions VALUES (0, 1000, 7, 't_run', 5, '', 1)", "completions", "second", true),
    ("INSERT INTO audit_totals VALUES (60, 5)", "audit_totals", "notes", true),
    ("UPDATE history SET found_by = '{}' WHERE name = 'imported'", "history", "`found_by`", true),
    ("UPDATE hot SET folded = 'x' WHERE name = 'running'", "hot", "`folded`", true),
    ("UPDATE hot SET holders = '{7}' WHERE name = 'running'", "hot", "`holders`", true),
    ("DELETE FROM claims WHERE held", "claims", "has no such claim", true),
    ("UPDATE claims SET held = true", "claims", "its document says that it waits for it", true),
    ("UPDATE claims SET clear = true", "claims", "others stand before it", true),
    ("UPDATE claims SET id = gen_random_uuid() WHERE NOT held", "claims", "its task is not there", true),
    ("DROP INDEX history_folded", "history_folded", "not there", true),
    ("UPDATE hot SET doc = 'nonsense' WHERE name = 'running'", "hot", "cannot be read", false),
    (
        "UPDATE outputs SET sub_task = 99 WHERE id = (SELECT id FROM hot WHERE name = 'many')",
        "outputs",
        "I3",
        false,
    ),
    ("UPDATE attempts SET number = 9", "attempts", "another attempt", false),
    ("DELETE FROM hot WHERE name = 'running'", "specs", "its task is not there", false),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tampering_is_found_named_and_made_anew_where_it_is_derived() {
    let mut whole = Database::new();
    let (store, accounts) = whole.open_accounts().await;
    fill(&*store, &*accounts, &whole.env()).await;
    // A node is at work.
    assert_eq!(checked(&whole.url).unwrap(), []);
    let Err(StoreError::Open(why)) = repaired(&whole.url) else { panic!("it was repaired beside a node") };
    assert!(why.contains("in use by"), "{why}");
    drop(accounts);
    store.close().await;
    drop(store);
    assert_eq!(checked(&whole.url).unwrap(), []);
    for (n, (tampering, table, word, is_derived)) in TAMPERING.into_iter().enumerate() {
        let name = format!("tampered{n}");
        CLUSTER.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {}", whole.name)).unwrap();
        CLUSTER.sql(&name, tampering).unwrap();
        let url = CLUSTER.url(&name);
        let found = checked(&url).unwrap();
        let named = |finding: &Finding| finding.table == table && finding.what.contains(word);
        assert!(found.iter().any(named), "{tampering}: {found:#?}");
        if is_derived {
            assert!(found.iter().all(|finding| finding.remedy == Remedy::Repair), "{tampering}: {found:#?}");
            repaired(&url).unwrap();
            assert_eq!(checked(&url).unwrap(), [], "{tampering}");
        }
        CLUSTER.sql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_of_others_are_not_checked() {
    let empty = Database::new();
    let Err(StoreError::Open(why)) = checked(&empty.url) else { panic!("it is checked") };
    assert!(why.contains("nothing of Longhaul"), "{why}");
    empty.node().await.unwrap().close().await;
    empty.operator("INSERT INTO schema_migrations VALUES (999, 'future', '', 0, 999)");
    let Err(StoreError::Open(why)) = checked(&empty.url) else { panic!("it is checked") };
    assert!(why.contains("newer version"), "{why}");
}

/// Files are checked by PostgreSQL itself, where the extension is installed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_checked_where_the_extension_is_there() {
    let database = Database::new();
    database.node().await.unwrap().close().await;
    let notes =
        |url: String| alone(move || check(&Location::Database(url), &mut Found::default()).unwrap().notes);
    assert!(notes(database.url.clone()).iter().any(|note| note.contains("amcheck")));
    database.operator("CREATE EXTENSION amcheck");
    assert_eq!(notes(database.url.clone()), Vec::<String>::new());
}
