//! `workflow list`.

use longhaul_client::{ClientError, PageBody, WorkflowBody};

use crate::cmd::Context;
use crate::exit::{Code, Failure};
use crate::out::table::Table;

/// Lists every workflow, by name.
pub(crate) async fn run(context: &Context) -> Result<Code, Failure> {
    let out = &context.out;
    let page = context.client.list_workflows().await?;
    if out.verbatim(&page)? {
        return Ok(Code::Success);
    }
    let page: PageBody<WorkflowBody> = crate::cmd::plain(page).map_err(|e| {
        let server = context.client.server().to_owned();
        ClientError::Protocol { server, reason: format!("it is no list of workflows: {e}") }
    })?;
    if page.elements.is_empty() {
        out.remark("no workflows; store some with `longhaul workflow apply PATH`")?;
        return Ok(Code::Success);
    }
    let mut table = match out.is_wide() {
        false => Table::new(&["NAME", "VERSION", "TYPE", "TITLE"]),
        true => Table::new(&["NAME", "VERSION", "STORED", "TYPE", "ROUTE", "TITLE"]),
    };
    for workflow in page.elements {
        let version = workflow.version.to_string();
        table.row(if out.is_wide() {
            let route = workflow.route.unwrap_or_else(|| "-".to_owned());
            vec![workflow.name, version, workflow.creation_timestamp, workflow.kind, route, workflow.title]
        } else {
            vec![workflow.name, version, workflow.kind, workflow.title]
        });
    }
    out.text(&table.render(out.palette, out.width()))?;
    Ok(Code::Success)
}
