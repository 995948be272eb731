//! Stored tasks never stop a start: tasks that today's checks would refuse, as an earlier version may have
//! stored them or a fault may have left them, are planted in the database of a stopped server, in every
//! state, on both engines.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::base::Base;
use super::support::{PATIENCE, Server};

/// States in which a server finds tasks. Tasks leave them by themselves after a moment.
const STATES: [&str; 4] = ["due", "running", "locked", "backing-off"];
/// Seconds of that moment, the shortest that lets everything be planted before any of the tasks goes on.
const MOMENTS: [u32; 3] = [8, 40, 200];
/// Bytes of memory that a server may have used at most, whatever is planted.
const MEMORY: u64 = 512 << 20;

/// A change of the first and the second sub-task of a workflow.
type Change = fn(&mut Value, &mut Value);

/// Definitions planted in place of a harmless one.
const DEFINITIONS: [(&str, Change); 9] = [
    ("repeated-list", |first, second| {
        second["forEach"] = json!("{{ [0] * input.n }}");
        evil_output(first, "{{ [0] * input.n }}");
    }),
    ("repeated-text", |first, second| {
        second["description"] = json!("{{ input.text * input.n }}");
        for sub_task in [first, second] {
            evil_output(sub_task, "{{ (input.text * input.n)|length }}");
        }
    }),
    ("indented", |first, second| {
        for sub_task in [first, second] {
            evil_output(sub_task, "{{ input.list|tojson(indent=100000000) }}");
        }
    }),
    ("large-items", |_, second| {
        second["forEach"] = json!("{{ [0] * 10000 }}");
        second["description"] = json!("{{ input.text * 9000 }}");
        second["title"] = json!("{{ input.text * 9000 }}");
    }),
    ("deep-expression", |first, second| {
        let deep = format!("{{{{ {}1 }}}}", "-".repeat(5000));
        second["description"] = json!(deep);
        for sub_task in [first, second] {
            evil_output(sub_task, &deep);
        }
    }),
    ("deep-brackets", |_, second| {
        second["when"] = json!(format!("{}1{}", "(".repeat(20_000), ")".repeat(20_000)));
    }),
    ("deep-value", |_, second| {
        second["action"]["simulate"]["output"] = (0..120).fold(json!(1), |inner, _| json!([inner]));
    }),
    ("unreadable-value", |_, second| {
        second["action"]["simulate"]["output"] = (0..1000).fold(json!(1), |inner, _| json!([inner]));
    }),
    ("later-version", |_, second| second["action"] = json!({ "teleport": { "to": ["a", "b"] } })),
];

/// Faults planted in columns, as SQL: on SQLite, and on PostgreSQL, whose columns take values of their type
/// only.
const ROWS: [(&str, &str, &str); 12] = [
    ("workflow-nonsense", "UPDATE workflows SET doc = 'nonsense' WHERE name = $name", SAME),
    (
        "workflow-bytes",
        "UPDATE workflows SET doc = X'00FF' WHERE name = $name",
        "UPDATE workflows SET doc = U&'\\0001\\FFFF' WHERE name = $name",
    ),
    ("workflow-gone", "DELETE FROM workflows WHERE name = $name", SAME),
    ("document-nonsense", "UPDATE hot SET doc = '{\"w\":' WHERE name = $name", SAME),
    (
        "document-bytes",
        "UPDATE hot SET doc = X'00FF' WHERE name = $name",
        "UPDATE hot SET doc = U&'\\0001\\FFFF' WHERE name = $name",
    ),
    (
        "document-later",
        "UPDATE hot SET doc = replace(doc, '\"s\":\"', '\"s\":\"LATER_') WHERE name = $name",
        SAME,
    ),
    ("status", "UPDATE hot SET status = 99 WHERE name = $name", SAME),
    (
        "due",
        "UPDATE hot SET due_at = 'soon' WHERE name = $name",
        "UPDATE hot SET due_at = -9223372036854775808 WHERE name = $name",
    ),
    (
        "created",
        "UPDATE hot SET created_at = -9.5e300 WHERE name = $name",
        "UPDATE hot SET created_at = -9223372036854775808 WHERE name = $name",
    ),
    (
        "resources",
        "UPDATE hot SET resources = 17 WHERE name = $name",
        "UPDATE hot SET resources = '17', found_by = '{17}' WHERE name = $name",
    ),
    (
        "input-nonsense",
        "UPDATE specs SET doc = '[' WHERE seq IN (SELECT seq FROM hot WHERE name = $name)",
        "UPDATE specs SET doc = '[' WHERE id IN (SELECT id FROM hot WHERE name = $name)",
    ),
    (
        "input-gone",
        "DELETE FROM specs WHERE seq IN (SELECT seq FROM hot WHERE name = $name)",
        "DELETE FROM specs WHERE id IN (SELECT id FROM hot WHERE name = $name)",
    ),
];

