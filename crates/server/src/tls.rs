//! Certificate of a running server: its source, and its replacement while connections go on. Open connections
//! keep the old one; the next ones are shown the new one.

mod accept;
mod error;
mod pair;
mod self_signed;
mod validity;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use longhaul_model::{Env, Span, Timestamp};
use parking_lot::{Mutex, RwLock};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio_util::sync::CancellationToken;

pub(crate) use accept::Acceptor;
pub use error::TlsError;
use pair::{Files, Pair, Stamp};
use self_signed::SelfSigned;
use validity::Validity;

/// Interval between looks at the files.
const LOOK: Duration = Duration::from_secs(5);
/// Interval between warnings about a certificate that expires soon.
const REMIND: Span = Span(24 * 3600 * 1000);
/// Interval between attempts to make a new certificate after a failure.
const TRY: Span = Span(3600 * 1000);

/// Protection of connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// Plain HTTP, without protection.
    #[default]
    Off,
    /// TLS with the operator's own certificate. The files are read again when they change.
    Files {
        /// PEM file of the server's own certificate first, then those that lead to its authority.
        cert: PathBuf,
        /// PEM file of the key, which only its owner may read.
        key: PathBuf,
    },
    /// TLS with a certificate that the server makes at its first start and keeps.
    SelfSigned {
        /// Directory of the certificate, with `cert.pem` and `key.pem`.
        directory: PathBuf,
    },
}

/// Certificate of a server. Clones share it.
#[derive(Clone, Debug)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    files: Files,
    maker: Option<SelfSigned>,
    provider: Arc<CryptoProvider>,
    env: Env,
    /// Read at every handshake, written at a change.
    shown: RwLock<Arc<CertifiedKey>>,
    /// State, locked while the files are read, so that two readers do not undo each other's work.
    state: Mutex<State>,
}

struct State {
    /// Stamp of the files when they were last read, with success or without.
    read: Stamp,
    validity: Validity,
    /// Time of the last warning about the certificate's end.
    reminded: Timestamp,
    /// Time of the last attempt to make a new certificate.
    tried: Timestamp,
}

impl Tls {
    /// Returns what is wrong with the files of a certificate, each with the setting that names the file:
    /// `cert` or `key`. Nothing is wrong where the server makes its certificate itself.
    pub fn mistakes(&self) -> Vec<(&'static str, TlsError)> {
        let Tls::Files { cert, key } = self else { return Vec::new() };
        let files = Files { certificate: cert.clone(), key: key.clone() };
        let read = [("cert", pair::chain(cert).err()), ("key", pair::key(key).err())];
        let mut all: Vec<_> = read.into_iter().filter_map(|(name, e)| Some((name, e?))).collect();
        if all.is_empty()
            && let Err(e) = files.load(&aws_lc_rs::default_provider())
        {
            let of_key = matches!(&e, TlsError::Unusable { path, .. } if path == key);
            all.push((if of_key { "key" } else { "cert" }, e));
        }
        all
    }
}

impl Certificate {
    /// Reads the certificate, or makes it; `None` without TLS. The call reads and writes files.
    pub(crate) fn open(tls: &Tls, listen: &[IpAddr], env: Env) -> Result<Option<Certificate>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let (files, maker) = match tls {
            Tls::Off => return Ok(None),
            Tls::Files { cert, key } => (Files { certificate: cert.clone(), key: key.clone() }, None),
            Tls::SelfSigned { directory } => {
                let maker = SelfSigned::new(directory.clone(), listen.to_vec());
                (maker.files(), Some(maker))
            }
        };
        // The stamp is taken before the files are read: a change meanwhile is seen at the next look.
        let read = files.stamp();
        let pair = match &maker {
            Some(maker) => maker.open(&env, &provider)?,
            None => files.load(&provider)?,
        };
        let never = Timestamp::default();
        let state = State { read, validity: pair.validity, reminded: never, tried: never };
        let inner = Inner {
            files,
            maker,
            provider,
            env,
            shown: RwLock::new(pair.certified),
            state: Mutex::new(state),
        };
        inner.remind(&mut inner.state.lock());
        Ok(Some(Certificate(Arc::new(inner))))
    }

    /// Returns the certificate's file, which clients are given to trust a self-signed one.
    pub fn path(&self) -> &Path {
        &self.0.files.certificate
    }

    /// Returns true if the server made the certificate itself, so that clients must be told to trust it.
    pub fn is_self_signed(&self) -> bool {
        self.0.maker.is_some()
    }

    /// Reads the files again, changed or not. After an error the certificate stays as it was.
    pub async fn reload(&self) -> Result<(), TlsError> {
        let inner = self.0.clone();
        let reloaded = tokio::task::spawn_blocking(move || inner.load(&mut inner.state.lock())).await;
        reloaded.unwrap_or_else(|e| Err(TlsError::Setup(e.to_string())))
    }

    /// Looks at the files until the server stops.
    pub(crate) async fn watch(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let inner = self.0.clone();
            if let Err(e) = tokio::task::spawn_blocking(move || inner.tick()).await {
                tracing::error!(error = %e, "the certificate could not be looked at");
            }
        }
    }

    /// TLS configuration for accepted connections: TLS 1.2 and 1.3, forward secret and authenticated ciphers
    /// only.
    fn server_config(&self) -> Result<rustls::ServerConfig, TlsError> {
        let failed = |e: rustls::Error| TlsError::Setup(e.to_string());
        let mut config = rustls::ServerConfig::builder_with_provider(self.0.provider.clone())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(failed)?
            .with_no_client_auth()
            .with_cert_resolver(self.0.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A returning client saves both sides the costly half of the handshake.
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(failed)?;
        Ok(config)
    }
}

