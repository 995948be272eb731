//! `longhaul check` on the built program: beside a server and without one, beside nodes, and on damage.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use nix::sys::signal::Signal;

use super::nodes::Site;
use super::support::{Done, longhaul, run, shipped_server};

fn check(data: &Path, more: &[&str]) -> Done {
    let data = data.to_str().expect("UTF-8");
    run(&[&["check", "--data-dir", data], more].concat())
}

/// A workflow that takes a secret.
const SECRETIVE: &str = "name: secretive
type: SECRETIVE
title: Keeps a secret
description: Takes a secret, and keeps it
input:
  type: object
  properties:
    password: { type: string, writeOnly: true }
subTasks:
  - name: Wait
    description: Waits
    action: { simulate: { duration: 1ms } }
";

/// Runs SQL on a database behind the server's back.
fn tamper(data: &Path, statements: &str) {
    let database = rusqlite::Connection::open(data.join("longhaul.db")).expect("a database");
    database.execute_batch(statements).expect("tampered with");
}

#[test]
fn a_data_directory_is_checked_beside_its_server_and_repaired_without_it() {
    let (data, server) = shipped_server();
    let id = server.task(&["enable-ceip", "-i", "status=ENABLE", "-i", "pace=1ms"]);
    server.until(&id, "Successful");
    let sound = check(data.path(), &[]).code(0);
    assert!(sound.out.contains("sound (1 task, ") && sound.err.is_empty(), "{}{}", sound.out, sound.err);
    let refused = check(data.path(), &["--repair", "--yes"]).code(2).err;
    assert!(refused.contains("cannot be repaired") && refused.contains("in use by process"), "{refused}");
    server.signal(Signal::SIGKILL);
    drop(server);

    check(data.path(), &[]).code(0);
    tamper(data.path(), "UPDATE counters SET n = n + 2; DELETE FROM ids");
    let found = check(data.path(), &[]).code(1).out;
    let repair = format!("longhaul check --data-dir {} --repair", data.path().display());
    assert!(found.contains(&format!("ids, task {id}")) && found.contains("counters: "), "{found}");
    assert!(found.contains(&repair) && found.contains("findings (1 task, "), "{found}");
    let json = check(data.path(), &["--json"]).code(1).json();
    assert_eq!((&json["sound"], &json["rows"]["tasks"]), (&false.into(), &1.into()), "{json}");
    let ids = json["findings"].as_array().expect("findings").iter().find(|one| one["table"] == "ids");
    let ids = ids.expect("one about the ids");
    assert_eq!(
        (&ids["taskId"], &ids["remedy"], &ids["command"]),
        (&id.as_str().into(), &"REPAIR".into(), &repair.into())
    );

    let unasked = check(data.path(), &["--repair"]).code(2).err;
    assert!(unasked.contains("--yes"), "{unasked}");
    check(data.path(), &[]).code(1);
    let repaired = check(data.path(), &["--repair", "--yes"]).code(0).out;
    assert!(
        repaired.contains("repaired: the totals") && repaired.contains(": sound (1 task, "),
        "{repaired}"
    );
    check(data.path(), &["--repair", "-y", "--json"]).code(0).json();

    tamper(data.path(), "UPDATE hot SET doc = '{}'");
    let found = check(data.path(), &[]).code(1).out;
    assert!(found.contains(&format!("hot, task {id}")), "{found}");
    assert!(found.contains(&format!("longhaul task cancel {id}")), "{found}");
}

#[test]
fn what_cannot_be_checked_is_said_with_a_code_of_its_own() {
    let empty = tempfile::TempDir::new().expect("a directory");
    assert!(check(empty.path(), &[]).code(2).err.contains("there is no database"));
    let json = check(empty.path(), &["--json"]).code(2);
    assert!(json.json()["error"].as_str().expect("an error").contains("there is no database"));
    check(empty.path(), &["--yes"]).code(2);
    let both = check(empty.path(), &["--database-url", "postgres://a/b"]).code(2).err;
    assert!(both.contains("two stores"), "{both}");
    run(&["check", "--database", "mysql://a/b"]).code(2);
    let keys = empty.path().join("none.json").display().to_string();
    assert!(check(empty.path(), &["--key-file", &keys]).code(2).err.contains("no key file"));
    assert_eq!(std::fs::read_dir(empty.path()).expect("there").count(), 0, "something was made");
}

#[test]
fn secrets_that_the_keys_do_not_open_and_a_damaged_file_are_found() {
    let (data, server) = shipped_server();
    let file = data.path().join("secretive.yaml");
    std::fs::write(&file, SECRETIVE).expect("written");
    server.run(&["workflow", "apply", file.to_str().expect("UTF-8")]).code(0);
    let id = server.task(&["secretive", "-i", "password=Secret-1-of-a-test"]);
    server.until(&id, "Successful");
    server.stop();
    check(data.path(), &[]).code(0);
    let other = tempfile::TempDir::new().expect("a directory");
    let keys = other.path().join("keys.json");
    super::support::Server::start(other.path(), "127.0.0.1:0", &["--log-level", "error"]).stop();
    let found = check(data.path(), &["--key-file", keys.to_str().expect("UTF-8")]).code(1).out;
    assert!(found.contains(&format!("specs, task {id}")) && found.contains("stays closed"), "{found}");
    // A page that the write-ahead log has, too, is read from there: its damage would be harmless.
    let database = data.path().join("longhaul.db");
    let connection = rusqlite::Connection::open(&database).expect("a database");
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("copied");
    drop(connection);
    let file = std::fs::File::options().write(true).open(&database).expect("there");
    file.write_all_at(b"\0\0\0\0", 4).expect("written");
    let found = check(data.path(), &[]).code(1).out;
    assert!(found.contains("database: ") && found.contains("docs/restore.md"), "{found}");
}

#[test]
fn a_database_is_checked_beside_its_nodes_and_repaired_without_them() {
    let site = Site::new();
    let keys = site.home.path().join("keys.json");
    let node = site.node_with("a", keys.clone());
    node.active();
    let keys = keys.to_str().expect("UTF-8");
    let check = |more: &[&str]| -> Done {
        let mut command = longhaul();
        command.args(["check", "--key-file", keys]).args(more).env("LONGHAUL_DATABASE_URL", &site.url);
        command.output().expect("the binary runs").into()
    };
    let sound = check(&[]).code(0);
    assert!(
        sound.out.contains("the database: sound") && sound.err.contains("amcheck"),
        "{}{}",
        sound.out,
        sound.err
    );
    let refused = check(&["--repair", "--yes"]).code(2).err;
    assert!(refused.contains("in use by"), "{refused}");
    drop(node);
    site.cluster.sql("tasks", "INSERT INTO audit_totals VALUES (60, 5)").expect("tampered with");
    let found = check(&[]).code(1).out;
    assert!(found.contains("audit_totals: ") && found.contains("longhaul check --repair"), "{found}");
    let began = Instant::now();
    let repaired = check(&["--repair", "--yes"]).code(0).out;
    assert!(repaired.contains("the database: sound"), "{repaired} after {:?}", began.elapsed());
}
