//! Import and backup.

use serde_json::Value;
use tempfile::TempDir;

use super::support::{Server, run, shipped_server};

const TASK: &str = include_str!("../../fixtures/task.json");
const TASKS: &str = include_str!("../../fixtures/tasks.json");

fn fixture(name: &str) -> String {
    format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Documented examples come back unchanged: the same values, in the same order, and nothing more.
#[test]
fn imported_tasks_come_back_as_they_came() {
    let (_data, server) = shipped_server();
    assert_eq!(server.run(&["import", &fixture("tasks.json")]).code(0).out, "2 tasks imported, 0 replaced\n");
    assert_eq!(server.run(&["import", &fixture("task.json")]).code(0).out, "1 tasks imported, 0 replaced\n");
    assert_eq!(server.run(&["import", &fixture("task.json")]).code(0).out, "0 tasks imported, 1 replaced\n");
    let text = |value: &Value| serde_json::to_string(value).unwrap();
    let task: Value = serde_json::from_str(TASK).unwrap();
    let got =
        server.run(&["task", "get", "bc32f3be-a777-434b-a156-3fa54e8d2ded", "-o", "json"]).code(0).json();
    assert_eq!(text(&got), text(&task));
    let page: Value = serde_json::from_str(TASKS).unwrap();
    let got = server
        .run(&["task", "list", "-o", "json", "--order-by", "id", "--asc", "--page-size", "2"])
        .code(0)
        .json();
    assert_eq!(text(&got["elements"]), text(&page["elements"]));
    assert!(
        server.run(&["task", "retry", "bc32f3be-a777-434b-a156-3fa54e8d2ded"]).code(3).err.contains("409")
    );
}

#[test]
fn a_long_history_is_sent_in_pieces() {
    let (_data, server) = shipped_server();
    let task: Value = serde_json::from_str(TASK).unwrap();
    let lines: String = (0..2500)
        .map(|n| {
            let mut task = task.clone();
            task["id"] = format!("00000000-0000-4000-8000-{n:012}").into();
            format!("{task}\n")
        })
        .collect();
    let done = server.run_with_input(&["import", "-"], &lines).code(0);
    assert_eq!(done.out, "2500 tasks imported, 0 replaced\n");
    let page = server.run(&["task", "list", "-o", "json"]).json();
    assert_eq!(page["pageMetadata"]["totalElements"], 2500);
}

#[test]
fn what_is_no_history_is_refused_before_anything_is_sent() {
    let (data, server) = shipped_server();
    let file = data.path().join("bad.json");
    std::fs::write(&file, format!("{TASK}\n{{\"id\": ")).unwrap();
    let done = server.run(&["import", file.to_str().unwrap()]).code(1);
    assert!(done.err.contains("bad.json: EOF while parsing"), "{}", done.err);
    assert!(server.run_with_input(&["import", "-"], "").code(1).err.contains("there is no task in it"));
    assert!(
        server.run_with_input(&["import", "-"], "7").code(1).err.contains("value 1 of the file is no task")
    );
    server.run_with_input(&["import", "-"], "{\"name\": \"without an id\"}").code(3);
    assert_eq!(server.run(&["task", "list", "-o", "json"]).json()["pageMetadata"]["totalElements"], 0);
}

/// A file in the encoding of Windows PowerShell is read, and one that PowerShell cut at its depth is refused:
/// the mistake is shown with its place.
#[test]
fn files_of_powershell_are_read_or_refused_with_their_place() {
    let (data, server) = shipped_server();
    let file = data.path().join("history.json");
    let utf16: Vec<u8> =
        std::iter::once(0xfeff).chain(TASKS.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    std::fs::write(&file, utf16).unwrap();
    let path = file.to_str().unwrap();
    assert_eq!(server.run(&["import", path]).code(0).out, "2 tasks imported, 0 replaced\n");
    let good: Value = serde_json::from_str(TASK).unwrap();
    let mut cut = good.clone();
    cut["subTasks"] = "System.Object[]".into();
    let lines: String = (0..1200).map(|_| format!("{good}\n")).collect();
    std::fs::write(&file, format!("\u{feff}{lines}{cut}\n")).unwrap();
    let refused = server.run(&["import", path]).code(3).err;
    let id = good["id"].as_str().unwrap();
    assert!(refused.contains(&format!("task 1201 (line 1201) with ID {id}: subTasks: a list")), "{refused}");
    assert!(refused.contains("ConvertTo-Json -Depth"), "{refused}");
}

#[test]
fn the_clock_is_shown_and_confirmed() {
    let (_data, server) = shipped_server();
    let table = server.run(&["clock"]).code(0).out;
    let cells: Vec<&str> = table.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!((cells[0], cells[2]), (cells[1], "no"), "{table}");
    let shown = server.run(&["clock", "-o", "json"]).code(0).json();
    let done = server.run(&["clock", "confirm", shown["clockTimestamp"].as_str().expect("a time")]).code(0);
    assert!(done.err.contains("confirmed"), "{}", done.err);
    server.run(&["clock", "confirm"]).code(0);
    let refused = server.run(&["clock", "confirm", "2001-01-01T00:00:00Z"]).code(3).err;
    assert!(refused.contains("which the clock has as"), "{refused}");
}

#[test]
fn a_backup_of_a_working_server_is_a_data_directory() {
    let (data, server) = shipped_server();
    let id = server.task(&["enable-ceip", "-i", "status=ENABLE", "-i", "pace=1ms"]);
    server.until(&id, "Successful");
    let copy = TempDir::new().unwrap();
    let file = copy.path().join("longhaul.db");
    let backup = ["backup", "--data-dir", data.path().to_str().unwrap(), file.to_str().unwrap()];
    let done = run(&backup).code(0);
    assert!(done.out.contains("longhaul.db: ") && done.out.ends_with(" bytes\n"), "{}", done.out);
    assert!(run(&backup).code(1).err.contains("exists already"));
    server.stop();
    // Without the keys it was used with: it makes new ones.
    let server = Server::start(copy.path(), "127.0.0.1:0", &["--moved", "--log-level", "error"]);
    assert_eq!(server.run(&["task", "get", &id, "-o", "json"]).code(0).json()["status"], "Successful");
    assert!(
        run(&["backup", "--data-dir", "/absent", "x"])
            .code(1)
            .err
            .contains("there is no database in /absent")
    );
}
