//! Tasks by the command line: start, wait, retry, skip, resolve, cancel, list, get, attempts.

use super::support::{Server, shipped_server};
use serde_json::Value;

const QUICK: [&str; 2] = ["-i", "pace=10ms"];

fn failed(server: &Server, at: &str) -> String {
    let fail = format!("failAt={at}");
    let id = server.task(&["enable-ceip", "-i", "status=ENABLE", QUICK[0], QUICK[1], "-i", &fail]);
    server.until(&id, "Failed");
    id
}

#[test]
fn waiting_tells_how_it_ended() {
    let (_data, server) = shipped_server();
    let start = ["task", "start", "enable-ceip", "--wait", "-i", "status=ENABLE", QUICK[0], QUICK[1]];
    let done = server.run(&start).code(0);
    assert!(
        done.out.starts_with("✔ Enable VMware Customer Experience Improvement Program  Successful"),
        "{}",
        done.out
    );
    let failing = [&start[..], &["-i", "failAt=UpdateCeipForEsxiAction"]].concat();
    let done = server.run(&failing).code(1);
    assert!(done.out.contains("✘ UpdateCeipForEsxiAction"), "{}", done.out);
    assert!(
        done.out.contains("VCF_ENABLE_CEIP_ERROR: Unable to modify CEIP operation on VCF"),
        "{}",
        done.out
    );
    assert!(done.out.contains("hint: Check that the host is powered on and connected"), "{}", done.out);
}

#[test]
fn a_failed_task_is_retried_to_success() {
    let (_data, server) = shipped_server();
    let id = failed(&server, "UpdateCeipOnNsxTAction");
    server.run(&["task", "get", &id, "--exit-status"]).code(1);
    let done = server.run(&["task", "retry", &id, "--watch"]).code(0);
    assert!(done.out.contains("✔ UpdateCeipOnNsxTAction SUCCESSFUL"), "{}", done.out);
    let task = server.run(&["task", "get", &id, "-o", "json"]).json();
    assert_eq!((&task["status"], &task["resolutionStatus"]), (&"Successful".into(), &"RESOLVED".into()));
    assert!(server.run(&["task", "retry", &id]).code(3).err.contains("TA_TASK_CAN_NOT_BE_RETRIED"));
    let attempts = server.run(&["task", "attempts", &id]).code(0).out;
    assert!(
        attempts.contains("NSX_CONNECTION_FAILED: sfo-m01-nsx01.rainpole.io does not answer"),
        "{attempts}"
    );
    let runs: Vec<Vec<&str>> = attempts
        .lines()
        .filter(|line| line.starts_with("UpdateCeipOnNsxTAction"))
        .map(|line| line.split_whitespace().skip(1).take(3).collect())
        .collect();
    assert_eq!(runs, [["1", "1", "FAILED"], ["2", "2", "SUCCESSFUL"]], "{attempts}");
}

#[test]
fn a_failed_sub_task_is_skipped() {
    let (_data, server) = shipped_server();
    let id = failed(&server, "UpdateCeipOnNsxTAction");
    server.run(&["task", "skip", &id, "NoSuchAction", "--reason", "x"]).code(3);
    server.run(&["task", "skip", &id, "UpdateCeipOnNsxTAction", "--reason", "NSX is being replaced"]).code(0);
    let task = server.until(&id, "Completed With Warning");
    assert_eq!(task["subTasks"][2]["status"], "SKIPPED");
}

#[test]
fn a_failed_task_is_marked_resolved() {
    let (_data, server) = shipped_server();
    let id = failed(&server, "UpdateCeipOnNsxTAction");
    server.run(&["task", "resolve", &id, "--reason", "done by hand"]).code(0);
    let task = server.run(&["task", "get", &id, "-o", "json"]).json();
    assert_eq!((&task["status"], &task["resolutionStatus"]), (&"Failed".into(), &"RESOLVED".into()));
}

