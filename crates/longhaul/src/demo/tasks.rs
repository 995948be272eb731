//! Tasks of every outcome, started over the API as anybody would. Each has an idempotency key, so that a
//! second start finds those that the first one made.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::anyhow;
use longhaul_client::{Client, ClientError, Phase, Read, StartTask, TaskBody};
use serde_json::{Value, json};
use tokio::time::sleep;

/// The documented examples of the Tasks API.
const EXAMPLES: [&str; 2] =
    [include_str!("../../fixtures/tasks.json"), include_str!("../../fixtures/task.json")];
/// ID of an imported example task.
pub(super) const EXAMPLE: &str = "2d6b764b-9e7d-4ce2-99f3-39f33d71ee36";
/// Longest wait for one change.
const PATIENCE: Duration = Duration::from_secs(20);

/// The ids that the tips speak of.
pub(super) struct Shown {
    /// Failed, can be retried.
    pub(super) failed: String,
    /// ID of a task that waits for a verdict, as its outcome is unknown.
    pub(super) parked: String,
    /// Running for a while.
    pub(super) running: String,
    /// Waits for a timer.
    pub(super) waiting: String,
}

/// Imports the examples and starts the tasks.
pub(super) async fn fill(client: &Client, inventory: SocketAddr) -> anyhow::Result<Shown> {
    for example in EXAMPLES {
        client.import_tasks(example.as_bytes().to_vec()).await?;
    }
    let demo = Filler { client };
    let report = json!({ "inventory": format!("http://{inventory}") });
    let with = |more: Value| merged(&report, more);
    let quick = json!({ "status": "ENABLE", "pace": "300ms" });
    let account = |kind: &str| json!({ "fqdn": "sfo-vcf01.rainpole.io", "credentialType": kind });

    // Skipped by its condition, pending until its time, successful, and successful with real work.
    demo.start(
        "skipped",
        "rotate-credential",
        merged(&account("AUDIT"), json!({ "managedElsewhere": true })),
    )
    .await?;
    demo.later("pending", "enable-ceip", quick.clone(), "2040-01-01T00:00:00.000Z").await?;
    demo.start("successful", "rotate-credential", account("FTP")).await?;
    demo.start("report", "host-health-report", with(json!({}))).await?;
    // Goes on for a while: simulated work, and a timer.
    let running =
        demo.open("running", "create-domain", json!({ "domain": "sfo-w02", "pace": "10m" })).await?;
    let waiting = demo
        .open("waiting", "host-health-report", with(json!({ "settle": "1h", "comment": "an hour later" })))
        .await?;
    // Takes longer than its timeout and must not be repeated: somebody has to say what became of it.
    let parked = demo
        .open("parked", "rotate-credential", merged(&account("SSH"), json!({ "duration": "1m" })))
        .await?;
    let at_hosts = merged(&quick, json!({ "failAt": "UpdateCeipForEsxiAction" }));
    let failed = demo.open("failed", "enable-ceip", at_hosts).await?;
    let cancelled =
        demo.start("cancelled", "create-domain", json!({ "domain": "sfo-w03", "pace": "10m" })).await?;
    let at_nsx = merged(&quick, json!({ "failAt": "UpdateCeipOnNsxTAction" }));
    let resolved = demo.start("resolved", "enable-ceip", at_nsx).await?;
    let validation =
        json!({ "domain": "sfo-w01", "pace": "300ms", "failAt": "HostMaintenanceModeValidationAction" });
    let warned = demo.start("warned", "create-domain", validation).await?;

    // Decisions of operators; after a restart they have been made already.
    if cancelled.fresh {
        client.cancel_task(&cancelled.id).await?;
    }
    if resolved.fresh {
        demo.until(&resolved.id, |task| task.phase() == Phase::Failed).await?;
        client.retry_task(&resolved.id).await?;
    }
    if warned.fresh {
        demo.until(&warned.id, |task| task.phase() == Phase::Failed).await?;
        let reason = "the host leaves maintenance mode tonight, CHG0042";
        client.skip_sub_task(&warned.id, "HostMaintenanceModeValidationAction", reason).await?;
    }
    for task in [&resolved, &warned, &failed] {
        demo.until(&task.id, |task| task.phase().has_ended()).await?;
    }
    Ok(Shown { failed: failed.id, parked: parked.id, running: running.id, waiting: waiting.id })
}

/// The members of both, the second's over the first's.
fn merged(base: &Value, more: Value) -> Value {
    let mut all = base.clone();
    if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
        all.extend(more);
    }
    all
}

struct Filler<'a> {
    client: &'a Client,
}

/// Task, and true if this start made it.
struct Made {
    id: String,
    fresh: bool,
}

impl Filler<'_> {
    async fn start(&self, key: &str, workflow: &str, input: Value) -> anyhow::Result<Made> {
        self.submit(key, StartTask { workflow: workflow.to_owned(), input, ..StartTask::default() }).await
    }

    /// Finds or starts the task that the tips speak of: a new one where somebody has dealt with those of
    /// earlier starts.
    async fn open(&self, key: &str, workflow: &str, input: Value) -> anyhow::Result<Made> {
        for n in 1.. {
            let key = if n == 1 { key.to_owned() } else { format!("{key}-{n}") };
            let made = self.start(&key, workflow, input.clone()).await?;
            if made.fresh {
                return Ok(made);
            }
            let task = self.client.get_task(&made.id, &Read::default()).await?;
            let task: TaskBody = serde_json::from_value(task)?;
            // A task that was retried is running again, and soon as complete as the ended ones.
            let going = !task.phase().has_ended() && task.attempt.unwrap_or(1) == 1;
            if task.phase() == Phase::Failed || going {
                return Ok(made);
            }
        }
        Err(anyhow!("there are too many tasks {key}"))
    }

    async fn later(&self, key: &str, workflow: &str, input: Value, at: &str) -> anyhow::Result<Made> {
        let start = StartTask {
            workflow: workflow.to_owned(),
            input,
            not_before: Some(at.to_owned()),
            ..StartTask::default()
        };
        self.submit(key, start).await
    }

    async fn submit(&self, key: &str, start: StartTask) -> anyhow::Result<Made> {
        let mut start = StartTask { idempotency_key: Some(format!("demo-{key}")), ..start };
        start.labels.insert("demo".to_owned(), key.to_owned());
        let started = match self.client.start_task(&start).await {
            // The inventory has moved to another port since: another request, so another key.
            Err(ClientError::Refused { status: 422, .. }) => {
                start.idempotency_key = Some(format!("demo-{key}-{}", start.input));
                self.client.start_task(&start).await?
            }
            other => other?,
        };
        let task: TaskBody = serde_json::from_value(started.task)?;
        Ok(Made { id: task.id, fresh: !started.replayed })
    }

    async fn until(&self, id: &str, reached: impl Fn(&TaskBody) -> bool) -> anyhow::Result<()> {
        const PAUSE: Duration = Duration::from_millis(50);
        for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
            let task: TaskBody = serde_json::from_value(self.client.get_task(id, &Read::default()).await?)?;
            if reached(&task) {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
        Err(anyhow!("task {id} is not where it should be after {} s", PATIENCE.as_secs()))
    }
}
