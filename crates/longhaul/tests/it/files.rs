//! Workflow files: lint, apply, schema, and what a server does with a folder of them.

use std::path::Path;

use super::support::{Server, longhaul, run, shipped, snapshot};
use tempfile::TempDir;

const MISTAKES: &str = r#"name: Bad Name
type: 3
titel: Something
subTasks:
  - name: First
    description: Does it
    action:
      simulate: { duration: soon, failAttempts: 1 }
    timeout: 5 minutes
    onFailure: carryOn
  - name: Second
    action: { http: { url: "https://x" }, wait: { for: 1s } }
    repeatable: yes
  - name: Third
    description: x
    action: {}
"#;

const MEANINGLESS: &str = r#"name: meaningless
type: MEANINGLESS
title: "Work on {{ input.fqdn }}"
input:
  type: object
  properties: { fdqn: { type: string } }
resources:
  - { type: HOST, resourceId: "{{ input.fdqn }}" }
subTasks:
  - name: Fetch
    description: Fetch it
    action: { http: { method: FETCH, url: "ftp://x" } }
    when: "{{ input.fdqn == }}"
  - name: Use
    description: Use it
    needs: [Fetch]
    action: { simulate: { duration: soon, output: { a: "{{ subTasks.Later.output }}" } } }
  - name: Later
    description: Later
    needs: [Use]
    action: { command: { run: [uname, -a] } }
"#;

/// Runs in the folder, so that paths in answers are short.
fn lint(folder: &Path, arguments: &[&str]) -> super::support::Done {
    longhaul()
        .current_dir(folder)
        .args(["workflow", "lint"])
        .args(arguments)
        .output()
        .expect("it runs")
        .into()
}

#[test]
fn lint_names_every_mistake_at_its_place() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("mistakes.yaml"), MISTAKES).unwrap();
    let done = lint(folder.path(), &["mistakes.yaml"]).code(1);
    snapshot("lint_mistakes.txt", &done.out);
    assert_eq!(done.err, "1 file, 12 mistakes, 0 warnings\n");
}

#[test]
fn lint_compiles_what_has_the_right_shape() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("meaningless.yaml"), MEANINGLESS).unwrap();
    let done = lint(folder.path(), &["meaningless.yaml"]).code(1);
    snapshot("lint_meaningless.txt", &done.out);
}

#[test]
fn lint_explains_what_is_no_yaml() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a.yaml"), "name: a\ntitle: {{ input.name }}\n").unwrap();
    let done = lint(folder.path(), &["."]).code(1);
    assert!(
        done.out.starts_with("./a.yaml:2:9: error: `{{` without quotes begins a mapping"),
        "{}",
        done.out
    );
    assert!(done.out.contains("hint: put the text in quotes: \"{{ input.name }}\""), "{}", done.out);
}

#[test]
fn lint_of_good_files_is_quiet_and_warnings_count_when_strict() {
    let done = run(&["workflow", "lint", &shipped()]).code(0);
    assert_eq!((done.out.as_str(), done.err.as_str()), ("", "51 files, 0 mistakes, 0 warnings\n"));
    let folder = TempDir::new().unwrap();
    let alike = "{\"name\": \"a\", \"type\": \"A\", \"title\": \"A\", \"subTasks\": [
        {\"name\": \"a\", \"description\": \"a\", \"forEach\": \"{{ [1, 2] }}\", \"action\": {\"simulate\": {}}}]}";
    std::fs::write(folder.path().join("a.json"), alike).unwrap();
    let done = lint(folder.path(), &["."]).code(0);
    assert!(done.out.contains("./a.json:2:70: warning: all children do the same"), "{}", done.out);
    lint(folder.path(), &["--strict", "."]).code(1);
    std::fs::copy(folder.path().join("a.json"), folder.path().join("b.json")).unwrap();
    let done = lint(folder.path(), &["."]).code(1);
    assert!(
        done.out.contains("./b.json:1:10: error: `a` is the name of the workflow in ./a.json already"),
        "{}",
        done.out
    );
}

#[test]
fn lint_of_nothing_says_so() {
    let folder = TempDir::new().unwrap();
    assert!(lint(folder.path(), &["."]).code(1).err.contains("there is no .yaml"));
    assert!(lint(folder.path(), &["absent.yaml"]).code(1).out.contains("absent.yaml: error: No such file"));
}

/// A file that cannot be read does not hide the mistakes of the others.
#[test]
fn lint_goes_on_behind_a_file_that_cannot_be_read() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a.yaml"), b"name: a\ntype: \xff\n").unwrap();
    std::fs::write(folder.path().join("b.yaml"), "name: b\nname: c\n").unwrap();
    let done = lint(folder.path(), &["absent.yaml", "."]).code(1);
    for said in [
        "absent.yaml: error: No such file",
        "a.yaml: error: not UTF-8: byte 14 is of another encoding",
        "error: key `name` is written twice (lines 1 and 2)",
        "`subTasks` is missing",
    ] {
        assert!(done.out.contains(said), "{said}: {}", done.out);
    }
}

#[test]
fn schema_is_json_schema() {
    let schema = run(&["workflow", "schema"]).code(0).json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn apply_stores_versions_and_refuses_all_for_one_mistake() {
    let (folder, data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let server = Server::start(data.path(), "127.0.0.1:0", &["--log-level", "error"]);
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let path = folder.path().to_str().unwrap();
    let good = "name: good\ntype: GOOD\ntitle: Good\nsubTasks:\n  - { name: A, description: a, action: { simulate: {} } }\n";
    file("good.yaml", good);
    file("mistakes.yaml", MISTAKES);
    let done = server.run(&["workflow", "apply", path]).code(1);
    assert!(done.err.contains("nothing was stored"), "{}", done.err);
    assert_eq!(server.run(&["workflow", "list", "-o", "json"]).json()["elements"], serde_json::json!([]));

    std::fs::remove_file(folder.path().join("mistakes.yaml")).unwrap();
    assert_eq!(server.run(&["workflow", "apply", path]).code(0).err, "good: stored, version 1\n");
    assert_eq!(server.run(&["workflow", "apply", path]).code(0).err, "good: unchanged, version 1\n");
    file("good.yaml", &good.replace("title: Good", "title: Better"));
    assert_eq!(server.run(&["workflow", "apply", path]).code(0).err, "good: stored, version 2\n");

    let list = server.run(&["workflow", "list"]).code(0).out;
    assert_eq!(list, "NAME  VERSION  TYPE  TITLE\ngood  2        GOOD  Better\n");
    let got = server.run(&["workflow", "get", "good", "--version", "1"]).code(0).out;
    assert!(got.contains("title: Good\n"), "{got}");
    server.run(&["workflow", "get", "god"]).code(3);
    server.run(&["workflow", "delete", "good"]).code(0);
    server.run(&["workflow", "get", "good"]).code(3);
}

#[test]
fn a_folder_with_mistakes_stops_the_start() {
    let (folder, data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    std::fs::write(folder.path().join("mistakes.yaml"), MISTAKES).unwrap();
    let path = folder.path().to_str().unwrap();
    let done = run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        data.path().to_str().unwrap(),
        "--workflows",
        path,
    ]);
    let done = done.code(1);
    assert!(done.err.contains("mistakes.yaml:3:1: error: `titel` is not known here"), "{}", done.err);
    assert!(done.err.contains("not started"), "{}", done.err);
}
