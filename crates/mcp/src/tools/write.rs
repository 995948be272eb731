//! Tools that change something: each is rehearsed first.

use serde_json::{Map, Value, json};

use super::Use;
use crate::api::{Api, Call, Refusal, Verb};
use crate::compact;
use crate::pass::Judgement;

/// Change that was rehearsed.
struct Plan {
    /// Consequences, as the dry run tells them.
    told: Value,
    /// Facts on which they rest: a token counts while they stay.
    basis: Value,
    /// Call that makes the change.
    call: Call,
}

impl<A: Api> Use<'_, A> {
    /// Rehearses a change, and makes it if the token of that rehearsal came with it.
    pub(super) async fn change(&self) -> Result<Value, Refusal> {
        let plan = match self.tool.name {
            "start_task" => self.start().await?,
            "retry_task" => self.retry().await?,
            "cancel_task" => self.cancel().await?,
            _ => self.resolve().await?,
        };
        // The reason may be put better the second time.
        let asked = self.arguments.without(&["dry_run_token", "reason"]);
        let rehearsed = |note: &str| {
            json!({
                "dryRun": true, "changed": "nothing", "note": note, "consequences": plan.told,
                "dry_run_token": self.passes.token(self.tool.name, &asked, &plan.basis),
            })
        };
        let Some(token) = self.arguments.text("dry_run_token") else {
            return Ok(rehearsed(
                "Nothing was changed. To do it, call the tool again with the same arguments and this token, \
                 within five minutes.",
            ));
        };
        match self.passes.judge(token, self.tool.name, &asked, &plan.basis) {
            Judgement::Valid => {
                let mut call = plan.call;
                call.key = (self.tool.name == "start_task").then(|| format!("mcp-{token}"));
                let answer = self.ask(call).await?;
                Ok(json!({ "changed": true, "task": compact::task(&answer) }))
            }
            Judgement::Changed => Ok(rehearsed(
                "Nothing was changed: the token belongs to another call, or the task has changed since. Look at \
                 the consequences again; this is the token for them.",
            )),
            Judgement::Unknown => Ok(rehearsed(
                "Nothing was changed: the token is not known here, or older than five minutes. This is a new one.",
            )),
        }
    }

    async fn start(&self) -> Result<Plan, Refusal> {
        let given = &self.arguments;
        let mut body = Map::new();
        for name in ["workflow", "version", "input", "name", "labels"] {
            body.extend(given.value(name).map(|value| (name.to_owned(), value.clone())));
        }
        let call =
            Call::new(Verb::Post, &["tasks"]).query("reason", given.text("reason")).body(Value::Object(body));
        let task = self.ask(call.clone().query("dryRun", Some("true"))).await?;
        let steps: Vec<Value> = compact::sub_tasks(&task)
            .map(|one| Value::Object(compact::picked(one, &["name", "description"])))
            .collect();
        let told = json!({
            "starts": compact::picked(&task, &["name", "type", "workflow", "resources"]), "subTasks": steps,
        });
        Ok(Plan { told, basis: task["workflow"].clone(), call })
    }

    async fn retry(&self) -> Result<Plan, Refusal> {
        let (task, call) = (self.known().await?, self.verb(Verb::Patch));
        if task["isRetryable"] != json!(true) {
            return Err(self.impossible(&task, "be retried"));
        }
        let told = json!({
            "task": compact::row(&task),
            "runsAgain": compact::named(&task, &["FAILED", "CANCELLED"]),
            "runsAfterwards": compact::named(&task, &["PENDING"]),
            "staysAsItIs": compact::named(&task, &["SUCCESSFUL", "SKIPPED"]),
        });
        Ok(Plan { told, basis: basis(&task), call })
    }

    async fn cancel(&self) -> Result<Plan, Refusal> {
        let (task, call) = (self.known().await?, self.verb(Verb::Delete));
        if task["isCancellable"] != json!(true) {
            return Err(self.impossible(&task, "be cancelled"));
        }
        let told = json!({
            "task": compact::row(&task),
            "isToldToStop": compact::named(&task, &["IN_PROGRESS"]),
            "neverBegins": compact::named(&task, &["PENDING"]),
            "staysDone": compact::named(&task, &["SUCCESSFUL"]),
        });
        // A running task makes progress between the two calls, which changes nothing about its end.
        Ok(Plan { told, basis: task["status"].clone(), call })
    }

    async fn resolve(&self) -> Result<Plan, Refusal> {
        let given = &self.arguments;
        let (sub_task, all, outcome) = (given.text("sub_task"), given.flag("all"), given.text("outcome"));
        let wrong = |message: &str| Err(Refusal::of("INVALID_ARGUMENTS", message));
        match (sub_task.is_some() || all, outcome.is_some()) {
            (true, false) => return wrong("outcome: it is missing; sub_task and all need it"),
            (false, true) => return wrong("sub_task: outcome needs it, or all"),
            _ => {}
        }
        if given.value("output").is_some() && outcome != Some("done") {
            return wrong("output: only work that was done has one");
        }
        let task = self.known().await?;
        let mut body = Map::from_iter([("reason".to_owned(), json!(given.needed("reason")))]);
        body.extend(sub_task.map(|name| ("subTask".to_owned(), json!(name))));
        body.extend(all.then(|| ("all".to_owned(), json!(true))));
        body.extend(outcome.map(|outcome| ("outcome".to_owned(), json!(outcome))));
        body.extend(given.value("output").map(|output| ("output".to_owned(), output.clone())));
        let says = match (outcome, sub_task) {
            (None, _) => "the failed task was dealt with; it does not run again".to_owned(),
            (Some(outcome), Some(name)) => format!("{name}: {outcome}"),
            (Some(outcome), None) => format!("every sub-task to which it can apply: {outcome}"),
        };
        let told = json!({ "task": compact::row(&task), "says": says, "failed": compact::named(&task, &["FAILED"]) });
        let call = Call::new(Verb::Post, &["tasks", given.needed("id"), "resolve"]).body(Value::Object(body));
        Ok(Plan { told, basis: basis(&task), call })
    }

    async fn known(&self) -> Result<Value, Refusal> {
        self.ask(self.task().query("include", Some("waitingFor,version,attempt"))).await
    }

    fn verb(&self, verb: Verb) -> Call {
        let path = ["tasks", self.arguments.needed("id")];
        Call::new(verb, &path).query("reason", self.arguments.text("reason"))
    }

    fn impossible(&self, task: &Value, what: &str) -> Refusal {
        let status = task["status"].as_str().unwrap_or("unknown");
        Refusal::of("NOT_POSSIBLE", format!("the task cannot {what} now: its status is {status}"))
            .remedy("get_task tells why it does not go on, and what can be done")
    }
}

fn basis(task: &Value) -> Value {
    json!([task["status"], task["version"]])
}