#[test]
fn an_unknown_outcome_is_decided() {
    let (_data, server) = shipped_server();
    let slow = ["rotate-credential", "-i", "fqdn=a.b.c", "-i", "credentialType=SSH", "-i", "duration=1m"];
    let id = server.task(&slow);
    let parked = server.until(&id, "Failed");
    assert_eq!(parked["errors"][0]["errorCode"], "OUTCOME_UNKNOWN", "{parked}");
    let shown = server.run(&["task", "get", &id]).code(0).out;
    assert!(shown.contains("waits for a decision about a.b.c:SSH"), "{shown}");
    let decide = [
        "task",
        "resolve",
        &id,
        "--sub-task",
        "RotatePassword",
        "--done",
        "--output",
        "{\"rotated\": true}",
        "--reason",
        "it works",
    ];
    server.run(&decide).code(0);
    let task = server.until(&id, "Successful");
    assert_eq!(task["subTasks"][0]["status"], "SUCCESSFUL");
}

#[test]
fn a_running_task_is_cancelled_once() {
    let (_data, server) = shipped_server();
    let id = server.task(&["create-domain", "-i", "domain=a", "-i", "pace=10m"]);
    server.run(&["task", "cancel", &id]).code(0);
    server.until(&id, "CANCELLED");
    assert!(server.run(&["task", "cancel", &id]).code(3).err.contains("TA_TASK_CAN_NOT_BE_CANCELLED"));
}

#[test]
fn a_key_starts_one_task() {
    let (_data, server) = shipped_server();
    let start = ["enable-ceip", "-i", "status=ENABLE", "--idempotency-key", "once"];
    let id = server.task(&start);
    let again = server.run(&[&["task", "start", "-o", "json"], &start[..]].concat()).code(0);
    assert_eq!(
        (again.json()["id"].as_str(), again.err.contains("had started a task before")),
        (Some(id.as_str()), true)
    );
    server
        .run(&["task", "start", "enable-ceip", "-i", "status=DISABLE", "--idempotency-key", "once"])
        .code(3);
}

#[test]
fn input_comes_from_files_standard_input_and_flags() {
    let (data, server) = shipped_server();
    let file = data.path().join("input.yaml");
    std::fs::write(&file, "domain: from-file\npace: 1ms # quick\n").unwrap();
    let id = server.task(&[
        "create-domain",
        "--input",
        file.to_str().unwrap(),
        "-i",
        "domain=from-flag",
        "--label",
        "a=b",
        "--name",
        "Mine",
    ]);
    let task = server.run(&["task", "get", &id, "--include", "input,labels", "-o", "json"]).json();
    assert_eq!(task["input"], serde_json::json!({"domain": "from-flag", "pace": "1ms"}));
    assert_eq!((&task["labels"]["a"], &task["name"]), (&"b".into(), &"Mine".into()));
    let start = ["task", "start", "create-domain", "--input", "-", "-o", "json"];
    let task = server.run_with_input(&start, "{\"domain\": \"piped\", \"pace\": \"1ms\"}").code(0).json();
    let task =
        server.run(&["task", "get", task["id"].as_str().unwrap(), "--include", "input", "-o", "json"]).json();
    assert_eq!(task["input"]["domain"], "piped");
}

#[test]
fn refusals_name_what_is_wrong() {
    let (_data, server) = shipped_server();
    let err = server.run(&["task", "start", "enable-ceip", "-i", "status=MAYBE", "-i", "x=1"]).code(3).err;
    assert!(
        err.contains("INVALID_INPUT") && err.contains("-i status") && err.contains("'x' was unexpected"),
        "{err}"
    );
    let err = server.run(&["task", "start", "enable-cep"]).code(3).err;
    assert!(err.contains("enable-cep"), "{err}");
    assert!(
        server
            .run(&["task", "get", "00000000-0000-0000-0000-000000000000"])
            .code(3)
            .err
            .contains("TA_TASK_NOT_FOUND")
    );
    assert!(server.run(&["task", "list", "--status", "running"]).code(3).err.contains("`--status`"));
}