/// Marks a statement that is written alike on both engines.
const SAME: &str = "";

/// A text as SQL writes it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Plants an output that a `simulate` action evaluates when an attempt starts, also one that is started
/// again.
fn evil_output(sub_task: &mut Value, expression: &str) {
    if let Some(action) = sub_task["action"].get_mut("simulate") {
        action["output"] = json!(expression);
    }
}

/// Workflow whose task is in a state after a moment, and goes on soon.
fn definition(name: &str, state: &str, seconds: u32) -> Value {
    let moment = format!("{seconds}s");
    let action = match state {
        "due" => json!({ "wait": { "for": moment } }),
        "running" => json!({ "simulate": { "duration": moment } }),
        "backing-off" => json!({ "simulate": { "duration": "0s", "failAttempts": [1] } }),
        _ => json!({ "simulate": { "duration": "0s" } }),
    };
    let mut definition = json!({
        "name": name, "type": "PLANTED", "title": name, "input": { "type": "object" }, "resources": [],
        "subTasks": [
            { "name": "First", "description": "The first", "action": action,
              "retry": { "attempts": 3, "backoff": moment, "jitter": false } },
            { "name": "Second", "description": "The second", "action": { "simulate": { "duration": "0s" } } },
        ],
    });
    if state == "locked" {
        definition["resources"] = json!([{ "type": "HOST", "resourceId": "held", "lock": "shared" }]);
    }
    definition
}

/// Stores a workflow and starts its task; returns the ID.
fn submit(server: &Server, definition: &Value) -> String {
    let name = definition["name"].as_str().expect("a name");
    let (status, answer) = server.call("PUT", &format!("/v1/workflows/{name}"), Some(definition));
    assert_eq!(status, 201, "{answer}");
    let input = json!({ "n": 100_000_000, "text": "x".repeat(100), "list": [[1, 2], [3, [4]]] });
    let (status, answer) =
        server.call("POST", "/v1/tasks", Some(&json!({ "workflow": name, "input": input })));
    assert_eq!(status, 202, "{answer}");
    answer["id"].as_str().expect("an id").to_owned()
}

/// Directory with planted tasks and healthy ones.
struct Field {
    base: Base,
    /// Names and ids of planted tasks.
    planted: Vec<(String, String)>,
    /// Ids of tasks that nothing was done to.
    healthy: Vec<String>,
}

impl Field {
    /// Starts tasks at a server, kills it, and plants damage.
    fn plant(base: fn() -> Base) -> Field {
        MOMENTS
            .into_iter()
            .find_map(|seconds| Field::plant_within(base(), seconds))
            .expect("tasks that have not ended")
    }

    /// Plants damage once; returns `None` if a task went on before the server was killed.
    fn plant_within(base: Base, seconds: u32) -> Option<Field> {
        let server = base.serve("error");
        let mut holder = definition("holder", "running", seconds);
        holder["resources"] = json!([{ "type": "HOST", "resourceId": "held" }]);
        let mut healthy = vec![submit(&server, &holder)];
        let names = DEFINITIONS.iter().map(|(name, _)| *name).chain(ROWS.iter().map(|(name, ..)| *name));
        let mut planted = Vec::new();
        for name in names {
            for state in STATES {
                let name = format!("{name}-{state}");
                let id = submit(&server, &definition(&name, state, seconds));
                planted.push((name, id));
            }
        }
        for state in STATES {
            healthy.push(submit(&server, &definition(&format!("healthy-{state}"), state, seconds)));
        }
        server.signal(Signal::SIGKILL);
        drop(server);
        if base.ended() > 0 {
            return None;
        }
        for (kind, change) in DEFINITIONS {
            for state in STATES {
                change_definition(&base, &format!("{kind}-{state}"), change);
            }
        }
        for (kind, sqlite, postgres) in ROWS {
            let change = if base.cluster.is_some() && postgres != SAME { postgres } else { sqlite };
            for state in STATES {
                let name = format!("{kind}-{state}");
                let change = change.replace("$name", &quoted(&name));
                let changed = match base.change(&change) {
                    // PostgreSQL keeps a task that waits for a lock among those at rest.
                    0 if base.cluster.is_some() => base.change(&change.replace("hot", "history")),
                    changed => changed,
                };
                assert_eq!(changed, 1, "{name}");
            }
        }
        Some(Field { base, planted, healthy })
    }

