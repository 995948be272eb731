//! The load: N keep-alive connections on one thread, each sending its next request once the answer to the
//! last is there. Requests are bytes made beforehand or by a cheap function; of an answer only status and
//! length are read.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Writes the n-th request to a buffer.
pub(crate) type Request = Rc<dyn Fn(u64, &mut Vec<u8>)>;

/// Settings of a load.
pub(crate) struct Load {
    /// Connections at once.
    pub(crate) connections: usize,
    /// Duration; a tenth more, before it, is not counted.
    pub(crate) time: Duration,
}

/// Figures of a load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    /// Milliseconds.
    pub(crate) p99: f64,
}

impl Load {
    /// Runs it against a server.
    pub(crate) fn run(&self, to: SocketAddr, request: &Request) -> Result<Figures> {
        self.run_on(&[to], request)
    }

    /// Runs it against several servers, each with its part of the connections.
    pub(crate) fn run_on(&self, to: &[SocketAddr], request: &Request) -> Result<Figures> {
        on_one_thread(async {
            let begun = Instant::now() + self.time / 10;
            let end = begun + self.time;
            let next = Rc::new(Cell::new(0_u64));
            let times = Rc::new(RefCell::new(histogram()?));
            let mut connections = Vec::new();
            for at in to.iter().cycle().take(self.connections) {
                let mut connection = Connection::open(*at).await?;
                let (request, next, times) = (request.clone(), next.clone(), times.clone());
                connections.push(tokio::task::spawn_local(async move {
                    let mut bytes = Vec::with_capacity(2048);
                    loop {
                        let sent = Instant::now();
                        if sent >= end {
                            return anyhow::Ok(());
                        }
                        bytes.clear();
                        request(next.replace(next.get() + 1), &mut bytes);
                        connection.ask(&bytes).await?;
                        let answered = Instant::now();
                        if answered >= begun && answered < end {
                            times.borrow_mut().saturating_record((answered - sent).as_nanos() as u64 / 1000);
                        }
                    }
                }));
            }
            for connection in connections {
                connection.await??;
            }
            let times = times.borrow();
            Ok(figures(&times, self.time))
        })
    }
}

/// Times in microseconds, up to a minute.
pub(crate) fn histogram() -> Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, 60_000_000, 3).context("making a histogram")
}

/// Rate and percentiles of what was recorded.
pub(crate) fn figures(times: &Histogram<u64>, time: Duration) -> Figures {
    Figures {
        rate: times.len() as f64 / time.as_secs_f64(),
        p50: times.value_at_quantile(0.5) as f64 / 1000.0,
        p99: times.value_at_quantile(0.99) as f64 / 1000.0,
    }
}

/// Runs a future, and what it spawns locally, on this thread.
pub(crate) fn on_one_thread<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, future)
}

/// Keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(to: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect(to).await.with_context(|| format!("connecting to {to}"))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a request and gives the body of its answer, which must be a success.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut whole = None;
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection in the middle of an answer");
            }
            if whole.is_none() {
                whole = head(&self.buffer)?;
            }
            if let Some((head, length)) = whole
                && self.buffer.len() >= head + length
            {
                let body = &self.buffer[head..head + length];
                if !self.buffer.starts_with(b"HTTP/1.1 2") {
                    let request = String::from_utf8_lossy(&request[..request.len().min(200)]);
                    bail!(
                        "{request} … was answered {}",
                        String::from_utf8_lossy(&self.buffer[..self.buffer.len().min(1500)])
                    );
                }
                return Ok(body);
            }
        }
    }
}

/// The lengths of head and body, once the head is there.
fn head(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    const NAME: &[u8] = b"content-length:";
    let length = bytes[..end]
        .split(|byte| *byte == b'\n')
        .find(|line| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME))
        .map(|line| String::from_utf8_lossy(&line[NAME.len()..]).trim().parse())
        .context("an answer came without Content-Length, and this client reads no chunks")??;
    Ok(Some((end + 4, length)))
}

/// Credential that requests are sent with.
#[derive(Clone, Default)]
pub(crate) struct Who {
    credential: Option<String>,
}

impl Who {
    /// Returns the caller with a bearer credential.
    pub(crate) fn bearer(credential: &str) -> Who {
        Who { credential: Some(credential.to_owned()) }
    }

    /// Returns a caller without a credential.
    pub(crate) fn nobody() -> Who {
        Who::default()
    }

    /// Returns the credential, if there is one.
    pub(crate) fn credential(&self) -> Option<&str> {
        self.credential.as_deref()
    }

    /// The line of a head that says so.
    fn line(&self, bytes: &mut Vec<u8>) {
        if let Some(credential) = &self.credential {
            bytes.extend_from_slice(b"Authorization: Bearer ");
            bytes.extend_from_slice(credential.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
    }
}

/// A GET.
pub(crate) fn get(who: &Who, path: &str, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(b"GET ");
    bytes.extend_from_slice(path.as_bytes());
    bytes.extend_from_slice(b" HTTP/1.1\r\nHost: bench\r\nAccept: application/json\r\n");
    who.line(bytes);
    bytes.extend_from_slice(b"\r\n");
}

/// Appends a DELETE request.
pub(crate) fn delete(who: &Who, path: &str, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(b"DELETE ");
    bytes.extend_from_slice(path.as_bytes());
    bytes.extend_from_slice(b" HTTP/1.1\r\nHost: bench\r\nAccept: application/json\r\n");
    who.line(bytes);
    bytes.extend_from_slice(b"\r\n");
}

/// A POST of a JSON body.
pub(crate) fn post(who: &Who, path: &str, body: &[u8], bytes: &mut Vec<u8>) {
    with_body("POST", who, path, body, bytes);
}

/// Appends a request with a JSON body.
pub(crate) fn with_body(method: &str, who: &Who, path: &str, body: &[u8], bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(method.as_bytes());
    bytes.extend_from_slice(b" ");
    bytes.extend_from_slice(path.as_bytes());
    bytes.extend_from_slice(b" HTTP/1.1\r\nHost: bench\r\n");
    who.line(bytes);
    bytes.extend_from_slice(b"Content-Type: application/json\r\nContent-Length: ");
    bytes.extend_from_slice(body.len().to_string().as_bytes());
    bytes.extend_from_slice(b"\r\n\r\n");
    bytes.extend_from_slice(body);
}

/// Returns requests that post the same bodies to a path over and over.
pub(crate) fn posts(who: &Who, path: &str, bodies: Vec<Vec<u8>>) -> Request {
    let requests: Vec<Vec<u8>> = bodies
        .iter()
        .map(|body| {
            let mut bytes = Vec::new();
            post(who, path, body, &mut bytes);
            bytes
        })
        .collect();
    Rc::new(move |n, bytes| bytes.extend_from_slice(&requests[(n % requests.len() as u64) as usize]))
}

/// Returns requests that get the same paths over and over.
pub(crate) fn gets(who: &Who, paths: Vec<String>) -> Request {
    let who = who.clone();
    Rc::new(move |n, bytes| get(&who, &paths[(n % paths.len() as u64) as usize], bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_waits_for_its_end_and_finds_the_length() {
        assert_eq!(head(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n").unwrap(), None);
        let answer = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(head(answer).unwrap(), Some((answer.len() - 3, 3)));
        assert!(head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn post_says_how_long_its_body_is() {
        let mut bytes = Vec::new();
        post(&Who::bearer("x"), "/v1/tasks", b"{}", &mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        assert!(
            text.starts_with("POST /v1/tasks HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer x\r\n")
                && text.ends_with("Content-Length: 2\r\n\r\n{}")
        );
    }
}
