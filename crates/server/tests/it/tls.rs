//! TLS: versions, certificates that change, handshakes that go wrong.

mod files;
mod handshake;
mod limits;
mod services;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use longhaul_server::{ServerConfig, Tls};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Builds a configuration with a certificate of the server's own, in a directory.
fn self_signed(directory: &Path) -> ServerConfig {
    ServerConfig { tls: Tls::SelfSigned { directory: directory.to_owned() }, ..ServerConfig::default() }
}

/// Writes a new pair for `127.0.0.1`, and returns its certificate.
fn put_pair(directory: &Path) -> Vec<u8> {
    use std::os::unix::fs::PermissionsExt;
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let path = directory.join("key.pem");
    std::fs::write(&path, key.serialize_pem()).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(directory.join("cert.pem"), certificate.pem()).unwrap();
    certificate.der().to_vec()
}

fn files(directory: &Path) -> ServerConfig {
    let tls = Tls::Files { cert: directory.join("cert.pem"), key: directory.join("key.pem") };
    ServerConfig { tls, ..ServerConfig::default() }
}

/// A client's side that trusts the certificate of a file.
fn trusting(certificate: &Path) -> ClientConfig {
    speaking(certificate, rustls::ALL_VERSIONS)
}

fn speaking(certificate: &Path, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    builder.with_root_certificates(roots).with_no_client_auth()
}

async fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::IpAddress(address.ip().into());
    TlsConnector::from(config.clone()).connect(name, stream).await
}

/// Asks for something small on an open connection.
async fn ask(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(br#"{"status":"UP"}"#) {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "{}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).unwrap()
}

/// The certificate that a connection was shown.
fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}
