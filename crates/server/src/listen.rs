//! The accept loop: limits on time and connections that no library sets by itself, and an end that waits for
//! requests but not for idle connections. Everything that takes time happens in the connection's own task.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::header::{CONNECTION, CONTENT_TYPE, EXPECT};
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::ServerConfig;
use crate::meters::Meters;
use crate::phase::Phase;
use crate::register::Register;
use crate::serve::{Belief, answer};
use crate::sockets::{Socket, Stream};
use crate::stream::{Silence, Timed};
use crate::tls::Acceptor;
use crate::transport::Transport;

/// Bytes of a request's line and headers.
const HEADERS: usize = 16 << 10;
const HEADER_COUNT: usize = 100;

/// Time that a stop waits for a connection on which nothing arrived yet: whoever connected is about to ask.
const FRESH: Duration = Duration::from_millis(500);

/// Answer to connections beyond even those, as they arrive.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json; charset=utf-8\r\nretry-after: 1\r\n\
    connection: close\r\ncontent-length: 149\r\n\r\n\
    {\"errorCode\":\"TOO_MANY_CONNECTIONS\",\"errorType\":\"ERROR\",\"arguments\":[],\
    \"message\":\"the server has as many connections as it takes; retry in a second\"}";

struct Connections {
    router: Router,
    belief: Arc<Belief>,
    acceptor: Acceptor,
    silence: Silence,
    kept: http1::Builder,
    closed_after_one: http1::Builder,
    register: Arc<Register>,
    /// Connections beyond the limit are served one request each, so that reads and health checks go on while
    /// all others are busy.
    beyond: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
    cut: CancellationToken,
}

/// Serves until `stop`, then lets open requests end within their time and cuts off the rest. The sockets are
/// closed last: until then new connections are served one request each.
pub(crate) async fn serve(
    sockets: Arc<Vec<Socket>>,
    acceptor: Acceptor,
    router: Router,
    config: &ServerConfig,
    register: Arc<Register>,
    meters: Arc<Meters>,
    stop: CancellationToken,
) {
    let mut connections = Connections::new(acceptor, router, config, register, meters, stop.clone());
    connections.accept_until(&sockets, stop.cancelled()).await;
    let (before, limit) = (std::mem::take(&mut connections.tasks), config.limits.drain);
    let cut = connections.cut.clone();
    before.close();
    let ended = async {
        if tokio::time::timeout(limit, before.wait()).await.is_err() {
            tracing::warn!(connections = before.len(), "requests that did not end in time are cut off");
            cut.cancel();
        }
    };
    connections.accept_until(&sockets, ended).await;
    drop(sockets);
    connections.end(&before, limit).await;
}

impl Connections {
    fn new(
        acceptor: Acceptor,
        router: Router,
        config: &ServerConfig,
        register: Arc<Register>,
        meters: Arc<Meters>,
        stop: CancellationToken,
    ) -> Self {
        let limits = &config.limits;
        let mut kept = http1::Builder::new();
        // The time limits are in `stream`.
        kept.header_read_timeout(None).max_buf_size(HEADERS).max_headers(HEADER_COUNT);
        let mut closed_after_one = kept.clone();
        closed_after_one.keep_alive(false);
        Connections {
            router,
            belief: Arc::new(Belief {
                proxies: config.trusted_proxies.clone(),
                insecure_http: config.insecure_http,
                meters,
            }),
            acceptor,
            silence: Silence { head: limits.header_time, idle: limits.idle_time, write: limits.write_time },
            kept,
            closed_after_one,
            register,
            beyond: Arc::new(Semaphore::new(limits.beyond.min(Semaphore::MAX_PERMITS))),
            tasks: TaskTracker::new(),
            stop,
            cut: CancellationToken::new(),
        }
    }

    /// Accepts connections of all sockets until `end`.
    async fn accept_until(&self, sockets: &[Socket], end: impl Future<Output = ()>) {
        let all = futures_util::future::join_all(sockets.iter().map(|socket| self.accept(socket)));
        tokio::select! {
            () = end => {}
            _ = all => {}
        }
    }

    async fn accept(&self, socket: &Socket) {
        let mut pause = Duration::ZERO;
        loop {
            match socket.accept().await {
                Ok((stream, peer)) => {
                    pause = Duration::ZERO;
                    self.take(stream, peer);
                }
                // The connection ended before it began.
                Err(e) if is_of_the_connection(&e) => {}
                Err(e) => {
                    // The cause may be a lack of descriptors: that passes, and must not be logged a thousand
                    // times a second.
                    pause = (pause * 2).clamp(Duration::from_millis(5), Duration::from_secs(1));
                    tracing::warn!(error = %e, "no connection can be accepted for a moment");
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    fn take(&self, stream: Stream, peer: SocketAddr) {
        // Connections through a proxy share its address, and those of a path have none.
        let counted =
            matches!(stream, Stream::Tcp(_)) && !self.belief.proxies.trusts(peer.ip().to_canonical());
        if let Some(entry) = self.register.enter(peer.ip(), counted) {
            let (phase, over) = (entry.phase.clone(), entry.over.clone());
            let http = if self.stop.is_cancelled() { &self.closed_after_one } else { &self.kept };
            self.start(stream, peer, http, (phase, over), entry);
        } else if let Ok(slot) = self.beyond.clone().try_acquire_owned() {
            let alone = (Phase::new(), CancellationToken::new());
            self.start(stream, peer, &self.closed_after_one, alone, slot);
        } else if !self.acceptor.is_secure() {
            // A new connection takes these few bytes or is broken. Within a TLS handshake they would mean
            // nothing.
            let _ = match stream {
                Stream::Tcp(stream) => stream.try_write(TOO_MANY),
                Stream::Unix(stream) => stream.try_write(TOO_MANY),
            };
        }
    }

    /// Serves a connection in a Tokio task of its own, which holds `place` until it ends.
    fn start(
        &self,
        stream: Stream,
        peer: SocketAddr,
        http: &http1::Builder,
        (phase, over): (Phase, CancellationToken),
        place: impl Send + 'static,
    ) {
        // Otherwise a small answer waits for the acknowledgement of the one before it.
        if let Stream::Tcp(stream) = &stream {
            let _ = stream.set_nodelay(true);
        }
        let (acceptor, router, http, silence) =
            (self.acceptor.clone(), self.router.clone(), http.clone(), self.silence);
        let belief = self.belief.clone();
        let (stop, cut) = (self.stop.clone(), self.cut.clone());
        self.tasks.spawn(async move {
            let _place = place;
            // A handshake is given a moment at a stop, as no request has begun on it.
            let given_up = async {
                stop.cancelled().await;
                tokio::time::sleep(FRESH).await;
            };
            let accepted = tokio::select! {
                accepted = over.run_until_cancelled(acceptor.accept(stream, peer)) => accepted.flatten(),
                () = given_up => None,
            };
            let Some(stream) = accepted else { return };
            let secure = stream.is_secure();
            let stream = Timed::new(stream, silence, phase);
            let phase = stream.phase();
            let asked = CancellationToken::new();
            let first = asked.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                phase.busy();
                first.cancel();
                // Reading such a body would ask the client to send it.
                let waits = request.headers().contains_key(EXPECT);
                let request = request.map(|body| phase.track(body));
                let (answer, phase) =
                    (answer(router.clone(), belief.clone(), peer, secure, request), phase.clone());
                async move {
                    let mut answered = answer.await;
                    if let Ok(response) = &mut answered
                        && phase.is_unread()
                        && (waits || !phase.drain().await)
                    {
                        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                    }
                    // The idle time between requests is none of a stream, which ends its connection.
                    if !answered.as_ref().is_ok_and(is_stream) {
                        phase.answered();
                    }
                    answered
                }
            });
            let connection =
                until_stopped(http.serve_connection(TokioIo::new(stream), service), &stop, &asked);
            let served = over.run_until_cancelled(cut.run_until_cancelled(connection)).await;
            if served.is_none() {
                tracing::debug!(%peer, "an idle connection made room for another one");
            }
            if let Some(Some(Err(e))) = served {
                tracing::debug!(%peer, error = %e, "a connection ended early");
            }
        });
    }

    /// Ends the connections that arrived after the stop.
    async fn end(self, before: &TaskTracker, limit: Duration) {
        self.tasks.close();
        let _ = tokio::time::timeout(limit, self.tasks.wait()).await;
        self.cut.cancel();
        self.tasks.wait().await;
        before.wait().await;
    }
}

/// Serves a connection until it ends. At a stop no request follows the current one; a connection on which
/// nobody has asked yet is given a moment for its first.
async fn until_stopped<S>(
    connection: http1::Connection<TokioIo<Timed<Transport>>, S>,
    stop: &CancellationToken,
    asked: &CancellationToken,
) -> hyper::Result<()>
where
    S: hyper::service::HttpService<Incoming, ResBody = Body>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connection = std::pin::pin!(connection);
    let stopped = async {
        stop.cancelled().await;
        let _ = tokio::time::timeout(FRESH, asked.cancelled()).await;
    };
    tokio::select! {
        ended = &mut connection => return ended,
        () = stopped => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

fn is_of_the_connection(e: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(e.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Returns true for the answer of a stream of events.
fn is_stream(response: &Response<impl hyper::body::Body>) -> bool {
    let media = response.headers().get(CONTENT_TYPE);
    media.is_some_and(|media| media.as_bytes() == crate::event_stream::MEDIA_TYPE.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::TOO_MANY;

    #[test]
    fn refusal_has_its_length() {
        let text = std::str::from_utf8(TOO_MANY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{}", body.len());
        serde_json::from_str::<serde_json::Value>(body).unwrap();
    }
}
