//! Each place of an expression with each name that an expression may hold: what is accepted where a workflow
//! is stored is known where the expression is evaluated.

use std::collections::BTreeMap;
use std::sync::Arc;

use longhaul_model::workflow::{Definition, Workflow};
use longhaul_model::{Spec, Task, TaskId, Timestamp};
use serde_json::{Value, json};

use crate::workflow::{good, problems, with};

/// Names that are visible at a place.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    /// The input.
    Input,
    /// The input and the task.
    Task,
    /// The input, the task and the sub-tasks before.
    SubTasks,
}

/// Places of templates, each with what is known there.
const PLACES: [(&str, Known); 17] = [
    ("/title", Known::Input),
    ("/resources/0/resourceId", Known::Input),
    ("/resources/0/fqdn", Known::Input),
    ("/resources/0/name", Known::Input),
    ("/concurrency/key", Known::Input),
    ("/subTasks/1/title", Known::Input),
    ("/subTasks/1/description", Known::Input),
    ("/when", Known::Task),
    ("/subTasks/1/when", Known::SubTasks),
    ("/subTasks/1/forEach", Known::SubTasks),
    ("/subTasks/1/action/http/url", Known::SubTasks),
    ("/subTasks/1/action/http/headers/X", Known::SubTasks),
    ("/subTasks/1/action/http/body", Known::SubTasks),
    ("/subTasks/1/action/http/output", Known::SubTasks),
    ("/subTasks/2/action/command/run/1", Known::SubTasks),
    ("/subTasks/2/action/command/env/X", Known::SubTasks),
    ("/subTasks/3/action/wait/for", Known::SubTasks),
];

/// Names, each with the least that must be known for it; `None` for one that is known nowhere.
const NAMES: [(&str, Option<Known>); 7] = [
    ("input.fqdn", Some(Known::Input)),
    ("task.id", Some(Known::Task)),
    ("task.name", Some(Known::Task)),
    ("subTasks.Validate.output.n", Some(Known::SubTasks)),
    ("subTasks.Nothing.output", None),
    ("item", None),
    ("anything", None),
];

fn is_known(name: Option<Known>, place: Known) -> bool {
    let rank = |known: Known| match known {
        Known::Input => 0,
        Known::Task => 1,
        Known::SubTasks => 2,
    };
    name.is_some_and(|needed| rank(needed) <= rank(place))
}

/// The good workflow with every member in which a place lies.
fn whole(place: &str, value: Value) -> Value {
    let mut definition = with("/concurrency", json!({"key": "k", "limit": 1}));
    definition["subTasks"][1]["action"]["http"]["headers"] = json!({});
    definition["subTasks"][2]["action"]["command"]["env"] = json!({});
    let (parent, member) = place.rsplit_once('/').expect("a pointer");
    match definition.pointer_mut(parent).expect(place) {
        Value::Array(items) => items[member.parse::<usize>().expect("an index")] = value,
        object => object[member] = value,
    }
    definition
}

#[test]
fn each_place_takes_the_names_that_are_known_there_and_no_others() {
    for (place, known) in PLACES {
        for (name, needed) in NAMES {
            let template = format!("{{{{ {name} }}}}");
            let found = problems(whole(place, json!(template)));
            let at: Vec<_> = found.iter().filter(|problem| problem.pointer == place).collect();
            assert_eq!(at.is_empty(), is_known(needed, known), "{place}: {template}: {found:?}");
            for problem in at {
                assert!(problem.hint.is_some(), "{place}: {template}: {problem:?}");
            }
        }
    }
}

#[test]
fn a_workflow_that_is_accepted_starts_whatever_its_texts_name() {
    for (place, known) in PLACES {
        if known != Known::Input {
            continue;
        }
        for (name, needed) in NAMES {
            let definition = whole(place, json!(format!("{{{{ {name} }}}}")));
            let definition: Definition = serde_json::from_value(definition).unwrap();
            let Ok(workflow) = Workflow::compile(definition, 1) else {
                assert!(!is_known(needed, known), "{place}: {name}");
                continue;
            };
            let spec = Spec {
                input: json!({"fqdn": "esx"}),
                labels: BTreeMap::new(),
                requested_by: None,
                caller: None,
            };
            let id = TaskId::from_bytes([1; 16]);
            let task = Task::new(id, Arc::new(workflow), spec, None, None, Timestamp(0));
            assert!(task.is_ok(), "{place}: {name}: {:?}", task.err());
        }
    }
}

/// The texts of children are made with the children, when there is a task.
#[test]
fn texts_of_children_know_the_task_and_the_item() {
    for member in ["title", "description"] {
        for (name, right) in [
            ("input.fqdn", true),
            ("task.id", true),
            ("item", true),
            ("index", true),
            ("subTasks.Validate.output.n", false),
        ] {
            let mut definition = good();
            definition["subTasks"][1]["forEach"] = json!("{{ [1, 2] }}");
            definition["subTasks"][1][member] = json!(format!("{{{{ {name} }}}}"));
            let place = format!("/subTasks/1/{member}");
            let found = problems(definition);
            let wrong = found.iter().any(|problem| problem.pointer == place);
            assert_eq!(wrong, !right, "{place}: {name}: {found:?}");
        }
    }
}

/// Advice can be followed: a `needs` that is advised makes no cycle.
#[test]
fn needs_are_advised_only_where_they_help() {
    let names = ["Validate", "Fetch", "Run", "Wait"];
    for edges in 0..1_u32 << 6 {
        // Each sub-task may wait for those written before it: no cycle.
        let mut definition = good();
        let mut bit = 0;
        for later in 0..names.len() {
            let mut needs = Vec::new();
            for earlier in names.iter().take(later) {
                if edges >> bit & 1 == 1 {
                    needs.push(*earlier);
                }
                bit += 1;
            }
            definition["subTasks"][later]["needs"] = json!(needs);
        }
        for own in 0..names.len() {
            for other in names {
                let mut tried = definition.clone();
                tried["subTasks"][own]["when"] = json!(format!("subTasks.{other}.output is defined"));
                for problem in problems(tried.clone()) {
                    let hint = problem.hint.unwrap_or_default();
                    if !hint.contains(&format!("needs: [{other}]")) {
                        continue;
                    }
                    let needs = tried["subTasks"][own]["needs"].as_array_mut().unwrap();
                    needs.push(json!(other));
                    assert_eq!(problems(tried.clone()), [], "{edges:b} {own} {other}");
                }
            }
        }
    }
}
