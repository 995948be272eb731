//! Restored backups: the commands of the page as printed, a paused server, and a copy without its keys.

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::support::{Done, PASSWORD, Server, longhaul, shipped, shipped_server};

const PAGE: &str = include_str!("../../../../docs/restore.md");

/// Returns the commands of the page, block by block, with the paths of this test for those that are printed.
fn blocks(root: &Path) -> Vec<String> {
    let root = root.to_str().expect("UTF-8");
    let block = |text: &str| text.split("\n```").next().unwrap_or_default().to_owned();
    let printed = PAGE.split("```sh\n").skip(1).map(block);
    printed
        .map(|text| {
            text.replace("/var/lib/", &format!("{root}/"))
                .replace("/backup/", &format!("{root}/backup/"))
                .replace("/safe/", &format!("{root}/safe/"))
        })
        .collect()
}

/// Runs a block as a shell does, with this program under its name.
fn shell(block: &str, server: &str) {
    let folder = Path::new(env!("CARGO_BIN_EXE_longhaul")).parent().expect("a folder").to_owned();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let text = block.replace("http://127.0.0.1:8090", server);
    let output = Command::new("sh")
        .args(["-euc", &text])
        .env("PATH", path)
        .env("LONGHAUL_USER", "admin")
        .env("LONGHAUL_PASSWORD", PASSWORD)
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_drill_of_the_page_restores_a_server() {
    let root = TempDir::new().expect("a directory");
    for folder in ["longhaul", "backup", "safe"] {
        std::fs::create_dir(root.path().join(folder)).expect("a folder");
    }
    let data = root.path().join("longhaul");
    let old = Server::start(&data, "127.0.0.1:0", &["--workflows", &shipped(), "--log-level", "error"]);
    let done = old.task(&["enable-ceip", "-i", "status=ENABLE", "-i", "pace=1ms"]);
    old.until(&done, "Successful");
    let under_way = old.task(&["enable-ceip", "-i", "status=ENABLE", "-i", "pace=10m"]);
    let timer = old.task(&[
        "enable-ceip",
        "-i",
        "status=ENABLE",
        "-i",
        "pace=1ms",
        "--not-before",
        "2040-01-01T00:00:00Z",
    ]);

    let blocks = blocks(root.path());
    assert_eq!(blocks.len(), 7, "{blocks:#?}");
    shell(&blocks[0], old.address());
    shell(&blocks[1], old.address());
    let restored = root.path().join("longhaul-restored");
    // The page's own options, on a free port.
    let options = |block: &str| -> Vec<String> {
        let (_, options) = block.split_once("--listen 127.0.0.1:8090").expect("an address");
        options.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(options(&blocks[2]), [""; 0]);
    let copy = Server::start(&restored, "127.0.0.1:0", &["--log-level", "error"]);
    shell(&blocks[3], copy.address());
    assert_eq!(copy.run(&["task", "get", &done, "-o", "json"]).code(0).json()["status"], "Successful");

    // Nothing starts, and decisions work.
    let refused = copy.run(&["task", "start", "enable-ceip", "-i", "status=ENABLE"]).code(5).err;
    assert!(refused.contains("SERVER_PAUSED"), "{refused}");
    let why = copy.run(&["task", "why", &under_way, "-o", "json"]).code(0).json();
    assert_eq!(why["reasons"][0]["type"], "PAUSED", "{why}");
    let remedy = why["reasons"][0]["remediationMessage"].as_str().expect("a remedy");
    assert!(remedy.contains("--moved") && remedy.contains("--copy"), "{why}");
    assert!(!why.to_string().contains("CAPACITY"), "{why}");
    let task = copy.run(&["task", "get", &under_way, "-o", "json"]).code(0).json();
    let running =
        task["subTasks"].as_array().expect("sub-tasks").iter().filter(|sub| sub["status"] == "IN_PROGRESS");
    assert_eq!(running.count(), 0, "{task}");
    copy.run(&["task", "cancel", &timer, "--reason", "it was done meanwhile"]).code(0);
    copy.until(&timer, "Cancelled");
    copy.run(&["task", "cancel", &under_way]).code(0);
    copy.until(&under_way, "Cancelled");
    copy.stop();

    // The same backup as a copy that lives beside the original.
    shell(&blocks[5], old.address());
    assert_eq!(options(&blocks[6]), ["--copy"]);
    let beside = root.path().join("longhaul-copy");
    let beside = Server::start(&beside, "127.0.0.1:0", &["--copy", "--log-level", "error"]);
    let parked = beside.run(&["task", "get", &under_way, "-o", "json"]).code(0).json();
    assert!(parked["errors"].to_string().contains("TASK_COPIED"), "{parked}");
    beside.stop();
    assert_eq!(old.run(&["task", "get", &under_way, "-o", "json"]).code(0).json()["status"], "In Progress");
    drop(old);

    assert_eq!(options(&blocks[4]), ["--moved"]);
    let moved = Server::start(&restored, "127.0.0.1:0", &["--moved", "--log-level", "error"]);
    moved.stop();
    // It remembers.
    let copy = Server::start(&restored, "127.0.0.1:0", &["--log-level", "error"]);
    let again = copy.task(&["enable-ceip", "-i", "status=ENABLE", "-i", "pace=1ms"]);
    copy.until(&again, "Successful");
}

#[test]
fn a_paused_server_starts_what_waits_once_it_is_not_paused_any_more() {
    let (data, server) = shipped_server();
    let id = server.task(&[
        "enable-ceip",
        "-i",
        "status=ENABLE",
        "-i",
        "pace=1ms",
        "-i",
        "failAt=UpdateCeipOnNsxTAction",
    ]);
    server.until(&id, "Failed");
    server.stop();
    let paused = Server::start(data.path(), "127.0.0.1:0", &["--paused", "--log-level", "error"]);
    paused.run(&["task", "retry", &id]).code(0);
    let task = paused.until(&id, "In Progress");
    assert_eq!(task["subTasks"][2]["status"], "PENDING", "{task}");
    paused.stop();
    let server = Server::start(data.path(), "127.0.0.1:0", &["--log-level", "error"]);
    server.until(&id, "Successful");
}

#[test]
fn a_copy_without_its_keys_is_warned_of_once() {
    let (data, server) = shipped_server();
    server.stop();
    let start = |log: &Path| {
        let file = std::fs::File::create(log).expect("a file");
        let server = Server::logging(data.path(), file);
        server.stop();
        std::fs::read_to_string(log).expect("a log")
    };
    let log = data.path().join("log");
    assert!(!start(&log).contains("keys.json"), "with its keys");
    std::fs::remove_file(data.path().join("keys.json")).expect("there are keys");
    let said = start(&log);
    assert!(said.contains("a copy that was restored without its keys.json"), "{said}");
    assert!(!start(&log).contains("restored without"), "said once, when the keys are made");
}

/// A directory that was copied as a whole, with its keys, is not the original: its server starts paused until
/// told otherwise.
#[test]
fn a_copied_directory_starts_paused() {
    let (data, server) = shipped_server();
    let id = server.task(&["enable-ceip", "-i", "status=ENABLE", "-i", "pace=1ms"]);
    server.until(&id, "Successful");
    server.stop();
    let copied = TempDir::new().expect("a directory");
    for name in ["longhaul.db", "keys.json"] {
        std::fs::copy(data.path().join(name), copied.path().join(name)).expect("copied");
    }
    let start = |folder: &Path, more: &[&str]| {
        Server::start(folder, "127.0.0.1:0", &[&["--log-level", "error"], more].concat())
    };
    let new = ["task", "start", "enable-ceip", "-i", "status=ENABLE", "-i", "pace=1ms"];
    for (folder, more, code) in [
        (copied.path(), &[][..], 5),
        (copied.path(), &[], 5),
        (copied.path(), &["--moved"], 0),
        (copied.path(), &[], 0),
        (data.path(), &[], 0),
    ] {
        let server = start(folder, more);
        assert_eq!(server.run(&["task", "get", &id, "-o", "json"]).code(0).json()["status"], "Successful");
        server.run(&new).code(code);
        server.stop();
    }
    // A path under another name to the same place, as of a volume that is mounted elsewhere.
    let elsewhere = TempDir::new().expect("a directory");
    let moved = elsewhere.path().join("moved");
    std::fs::rename(data.path(), &moved).expect("renamed");
    let server = start(&moved, &[]);
    server.run(&new).code(0);
    server.stop();
}

/// Keys without a database, or with one of other keys, are refused: a file is not where it should be.
#[test]
fn keys_without_their_database_are_refused() {
    let (data, server) = shipped_server();
    server.stop();
    let refused = |folder: &Path, more: &[&str]| {
        let mut command = longhaul();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder).args(more);
        Done::from(command.output().expect("the binary runs")).code(1).err
    };
    let place = TempDir::new().expect("a directory");
    std::fs::copy(data.path().join("keys.json"), place.path().join("keys.json")).expect("copied");
    let why = refused(place.path(), &[]);
    assert!(why.contains("no database in") && why.contains("longhaul restore"), "{why}");
    assert!(!place.path().join("longhaul.db").exists(), "nothing was made");
    std::fs::write(place.path().join("longhaul.db"), b"").expect("an empty file");
    assert!(refused(place.path(), &[]).contains("no database in"));
    Server::start(place.path(), "127.0.0.1:0", &["--new-store", "--log-level", "error"]).stop();
    Server::start(place.path(), "127.0.0.1:0", &["--log-level", "error"]).stop();

    let other = TempDir::new().expect("a directory");
    Server::start(other.path(), "127.0.0.1:0", &["--log-level", "error"]).stop();
    let keys = other.path().join("keys.json");
    let why = refused(place.path(), &["--key-file", keys.to_str().expect("a path")]);
    assert!(why.contains("other keys"), "{why}");
}

/// A backup with `--with-keys` is all that a restore needs.
#[test]
fn keys_travel_with_a_backup_behind_a_passphrase() {
    let (data, server) = shipped_server();
    let place = TempDir::new().expect("a directory");
    let file = place.path().join("b.db");
    let file = file.to_str().expect("a path");
    let with = |phrase: &str, arguments: &[&str]| {
        let mut command = longhaul();
        command.args(arguments).env("LONGHAUL_BACKUP_PASSPHRASE", phrase);
        Done::from(command.output().expect("the binary runs"))
    };
    let from = data.path().to_str().expect("a path");
    with("correct horse", &["backup", "--with-keys", "--data-dir", from, file]).code(0);
    server.stop();
    let kept = std::fs::read_to_string(format!("{file}.keys")).expect("keys");
    assert!(!kept.contains("secret") && !kept.contains("signing"), "{kept}");
    let target = place.path().join("restored");
    let to = target.to_str().expect("a path");
    let wrong = with("wrong", &["restore", file, "--data-dir", to]).code(1).err;
    assert!(wrong.contains("passphrase") && !target.exists(), "{wrong}");
    with("correct horse", &["restore", file, "--data-dir", to]).code(0);
    let keys = |folder: &Path| std::fs::read(folder.join("keys.json")).expect("keys");
    assert_eq!(keys(&target), keys(data.path()));
    Server::start(&target, "127.0.0.1:0", &["--moved", "--log-level", "error"]).stop();
}
