//! `http` actions to services over TLS: the operator decides which certificates they trust, and which one
//! they present.

use longhaul_engine::{EngineConfig, HttpConfig};
use serde_json::{Value, json};

use super::self_signed;
use crate::it::support::{Parts, Running};

/// Runs a request to the address by a server with this configuration.
async fn requested(http: HttpConfig, url: &str) -> Value {
    let config = EngineConfig { http, ..EngineConfig::default() };
    let server = Running::of(Parts::with(config).await, Default::default()).await;
    server.workflow("ask", vec![json!({ "action": { "http": { "url": url } } })]).await;
    server.run("ask").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn self_signed_service_is_named_as_such_and_trusted_once_its_certificate_is() {
    let directory = tempfile::tempdir().unwrap();
    let service = Running::with(self_signed(directory.path())).await;
    let url = format!("https://localhost:{}/health/live", service.address.port());
    let allow = vec!["127.0.0.0/8".to_owned(), "::1".to_owned(), "localhost".to_owned()];
    let distrusted = requested(HttpConfig { allow: allow.clone(), ..HttpConfig::default() }, &url).await;
    let error = &distrusted["subTasks"][0]["errors"][0];
    assert_eq!(error["errorCode"], "HTTP_CERTIFICATE", "{error}");
    assert!(error["message"].as_str().unwrap().contains("self-signed"), "{error}");
    assert!(error["remediationMessage"].as_str().unwrap().contains("actions.http.ca_file"), "{error}");
    let ca_file = service.certificate.as_ref().map(|certificate| certificate.path().to_owned());
    let trusted = requested(HttpConfig { allow, ca_file, ..HttpConfig::default() }, &url).await;
    assert_eq!(trusted["status"], "Successful", "{trusted}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn service_that_asks_for_a_certificate_gets_the_one_of_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let authority = authority.self_signed(&key).unwrap();
    let write = |name: &str, text: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (certificate, private) = (write("c.pem", authority.pem()), write("k.pem", key.serialize_pem()));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let verifier = rustls::server::WebPkiClientVerifier::builder(roots.into()).build().unwrap();
    let der = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![authority.der().clone()], der)
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            let _ = stream.shutdown().await;
        }
    });
    let allow = vec!["127.0.0.0/8".to_owned(), "::1".to_owned(), "localhost".to_owned()];
    let known = HttpConfig { allow, ca_file: Some(certificate.clone()), client_certificate: None };
    assert_eq!(requested(known.clone(), &url).await["status"], "Failed");
    let with = HttpConfig { client_certificate: Some((certificate, private)), ..known };
    let task = requested(with, &url).await;
    assert_eq!(task["status"], "Successful", "{task}");
}
