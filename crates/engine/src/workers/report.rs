//! Reports of workers, and the attempts that they take next, in one durable change.

use std::sync::Arc;

use longhaul_model::{Command, Failure, Refused, Unfit, WorkerId, value};
use longhaul_store::{StoreError, Work};
use serde_json::Value;

use super::Workers;
use super::lease::{Ask, Assigned};
use super::name::LeaseName;
use super::short::SLICE;
use super::texts;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::logs::LogLine;
use crate::secrets::Redactor;

/// Report of a worker on one of its attempts.
#[derive(Clone, Debug)]
pub struct WorkerReport {
    /// Lease of the attempt.
    pub lease: LeaseName,
    /// Result of the attempt.
    pub ending: Ending,
    /// Last lines of the attempt's log.
    pub log: Vec<LogLine>,
}

/// Result of an attempt at a worker.
#[derive(Clone, Debug)]
pub enum Ending {
    /// The attempt succeeded.
    Completed {
        /// Output of the attempt.
        output: Option<Value>,
    },
    /// The attempt failed.
    Failed(Failure),
    /// The attempt was never begun.
    Released,
}

/// Outcome of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// The report is durable, now or since before.
    Yes,
    /// The lease is not this worker's live one: nothing changed.
    Lost,
    /// The output has this many bytes as it would be stored, without secrets, which is too many: nothing
    /// changed, and the lease lives.
    TooLarge(usize),
    /// The task cannot be read, so its secrets are not known: nothing of the report is kept, and the task
    /// waits for an operator. The text says why.
    Unreadable(String),
}

impl Engine {
    /// Records a worker's reports and leases it the sub-tasks that it asks for next. After Ok every report
    /// that was not refused is durable; a repeated call records nothing twice.
    pub async fn report(
        &self,
        worker: WorkerId,
        reports: Vec<WorkerReport>,
        next: Option<Ask>,
    ) -> Result<(Vec<Recorded>, Assigned), EngineError> {
        let workers = self.inner.dispatcher.workers().clone();
        // Reports count whether or not there may be more work.
        let next = next.filter(|ask| self.is_ready() && workers.may_ask(ask, self.inner.env.now()));
        self.recover_leases(reports.iter().map(|report| report.lease)).await?;
        let in_flight = InFlightReports::begin(&workers, &worker, &reports);
        let mut recorded = vec![Recorded::Lost; reports.len()];
        let (mut work, mut places) = (Work::default(), Vec::with_capacity(reports.len()));
        let terms = next.as_ref().map(|ask| ask.terms(&workers));
        for (place, report) in reports.into_iter().enumerate() {
            let redactor = match self.redactor(&worker, report.lease) {
                Ok(redactor) => redactor,
                Err(EngineError::NoTask(_)) => continue,
                // The other reports count all the same.
                Err(EngineError::Unreadable { id, why }) => {
                    tracing::error!(task.id = %id, error = why, "a report is not kept: its task cannot be read");
                    recorded[place] = Recorded::Unreadable(why);
                    continue;
                }
                Err(e) => return Err(e),
            };
            let ending = storable(report.ending, redactor.as_deref());
            // Judged as it will be stored: what stands in the place of a secret may be longer than that.
            if let Ending::Completed { output: Some(output) } = &ending
                && let Err(Unfit::TooLarge(size)) = value::check_output(output)
            {
                recorded[place] = Recorded::TooLarge(size);
                continue;
            }
            let (id, sub_task, token) = report.lease.key;
            self.log(report.lease, &worker, report.log, redactor.as_deref()).await;
            let by = Some(worker.clone());
            let command = match ending {
                Ending::Completed { output } => {
                    Command::Complete { sub_task, token, output, by, next: terms.clone() }
                }
                Ending::Failed(failure) => Command::Fail { sub_task, token, failure, by },
                Ending::Released => Command::HandBack { sub_task, token, by },
            };
            places.push((place, matches!(command, Command::HandBack { .. })));
            work.reports.push((id, command));
        }
        let call = match &next {
            Some(ask) => Some(workers.calls.enter(ask).await),
            None => None,
        };
        let (done, leases) = match next.as_ref().zip(call.as_ref()) {
            None => (self.inner.store.work(work).await.map_err(EngineError::Store)?, Vec::new()),
            Some((ask, call)) => {
                work.again = workers.given_before(ask);
                let again = !work.again.is_empty() || call.is_over();
                let taken = if again { Vec::new() } else { workers.taken_for(ask) };
                self.lease_taken(ask, call, work, taken).await?
            }
        };
        for ((place, given_back), done) in places.into_iter().zip(done.reports) {
            recorded[place] = match done {
                Ok(()) | Err(StoreError::Refused(Refused::Repeated)) => Recorded::Yes,
                // A lease that one does not have need not be given back: so the call may be repeated.
                Err(StoreError::Refused(Refused::Stale)) if given_back => Recorded::Yes,
                Err(_) => Recorded::Lost,
            };
        }
        drop(in_flight);
        let assigned = match next.zip(call) {
            Some((ask, call)) if leases.is_empty() => self.lease_for(ask, &call).await?,
            _ => Assigned { leases, draining: !self.is_ready(), ..Assigned::default() },
        };
        Ok((recorded, assigned))
    }