impl Inner {
    /// Looks at the certificate once: makes a new one if it is due, reads the files if they changed, warns if
    /// they expire soon.
    fn tick(&self) {
        let mut state = self.state.lock();
        self.renew(&mut state);
        if self.files.stamp() != state.read {
            match self.load(&mut state) {
                Ok(()) => tracing::info!(
                    certificate = %self.files.certificate.display(),
                    expires = %state.validity.until,
                    "the certificate was replaced"
                ),
                Err(e) => {
                    tracing::error!(error = %e, "the new certificate cannot be used; the old one stays")
                }
            }
        }
        self.remind(&mut state);
    }

    fn renew(&self, state: &mut State) {
        let now = self.env.wall();
        let Some(maker) = self.maker.as_ref().filter(|maker| maker.is_due(state.validity, now)) else {
            return;
        };
        if now < state.tried.after(TRY) {
            return;
        }
        state.tried = now;
        if let Err(e) = maker.make(&self.env) {
            tracing::error!(error = %e, "the self-signed certificate cannot be made anew");
        }
    }

    fn load(&self, state: &mut State) -> Result<(), TlsError> {
        // The stamp is updated first, also for a failure: nobody wants to read the same complaint every five
        // seconds.
        state.read = self.files.stamp();
        let Pair { certified, validity } = self.files.load(&self.provider)?;
        *self.shown.write() = certified;
        state.validity = validity;
        state.reminded = Timestamp::default();
        Ok(())
    }

    fn remind(&self, state: &mut State) {
        let now = self.env.wall();
        if now < state.reminded.after(REMIND) {
            return;
        }
        if let Some(warning) = state.validity.warning(now) {
            state.reminded = now;
            tracing::warn!(certificate = %self.files.certificate.display(), "{warning}");
        }
    }
}

