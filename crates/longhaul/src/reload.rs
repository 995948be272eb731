//! Change of settings while the server runs, at a SIGHUP. A configuration is applied as a whole or not at
//! all: one with a mistake changes nothing. Settings that are fixed at the start are named.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use longhaul_engine::Engine;
use longhaul_model::workflow::Definition;
use longhaul_server::{Certificate, Controls};

use crate::cli::ServeArgs;
use crate::cmd::Linted;
use crate::config::{Config, Fixed};
use crate::descriptors;
use crate::log;
use crate::out::style::Palette;
use crate::start::put_workflows;

/// Parts of a running server that a reload can change.
pub(crate) struct Running {
    pub(crate) args: ServeArgs,
    /// Settings that the server was started with.
    pub(crate) fixed: Fixed,
    /// Limit of open files.
    pub(crate) files: u64,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) controls: Controls,
    pub(crate) engine: Engine,
}

/// Times of a stop.
#[derive(Clone, Copy)]
pub(crate) struct Stopping {
    /// Current value of [`Config::shutdown_grace`].
    pub(crate) grace: Duration,
    /// Current value of [`Config::shutdown_delay`].
    pub(crate) delay: Duration,
}

impl Stopping {
    pub(crate) fn of(config: &Config) -> Stopping {
        Stopping { grace: config.shutdown_grace, delay: config.shutdown_delay }
    }
}

impl Running {
    /// Reads the configuration again, and changes the settings that can change. Returns the new times of a
    /// stop; `None` if nothing was changed.
    pub(crate) async fn reload(&self) -> Option<Stopping> {
        match self.read().await {
            Ok((config, workflows)) => {
                self.apply(&config, workflows).await;
                Some(Stopping::of(&config))
            }
            Err(e) => {
                tracing::error!("SIGHUP: nothing was changed, as there are mistakes");
                // A line each: line breaks within a message are escaped.
                for line in format!("{e:#}").lines().filter(|line| !line.trim().is_empty()) {
                    tracing::error!("SIGHUP: {line}");
                }
                None
            }
        }
    }

    /// Reads everything that may have changed. The certificate is last, as it is replaced at once.
    async fn read(&self) -> anyhow::Result<(Config, Vec<(String, Definition)>)> {
        let args = self.args.clone();
        let read = move || {
            let config = Config::load_again(args)?;
            let workflows = config.workflows.as_ref().map(workflows).transpose()?.unwrap_or_default();
            anyhow::Ok((config, workflows))
        };
        let read = tokio::task::spawn_blocking(read).await??;
        if let Some(certificate) = &self.certificate {
            let kept = |e| anyhow!("{e}; the old certificate stays");
            certificate.reload().await.map_err(kept)?;
        }
        Ok(read)
    }

    async fn apply(&self, config: &Config, workflows: Vec<(String, Definition)>) {
        if let Err(e) = log::change(config.log_format, &config.log_level) {
            tracing::error!(error = %e, "SIGHUP: the log stays as it is");
        }
        let mut limits = config.limits.clone();
        if descriptors::fit(&mut limits, self.files) {
            descriptors::warn(self.files, &limits);
        }
        self.controls.change(&config.wire.clone().into(), &limits);
        self.engine.bound_workers(config.engine.workers);
        if let Err((origin, e)) = put_workflows(&self.engine, workflows).await {
            tracing::error!(file = origin, error = %e, "SIGHUP: this workflow and those after it were not stored");
        }
        if let Some(certificate) = &self.certificate {
            tracing::info!(certificate = %certificate.path().display(), "SIGHUP: the certificate was read again");
        }
        let differences = self.fixed.differences(&config.fixed());
        if !differences.is_empty() {
            tracing::warn!(
                settings = differences.join(", "),
                "SIGHUP: these settings were changed and count from the next start on"
            );
        }
        tracing::info!("SIGHUP: the configuration was read again");
    }
}

impl Running {
    /// Logs how the server is.
    pub(crate) fn log_status(&self) {
        let (line, health) = (self.engine.line(), self.engine.store_health());
        let queues = self.engine.queues();
        tracing::info!(
            ready = self.engine.is_ready(),
            draining = self.engine.is_draining(),
            paused = self.engine.is_paused(),
            trouble = health.trouble.as_ref().map_or("none", |trouble| trouble.code()),
            oldest_write_ms = health.oldest_wait.as_millis(),
            actions_running = line.running,
            actions_waiting = line.waiting,
            workers = self.engine.worker_count(),
            queued_for_workers = queues.iter().map(|queue| queue.waiting).sum::<usize>(),
            held_by_workers = queues.iter().map(|queue| queue.running).sum::<usize>(),
            open_files = descriptors::open(),
            files = self.files,
            "status, as a signal asked for it"
        );
    }
}

/// Reads the workflows of a folder; any mistake is an error.
fn workflows(folder: &PathBuf) -> anyhow::Result<Vec<(String, Definition)>> {
    let linted = Linted::read(std::slice::from_ref(folder), Palette::plain());
    match linted.errors {
        0 => Ok(linted.definitions),
        _ => Err(anyhow!("{}\n{}: {}", linted.report.trim_end(), folder.display(), linted.summary())),
    }
}
