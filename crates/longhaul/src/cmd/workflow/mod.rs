//! `workflow …`.

mod apply;
mod example;
mod lint;
mod list;
mod show;

use serde_json::Value;

use super::context;
use crate::cli::{Global, WorkflowCommand};
use crate::exit::{Code, Failure};
use crate::out::Out;

pub(crate) use lint::Linted;

/// Runs a `workflow` command.
pub(crate) async fn run(command: WorkflowCommand, global: &Global, out: Out) -> Result<Code, Failure> {
    match command {
        WorkflowCommand::Lint(args) => lint::run(&args, &out),
        WorkflowCommand::Apply(args) => apply::run(&args, &context(global, out).await?).await,
        WorkflowCommand::List => list::run(&context(global, out).await?).await,
        WorkflowCommand::Show { name, version } => {
            show::run(&name, version, &context(global, out).await?).await
        }
        WorkflowCommand::Get { name, version } => {
            let answer = context(global, out).await?.client.get_workflow(&name, version).await?;
            show(&out, &answer)
        }
        WorkflowCommand::Delete { name } => {
            context(global, out).await?.client.delete_workflow(&name).await?;
            out.remark(&format!("{name}: deleted; its tasks go on"))?;
            Ok(Code::Success)
        }
        WorkflowCommand::Schema => {
            out.text(&format!("{:#}\n", longhaul_model::workflow::definition_schema()))?;
            Ok(Code::Success)
        }
    }
}

/// Shows a definition to people as it was written: in YAML, with the server's additions as a remark.
fn show(out: &Out, answer: &Value) -> Result<Code, Failure> {
    if out.verbatim(answer)? {
        return Ok(Code::Success);
    }
    let text = |name: &str| {
        answer.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    out.remark(&format!(
        "# version {} of {}",
        text("version").unwrap_or_default(),
        text("creationTimestamp").unwrap_or_default()
    ))?;
    let definition = answer.get("definition").unwrap_or(answer);
    let yaml = serde_saphyr::to_string(definition).map_err(|e| anyhow::anyhow!(e))?;
    out.text(&format!("{}\n", yaml.trim_end()))?;
    Ok(Code::Success)
}