impl ResolvesServerCert for Inner {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown.read().clone())
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rcgen::{CertificateParams, KeyPair};
    use rustls::SupportedCipherSuite;

    use super::*;

    fn pair() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn put(directory: &Path, certificate: &str, key: &str) -> Tls {
        let (cert_path, key_path) = (directory.join("cert.pem"), directory.join("key.pem"));
        std::fs::write(&cert_path, certificate).unwrap();
        std::fs::write(&key_path, key).unwrap();
        std::fs::set_permissions(&key_path, std::fs::Permissions::from_mode(0o600)).unwrap();
        Tls::Files { cert: cert_path, key: key_path }
    }

    fn open(tls: &Tls) -> Result<Certificate, TlsError> {
        Certificate::open(tls, &[IpAddr::from([127, 0, 0, 1])], Env::real()).map(Option::unwrap)
    }

    fn shown(certificate: &Certificate) -> Vec<u8> {
        certificate.0.shown.read().cert[0].to_vec()
    }

    #[test]
    fn only_strong_suites_and_two_versions() {
        let directory = tempfile::tempdir().unwrap();
        let (certificate, key) = pair();
        let config = open(&put(directory.path(), &certificate, &key)).unwrap().server_config().unwrap();
        for suite in &config.crypto_provider().cipher_suites {
            let name = format!("{:?}", suite.suite());
            let forward_secret =
                matches!(suite, SupportedCipherSuite::Tls13(_)) || name.starts_with("TLS_ECDHE_");
            let authenticated = name.contains("_GCM_") || name.contains("_POLY1305_");
            assert!(forward_secret && authenticated, "{name}");
        }
        assert!(config.ticketer.enabled());
        assert_eq!(config.max_early_data_size, 0, "early data could be sent twice");
    }

    #[test]
    fn changed_files_are_taken_and_broken_ones_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let (first, first_key) = pair();
        let certificate = open(&put(directory.path(), &first, &first_key)).unwrap();
        let before = shown(&certificate);
        certificate.0.tick();
        assert_eq!(shown(&certificate), before);

        let (second, second_key) = pair();
        // The state between the two writes of an operator who replaces them.
        std::fs::write(directory.path().join("cert.pem"), &second).unwrap();
        certificate.0.tick();
        assert_eq!(shown(&certificate), before, "the new certificate has no key yet");
        std::fs::write(directory.path().join("key.pem"), &second_key).unwrap();
        certificate.0.tick();
        let after = shown(&certificate);
        assert_ne!(after, before);

        std::fs::remove_file(directory.path().join("cert.pem")).unwrap();
        certificate.0.tick();
        assert_eq!(shown(&certificate), after);
        put(directory.path(), &first, &first_key);
        certificate.0.tick();
        assert_eq!(shown(&certificate), before);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_until_they_cannot() {
        let directory = tempfile::tempdir().unwrap();
        let (certificate, key) = pair();
        let tls = put(directory.path(), &certificate, &key);
        let path = directory.path().join("key.pem");
        let chmod = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o644] {
            chmod(mode);
            let refused = open(&tls).unwrap_err().to_string();
            assert!(refused.contains(&format!("mode {mode:o}")), "{refused}");
            assert!(refused.contains(&format!("`chmod 600 {}`", path.display())), "{refused}");
        }
        chmod(0o400);
        let certificate = open(&tls).unwrap();
        let before = shown(&certificate);
        let (second, second_key) = pair();
        put(directory.path(), &second, &second_key);
        chmod(0o644);
        certificate.0.tick();
        assert_eq!(shown(&certificate), before);
        chmod(0o600);
        certificate.0.tick();
        assert_ne!(shown(&certificate), before, "the permissions are part of what is looked at");
    }

    #[test]
    fn mistakes_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let (certificate, key) = pair();
        let (_, other_key) = pair();
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIF\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIF\n-----END RSA PRIVATE KEY-----\n";
        let odd = "-----BEGIN PRIVATE KEY-----\nMIIF\n-----END PRIVATE KEY-----\n";
        let torn = &certificate[..certificate.len() / 2];
        let no_der = "-----BEGIN CERTIFICATE-----\nMIIF\n-----END CERTIFICATE-----\n";
        for (certificate, key, wanted) in [
            (&*certificate, &*other_key, "do not belong together"),
            (&key, &key, "there is no certificate in it"),
            ("", &key, "there is no certificate in it"),
            (torn, &key, "this is no PEM file"),
            (no_der, &key, "cert.pem: "),
            (&certificate, &certificate, "there is no private key in it"),
            (&certificate, encrypted, "openssl pkey -in"),
            (&certificate, old, "openssl pkey -in"),
            (&certificate, odd, "this kind of key cannot be used"),
        ] {
            let refused = open(&put(directory.path(), certificate, key)).unwrap_err().to_string();
            assert!(refused.contains(wanted), "{wanted}: {refused}");
        }
        std::fs::remove_file(directory.path().join("key.pem")).unwrap();
        let tls =
            Tls::Files { cert: directory.path().join("cert.pem"), key: directory.path().join("key.pem") };
        std::fs::write(directory.path().join("cert.pem"), &certificate).unwrap();
        let refused = open(&tls).unwrap_err().to_string();
        assert!(refused.contains("key.pem: No such file"), "{refused}");
    }

    #[test]
    fn a_self_signed_one_is_renewed_while_the_server_runs() {
        let directory = tempfile::tempdir().unwrap();
        let env = Env::manual("2026-03-01T12:00:00.000Z".parse().unwrap());
        let tls = Tls::SelfSigned { directory: directory.path().to_owned() };
        let certificate =
            Certificate::open(&tls, &[IpAddr::from([127, 0, 0, 1])], env.clone()).unwrap().unwrap();
        let before = shown(&certificate);
        env.advance(Span(366 * 24 * 3600 * 1000));
        certificate.0.tick();
        assert_eq!(shown(&certificate), before, "31 days to go");
        env.advance(Span(2 * 24 * 3600 * 1000));
        certificate.0.tick();
        assert_ne!(shown(&certificate), before);
    }
}
