//! `workflow apply`.

use anyhow::anyhow;

use super::Linted;
use crate::cli::ApplyArgs;
use crate::cmd::Context;
use crate::exit::{Code, Failure};

/// Checks every file, then stores every workflow.
pub(crate) async fn run(args: &ApplyArgs, context: &Context) -> Result<Code, Failure> {
    let out = &context.out;
    let linted = Linted::read(&args.paths, out.error_palette);
    if !linted.report.is_empty() {
        out.remark(linted.report.trim_end())?;
    }
    if linted.errors > 0 {
        out.remark(&format!("{}; nothing was stored", linted.summary()))?;
        return Err(Failure::Said(Code::Failed));
    }
    if linted.files == 0 {
        return Err(anyhow!("there is no .yaml, .yml or .json file in what was named").into());
    }
    let mut answers = Vec::new();
    for (_, definition) in &linted.definitions {
        let json = serde_json::to_value(definition).map_err(|e| anyhow!(e))?;
        let (answer, created) = context.client.put_workflow(&definition.name, &json).await?;
        let version = answer.get("version").map(ToString::to_string).unwrap_or_default();
        let what = if created { "stored" } else { "unchanged" };
        out.remark(&format!("{}: {what}, version {version}", definition.name))?;
        answers.push(answer);
    }
    out.verbatim(&serde_json::Value::Array(answers))?;
    Ok(Code::Success)
}