    /// Returns the redactor of a task's secrets for what a worker says; `None` if the task has none. After an
    /// error nothing of that may be kept.
    pub(super) fn redactor(
        &self,
        worker: &WorkerId,
        lease: LeaseName,
    ) -> Result<Option<Arc<Redactor>>, EngineError> {
        // The task itself knows about a lease that ended: the same report sent again must be told from
        // another one.
        let knows = self.inner.dispatcher.workers().knows_secrets(&lease.key, worker);
        if knows == Some(false) {
            return Ok(None);
        }
        let redactor = self.inner.dispatcher.redactor(&lease.key, knows.is_some());
        redactor.map_err(|e| Engine::wrong(lease.key.0, e))
    }
}

/// Reports that are being judged: their leases do not end by themselves until this is dropped.
struct InFlightReports {
    workers: Arc<Workers>,
    worker: WorkerId,
    leases: Vec<LeaseName>,
}

impl InFlightReports {
    fn begin(workers: &Arc<Workers>, worker: &WorkerId, reports: &[WorkerReport]) -> InFlightReports {
        let leases = reports.iter().map(|report| report.lease).collect();
        let in_flight = InFlightReports { workers: workers.clone(), worker: worker.clone(), leases };
        in_flight.mark(true);
        in_flight
    }

    fn mark(&self, arrived: bool) {
        for slice in self.leases.chunks(SLICE) {
            let mut state = self.workers.state.lock();
            slice.iter().for_each(|lease| state.leases.reporting(&lease.key, &self.worker, arrived));
        }
    }
}

impl Drop for InFlightReports {
    fn drop(&mut self) {
        self.mark(false);
    }
}

/// Converts a result into the form that is stored: without secrets, and only then cut to the size that is
/// kept.
fn storable(ending: Ending, redactor: Option<&Redactor>) -> Ending {
    match (ending, redactor) {
        (Ending::Completed { output }, Some(redactor)) => {
            Ending::Completed { output: output.map(|output| redactor.value(output)) }
        }
        (Ending::Failed(failure), Some(redactor)) => {
            Ending::Failed(texts::kept_failure(redactor.failure(failure)))
        }
        (Ending::Failed(failure), None) => Ending::Failed(texts::kept_failure(failure)),
        (ending @ (Ending::Completed { .. } | Ending::Released), _) => ending,
    }
}

impl super::Workers {
    /// Takes waiting sub-tasks for a worker that reports and asks for more.
    fn taken_for(&self, ask: &Ask) -> Vec<super::queue::Taken> {
        self.state.lock().take(&ask.queues, ask.max, tokio::time::Instant::now())
    }

    /// Notes that a worker asks for more work; returns false if its account asks too many queues.
    fn may_ask(&self, ask: &Ask, wall: longhaul_model::Timestamp) -> bool {
        self.state.lock().seen.asked(&ask.worker, &ask.queues, ask.how(), wall).is_ok()
    }
}
