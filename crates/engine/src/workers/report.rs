//! What a worker reports, and what it takes next, in one durable change.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use longhaul_model::{Command, Failure, Refused, Unfit, WorkerId, value};
use longhaul_store::{StoreError, Work};
use serde_json::Value;

use super::lease::{Ask, Assigned};
use super::name::LeaseName;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::logs::LogLine;
use crate::secrets::Redactor;

/// What a worker says of one of its attempts.
#[derive(Clone, Debug)]
pub struct WorkerReport {
    /// Of which.
    pub lease: LeaseName,
    /// What came of it.
    pub ending: Ending,
    /// The last lines of its log.
    pub log: Vec<LogLine>,
}

/// How an attempt ended at a worker.
#[derive(Clone, Debug)]
pub enum Ending {
    /// It succeeded.
    Completed {
        /// What it gave.
        output: Option<Value>,
    },
    /// It did not.
    Failed(Failure),
    /// It was not begun.
    Released,
}

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is durable, now or since before.
    Yes,
    /// The lease is not this worker's live one: nothing changed.
    Lost,
    /// The output has so many bytes, which is too many: nothing changed, and the lease lives.
    TooLarge(usize),
}

impl Engine {
    /// Records a worker's reports and leases to it what it asks for next. After Ok every report that was not refused is
    /// durable; the same call again records nothing twice.
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
        let mut recorded = vec![Recorded::Lost; reports.len()];
        let (mut work, mut places) = (Work::default(), Vec::with_capacity(reports.len()));
        let terms = next.as_ref().map(|ask| ask.terms(&workers));
        let mut redactors = HashMap::new();
        for (place, report) in reports.into_iter().enumerate() {
            if let Ending::Completed { output: Some(output) } = &report.ending
                && let Err(Unfit::TooLarge(size)) = value::check_output(output)
            {
                recorded[place] = Recorded::TooLarge(size);
                continue;
            }
            let redactor = self.redactor(&mut redactors, &worker, report.lease)?;
            let (id, sub_task, token) = report.lease.key;
            self.log(report.lease, &worker, report.log, redactor).await;
            let by = Some(worker.clone());
            let command = match without_secrets(report.ending, redactor) {
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
                // What one does not have need not be given back: so the call may be repeated.
                Err(StoreError::Refused(Refused::Stale)) if given_back => Recorded::Yes,
                Err(_) => Recorded::Lost,
            };
        }
        let assigned = match next.zip(call) {
            Some((ask, call)) if leases.is_empty() => self.lease_for(ask, &call).await?,
            _ => Assigned { leases, draining: !self.is_ready(), ..Assigned::default() },
        };
        Ok((recorded, assigned))
    }

    /// What takes a task's secrets out of what a worker says of it; `None` where it has seen none.
    pub(super) fn redactor<'a>(
        &self,
        known: &'a mut HashMap<longhaul_model::TaskId, Redactor>,
        worker: &WorkerId,
        lease: LeaseName,
    ) -> Result<Option<&'a Redactor>, EngineError> {
        let (id, sub_task, _) = lease.key;
        // Of a lease that ended the task itself tells: the same report again must be told from another one.
        if self.inner.dispatcher.workers().knows_secrets(&lease.key, worker) == Some(false) {
            return Ok(None);
        }
        if let Entry::Vacant(place) = known.entry(id) {
            match self.inner.dispatcher.redactor(id, sub_task) {
                Ok(Some(redactor)) => drop(place.insert(redactor)),
                Ok(None) | Err(StoreError::NotFound) => return Ok(None),
                Err(e) => return Err(Engine::wrong(id, e)),
            }
        }
        Ok(known.get(&id))
    }
}

fn without_secrets(ending: Ending, redactor: Option<&Redactor>) -> Ending {
    let Some(redactor) = redactor else { return ending };
    match ending {
        Ending::Completed { output } => {
            Ending::Completed { output: output.map(|output| redactor.value(output)) }
        }
        Ending::Failed(failure) => Ending::Failed(redactor.failure(failure)),
        Ending::Released => Ending::Released,
    }
}

impl super::Workers {
    /// What waits for a worker that reports and asks for more.
    fn taken_for(&self, ask: &Ask) -> Vec<super::queue::Taken> {
        self.state.lock().take(&ask.queues, ask.max, tokio::time::Instant::now())
    }

    /// Notes that a worker asks for more work; false if its account asks too many queues.
    fn may_ask(&self, ask: &Ask, wall: longhaul_model::Timestamp) -> bool {
        self.state.lock().seen.asked(&ask.worker, &ask.queues, wall).is_ok()
    }
}
