//! `node …`.

use longhaul_client::{NodeBody, PageBody};

use super::Context;
use crate::cli::NodeCommand;
use crate::exit::{Code, Failure};
use crate::out::span;
use crate::out::table::Table;

/// Runs a `node` command.
pub(crate) async fn run(command: NodeCommand, context: &Context) -> Result<Code, Failure> {
    match command {
        NodeCommand::List => list(context).await,
    }
}

async fn list(Context { client, out }: &Context) -> Result<Code, Failure> {
    let answer = client.list_nodes().await?;
    if out.verbatim(&answer)? {
        return Ok(Code::Success);
    }
    let page: PageBody<NodeBody> = crate::cmd::plain(answer).map_err(anyhow::Error::from)?;
    let now = crate::now();
    let ago = |text: &str| span::parse(text).map_or_else(|| text.to_owned(), |at| span::age(now.0 - at.0));
    let mut table = Table::new(&["NODE", "STATE", "ADDRESS", "VERSION", "STARTED", "HEARD OF"]);
    for node in page.elements {
        table.row(vec![
            node.name,
            node.state.to_lowercase(),
            node.address,
            node.version,
            ago(&node.start_timestamp),
            ago(&node.seen_timestamp),
        ]);
    }
    out.text(&table.render(out.palette, out.width()))?;
    Ok(Code::Success)
}
