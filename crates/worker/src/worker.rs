//! A worker: made by its builder, then run until it is told to stop.

mod builder;

use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::desk::{Desk, Orders};
use crate::error::WorkerError;
use crate::panic;

pub use builder::WorkerBuilder;

/// A worker that can be run.
pub struct Worker {
    orders: Orders,
}

impl Worker {
    /// A worker to be, of the server at an address such as `https://longhaul.example.com:8443`, with an API
    /// key of an account of role `WORKER`.
    pub fn builder(url: impl Into<String>, api_key: impl Into<String>) -> WorkerBuilder {
        WorkerBuilder::new(url.into(), api_key.into())
    }

    pub(crate) fn of(orders: Orders) -> Self {
        Worker { orders }
    }

    /// The name of this worker, as `longhaul worker list` shows it.
    pub fn name(&self) -> &str {
        &self.orders.worker
    }

    /// Works until `shutdown` is ready, and then ends in order: it takes nothing more, what runs may end
    /// within the grace, what does not is asked to stop and reported as failed, to be tried again.
    ///
    /// Handlers run as tasks of the calling runtime. What is said to the server is said from a thread of its
    /// own, so that a handler that blocks costs no lease. When the future is dropped, handlers are broken
    /// off, and their leases expire.
    ///
    /// # Errors
    ///
    /// The server refuses this worker ([`WorkerError::Unauthorized`], [`WorkerError::Refused`],
    /// [`WorkerError::Untrusted`]), or not every report could be sent before the end
    /// ([`WorkerError::Unreported`]). A server that does not answer is no error: calls are repeated.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), WorkerError> {
        panic::note_places();
        let (stop, gone) = (CancellationToken::new(), CancellationToken::new());
        // Whatever way this ends, the thread does, too.
        let _gone = gone.clone().drop_guard();
        let desk = Desk::new(self.orders, Handle::current(), stop.clone());
        let (reply, ended) = oneshot::channel();
        let at_desk = async move {
            tokio::select! {
                ended = desk.run() => drop(reply.send(ended)),
                () = gone.cancelled() => {}
            }
        };
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| WorkerError::setup("the worker's thread", e.to_string()))?;
        thread::Builder::new()
            .name("longhaul-worker".to_owned())
            .spawn(move || runtime.block_on(at_desk))
            .map_err(|e| WorkerError::setup("the worker's thread", e.to_string()))?;
        let shutdown = async move {
            shutdown.await;
            stop.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = ended => ended.unwrap_or(Err(WorkerError::Broken)),
            () = shutdown => Err(WorkerError::Broken),
        }
    }
}
