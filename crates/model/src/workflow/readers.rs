//! Readers of the output of a sub-task: the sub-tasks that would fail without it.

use serde_json::Value;

use super::compile::Workflow;
use crate::expr::{Expr, Reading, Template};

impl Workflow {
    /// Returns the names of the sub-tasks whose expressions read the output of the sub-task of this name, in
    /// the order written.
    pub fn readers_of(&self, name: &str) -> Vec<&str> {
        let others = self.definition.sub_tasks.iter().filter(|sub| sub.name != name);
        let reads = |sub: &&super::SubTaskDefinition| {
            serde_json::to_value(sub).is_ok_and(|written| is_read(name, "", &written))
        };
        others.filter(reads).map(|sub| sub.name.as_str()).collect()
    }
}

/// Returns true if an expression in a part of a definition reads the output of a sub-task.
fn is_read(of: &str, member: &str, written: &Value) -> bool {
    match written {
        Value::String(text) => {
            let reads = |expr: &Expr| {
                let mut paths = expr.paths().iter().map(|path| path.names());
                paths.any(|names| matches!(names, [root, name, ..] if root == "subTasks" && name == of))
            };
            // These are expressions without braces.
            if matches!(member, "when" | "forEach" | "output") && !text.contains("{{") {
                return Expr::read(text, Reading::Stored).is_ok_and(|expr| reads(&expr));
            }
            let template = Template::read(text, Reading::Stored);
            template.is_ok_and(|template| template.expressions().into_iter().any(reads))
        }
        Value::Array(items) => items.iter().any(|item| is_read(of, member, item)),
        Value::Object(members) => members.iter().any(|(name, value)| is_read(of, name, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::workflow::Workflow;

    /// An output is known to be needed wherever an expression may stand, and however it names the sub-task.
    #[test]
    fn readers_are_found_wherever_they_read() {
        for path in ["subTasks.First.output.n", "subTasks['First'].output", "subTasks[\"First\"]"] {
            let braced = format!("{{{{ {path} }}}}");
            for (member, value) in [
                ("when", json!(format!("{path} is defined"))),
                ("forEach", json!(braced)),
                ("action", json!({"simulate": {"output": {"a": [braced]}}})),
                ("action", json!({"http": {"method": "GET", "url": format!("https://h/{braced}")}})),
                ("action", json!({"http": {"method": "GET", "url": "https://h/", "output": path}})),
                ("action", json!({"worker": {"queue": "q", "input": {"a": braced}}})),
                ("action", json!({"command": {"run": ["/bin/true", braced]}})),
                ("action", json!({"wait": {"for": braced}})),
            ] {
                let step = |name: &str| json!({"name": name, "description": "d", "action": {"simulate": {}}});
                let mut reader = step("Reader");
                reader[member] = value.clone();
                let definition = json!({"name": "w", "type": "W", "title": "W",
                    "subTasks": [step("First"), step("Other"), reader]});
                let workflow = Workflow::compile(serde_json::from_value(definition).unwrap(), 1)
                    .unwrap_or_else(|e| panic!("{value}: {e:#?}"));
                assert_eq!(workflow.readers_of("First"), ["Reader"], "{value}");
                assert_eq!(workflow.readers_of("Other"), [""; 0], "{value}");
            }
        }
        assert!(!super::is_read("First", "description", &Value::from("subTasks.First.output")));
    }
}
