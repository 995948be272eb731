//! State of a connection, shared by its stream and its service: the phase of the current request, and whether
//! its body was read.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// Between requests.
pub(crate) const IDLE: u8 = 0;
/// Headers are being read, or nothing ever came.
pub(crate) const HEAD: u8 = 1;
/// A handler has the request. A body has its own limits, where it is read.
pub(crate) const BUSY: u8 = 2;
/// The handler is done; its answer has not begun to be written.
pub(crate) const ANSWERED: u8 = 3;

/// Phase of a connection, which its stream and its service share.
#[derive(Clone)]
pub(crate) struct Phase(Arc<State>);

struct State {
    phase: AtomicU8,
    /// The body of the latest request was not read to its end.
    unread: AtomicBool,
}

impl Phase {
    /// Of a connection that nothing came on yet.
    pub(crate) fn new() -> Phase {
        Phase(Arc::new(State { phase: AtomicU8::new(HEAD), unread: AtomicBool::new(false) }))
    }

    /// True while no request is answered.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.get(), IDLE | HEAD)
    }

    /// The headers are complete.
    pub(crate) fn busy(&self) {
        self.set(BUSY);
    }

    /// Wraps the body of a request, to know whether all of it was read.
    pub(crate) fn track(&self, body: Incoming) -> TrackedBody {
        self.0.unread.store(!body.is_end_stream(), Ordering::Relaxed);
        TrackedBody { body, phase: self.clone() }
    }

    pub(crate) fn is_unread(&self) -> bool {
        self.0.unread.load(Ordering::Relaxed)
    }

    /// Notes that the next bytes on the wire are the answer.
    pub(crate) fn answered(&self) {
        self.set(ANSWERED);
    }

    pub(crate) fn get(&self) -> u8 {
        // Stream and service run in one task, one after the other; others only look whether it is idle.
        self.0.phase.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, phase: u8) {
        self.0.phase.store(phase, Ordering::Relaxed);
    }
}

/// The body of a request, which tells its connection when all of it was read.
pub(crate) struct TrackedBody {
    body: Incoming,
    phase: Phase,
}

impl Body for TrackedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.phase.0.unread.store(false, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
