//! Connection with limits on silence: the time of a request's headers, the time that a connection may be idle
//! between requests, the time in which a reader may leave an answer unread. hyper's own header time would
//! also close idle connections, and nothing below us looks at slow readers. The limits apply under TLS too:
//! whole data counts, not the records that somebody sends a byte at a time.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::phase::{ANSWERED, HEAD, IDLE, Phase};

/// Longest silence of a connection, by phase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Silence {
    /// Longest time from a request's first byte, or the connection's beginning, to the end of its headers.
    pub(crate) head: Duration,
    /// Longest idle time between requests.
    pub(crate) idle: Duration,
    /// Longest time until a reader takes the next bytes of an answer.
    pub(crate) write: Duration,
}

/// Stream that fails after too long a silence.
pub(crate) struct Timed<S> {
    inner: S,
    phase: Phase,
    silence: Silence,
    read: Alarm,
    /// The phase that the read alarm was set for.
    set_for: u8,
    write: Alarm,
    /// Answer that replaces hyper's own refusal, which has no body, and the bytes of it that are written.
    refusal: Option<(Vec<u8>, usize)>,
    lingering: Lingering,
}

/// Maximum number of bytes of a refused request that are read, and dropped, after its answer.
const LINGER_BYTES: usize = 16 << 20;
/// Longest time for that.
const LINGER: Duration = Duration::from_secs(2);

/// Progress of the end of a connection. A socket that is closed with unread data in it resets the connection,
/// and the client may lose the answer to a request whose body was refused before it was read (RFC 9112,
/// section 9.6): data that the client still sends is read for a while.
#[derive(Default)]
struct Lingering {
    /// The writing side is closed.
    closed: bool,
    /// Bytes read since then.
    bytes: usize,
    alarm: Alarm,
}

impl<S> Timed<S> {
    pub(crate) fn new(inner: S, silence: Silence, phase: Phase) -> Self {
        Timed {
            inner,
            phase,
            silence,
            read: Alarm::default(),
            set_for: HEAD,
            write: Alarm::default(),
            refusal: None,
            lingering: Lingering::default(),
        }
    }

    /// Returns the phase, for the service of this connection.
    pub(crate) fn phase(&self) -> Phase {
        self.phase.clone()
    }

    fn heard(&mut self) {
        if self.phase.get() == IDLE {
            self.phase.set(HEAD);
            self.read.off();
        }
    }

    fn listen(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let phase = self.phase.get();
        let limit = match phase {
            HEAD => self.silence.head,
            IDLE => self.silence.idle,
            _ => return Poll::Pending,
        };
        if self.set_for != phase {
            self.read.off();
            self.set_for = phase;
        }
        ready!(self.read.poll(cx, limit));
        Poll::Ready(Err(too_slow("nothing came in time")))
    }

    /// Status of an answer by hyper itself: no handler was asked, and the bytes are a head without a body.
    fn is_refusal(&self, bytes: &[u8]) -> Option<u16> {
        if !matches!(self.phase.get(), HEAD | IDLE) || !bytes.starts_with(b"HTTP/1.1 4") {
            return None;
        }
        let head = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
        let ours = head.to_ascii_lowercase().contains("\r\ncache-control:");
        head.get(9..12)?.parse().ok().filter(|_| !ours)
    }

    fn written<T>(&mut self, outcome: Poll<T>, cx: &mut Context<'_>) -> Poll<Result<T, io::Error>> {
        if outcome.is_ready() && self.phase.get() == ANSWERED {
            self.phase.set(IDLE);
        }
        self.taken(outcome, cx)
    }

    /// Updates the phase after a write. TLS accepts an answer before the connection does: written bytes may
    /// still wait to be flushed.
    fn taken<T>(&mut self, outcome: Poll<T>, cx: &mut Context<'_>) -> Poll<Result<T, io::Error>> {
        match outcome {
            Poll::Ready(done) => {
                self.write.off();
                Poll::Ready(Ok(done))
            }
            Poll::Pending => {
                ready!(self.write.poll(cx, self.silence.write));
                Poll::Ready(Err(too_slow("the answer was not taken in time")))
            }
        }
    }
}

fn too_slow(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_read(cx, buf) {
            Poll::Ready(outcome) => {
                self.heard();
                Poll::Ready(outcome)
            }
            Poll::Pending => self.listen(cx),
        }
    }
}

