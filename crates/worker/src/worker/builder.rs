//! Settings of a worker: a server, a key, handlers by queue, limits and times.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::action_error::ActionError;
use crate::context::Context;
use crate::desk::Orders;
use crate::error::WorkerError;
use crate::handler::{Handler, handler};
use crate::http::{Transport, Trust};
use crate::identity::{is_plain, name};
use crate::token::{ApiKey, TokenSource};
use crate::wire::MOST_SLOTS;
use crate::worker::Worker;

const USUAL_LEASE: Duration = Duration::from_secs(30);
const SHORTEST_LEASE: Duration = Duration::from_secs(1);
const LONGEST_LEASE: Duration = Duration::from_secs(3600);
const USUAL_GRACE: Duration = Duration::from_secs(10);
const USUAL_CLEANUP: Duration = Duration::from_secs(10);
/// Queues that one worker may ask.
const MOST_QUEUES: usize = 32;

/// A worker to be.
#[must_use = "a builder does nothing until it is built"]
pub struct WorkerBuilder {
    url: String,
    tokens: Arc<dyn TokenSource>,
    trust: Trust,
    prefix: Option<String>,
    handlers: HashMap<String, Handler>,
    /// Handlers in the order given; the first queue names the worker.
    queues: Vec<String>,
    slots: usize,
    lease: Duration,
    grace: Duration,
    cleanup: Duration,
    patience: Option<Duration>,
}

impl WorkerBuilder {
    pub(crate) fn new(url: String, api_key: String) -> Self {
        WorkerBuilder {
            url,
            tokens: Arc::new(ApiKey(api_key)),
            trust: Trust::default(),
            prefix: None,
            handlers: HashMap::new(),
            queues: Vec::new(),
            slots: 1,
            lease: USUAL_LEASE,
            grace: USUAL_GRACE,
            cleanup: USUAL_CLEANUP,
            patience: None,
        }
    }

    /// Does the work of a queue with an async function of context and input. The input is what the workflow's
    /// `input` gives, null where it has none; what is returned is the output of the sub-task, none if it is
    /// `()`.
    ///
    /// Input that is no `I` fails the attempt with `INPUT_INVALID`, and no other attempt is made. A panic
    /// fails the attempt with `HANDLER_PANICKED`. A function that is asked to stop
    /// ([`Context::cancellation`]) and does not return within [`cleanup`](WorkerBuilder::cleanup) is broken
    /// off at its next `await`.
    pub fn queue<I, O, F, Fut>(mut self, queue: impl Into<String>, function: F) -> Self
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize + Send + 'static,
        F: Fn(Context, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, ActionError>> + Send + 'static,
    {
        let queue = queue.into();
        self.handlers.insert(queue.clone(), handler(function));
        self.queues.push(queue);
        self
    }

    /// Sets the number of attempts that run at once, over all queues; 1 unless given, 1,024 at most.
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = slots;
        self
    }

    /// Sets the life of a lease without a heartbeat, `1s` to `1h`, 30 s unless given: after so long a dead
    /// worker's attempts go to another one.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how long running attempts may go on once the worker stops; 10 s unless given.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets how long a handler that is asked to stop may take to return; 10 s unless given. Then it is
    /// dropped.
    pub fn cleanup(mut self, cleanup: Duration) -> Self {
        self.cleanup = cleanup;
        self
    }

    /// Ends the worker once the server has not answered for so long; unless given, the worker waits for ever.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Sets the beginning of the worker's name; the rest is random. The first queue unless given.
    pub fn name(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Trusts the certificates that those of a PEM text vouch for, themselves included, instead of those that
    /// this machine trusts.
    pub fn authority(mut self, pem: Vec<u8>) -> Self {
        self.trust = Trust::Authority(pem);
        self
    }

    /// Trusts whoever answers. What is sent, the key included, may go to anybody who is on the way.
    pub fn insecure(mut self) -> Self {
        self.trust = Trust::Anybody;
        self
    }

    /// Takes tokens from here instead of the API key.
    pub fn tokens(mut self, tokens: impl TokenSource) -> Self {
        self.tokens = Arc::new(tokens);
        self
    }

    /// The worker. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`WorkerError::Setup`] says what cannot be used.
    pub fn build(self) -> Result<Worker, WorkerError> {
        let wrong = |what: &str, reason: &str| Err(WorkerError::setup(what, reason));
        let Some(first) = self.queues.first() else {
            return wrong("the worker", "it has no queue");
        };
        if self.handlers.len() < self.queues.len() {
            return wrong("the worker", "it has two handlers for one queue");
        }
        if self.queues.len() > MOST_QUEUES {
            return wrong("the worker", "it has more than 32 queues");
        }
        if let Some(queue) = self.queues.iter().find(|queue| !is_plain(queue, 100)) {
            let reason = "a queue's name is 1 to 100 letters, digits, `.`, `_` and `-`";
            return wrong(&format!("the queue `{queue}`"), reason);
        }
        let prefix = self.prefix.as_ref().unwrap_or(first);
        if !is_plain(prefix, 160) {
            return wrong("the worker's name", "it is 1 to 160 letters, digits, `.`, `_` and `-`");
        }
        if !(1..=MOST_SLOTS).contains(&self.slots) {
            return wrong("the number of slots", "it is 1 to 1,024");
        }
        if self.lease < SHORTEST_LEASE || self.lease > LONGEST_LEASE {
            return wrong("the lease", "it lasts 1s to 1h");
        }
        let transport = Arc::new(Transport::new(&self.url, &self.trust, self.tokens, self.patience)?);
        let worker =
            name(prefix).map_err(|e| WorkerError::setup("this machine's randomness", e.to_string()))?;
        let (handlers, slots, lease) = (self.handlers, self.slots, self.lease);
        let (grace, cleanup) = (self.grace, self.cleanup);
        let host = crate::identity::host();
        Ok(Worker::of(Orders { transport, worker, host, handlers, slots, lease, grace, cleanup }))
    }
}
