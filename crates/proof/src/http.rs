//! A client of one connection. It tells apart what clients in proofs must tell apart: a request that was
//! never sent, one that was answered to the end, and one of which nobody knows.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// The longest that an answer may take: more than any `wait` the proofs ask for.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest head of an answer, in bytes.
const LARGEST_HEAD: usize = 64 << 10;

/// A server, and as whom it is called.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Address of the server.
    pub address: SocketAddr,
    /// Value of the header `Authorization`.
    bearer: Option<Arc<str>>,
    /// Local address of the caller; any unless given.
    from: Option<Ipv4Addr>,
    /// Number of the server's life: another server may have the address of a dead one, and a connection to
    /// one is none to the other.
    life: u64,
}

impl Peer {
    /// Called as nobody.
    pub fn stranger(address: SocketAddr) -> Self {
        static LIVES: AtomicU64 = AtomicU64::new(0);
        Peer { address, bearer: None, from: None, life: LIVES.fetch_add(1, Ordering::Relaxed) }
    }

    /// Returns the same server, called with a credential.
    pub fn with(&self, credential: &str) -> Self {
        Peer { bearer: Some(credential.into()), ..self.clone() }
    }

    /// Returns the same server, called from an address of this machine.
    pub fn from(self, address: Ipv4Addr) -> Self {
        Peer { from: Some(address), ..self }
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if let Some(from) = self.from {
            socket.bind((from, 0).into())?;
        }
        let stream = socket.connect(self.address).await?;
        // Without it a small request may wait for the acknowledgement of the one before.
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Sends a request on a connection of its own and returns the stream, from which the caller reads the
    /// answer.
    pub async fn send(&self, request: &Request<'_>) -> io::Result<TcpStream> {
        let mut stream = self.connect().await?;
        stream.write_all(&request.bytes(self)).await?;
        Ok(stream)
    }

    /// Returns true if a connection to another peer is one to this.
    fn is_reached_like(&self, other: &Peer) -> bool {
        (self.address, self.from, self.life) == (other.address, other.from, other.life)
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Headers as they came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// True for 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Reason for which there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The request was not sent: the server did not listen.
    Unsent,
    /// The request was sent, at least in part, and no whole answer came: it may have taken effect.
    Lost,
    /// An answer came that is not HTTP as the proofs understand it.
    Garbled(String),
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// `GET`.
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// Further headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// A JSON body.
    pub body: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    /// A GET.
    pub fn get(path: &'a str) -> Self {
        Request { method: "GET", path, headers: &[], body: None }
    }

    fn bytes(&self, to: &Peer) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\nhost: longhaul\r\n", self.method, self.path);
        for (name, value) in self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(bearer) = &to.bearer {
            text.push_str(&format!("authorization: Bearer {bearer}\r\n"));
        }
        if let Some(body) = self.body {
            text.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(self.body.unwrap_or_default());
        bytes
    }
}

/// Number of idle connections that a client keeps; the oldest is closed for a new one. Calls from many
/// addresses would otherwise use up the descriptors of a long run.
const KEPT: usize = 16;

/// A client that keeps connections to the servers it asked last, as long as they work.
#[derive(Debug, Default)]
pub struct Client {
    open: Vec<(Peer, TcpStream)>,
    buffer: Vec<u8>,
}

impl Client {
    /// Sends a request and reads the whole answer.
    pub async fn ask(&mut self, to: &Peer, request: &Request<'_>) -> Result<Answer, NoAnswer> {
        let kept = self.open.iter().position(|(peer, _)| peer.is_reached_like(to));
        let mut stream = match kept {
            Some(at) => self.open.swap_remove(at).1,
            None => to.connect().await.map_err(|_| NoAnswer::Unsent)?,
        };
        let answered = timeout(PATIENCE, async {
            stream.write_all(&request.bytes(to)).await.map_err(|_| NoAnswer::Lost)?;
            self.read(&mut stream).await
        });
        let answer = answered.await.unwrap_or(Err(NoAnswer::Lost))?;
        if answer.header("connection").is_none_or(|value| !value.eq_ignore_ascii_case("close")) {
            if self.open.len() == KEPT {
                self.open.remove(0);
            }
            self.open.push((to.clone(), stream));
        }
        Ok(answer)
    }

    async fn read(&mut self, stream: &mut TcpStream) -> Result<Answer, NoAnswer> {
        self.buffer.clear();
        let head = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if self.buffer.len() > LARGEST_HEAD {
                return Err(NoAnswer::Garbled("a head without end".to_owned()));
            }
            self.more(stream).await?;
        };
        let mut answer = parse_head(&self.buffer[..head])?;
        let length = match answer.header("content-length") {
            Some(text) => text.parse().map_err(|_| NoAnswer::Garbled(format!("content-length: {text}")))?,
            None if matches!(answer.status, 204 | 304) => 0,
            None => return Err(NoAnswer::Garbled("an answer without content-length".to_owned())),
        };
        let end = head + 4 + length;
        while self.buffer.len() < end {
            self.more(stream).await?;
        }
        answer.body = self.buffer[head + 4..end].to_vec();
        Ok(answer)
    }

    async fn more(&mut self, stream: &mut TcpStream) -> Result<(), NoAnswer> {
        match stream.read_buf(&mut self.buffer).await {
            Ok(0) | Err(_) => Err(NoAnswer::Lost),
            Ok(_) => Ok(()),
        }
    }
}

fn parse_head(head: &[u8]) -> Result<Answer, NoAnswer> {
    let garbled = || NoAnswer::Garbled(String::from_utf8_lossy(head).into_owned());
    let text = std::str::from_utf8(head).map_err(|_| garbled())?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .and_then(|rest| rest.get(..3))
        .and_then(|code| code.parse().ok())
        .ok_or_else(garbled)?;
    let headers = lines
        .map(|line| {
            line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect::<Option<_>>()
        .ok_or_else(garbled)?;
    Ok(Answer { status, headers, body: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn serve_once(bytes: &'static [u8]) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(bytes).await.unwrap();
        });
        Peer::stranger(address)
    }

    #[tokio::test]
    async fn an_answer_is_read_to_its_end() {
        let to = serve_once(b"HTTP/1.1 202 Accepted\r\nLocation: /v1/tasks/1\r\ncontent-length: 2\r\n\r\n{}")
            .await;
        let answer = Client::default().ask(&to, &Request::get("/")).await.unwrap();
        assert_eq!(
            (answer.status, answer.header("location"), answer.body.as_slice()),
            (202, Some("/v1/tasks/1"), &b"{}"[..])
        );
    }

    #[tokio::test]
    async fn few_connections_are_kept_however_many_places_calls_come_from() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut space = [0; 4096];
                    while stream.read(&mut space).await.is_ok_and(|n| n > 0) {
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                    }
                });
            }
        });
        let mut client = Client::default();
        for n in 1..=3 * KEPT as u8 {
            let place = std::net::Ipv4Addr::new(127, 0, 1, n);
            let to = Peer::stranger(address).from(place);
            assert_eq!(client.ask(&to, &Request::get("/")).await.unwrap().status, 200);
            assert!(client.open.len() <= KEPT);
        }
    }

    #[tokio::test]
    async fn half_an_answer_is_lost_and_no_listener_means_unsent() {
        let to = serve_once(b"HTTP/1.1 202 Accepted\r\ncontent-length: 20\r\n\r\n{").await;
        assert_eq!(Client::default().ask(&to, &Request::get("/")).await.unwrap_err(), NoAnswer::Lost);
        let gone = Peer::stranger(TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap());
        assert_eq!(Client::default().ask(&gone, &Request::get("/")).await.unwrap_err(), NoAnswer::Unsent);
    }
}
