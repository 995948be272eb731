//! A call that is repeated as it is until the server answers. What a repeated call reports is recorded once.

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Broken, Transport, Verb};
use crate::error::WorkerError;
use crate::identity::jittered;
use crate::wire::Refusal;

/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest one that we choose ourselves.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The longest one that a server may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(600);

/// Final failure of a call.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The server says no to this very call.
    Refused { status: u16, refusal: Refusal },
    /// The server says no to this worker, or is none.
    Ended(WorkerError),
    /// The caller no longer needs the answer.
    GivenUp,
}

impl Transport {
    /// Makes a call until it is answered. `limit` is how long an answer may take, `longest` the longest pause
    /// between two tries; `given_up` ends the pauses, never a call that is under way.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        verb: Verb,
        body: Bytes,
        limit: Duration,
        longest: Duration,
        given_up: &CancellationToken,
    ) -> Result<T, Unanswered> {
        self.call_until(verb, body, limit, longest, given_up, |_| Ok(())).await
    }

    /// As [`Transport::call`], until the answer also passes a check. The error says what the answer lacks:
    /// whoever made it, the call has not been answered.
    pub(crate) async fn call_until<T: DeserializeOwned>(
        &self,
        verb: Verb,
        body: Bytes,
        limit: Duration,
        longest: Duration,
        given_up: &CancellationToken,
        complete: impl Fn(&T) -> Result<(), String>,
    ) -> Result<T, Unanswered> {
        let mut pause = FIRST_PAUSE;
        loop {
            let (reason, retry_after, is_down) = match self.once(verb, &body, limit).await {
                Ok(answer) => {
                    let read = serde_json::from_slice(&answer).map_err(|e| e.to_string());
                    match read.and_then(|answer| complete(&answer).map(|()| answer)) {
                        Ok(answer) => {
                            self.answered();
                            return Ok(answer);
                        }
                        // A proxy's page, perhaps while the server is away.
                        Err(reason) => (format!("its answer is not understood: {reason}"), None, false),
                    }
                }
                Err(Broken::Refused { status, refusal }) => {
                    self.answered();
                    return Err(self.refused(status, refusal));
                }
                Err(Broken::Untrusted(reason)) if !self.reach.was_ever() => {
                    let server = self.server().to_owned();
                    return Err(Unanswered::Ended(WorkerError::Untrusted { server, reason }));
                }
                Err(Broken::Untrusted(reason) | Broken::Unreachable(reason)) => (reason, None, true),
                Err(Broken::Busy { reason, retry_after }) => (reason, retry_after, false),
            };
            tracing::debug!(server = self.server(), call = verb.name(), reason, "a call is repeated");
            self.reach.failed(&reason).map_err(Unanswered::Ended)?;
            // Those who were told the same do not all come back at the same moment.
            let asked = retry_after.map(|asked| asked.min(LONGEST_ASKED) + jittered(FIRST_PAUSE));
            let wait = asked.unwrap_or_else(|| jittered(pause.min(longest)));
            tokio::select! {
                () = sleep(wait) => {}
                // Another call got through: no reason to wait any longer.
                () = self.back.notified(), if is_down => {}
                () = given_up.cancelled() => return Err(Unanswered::GivenUp),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Notes that the server is there.
    fn answered(&self) {
        if self.reach.answered() {
            self.back.notify_waiters();
        }
    }

    fn refused(&self, status: u16, refusal: Refusal) -> Unanswered {
        if !matches!(status, 401 | 403) {
            return Unanswered::Refused { status, refusal };
        }
        let Refusal { error_code: code, message, remediation_message: remediation } = refusal;
        let server = self.server().to_owned();
        Unanswered::Ended(WorkerError::Unauthorized { server, status, code, message, remediation })
    }
}
