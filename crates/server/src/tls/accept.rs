//! Handshake: from an accepted connection to one that requests can be read from. It runs in the connection's
//! own Tokio task, so slow or silent clients keep nobody waiting.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::Certificate;
use super::error::TlsError;
use crate::sockets::Stream;
use crate::transport::Transport;

/// Answer to clients that speak plain HTTP to a port with TLS.
const HTTPS_ONLY: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n\
    connection: close\r\ncontent-length: 221\r\n\r\n\
    {\"errorCode\":\"HTTPS_REQUIRED\",\"errorType\":\"ERROR\",\"arguments\":[],\
    \"message\":\"this port takes HTTPS only, and the request came as plain HTTP\",\
    \"remediationMessage\":\"Write https:// instead of http:// in the server's address\"}";

/// Time and size up to which such a request is read, so that its sender gets to read the answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 64 << 10;

/// Acceptor of connections, with TLS or without.
#[derive(Clone)]
pub(crate) struct Acceptor {
    tls: Option<TlsAcceptor>,
    handshake_time: Duration,
}

impl Acceptor {
    pub(crate) fn new(certificate: Option<&Certificate>, handshake_time: Duration) -> Result<Self, TlsError> {
        let config = certificate.map(Certificate::server_config).transpose()?;
        Ok(Acceptor { tls: config.map(|config| TlsAcceptor::from(Arc::new(config))), handshake_time })
    }

    /// Returns true if the acceptor takes TLS only.
    pub(crate) fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Returns the connection, once its handshake is done; `None` if the handshake failed.
    pub(crate) async fn accept(&self, stream: Stream, peer: SocketAddr) -> Option<Transport> {
        let stream = match stream {
            Stream::Tcp(stream) => stream,
            Stream::Unix(stream) => return Some(Transport::Local(stream)),
        };
        let Some(tls) = &self.tls else { return Some(Transport::Plain(stream)) };
        match timeout(self.handshake_time, handshake(tls, stream)).await {
            Ok(Ok(done)) => done,
            Ok(Err(e)) => {
                tracing::debug!(%peer, error = %e, "a TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!(%peer, "a TLS handshake took too long");
                None
            }
        }
    }
}

async fn handshake(tls: &TlsAcceptor, mut stream: TcpStream) -> std::io::Result<Option<Transport>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Ok(None);
    }
    // TLS begins with a number below any letter, HTTP with a method.
    if first[0].is_ascii_alphabetic() {
        refuse(&mut stream).await?;
        return Ok(None);
    }
    Ok(Some(Transport::Secure(Box::new(tls.accept(stream).await?))))
}

async fn refuse(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(HTTPS_ONLY).await?;
    stream.shutdown().await?;
    // Closing with something unread would reset the connection, and the answer could be lost.
    let mut rest = stream.take(LINGER_BYTES);
    let _ = timeout(LINGER, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::HTTPS_ONLY;

    #[test]
    fn refusal_has_its_length() {
        let text = std::str::from_utf8(HTTPS_ONLY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{}", body.len());
        serde_json::from_str::<serde_json::Value>(body).unwrap();
    }
}
