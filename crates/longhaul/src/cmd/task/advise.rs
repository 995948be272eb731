//! Suggestions for the next step on a task, as commands that can be run as printed.

use longhaul_client::TaskBody;
use longhaul_model::workflow::{Definition, Workflow};

use super::Context;
use crate::exit::Failure;
use crate::out::advice;

/// Prints the suggestions, if there are any.
pub(super) async fn next(context: &Context, task: &TaskBody) -> Result<(), Failure> {
    print(context, task, advice::next(task)).await
}

/// Prints the suggestions but for the command that has just told why the task does not go on.
pub(super) async fn next_after_why(context: &Context, task: &TaskBody) -> Result<(), Failure> {
    let mut commands = advice::next(task);
    commands.retain(|command| *command != advice::why(task));
    print(context, task, commands).await
}

async fn print(context: &Context, task: &TaskBody, mut commands: Vec<String>) -> Result<(), Failure> {
    for command in &mut commands {
        // Sub-tasks that read its output would fail without it: a command that is just copied must not skip
        // it.
        if let Some(sub_task) = advice::skipped(task, command)
            && let Some(reader) = readers(context, task, sub_task).await.first()
        {
            *command = advice::with_output(task, sub_task);
            let remark = format!("{sub_task} cannot just be skipped: {reader} needs its output");
            context.out.remark(&remark)?;
        }
    }
    if commands.is_empty() {
        return Ok(());
    }
    commands.dedup();
    let dim = context.out.error_palette.dim();
    context.out.remark(&format!("\n{dim}next: {}{dim:#}", commands.join("\n      ")))?;
    Ok(())
}

/// Returns the sub-tasks whose expressions read the output of one; none if the workflow is not known.
pub(super) async fn readers(context: &Context, task: &TaskBody, sub_task: &str) -> Vec<String> {
    let Some(of) = &task.workflow else { return Vec::new() };
    let version = u32::try_from(of.version).ok().filter(|version| *version > 0);
    let Ok(mut answer) = context.client.get_workflow(&of.name, version).await else { return Vec::new() };
    let Some(definition) = answer.get_mut("definition").map(serde_json::Value::take) else {
        return Vec::new();
    };
    let Ok(definition) = serde_json::from_value::<Definition>(definition) else { return Vec::new() };
    // A task shows titles, its workflow shows names: both are in the same order.
    let shown = task.sub_tasks.iter().position(|sub| sub.name == sub_task);
    let name = shown.and_then(|n| definition.sub_tasks.get(n)).map_or(sub_task, |sub| &sub.name).to_owned();
    let Ok(workflow) = Workflow::stored(definition, 1) else { return Vec::new() };
    workflow.readers_of(&name).into_iter().map(str::to_owned).collect()
}
