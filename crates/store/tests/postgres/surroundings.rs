//! Servers, roles and poolers that are not set up as Longhaul wants them: pinned, refused or warned of.

use std::time::Duration;

use longhaul_model::{Env, TaskStatus};
use longhaul_store::conformance::support::{Fixture, complete, definition, put, record, start};
use longhaul_store::postgres::{Postgres, PostgresOptions};
use longhaul_store::{Node, Store, StoreError};
use longhaul_testbed::{Cluster, Durability, Pooler};

use super::{CLUSTER, Database};

fn options(url: String) -> PostgresOptions {
    let connections = 6;
    PostgresOptions { url, connections, keys: None, node: Node::default(), allow_unsafe: true, before: None }
}

/// Runs a task of two steps.
async fn works(store: &dyn Store) {
    let env = Env::real();
    let workflow = put(store, definition("w", "T_RUN", 2)).await;
    let id = start(store, &env, &workflow, "one").await;
    complete(store, id, 0, None).await;
    complete(store, id, 1, None).await;
    assert_eq!(record(store, id).state.status, TaskStatus::Successful);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poolers_that_share_connections_are_refused_and_others_serve() {
    let cluster = Cluster::start(Durability::None).unwrap();
    for (mode, size) in [("transaction", 1), ("transaction", 20), ("statement", 20)] {
        let name = format!("{mode}{size}");
        cluster.create(&name).unwrap();
        let pooler = Pooler::start(&cluster, &name, mode, size).unwrap();
        let refused = Postgres::open(&options(pooler.url()), Env::real()).await.err();
        let Some(StoreError::Open(why)) = &refused else { panic!("{mode}, {size}: {refused:?}") };
        assert!(why.contains("pool_mode = session"), "{why}");
        let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
        assert_eq!(cluster.sql(&name, tables).unwrap(), "0", "nothing was changed");
    }
    cluster.create("session").unwrap();
    let pooler = Pooler::start(&cluster, "session", "session", 30).unwrap();
    let store = Postgres::open(&options(pooler.url()), Env::real()).await.unwrap();
    works(&*store).await;
    store.close().await;
}

/// Settings that a database may have, each with the value that sessions must have all the same.
const PINNED: [(&str, &str, &str); 7] = [
    ("default_transaction_isolation", "serializable", "read committed"),
    ("default_transaction_read_only", "on", "off"),
    ("default_transaction_deferrable", "on", "off"),
    ("statement_timeout", "2s", "8s"),
    ("lock_timeout", "1", "4s"),
    ("idle_in_transaction_session_timeout", "1", "0"),
    ("idle_session_timeout", "2s", "0"),
];

/// Notes settings in every transaction that writes a task.
fn noting() -> String {
    let all: Vec<String> = PINNED.iter().map(|(name, ..)| format!("current_setting('{name}')")).collect();
    format!(
        "CREATE TABLE seen_settings (value text);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO seen_settings VALUES (concat_ws('|', current_setting('synchronous_commit'), {}));
           RETURN NULL; END $$;
         CREATE TRIGGER noting AFTER INSERT OR UPDATE ON hot FOR EACH STATEMENT EXECUTE FUNCTION note()",
        all.join(", ")
    )
}

/// Settings of a database or role do not change the sessions that Longhaul relies on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_roles_and_databases_are_pinned() {
    for (synchronous, pinned) in [("off", "on"), ("local", "local"), ("remote_apply", "remote_apply")] {
        let database = Database::new();
        let set = |name: &str, value: &str| {
            CLUSTER
                .sql("postgres", &format!("ALTER DATABASE {} SET {name} = '{value}'", database.name))
                .unwrap();
        };
        PINNED.iter().for_each(|(name, value, _)| set(name, value));
        set("synchronous_commit", synchronous);
        let store = database.node().await.unwrap();
        let own = "SET default_transaction_read_only = off; SET statement_timeout = 0; SET lock_timeout = 0; COMMIT";
        database.operator(&format!("{own}; {}", noting()));
        works(&*store).await;
        store.close().await;
        let values = PINNED.iter().map(|(.., value)| *value);
        let wanted: Vec<&str> = std::iter::once(pinned).chain(values).collect();
        assert_eq!(database.operator_says("SELECT DISTINCT value FROM seen_settings"), wanted.join("|"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_loses_what_it_confirmed_is_refused_unless_asked_for() {
    for setting in ["fsync", "full_page_writes"] {
        let cluster = Cluster::with(Durability::Full, &[&format!("{setting}=off")]).unwrap();
        let url = cluster.create("tasks").unwrap();
        let strict = PostgresOptions { allow_unsafe: false, ..options(url.clone()) };
        let refused = Postgres::open(&strict, Env::real()).await.err();
        let Some(StoreError::Open(why)) = &refused else { panic!("{setting}: {refused:?}") };
        assert!(
            why.contains(&format!("{setting} = off")) && why.contains("--allow-unsafe-database"),
            "{why}"
        );
        let store = Postgres::open(&options(url), Env::real()).await.unwrap();
        works(&*store).await;
        store.close().await;
    }
    let cluster = Cluster::start(Durability::Full).unwrap();
    let strict = PostgresOptions { allow_unsafe: false, ..options(cluster.create("tasks").unwrap()) };
    let store = Postgres::open(&strict, Env::real()).await.unwrap();
    works(&*store).await;
    store.close().await;
}

/// Privileges of a role that works on the schema of another one; `docs/scaling.md` prints the same.
const GRANTS: &str = "GRANT USAGE ON SCHEMA public TO app;
     GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;
     GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO app";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn role_that_may_not_change_the_schema_works_on_one_that_is_there() {
    let cluster = Cluster::start(Durability::None).unwrap();
    let owner = cluster.create("tasks").unwrap();
    cluster.sql("tasks", "CREATE ROLE app LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC").unwrap();
    let (before, host) = owner.split_once('@').unwrap();
    let url = format!("{}://app@{host}", before.split_once("://").unwrap().0);
    let early = Postgres::open(&options(url.clone()), Env::real()).await.err();
    let Some(StoreError::Open(why)) = &early else { panic!("{early:?}") };
    assert!(why.contains("owns the tables"), "{why}");
    Postgres::open(&options(owner), Env::real()).await.unwrap().close().await;
    cluster.sql("tasks", GRANTS).unwrap();
    let store = Postgres::open(&options(url.clone()), Env::real()).await.unwrap();
    works(&*store).await;
    store.close().await;
    let again = Postgres::open(&options(url), Env::real()).await.unwrap();
    again.recover().await.unwrap();
    works(&*again).await;
    again.close().await;
}

/// A role with few connections: callers wait for the existing ones, and none is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pool_that_cannot_grow_waits_for_a_free_connection() {
    let cluster = Cluster::with(Durability::None, &["max_connections=12"]).unwrap();
    let url = cluster.create("tasks").unwrap();
    let store =
        Postgres::open(&PostgresOptions { connections: 40, ..options(url) }, Env::real()).await.unwrap();
    works(&*store).await;
    let env = Env::real();
    let workflow = put(&*store, definition("w2", "T_RUN", 1)).await;
    let mut asking = Vec::new();
    for n in 0..60 {
        let (store, env, workflow) = (store.clone(), env.clone(), workflow.clone());
        asking.push(tokio::spawn(async move {
            let id = start(&*store, &env, &workflow, &n.to_string()).await;
            for _ in 0..20 {
                tokio::task::block_in_place(|| record(&*store, id));
                store.attempts(id).unwrap();
            }
        }));
    }
    for one in asking {
        tokio::time::timeout(Duration::from_secs(60), one).await.unwrap().unwrap();
    }
    store.close().await;
}
