//! The workflows of this part.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Writes the workflows where the server finds them.
pub(super) fn write(directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    for definition in all() {
        let name = definition["name"].as_str().context("a name")?;
        let path = directory.join(format!("{name}.json"));
        std::fs::write(&path, serde_json::to_vec_pretty(&definition)?)
            .with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn all() -> [Value; 4] {
    let workflow = |name: &str, resources: Value, sub_task: Value| {
        json!({
            "name": name, "type": name.to_uppercase(), "title": name, "input": { "type": "object" },
            "resources": resources, "subTasks": [sub_task]
        })
    };
    let worker = json!({ "worker": { "queue": "nobody" } });
    [
        // Runs a script given as the input.
        workflow(
            "flood",
            json!([]),
            json!({ "name": "Flood", "description": "…", "timeout": "5m",
                    "action": { "command": { "run": ["/bin/sh", "-c", "{{ input.script }}"] } } }),
        ),
        // Only one task at a time has the lock, and no task ever ends.
        workflow(
            "held",
            json!([{ "type": "HOST", "resourceId": "one" }]),
            json!({ "name": "Work", "description": "…", "action": worker }),
        ),
        workflow("queued", json!([]), json!({ "name": "Work", "description": "…", "action": worker })),
        workflow(
            "fan",
            json!([]),
            json!({ "name": "Each", "description": "…", "forEach": "{{ input.items }}", "parallel": 10,
                    "action": worker }),
        ),
    ]
}