#[test]
fn lists_are_filtered_ordered_and_paged() {
    let (_data, server) = shipped_server();
    let start = |name: &str, domain: &str| {
        server.task(&["create-domain", "--name", name, "-i", &format!("domain={domain}"), "-i", "pace=1ms"])
    };
    let ids = [start("beta", "b"), start("alpha", "a"), start("gamma", "c")];
    ids.iter().for_each(|id| drop(server.until(id, "SUCCESSFUL")));
    let later = server.task(&["enable-ceip", "-i", "status=ENABLE", "--not-before", "2040-01-01T00:00:00Z"]);
    let names = |arguments: &[&str]| -> Vec<String> {
        let page = server.run(&[&["task", "list", "-o", "json"], arguments].concat()).code(0).json();
        page["elements"]
            .as_array()
            .unwrap()
            .iter()
            .map(|task| task["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(&["--type", "domain_creation", "--order-by", "name", "--asc"]),
        ["alpha", "beta", "gamma"]
    );
    assert_eq!(
        names(&[
            "--order-by",
            "name",
            "--desc",
            "--page-size",
            "1",
            "--page",
            "2",
            "--type",
            "DOMAIN_CREATION"
        ]),
        ["beta"]
    );
    assert_eq!(names(&["--status", "successful,failed", "--name", "ALPH"]), ["alpha"]);
    assert_eq!(names(&["--status", "pending", "--resource-type", "host"]).len(), 1);
    assert_eq!(names(&["--resource-id", "d74692f3-27da-468e-b3a7-bfc37c1d7d87"]).len(), 3);
    assert_eq!(names(&["--completed-after", "2020-01-01T00:00:00Z"]).len(), 3);
    assert_eq!(names(&["--completed-after", "4102444800000"]).len(), 0);

    let table = server.run(&["task", "list", "--status", "pending"]).code(0).out;
    assert!(table.starts_with("NAME "), "{table}");
    assert!(table.contains(&format!("  {}  Pending  ", &later[28..])), "{table}");
    let wide = server.run(&["task", "list", "-o", "wide", "--page-size", "2"]).code(0);
    assert!(wide.out.contains("create-domain v1"), "{}", wide.out);
    assert!(wide.err.contains("page 1 of 2, 4 tasks; the next: --page 2"), "{}", wide.err);
    let shown = server.run(&["task", "get", &later]).code(0).out;
    assert!(shown.contains("waits for its start at 2040-01-01T00:00:00.000Z"), "{shown}");
}

#[test]
fn ids_may_be_abbreviated() {
    let (_data, server) = shipped_server();
    let id = server.task(&["enable-ceip", "-i", "status=ENABLE"]);
    let other = server.task(&["enable-ceip", "-i", "status=ENABLE"]);
    let found: Value = server.run(&["task", "get", &id[24..], "-o", "json"]).code(0).json();
    assert_eq!(found["id"], id.as_str());
    let common = id.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    assert!(
        server.run(&["task", "get", &id[..common.max(4)]]).code(2).err.contains("means more than one task")
    );
}

#[test]
fn json_and_yaml_are_what_the_server_said() {
    let (_data, server) = shipped_server();
    let id = server.task(&["enable-ceip", "-i", "status=ENABLE", QUICK[0], QUICK[1]]);
    server.until(&id, "Successful");
    let json = server.run(&["task", "get", &id, "-o", "json"]).code(0);
    let first: Vec<String> = json.json().as_object().unwrap().keys().take(5).cloned().collect();
    assert_eq!(first, ["id", "name", "type", "status", "creationTimestamp"], "order is kept");
    let yaml = server.run(&["task", "get", &id, "-o", "yaml"]).code(0).out;
    assert!(yaml.starts_with(&format!("id: {id}\nname: Enable VMware")), "{yaml}");
}

/// Returns the ids that a table shows.
fn shown(table: &str) -> Vec<String> {
    let at = table.lines().next().and_then(|line| line.find("ID ")).expect("a heading");
    let cell = |line: &str| line[at..].split(' ').next().unwrap_or_default().to_owned();
    table.lines().skip(1).map(cell).collect()
}

/// IDs that a list shows are accepted by each command that takes an ID, however many tasks were started
/// since.
#[test]
fn listed_ids_are_taken_back() {
    let (_data, server) = shipped_server();
    let ended = |id: &str| {
        format!(
            "{{\"id\":\"{id}\",\"name\":\"old {id}\",\"status\":\"Successful\",\"creationTimestamp\":\"2020-01-01T00:00:00.000Z\"}}"
        )
    };
    // 130 ids, of which some end alike or begin as others end.
    let id = |n: u32| format!("{:08x}-0000-4000-8000-0000{:08x}", 0xabcd_0000 + n / 2, 0xabcd_0000 + n);
    let tasks: String = (0..130).map(|n| ended(&id(n)) + "\n").collect();
    server.run_with_input(&["import", "-"], &tasks).code(0);
    for page in ["1", "2"] {
        let list = ["task", "list", "--order-by", "id", "--page-size", "100", "--page", page];
        let ids = shown(&server.run(&list).code(0).out);
        let whole = server.run(&[&list[..], &["-o", "json"]].concat()).json();
        for (short, whole) in ids.iter().zip(whole["elements"].as_array().unwrap()).step_by(17) {
            let got = server.run(&["task", "get", short, "-o", "json"]);
            match got.code {
                0 => assert_eq!(got.json()["id"], whole["id"], "{short}"),
                _ => assert!(
                    got.err.contains("more than one") && got.err.contains(whole["id"].as_str().unwrap())
                ),
            }
        }
    }
    let running = server.task(&["create-domain", "-i", "domain=a", "-i", "pace=10m"]);
    let short = &running[28..];
    for command in [&["task", "logs"][..], &["task", "attempts"], &["task", "cancel"]] {
        server.run(&[command, &[short]].concat()).code(0);
    }
    let refused = server.run(&["lock", "release", short, "--reason", "r"]).code(3).err;
    assert!(!refused.contains("MALFORMED"), "{refused}");
}

#[test]
fn open_failures_and_labels_are_filtered() {
    let (_data, server) = shipped_server();
    let start = |label: &str, more: &[&str]| {
        let start = ["enable-ceip", "-i", "status=ENABLE", QUICK[0], QUICK[1], "--label", label];
        server.task(&[&start[..], more].concat())
    };
    let fails = ["-i", "failAt=UpdateCeipOnNsxTAction"];
    let (open, resolved) = (start("change=CHG1", &fails), start("change=CHG2", &fails));
    let good = start("site=x", &[]);
    [&open, &resolved].iter().for_each(|id| drop(server.until(id, "Failed")));
    server.until(&good, "Successful");
    server.run(&["task", "resolve", &resolved, "--reason", "by hand"]).code(0);
    let listed = |arguments: &[&str]| -> Vec<String> {
        let page = server.run(&[&["task", "list", "-o", "json"], arguments].concat()).code(0).json();
        let ids = page["elements"].as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap());
        ids.map(str::to_owned).collect()
    };
    assert_eq!(listed(&["--status", "open-failures"]), [open.as_str()]);
    assert_eq!(listed(&["--status", "failed"]), [resolved.clone(), open.clone()]);
    assert_eq!(listed(&["--status", "open-failures,successful"]), [good.clone(), open.clone()]);
    assert_eq!(listed(&["--label", "change"]), [resolved.clone(), open.clone()]);
    assert_eq!(listed(&["--label", "change=CHG2"]), [resolved.as_str()]);
    assert_eq!(listed(&["--label", "change", "--page-size", "1", "--page", "2"]), [open.as_str()]);
    assert_eq!(listed(&["--label", "change=CHG2", "--status", "open-failures"]), [""; 0]);
    let table = server.run(&["task", "list", "--label", "change=CHG1"]).code(0).out;
    assert!(table.contains("LABELS") && table.contains("change=CHG1"), "{table}");
    assert_eq!(listed(&["--completed-after", "1h"]).len(), 3);
    assert_eq!(listed(&["--completed-after", "1ms"]).len(), 0);
}

/// Starts that a dry run accepts succeed, those that it refuses do not, and neither leaves anything behind.
#[test]
fn rehearsals_store_nothing() {
    let (_data, server) = shipped_server();
    let good = ["task", "start", "enable-ceip", "-i", "status=ENABLE", "--dry-run"];
    let done = server.run(&good).code(0);
    assert!(
        done.out.contains("UpdateCeipOnNsxTAction") && done.err.contains("nothing was stored"),
        "{}",
        done.out
    );
    for (wrong, code) in [
        (&["enable-ceip", "-i", "status=MAYBE"][..], "INVALID_INPUT"),
        (&["no-such-workflow"], "WORKFLOW_NOT_FOUND"),
        (&["enable-ceip", "-i", "status=ENABLE", "--version", "9"], "WORKFLOW_VERSION_NOT_FOUND"),
    ] {
        for dry in [&["--dry-run"][..], &[]] {
            let done = server.run(&[&["task", "start"], wrong, dry].concat()).code(3);
            assert!(done.err.contains(code), "{wrong:?}: {}", done.err);
        }
    }
    assert!(server.run(&["task", "list"]).code(0).err.contains("no tasks"));
}
