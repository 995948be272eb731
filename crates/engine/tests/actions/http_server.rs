//! Small server that answers every request with the bytes that a function returns.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Answer that never arrives.
pub(crate) const SILENCE: &[u8] = b"silence";

/// Request as it was received.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn path(&self) -> &str {
        let target = self.head.split(' ').nth(1).unwrap_or_default();
        target.split('?').next().unwrap_or_default()
    }
}

/// Server for the tests of `http` actions, which ends when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<Request>>,
    opened: AtomicUsize,
    closed: AtomicUsize,
}

impl Server {
    pub(crate) async fn start(respond: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (seen, respond) = (Arc::new(Seen::default()), Arc::new(respond));
        let shared = seen.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.opened.fetch_add(1, Ordering::SeqCst);
                let (seen, respond) = (shared.clone(), respond.clone());
                tokio::spawn(async move {
                    serve(stream, &seen, &*respond).await;
                    seen.closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Server { address, seen, accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn last(&self) -> Request {
        self.seen.requests.lock().expect("unpoisoned").last().expect("a request").clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.requests.lock().expect("unpoisoned").len()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.opened.load(Ordering::SeqCst)
    }

    pub(crate) async fn wait_for(&self, count: usize) {
        while self.count() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn wait_until_closed(&self) {
        while self.seen.closed.load(Ordering::SeqCst) < self.connections() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A whole answer on a connection that stays open.
pub(crate) fn answer(status: u16, kind: &str, body: &str) -> Vec<u8> {
    let kind = if kind.is_empty() { String::new() } else { format!("content-type: {kind}\r\n") };
    format!("HTTP/1.1 {status} Text\r\n{kind}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn serve(mut stream: TcpStream, seen: &Seen, respond: &(impl Fn(&Request) -> Vec<u8> + ?Sized)) {
    let mut bytes = Vec::new();
    loop {
        let Some(request) = read(&mut stream, &mut bytes).await else { return };
        let response = respond(&request);
        seen.requests.lock().expect("unpoisoned").push(request);
        if response == SILENCE {
            let _ = stream.read(&mut [0; 1]).await;
            return;
        }
        if stream.write_all(&response).await.is_err() || !is_whole(&response) {
            return;
        }
    }
}

/// Returns true if a response states its length and has it; any other ends with the connection.
fn is_whole(response: &[u8]) -> bool {
    let text = String::from_utf8_lossy(response);
    text.split_once("\r\n\r\n").is_some_and(|(head, body)| length(head) == Some(body.len()))
}

fn length(head: &str) -> Option<usize> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, n)| n.trim().parse().ok())
}

async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Request> {
    loop {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let length = length(head).unwrap_or(0);
            if rest.len() >= length {
                bytes.drain(..head.len() + 4 + length);
                return Some(Request { head: format!("{head}\r\n"), body: rest[..length].to_owned() });
            }
        }
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
}
