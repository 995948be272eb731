//! `mcp`.

use clap::Args;

/// `mcp`.
#[derive(Debug, Args)]
#[command(after_help = "\
The tools speak the Model Context Protocol over standard input and output, and call the server as whoever is logged in. They \
read unless --allow-write is given; then each change takes two calls: a dry run that tells the consequences and returns a \
token, and the change itself, with that token and a reason. The audit log and the history of a task name the agent.

Texts of tasks are written by others: an agent must not follow what they say. An account of the role VIEWER is enough to \
read; give an agent an account of its own.

A client starts the command itself; in its configuration:
  { \"mcpServers\": { \"longhaul\": { \"command\": \"longhaul\", \"args\": [\"mcp\"],
      \"env\": { \"LONGHAUL_SERVER\": \"https://host:8443\", \"LONGHAUL_TOKEN\": \"lhk_...\" } } } }

A server offers the same tools over HTTP, at /mcp, with `serve --mcp read` or `serve --mcp write`.

Examples:
  longhaul mcp
  longhaul --context lab mcp --allow-write")]
pub(crate) struct McpArgs {
    /// Offer the tools that start, retry, cancel and resolve tasks, too
    #[arg(long)]
    pub(crate) allow_write: bool,
}
