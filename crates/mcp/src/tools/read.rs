//! Tools that read.

use std::time::Duration;

use serde_json::{Value, json};

use super::{LONGEST_WAIT, Use};
use crate::api::{Api, Call, Refusal};
use crate::compact;

/// Statuses that the overview counts.
const COUNTED: [&str; 4] = ["IN_PROGRESS", "PENDING", "FAILED", "SUCCESSFUL"];
/// Open failures that the overview shows.
const SHOWN: &str = "5";

impl<A: Api> Use<'_, A> {
    pub(super) async fn overview(&self) -> Result<Value, Refusal> {
        let mut counts = serde_json::Map::new();
        for status in COUNTED {
            let call = Call::get(&["tasks"]).query("taskStatus", Some(status)).query("pageSize", Some("1"));
            let page = self.ask(call.query("view", Some("summary"))).await?;
            counts.insert(status.to_owned(), page["pageMetadata"]["totalElements"].clone());
        }
        let open = Call::get(&["tasks"]).query("openFailures", Some("true")).query("pageSize", Some(SHOWN));
        let open = self.ask(open.query("view", Some("summary")).query("include", Some("waitingFor"))).await?;
        let queues = self.ask(Call::get(&["queues"])).await?;
        let nodes = self.ask(Call::get(&["nodes"])).await?;
        let queue = |queue: &Value| {
            Value::Object(compact::picked(queue, &["name", "waiting", "running", "workers", "paused"]))
        };
        let node = |node: &Value| Value::Object(compact::picked(node, &["name", "state", "version"]));
        Ok(json!({
            "tasks": counts,
            "openFailures": compact::page(&open, compact::row),
            "queues": compact::page(&queues, queue)["elements"],
            "nodes": compact::page(&nodes, node)["elements"],
        }))
    }

    pub(super) async fn list_tasks(&self) -> Result<Value, Refusal> {
        let given = &self.arguments;
        let number = |name: &str| given.number(name).map(|number| number.to_string());
        let call = Call::get(&["tasks"])
            .query("taskStatus", given.text("status"))
            .query("openFailures", given.flag("open_failures").then_some("true"))
            .query("taskName", given.text("name"))
            .query("taskType", given.text("type"))
            .query("resourceId", given.text("resource_id"))
            .query("label", given.text("label"))
            .query("pageNumber", number("page"))
            .query("pageSize", number("size").or_else(|| Some("10".to_owned())))
            .query("view", Some("summary"))
            .query("include", Some("waitingFor,progress,workflow,labels"));
        Ok(compact::page(&self.ask(call).await?, compact::row))
    }

    pub(super) async fn get_task(&self) -> Result<Value, Refusal> {
        let include = if self.arguments.flag("with_input") {
            "waitingFor,progress,workflow,attempt,version,labels,input,outputs"
        } else {
            "waitingFor,progress,workflow,attempt,version,labels"
        };
        let task = self.ask(self.task().query("include", Some(include))).await?;
        let why = self.ask(Call::get(&["tasks", self.arguments.needed("id"), "why"])).await?;
        let mut told = compact::task(&task);
        told["why"] = json!({ "summary": why["summary"], "reasons": why["reasons"] });
        Ok(told)
    }

    pub(super) async fn wait_task(&self) -> Result<Value, Refusal> {
        let wait =
            self.arguments.number("seconds").map_or(LONGEST_WAIT, Duration::from_secs).min(LONGEST_WAIT);
        let mut call =
            self.task().query("view", Some("summary")).query("include", Some("waitingFor,progress"));
        if !wait.is_zero() {
            call = call.query("wait", Some(format!("{}s", wait.as_secs())));
            call.wait = wait;
        }
        Ok(compact::task(&self.ask(call).await?))
    }

    pub(super) async fn task_log(&self) -> Result<Value, Refusal> {
        let given = &self.arguments;
        let number = |name: &str| given.number(name).map(|number| number.to_string());
        let call = Call::get(&["tasks", given.needed("id"), "logs"])
            .query("subTask", given.text("sub_task"))
            .query("after", number("after"))
            .query("limit", number("lines").or_else(|| Some("60".to_owned())));
        self.ask(call).await
    }

    pub(super) async fn task_history(&self) -> Result<Value, Refusal> {
        let given = &self.arguments;
        let call = Call::get(&["tasks", given.needed("id"), "history"])
            .query("pageNumber", given.number("page").map(|number| number.to_string()))
            .query("pageSize", Some("20"));
        Ok(compact::page(&self.ask(call).await?, Value::clone))
    }

    pub(super) async fn list_workflows(&self) -> Result<Value, Refusal> {
        let row = |workflow: &Value| {
            Value::Object(compact::picked(workflow, &["name", "title", "description", "type", "version"]))
        };
        Ok(compact::page(&self.ask(Call::get(&["workflows"])).await?, row))
    }

    pub(super) async fn get_workflow(&self) -> Result<Value, Refusal> {
        let given = &self.arguments;
        let call = Call::get(&["workflows", given.needed("name")])
            .query("version", given.number("version").map(|number| number.to_string()));
        let workflow = self.ask(call).await?;
        // The schema first: it is what a start needs, and what is cut last.
        let mut told = json!({ "input": workflow["definition"]["input"] });
        for (name, value) in
            compact::picked(&workflow, &["name", "title", "description", "version", "versions"])
        {
            told[name] = value;
        }
        told["definition"] = workflow["definition"].clone();
        Ok(told)
    }

    /// Returns the call that reads the task.
    pub(super) fn task(&self) -> Call {
        Call::get(&["tasks", self.arguments.needed("id")])
    }
}