impl<S: AsyncWrite + Unpin> Timed<S> {
    /// Writes the refusal that replaces hyper's answer of so many bytes.
    fn poll_refusal(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Option<Poll<io::Result<usize>>> {
        if self.refusal.is_none() {
            let status = self.is_refusal(bytes)?;
            self.refusal = Some((crate::error::unreadable(status), 0));
        }
        let (text, done) = self.refusal.as_mut()?;
        while *done < text.len() {
            match Pin::new(&mut self.inner).poll_write(cx, &text[*done..]) {
                Poll::Ready(Ok(0)) => return Some(Poll::Ready(Err(io::ErrorKind::WriteZero.into()))),
                Poll::Ready(Ok(n)) => *done += n,
                Poll::Ready(Err(e)) => return Some(Poll::Ready(Err(e))),
                Poll::Pending => return Some(self.taken(Poll::Pending, cx).map(Result::flatten)),
            }
        }
        self.refusal = None;
        Some(Poll::Ready(Ok(bytes.len())))
    }
}

impl<S: AsyncRead + Unpin> Timed<S> {
    /// Reads what a client still sends of a body that was not read.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = [MaybeUninit::uninit(); 8192];
        while self.lingering.bytes < LINGER_BYTES {
            let mut buffer = ReadBuf::uninit(&mut space);
            match Pin::new(&mut self.inner).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.lingering.bytes += buffer.filled().len();
                }
                Poll::Ready(_) => break,
                Poll::Pending => return self.lingering.alarm.poll(cx, LINGER),
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(outcome) = self.poll_refusal(cx, buf) {
            return outcome;
        }
        let outcome = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.written(outcome, cx).map(Result::flatten)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(outcome) = bufs.first().and_then(|first| self.poll_refusal(cx, first)) {
            return outcome;
        }
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.written(outcome, cx).map(Result::flatten)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(cx);
        self.taken(outcome, cx).map(Result::flatten)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.lingering.closed {
            let outcome = Pin::new(&mut self.inner).poll_shutdown(cx);
            ready!(self.taken(outcome, cx).map(Result::flatten))?;
            self.lingering.closed = true;
        }
        if self.phase.is_unread() { self.poll_linger(cx).map(Ok) } else { Poll::Ready(Ok(())) }
    }
}

/// Deadline that costs nothing while nobody waits for it, and moves no timer when it is put off.
#[derive(Default)]
struct Alarm {
    at: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Lets the next wait start from the beginning.
    fn off(&mut self) {
        self.at = None;
    }

    /// Becomes ready once `limit` has passed since the first poll after `off`.
    fn poll(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        let at = *self.at.get_or_insert_with(|| Instant::now() + limit);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() > at {
            sleep.as_mut().reset(at);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= at {
                return Poll::Ready(());
            }
            // The alarm rang for a wait that was put off since.
            sleep.as_mut().reset(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::timeout;

    use super::*;

    const SHORT: Duration = Duration::from_millis(100);
    /// Longer than any test takes.
    const LONG: Duration = Duration::from_secs(600);

    fn timed(head: Duration, idle: Duration, write: Duration) -> (DuplexStream, Timed<DuplexStream>) {
        let (client, server) = duplex(64);
        (client, Timed::new(server, Silence { head, idle, write }, Phase::new()))
    }

    /// Reads until the stream fails for its silence.
    async fn closes(stream: &mut Timed<DuplexStream>) -> Duration {
        let begun = Instant::now();
        loop {
            if let Err(e) = timeout(LONG, stream.read_u8()).await.unwrap() {
                assert_eq!(e.kind(), io::ErrorKind::TimedOut);
                return begun.elapsed();
            }
        }
    }

    async fn request(client: &mut DuplexStream, stream: &mut Timed<DuplexStream>) {
        client.write_all(b"x").await.unwrap();
        stream.read_u8().await.unwrap();
        stream.phase().busy();
    }

    async fn answer(stream: &mut Timed<DuplexStream>) {
        stream.phase().answered();
        stream.write_all(b"y").await.unwrap();
    }

    async fn stays_open(stream: &mut Timed<DuplexStream>) {
        assert!(timeout(SHORT * 4, stream.read_u8()).await.is_err(), "nothing comes, nothing ends");
    }

    #[tokio::test]
    async fn connection_that_says_nothing_is_closed() {
        let (_client, mut stream) = timed(SHORT, LONG, LONG);
        assert!(closes(&mut stream).await >= SHORT);
    }

    #[tokio::test]
    async fn headers_byte_by_byte_do_not_put_the_end_off() {
        let (mut client, mut stream) = timed(SHORT, LONG, LONG);
        let writer = tokio::spawn(async move {
            loop {
                let _ = client.write_all(b"x").await;
                tokio::time::sleep(SHORT / 4).await;
            }
        });
        closes(&mut stream).await;
        writer.abort();
    }

    #[tokio::test]
    async fn idle_connection_has_its_own_time() {
        let (mut client, mut stream) = timed(SHORT, LONG, LONG);
        for _ in 0..2 {
            request(&mut client, &mut stream).await;
            answer(&mut stream).await;
            stays_open(&mut stream).await;
        }
        client.write_all(b"x").await.unwrap();
        closes(&mut stream).await;

        let (mut client, mut stream) = timed(LONG, SHORT, LONG);
        request(&mut client, &mut stream).await;
        answer(&mut stream).await;
        closes(&mut stream).await;
    }

    #[tokio::test]
    async fn long_work_is_not_silence() {
        let (mut client, mut stream) = timed(SHORT, SHORT, SHORT);
        request(&mut client, &mut stream).await;
        stays_open(&mut stream).await;
    }

    #[tokio::test]
    async fn reader_that_stops_is_given_up() {
        let (_client, mut stream) = timed(LONG, LONG, SHORT);
        let e = stream.write_all(&[0; 1000]).await.unwrap_err();
        assert_eq!(e.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn answer_that_is_written_and_not_taken_is_given_up() {
        let (client, server) = duplex(64);
        // As TLS does, it takes more than the connection behind it.
        let buffered = tokio::io::BufWriter::with_capacity(4096, server);
        let mut stream = Timed::new(buffered, Silence { head: LONG, idle: LONG, write: SHORT }, Phase::new());
        stream.write_all(&[0; 1000]).await.unwrap();
        let e = timeout(LONG, stream.flush()).await.unwrap().unwrap_err();
        assert_eq!(e.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }
}
