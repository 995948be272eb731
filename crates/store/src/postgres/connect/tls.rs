//! TLS to the database, as its URL asks for it.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::error::StoreError;

/// Proof of identity that the server must give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// No verification: the connection is only encrypted.
    None,
    /// Certificate of a trusted authority, for any name (`verify-ca`).
    Authority,
    /// Certificate of a trusted authority for the host's name (`verify-full`).
    Name,
}

/// The files and the proof that a connection asks for.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    pub(super) proof: Proof,
    /// Trusted authorities (`sslrootcert`); `None` for those of the system.
    pub(super) roots: Option<PathBuf>,
    /// Certificate and key of this client (`sslcert`, `sslkey`).
    pub(super) own: Option<(PathBuf, PathBuf)>,
}

fn wrong(why: &str) -> StoreError {
    StoreError::Open(format!("TLS to the database cannot be used: {why}"))
}

/// Creates the configuration of a client. Err: a file that cannot be used, by its name.
pub(super) fn client(tls: &Tls) -> Result<ClientConfig, StoreError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(&e.to_string()))?;
    let verifier: Arc<dyn ServerCertVerifier> = match tls.proof {
        Proof::None => Arc::new(Anyone(provider)),
        Proof::Authority => Arc::new(AnyName(authorities(tls, &provider)?)),
        Proof::Name => authorities(tls, &provider)?,
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let Some((certificate, key)) = &tls.own else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(certificate)?;
    let key_of = PrivateKeyDer::from_pem_file(key).map_err(|e| wrong(&format!("{}: {e}", key.display())))?;
    let refused = |e: rustls::Error| wrong(&format!("{} with {}: {e}", certificate.display(), key.display()));
    builder.with_client_auth_cert(chain, key_of).map_err(refused)
}

fn certificates(file: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let read = |e: rustls::pki_types::pem::Error| wrong(&format!("{}: {e}", file.display()));
    CertificateDer::pem_file_iter(file).map_err(read)?.map(|one| one.map_err(read)).collect()
}

fn authorities(tls: &Tls, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, StoreError> {
    let mut store = RootCertStore::empty();
    match &tls.roots {
        Some(file) => {
            for certificate in certificates(file)? {
                store.add(certificate).map_err(|e| wrong(&format!("{}: {e}", file.display())))?;
            }
        }
        None => drop(store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    if store.is_empty() {
        return Err(wrong("there is no certificate to trust"));
    }
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone());
    builder.build().map_err(|e| wrong(&e.to_string()))
}

/// Accepts a trusted certificate for any name.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The name is looked at last: with a wrong one, everything else was right.
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Verifier that accepts any server, as `prefer` and `require` do everywhere.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
