//! Workflow definitions.

pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod put;

use std::sync::Arc;

use longhaul_model::workflow::Workflow;

use super::App;
use crate::access::Caller;
use crate::error::ApiError;
use crate::wire::Json;

/// Writes one version of a workflow. Callers who may not change it see no literal credentials.
fn whole(app: &App, caller: &Caller, workflow: &Arc<Workflow>) -> Result<Vec<u8>, ApiError> {
    let name = &workflow.definition.name;
    let all = app.engine.workflows()?;
    let versions =
        all.iter().find(|summary| summary.workflow.definition.name == *name).map(|found| &found.versions);
    let at = versions.and_then(|all| all.iter().find(|(version, _)| *version == workflow.version));
    let mut json = Json::new(4096);
    json.object(|json| {
        json.key("name").value(name);
        json.key("version").value(&workflow.version);
        if let Some((_, at)) = at {
            json.key("creationTimestamp").time(*at);
        }
        match caller.is_admin() {
            true => json.key("definition").value(&workflow.definition),
            false => json.key("definition").value(&workflow.definition.masked()),
        }
        if !workflow.warnings.is_empty() {
            json.key("warnings").value(&workflow.warnings);
        }
    });
    Ok(json.finish())
}
