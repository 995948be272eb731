//! Program that does the work: found once, started for each attempt.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use longhaul_worker::{ActionError, Context};
use serde_json::Value;
use tokio::process::Child;

use super::arguments;
use super::process::{Running, not_started};
use super::supervised::{Supervisors, Tree};
use crate::exit::Failure;

/// The program that is run.
pub(super) struct Program {
    /// Name of the program as it was given.
    name: OsString,
    arguments: Vec<OsString>,
    grace: Duration,
    supervisors: Arc<Supervisors>,
}

impl Program {
    /// Refuses a program that cannot be started anyway.
    pub(super) fn new(command: &[OsString], grace: Duration) -> Result<Self, Failure> {
        let [name, arguments @ ..] = command else {
            return Err(Failure::Usage("there is no program behind `--`".to_owned()));
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !can_be_run(Path::new(name), std::env::split_paths(&path)) {
            let name = name.display();
            return Err(Failure::Usage(format!("`{name}` is no program that can be run")));
        }
        let supervisors = Supervisors::begin()?;
        Ok(Program { name: name.clone(), arguments: arguments.to_vec(), grace, supervisors })
    }

    /// Runs the program for one attempt.
    pub(super) async fn run(&self, context: &Context, input: &Value) -> Result<Option<Value>, ActionError> {
        let arguments = arguments::of(&self.arguments, input)?;
        let child = self.start(arguments, context).map_err(|e| self.not_started(&e))?;
        let tree = Tree::of(&child, &self.supervisors).map_err(|e| self.not_started(&e))?;
        let running = Running::new(child, tree);
        running.finish(&self.name.to_string_lossy(), context, input, self.grace).await
    }

    fn start(&self, arguments: Vec<OsString>, context: &Context) -> io::Result<Child> {
        let mut command = Supervisors::command(&self.name, arguments);
        command
            .envs(environment(context))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // What the worker itself was started with is not the attempt's.
        if context.item_index().is_none() {
            command.env_remove("LONGHAUL_ITEM_INDEX");
        }
        if context.traceparent().is_none() {
            command.env_remove("TRACEPARENT");
        }
        command.spawn()
    }

    fn not_started(&self, error: &io::Error) -> ActionError {
        let failure = not_started(&self.name.to_string_lossy(), &error.to_string());
        match error.kind() {
            io::ErrorKind::ArgumentListTooLong => failure
                .remediation("Read long values from standard input, where all of the input is")
                .permanent(),
            _ => failure,
        }
    }
}

/// Returns the environment that describes the attempt to the program. The worker's own key is not passed on:
/// its variable holds the fencing token instead.
fn environment(context: &Context) -> Vec<(&'static str, String)> {
    let task = context.task();
    let mut all = vec![
        ("LONGHAUL_TASK_ID", task.id.clone()),
        ("LONGHAUL_TASK_NAME", task.name.replace('\0', "")),
        ("LONGHAUL_WORKFLOW", task.workflow.clone()),
        ("LONGHAUL_SUB_TASK", context.sub_task().to_owned()),
        ("LONGHAUL_ATTEMPT", context.attempt().to_string()),
        ("LONGHAUL_TOKEN", context.token().to_string()),
        ("LONGHAUL_IDEMPOTENCY_KEY", context.idempotency_key().to_owned()),
    ];
    all.extend(context.traceparent().map(|span| ("TRACEPARENT", span.to_owned())));
    all.extend(context.item_index().map(|index| ("LONGHAUL_ITEM_INDEX", index.to_string())));
    all
}

/// Returns true if the program exists, in one of these folders unless its path names one.
fn can_be_run(program: &Path, folders: impl IntoIterator<Item = PathBuf>) -> bool {
    let is_executable = |path: &Path| {
        std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    match program.components().count() {
        1 if !program.is_absolute() && program.file_name() == Some(program.as_os_str()) => {
            folders.into_iter().any(|folder| is_executable(&folder.join(program)))
        }
        _ => is_executable(program),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_for_as_a_shell_does() {
        let folder = tempfile::tempdir().unwrap();
        let (program, text) = (folder.path().join("work"), folder.path().join("text"));
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::write(&text, "").unwrap();
        let found = |name: &Path| can_be_run(name, [folder.path().to_owned()]);
        assert!(found(Path::new("work")) && found(&program));
        assert!(
            !found(Path::new("text"))
                && !found(&text)
                && !found(Path::new("./work"))
                && !found(folder.path())
        );
    }
}
