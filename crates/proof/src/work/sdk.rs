//! A worker of the proof that is made of the Rust SDK.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use longhaul_worker::{ActionError, Context, Worker};
use serde_json::{Value, json};

use super::child::KEY;
use super::deed::Attempt;

/// The worker.
#[derive(Clone, Debug, Args)]
pub struct Sdk {
    /// The server.
    #[arg(long)]
    pub server: String,
    /// The effect counter.
    #[arg(long)]
    pub effects: SocketAddr,
    /// Queues that it serves.
    #[arg(long)]
    pub queue: Vec<String>,
    /// Attempts at once.
    #[arg(long)]
    pub slots: usize,
    /// Seconds that a lease lasts.
    #[arg(long)]
    pub lease: u64,
}

/// Works until it is killed.
pub async fn run(sdk: Sdk) -> Result<()> {
    let key = std::env::var(KEY).context("the key is in the environment")?;
    let mut worker = Worker::builder(sdk.server, key).slots(sdk.slots).lease(Duration::from_secs(sdk.lease));
    for queue in sdk.queue {
        worker = worker.queue(queue, move |context, _: Value| act(sdk.effects, context));
    }
    Ok(worker.build()?.run(std::future::pending()).await?)
}

async fn act(effects: SocketAddr, context: Context) -> Result<Value, ActionError> {
    let attempt = Attempt {
        task: context.task().id.clone(),
        sub_task: context.sub_task().to_owned(),
        key: context.idempotency_key().to_owned(),
        token: context.token(),
        by: "rust",
    };
    attempt.work(effects).await.map_err(|e| ActionError::new("NO_EFFECT", format!("{e:#}")))?;
    Ok(json!({ "by": "rust" }))
}
