//! State of a connection, shared by its stream and its service: the phase of the current request, and how
//! much of its body was read.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// Phase between two requests.
pub(crate) const IDLE: u8 = 0;
/// Headers are being read, or nothing was ever received.
pub(crate) const HEAD: u8 = 1;
/// A handler has the request. Limits of a body apply where it is read.
pub(crate) const BUSY: u8 = 2;
/// The handler is done; no byte of its answer has been written.
pub(crate) const ANSWERED: u8 = 3;

/// Phase of a connection, which its stream and its service share.
#[derive(Clone)]
pub(crate) struct Phase(Arc<State>);

struct State {
    phase: AtomicU8,
    /// True if the body of the latest request was not read to its end.
    unread: AtomicBool,
    /// Body that a handler dropped before its end.
    rest: Mutex<Option<Incoming>>,
}

/// Longest rest of a body, in bytes, that is read to keep its connection.
const REST: u64 = 64 << 10;
/// Longest wait for that rest: most clients send a small body together with its headers.
const REST_TIME: Duration = Duration::from_millis(100);

impl Phase {
    /// Creates the phase of a connection that has received nothing yet.
    pub(crate) fn new() -> Phase {
        let (phase, unread) = (AtomicU8::new(HEAD), AtomicBool::new(false));
        Phase(Arc::new(State { phase, unread, rest: Mutex::new(None) }))
    }

    /// Returns true while no request is answered.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.get(), IDLE | HEAD)
    }

    /// The headers are complete.
    pub(crate) fn busy(&self) {
        self.set(BUSY);
    }

    /// Wraps the body of a request, so that the phase knows whether all of it was read.
    pub(crate) fn track(&self, body: Incoming) -> TrackedBody {
        self.0.unread.store(!body.is_end_stream(), Ordering::Relaxed);
        self.keep(None);
        TrackedBody { body: Some(body), phase: self.clone() }
    }

    fn keep(&self, rest: Option<Incoming>) -> Option<Incoming> {
        std::mem::replace(&mut *self.0.rest.lock().unwrap_or_else(PoisonError::into_inner), rest)
    }

    /// Reads and drops the rest of a small body, so that the connection can serve another request. False
    /// where the rest is long or does not arrive: the answer must then say that the connection ends with it,
    /// or the client sends its next request into a connection that is about to be closed.
    pub(crate) async fn drain(&self) -> bool {
        let rest = self.keep(None);
        if !self.is_unread() {
            return true;
        }
        let Some(mut rest) = rest.filter(|rest| rest.size_hint().lower() <= REST) else { return false };
        let read = async {
            let mut bytes = 0;
            while let Some(frame) = rest.frame().await {
                bytes += frame.ok()?.data_ref().map_or(0, |data| data.len() as u64);
                if bytes > REST {
                    return None;
                }
            }
            Some(())
        };
        let whole = matches!(tokio::time::timeout(REST_TIME, read).await, Ok(Some(())));
        self.0.unread.store(!whole, Ordering::Relaxed);
        whole
    }

    pub(crate) fn is_unread(&self) -> bool {
        self.0.unread.load(Ordering::Relaxed)
    }

    /// Notes that the next bytes on the wire are the answer.
    pub(crate) fn answered(&self) {
        self.set(ANSWERED);
    }

    pub(crate) fn get(&self) -> u8 {
        // Stream and service run in one Tokio task, one after the other; others only read whether it is idle.
        self.0.phase.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, phase: u8) {
        self.0.phase.store(phase, Ordering::Relaxed);
    }
}

/// Body of a request, which tells its connection when all of it was read, and returns the unread rest.
pub(crate) struct TrackedBody {
    /// Body in flight; `None` once it was handed back.
    body: Option<Incoming>,
    phase: Phase,
}

impl Body for TrackedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(&mut *body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) || body.is_end_stream() {
            self.phase.0.unread.store(false, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Incoming::size_hint).unwrap_or_default()
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        if self.phase.is_unread() {
            self.phase.keep(self.body.take());
        }
    }
}
