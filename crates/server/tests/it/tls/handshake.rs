//! Handshakes: which clients get in, and what the others are told.

use std::sync::Arc;
use std::time::Duration;

use longhaul_server::ServerConfig;
use reqwest::tls::Version;
use rustls::{HandshakeKind, ProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::support::Running;
use super::{ask, connect, self_signed, speaking, trusting};

const ALERT: u8 = 21;
const FATAL: u8 = 2;
const HANDSHAKE_FAILURE: u8 = 40;
const PROTOCOL_VERSION: u8 = 70;

/// Builds a ClientHello without extensions but for the curves, as old clients send it.
fn client_hello(version: [u8; 2], suites: &[u16]) -> Vec<u8> {
    let mut body = Vec::from(version);
    body.extend([7; 32]);
    body.push(0);
    body.extend((suites.len() as u16 * 2).to_be_bytes());
    body.extend(suites.iter().flat_map(|suite| suite.to_be_bytes()));
    body.extend([1, 0]);
    // supported_groups: x25519, secp256r1; signature_algorithms: ecdsa_secp256r1_sha256, rsa_pkcs1_sha256.
    let extensions = [0, 10, 0, 6, 0, 4, 0, 29, 0, 23, 0, 13, 0, 6, 0, 4, 4, 3, 4, 1];
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let mut message = vec![1, 0];
    message.extend((body.len() as u16).to_be_bytes());
    message.extend(body);
    let mut record = vec![22, 3, 1];
    record.extend((message.len() as u16).to_be_bytes());
    record.extend(message);
    record
}

async fn said(server: &Running, sent: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(sent).await.unwrap();
    let mut answer = Vec::new();
    // The first record; a server that goes on with the handshake waits for more after it.
    while answer.len() < 7 {
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_buf(&mut answer)).await;
        if read.unwrap().unwrap() == 0 {
            break;
        }
    }
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_versions_are_spoken_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with(self_signed(directory.path())).await;
    for (version, wanted) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let mut config = speaking(server.certificate.as_ref().unwrap().path(), &[version]);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut stream = connect(server.address, &Arc::new(config)).await.unwrap();
        assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200 "));
        let session = stream.get_ref().1;
        assert_eq!(session.protocol_version(), Some(wanted));
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
    // Refusals to a client library that many programs use.
    for version in [Version::TLS_1_2, Version::TLS_1_3] {
        let pem = std::fs::read(server.certificate.as_ref().unwrap().path()).unwrap();
        let client = reqwest::Client::builder()
            .tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem).unwrap())
            .tls_version_min(version)
            .tls_version_max(version)
            .build()
            .unwrap();
        assert_eq!(
            client.get(server.url("/v1/tasks")).bearer_auth(&server.key).send().await.unwrap().status(),
            200
        );
    }
    // ECDHE-ECDSA and ECDHE-RSA with AES-CBC, RSA with AES-CBC.
    let old = [0xc009, 0xc013, 0x002f, 0x0035];
    for version in [[3, 0], [3, 1], [3, 2]] {
        let answer = said(&server, &client_hello(version, &old)).await;
        assert_eq!(answer.first(), Some(&ALERT), "{version:?}: {answer:?}");
        assert_eq!(answer[5..], [FATAL, PROTOCOL_VERSION], "{version:?}");
    }
    let answer = said(&server, &client_hello([3, 3], &old)).await;
    assert_eq!((answer[0], &answer[5..]), (ALERT, &[FATAL, HANDSHAKE_FAILURE][..]), "TLS 1.2 with CBC only");
    // A ClientHello with ECDHE-ECDSA-AES128-GCM is answered: the refusals are not due to its form.
    let answer = said(&server, &client_hello([3, 3], &[0xc02b])).await;
    assert_eq!(answer[0], 22, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_http_is_told_to_use_https() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with(self_signed(directory.path())).await;
    // A client that is still sending can finish, and then read the answer.
    let begun = "POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n".to_owned();
    let slow: Vec<String> =
        std::iter::once(begun).chain(std::iter::repeat_n("x".repeat(10_000), 4)).collect();
    for request in [vec!["GET /v1/tasks HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()], slow] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        for part in request {
            stream.write_all(part.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(answer.contains("HTTPS_REQUIRED") && answer.contains("https://"), "{answer}");
    }
    let told =
        reqwest::Client::new().get(format!("http://{}/v1/tasks", server.address)).send().await.unwrap();
    assert_eq!(told.status(), 400);
    assert!(told.text().await.unwrap().contains("HTTPS_REQUIRED"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noise_ends_the_connection_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with(self_signed(directory.path())).await;
    for noise in [&b"\x00\x01\x02\x03"[..], b"\x16\x03\x01\x00\x05hello", b"\xff\xff\xff\xff\xff\xff"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(noise).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer[0] == ALERT, "{answer:?}");
    }
    assert_eq!(server.get("/health/live").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_over_tls_say_to_stay_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with(self_signed(directory.path())).await;
    for (path, status) in
        [("/v1/tasks", 200), ("/docs/index.html", 200), ("/v1/tasks/x", 404), ("/nowhere", 404)]
    {
        let answer = server.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
    assert!(server.get("/v1/tasks").await.header("cache-control").contains("no-store"));
    let plain = Running::with(ServerConfig::default()).await;
    assert_eq!(plain.get("/v1/tasks").await.header("strict-transport-security"), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_resumes_also_after_a_reload() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with(self_signed(directory.path())).await;
    let certificate = server.certificate.as_ref().unwrap();
    let config = Arc::new(trusting(certificate.path()));
    for wanted in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
        let mut stream = connect(server.address, &config).await.unwrap();
        // Tickets come with the first answer.
        ask(&mut stream).await;
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(wanted));
        certificate.reload().await.unwrap();
    }
}
