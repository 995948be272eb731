//! `mcp`: the tools of agents, over standard input and output.

use std::sync::Arc;

use anyhow::Context as _;
use longhaul_client::{AnyCall, Client, ClientError};
use longhaul_mcp::{Api, Call, Origin, Passes, Refusal, Tools, Verb};
use longhaul_model::Env;
use rmcp::ServiceExt;
use serde_json::Value;

use crate::cli::McpArgs;
use crate::exit::{Code, Failure};

/// Serves the tools until the agent's program closes the connection.
pub(crate) async fn run(args: &McpArgs, client: Client) -> Result<Code, Failure> {
    let tools = Tools::new(Arc::new(Remote(client)), Arc::new(Passes::new(Env::real())), args.allow_write);
    let session = tools.serve(rmcp::transport::stdio()).await;
    let session =
        session.context("no agent's program speaks the Model Context Protocol on standard input")?;
    session.waiting().await.context("the session broke off")?;
    Ok(Code::Success)
}

/// The API of a server.
struct Remote(Client);

impl Api for Remote {
    async fn call(&self, origin: Origin<'_>, call: Call) -> Result<Value, Refusal> {
        let verb = match call.verb {
            Verb::Get => longhaul_client::Verb::Get,
            Verb::Post => longhaul_client::Verb::Post,
            Verb::Patch => longhaul_client::Verb::Patch,
            Verb::Delete => longhaul_client::Verb::Delete,
        };
        let call = AnyCall {
            verb,
            path: [vec!["v1".to_owned()], call.path].concat(),
            query: call.query.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            body: call.body,
            idempotency_key: call.key,
            agent: Some(origin.agent.to_owned()),
            wait: call.wait,
        };
        self.0.call(&call).await.map_err(refusal)
    }
}

fn refusal(error: ClientError) -> Refusal {
    match error {
        ClientError::Refused { error, .. } => Refusal {
            code: error.error_code.clone(),
            message: error.message.clone(),
            remediation: error.remediation_message.clone(),
            details: error.nested_errors.iter().map(|nested| nested.message.clone()).collect(),
        },
        other => Refusal::of("UNREACHABLE", other.to_string()),
    }
}
