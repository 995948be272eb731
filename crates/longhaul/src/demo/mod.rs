//! `serve --demo`: the shipped workflows, a service for the one that does real work, tasks of every outcome,
//! and suggestions what to try next. A second start on the same data makes nothing twice.

mod account;
mod inventory;
mod reach;
mod tasks;
mod tips;

use std::net::SocketAddr;

use anyhow::{Context as _, anyhow};
use longhaul_model::workflow::Definition;

use crate::config::Config;
use crate::file;
use crate::out::Out;
pub(crate) use account::api_key;
pub(crate) use reach::Reach;

/// The shipped workflows: file name and text.
pub(crate) const WORKFLOWS: [(&str, &str); 6] = [
    ("enable-ceip.yaml", include_str!("../../../../workflows/sddc-manager/enable-ceip.yaml")),
    ("rotate-credential.yaml", include_str!("../../../../workflows/rotate-credential.yaml")),
    ("rotate-passwords.yaml", include_str!("../../../../workflows/sddc-manager/rotate-passwords.yaml")),
    ("update-passwords.yaml", include_str!("../../../../workflows/sddc-manager/update-passwords.yaml")),
    ("create-domain.yaml", include_str!("../../../../workflows/create-domain.yaml")),
    ("host-health-report.yaml", include_str!("../../../../workflows/host-health-report.yaml")),
];

/// The program that the shipped workflows run.
const PROGRAM: &str = "/usr/bin/uname";

/// State that must exist before a demonstration's server starts.
pub(crate) struct Demo {
    inventory: SocketAddr,
}

impl Demo {
    /// Starts the inventory service, and allows its address and its one program.
    pub(crate) async fn prepare(config: &mut Config) -> anyhow::Result<Demo> {
        let inventory =
            inventory::start(&config.data_dir).await.context("the demonstration's inventory service")?;
        config.engine.http.allow.push(inventory.to_string());
        config.engine.command.allow.push(PROGRAM.into());
        Ok(Demo { inventory })
    }

    /// Starts the tasks and prints the suggestions. Failures are reported and stop nothing.
    pub(crate) async fn run(self, reach: Reach, out: Out) {
        let shown = async {
            let client = reach.client()?;
            let shown = tasks::fill(&client, self.inventory).await?;
            out.text(&tips::text(&reach, self.inventory, &shown, out.palette))?;
            Ok::<_, anyhow::Error>(())
        };
        if let Err(e) = shown.await {
            tracing::error!(error = format!("{e:#}"), "the demonstration is not complete");
        }
    }
}

/// The shipped workflows.
pub(crate) fn workflows() -> anyhow::Result<Vec<(String, Definition)>> {
    let read = |(name, text): (&str, &str)| {
        let checked = file::check(text);
        let definition = checked.definition.ok_or_else(|| anyhow!("{name}: {:?}", checked.findings))?;
        Ok((name.to_owned(), definition))
    };
    WORKFLOWS.into_iter().map(read).collect()
}
