//! `workflow`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Subcommands of `workflow`.
#[derive(Debug, Subcommand)]
pub(crate) enum WorkflowCommand {
    /// Check workflow files, without a server
    Lint(LintArgs),
    /// Check workflow files and store them on the server
    Apply(ApplyArgs),
    /// List workflows
    #[command(visible_alias = "ls")]
    List,
    /// Show the input of a workflow, and a command that starts it
    #[command(after_help = "\
The example is an input that the workflow's schema accepts; put your own values into it.

Example:
  longhaul workflow show enable-ceip")]
    Show {
        /// Name of the workflow
        #[arg(add = crate::complete::workflows())]
        name: String,
        /// Version of the workflow [default: the newest]
        #[arg(long, value_name = "N")]
        version: Option<u32>,
    },
    /// Print the definition of a workflow
    Get {
        /// Name of the workflow
        #[arg(add = crate::complete::workflows())]
        name: String,
        /// Version of the workflow [default: the newest]
        #[arg(long, value_name = "N")]
        version: Option<u32>,
    },
    /// Remove a workflow from the list; its tasks continue
    Delete {
        /// Name of the workflow
        #[arg(add = crate::complete::workflows())]
        name: String,
    },
    /// Print the JSON Schema of workflow files
    #[command(after_help = "\
Editors complete and check from it. With the YAML language server, begin a file with
  # yaml-language-server: $schema=workflow.schema.json

Example:
  longhaul workflow schema > workflow.schema.json")]
    Schema,
}

/// `workflow lint`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every mistake is printed as file:line:column, with the line and what to write instead. The exit code is 1 if there is \
any; warnings count only with --strict.

Examples:
  longhaul workflow lint workflows/
  longhaul workflow lint --strict create-domain.yaml rotate-credential.yaml")]
pub(crate) struct LintArgs {
    /// Files, and folders of .yaml, .yml and .json files
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Treat warnings as mistakes
    #[arg(long)]
    pub(crate) strict: bool,
}

/// `workflow apply`.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is stored unless every file is without mistakes. A file that says what the newest version says makes no new one.

Example:
  longhaul workflow apply workflows/")]
pub(crate) struct ApplyArgs {
    /// Files, and folders of .yaml, .yml and .json files
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}