    /// Starts a server on the directory, as often as this may happen, and checks that it does its work.
    fn serve(&self) -> Server {
        let server = self.base.serve("off");
        let (status, answer) = server.call("GET", "/health/ready", None);
        assert_eq!(status, 200, "{answer}");
        for id in &self.healthy {
            assert_eq!(self.rest(&server, id)["status"], "Successful");
        }
        for (name, id) in &self.planted {
            let begin = Instant::now();
            while let Some(wrong) = self.unsettled(&server, name, id) {
                assert!(begin.elapsed() < PATIENCE, "{name}: {wrong}");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        server
    }

    /// Returns the task of a planted row or definition, unless it has become what it should.
    fn unsettled(&self, server: &Server, name: &str, id: &str) -> Option<Value> {
        let (status, task) = server.call("GET", &format!("/v1/tasks/{id}"), None);
        assert_eq!(status, 200, "{name}: {task}");
        let is_definition = DEFINITIONS.iter().any(|(kind, _)| name.starts_with(kind));
        let settled = match task["errors"][0]["errorCode"].as_str() {
            Some("TASK_UNREADABLE") => true,
            Some(_) => task["status"] == "Failed",
            // The damaged part may not be needed, or be rewritten. A task that cannot go on can be ended.
            None => !is_definition && (task["status"] == "Successful" || task["isCancellable"] == true),
        };
        (!settled).then_some(task)
    }

    /// Waits until a task has ended.
    fn rest(&self, server: &Server, id: &str) -> Value {
        let begin = Instant::now();
        loop {
            let (status, task) = server.call("GET", &format!("/v1/tasks/{id}?wait=10s"), None);
            assert_eq!(status, 200, "{task}");
            if !["Pending", "In Progress"].contains(&task["status"].as_str().expect("a status")) {
                return task;
            }
            assert!(begin.elapsed() < PATIENCE, "{task}");
        }
    }
}

fn change_definition(base: &Base, name: &str, change: Change) {
    let text = base.text(&format!("SELECT doc FROM workflows WHERE name = {}", quoted(name)));
    let mut definition: Value = serde_json::from_str(&text).expect("JSON");
    let [first, second] = definition["subTasks"].as_array_mut().expect("sub-tasks").as_mut_slice() else {
        panic!("two sub-tasks: {text}")
    };
    change(first, second);
    let doc = quoted(&definition.to_string());
    let statement = format!("UPDATE workflows SET doc = {doc} WHERE name = {}", quoted(name));
    assert_eq!(base.change(&statement), 1, "{name}");
}

/// The most memory that a process has had, in bytes.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

#[test]
fn no_stored_task_stops_a_start() {
    starts_are_stopped_by_none(&Field::plant(Base::sqlite));
}

#[test]
fn no_stored_task_stops_a_start_on_postgresql() {
    starts_are_stopped_by_none(&Field::plant(Base::postgres));
}

fn starts_are_stopped_by_none(field: &Field) {
    for start in 1..=2 {
        let server = field.serve();
        let most = peak(server.pid());
        assert!(most < MEMORY, "start {start}: {} MiB", most >> 20);
        server.signal(Signal::SIGKILL);
    }
    let server = field.serve();
    for (name, id) in &field.planted {
        let path = format!("/v1/tasks/{id}");
        let begin = Instant::now();
        loop {
            let (_, task) = server.call("GET", &path, None);
            let (status, answer) = server.call("DELETE", &path, None);
            // It has ended by itself, or does now.
            if status < 300
                || (status == 409 && task["status"] != "Pending" && task["status"] != "In Progress")
            {
                break;
            }
            assert!(begin.elapsed() < PATIENCE, "{name}: {status} {answer}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let (status, locks) = server.call("GET", "/v1/resources/locks", None);
    assert_eq!((status, &locks["elements"]), (200, &json!([])), "everything was let go");
    let most = peak(server.pid());
    assert!(most < MEMORY, "{} MiB", most >> 20);
    server.stop();
}
