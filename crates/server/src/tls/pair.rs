//! A certificate chain and its key, from two PEM files.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::error::TlsError;
use super::validity::Validity;

/// Largest file, more than any chain has; a larger file is something else.
const LARGEST: u64 = 1 << 20;

/// The two files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// Certificate chain with its key, ready to be shown to clients.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) validity: Validity,
}

impl Files {
    /// Reads both and checks that clients can be served with them. An expired certificate passes: clients
    /// report it themselves, and a warned operator may rather have that than no server.
    pub(super) fn load(&self, provider: &CryptoProvider) -> Result<Pair, TlsError> {
        let chain = chain(&self.certificate)?;
        let key = key(&self.key)?;
        let certificate = |reason: String| TlsError::Unusable { path: self.certificate.clone(), reason };
        let leaf = chain.first().ok_or_else(|| TlsError::NoCertificate { path: self.certificate.clone() })?;
        ParsedCertificate::try_from(leaf).map_err(|e| certificate(e.to_string()))?;
        let validity =
            Validity::of(leaf).ok_or_else(|| certificate("its dates cannot be read".to_owned()))?;
        let signing = provider.key_provider.load_private_key(key).map_err(|_| TlsError::Unusable {
            path: self.key.clone(),
            reason: "this kind of key cannot be used: have an ECDSA key (P-256, P-384), an Ed25519 key, or an RSA \
                     key of 2048 bits or more"
                .to_owned(),
        })?;
        let certified = CertifiedKey::new(chain, signing);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                return Err(TlsError::Mismatch {
                    certificate: self.certificate.clone(),
                    key: self.key.clone(),
                });
            }
            Err(e) => return Err(certificate(e.to_string())),
        }
        Ok(Pair { certified: Arc::new(certified), validity })
    }

    /// Stamp of both files, which changes when either of them is written or replaced.
    pub(super) fn stamp(&self) -> Stamp {
        Stamp([Mark::of(&self.certificate), Mark::of(&self.key)])
    }
}

/// State of two files at a read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamp([Option<Mark>; 2]);

/// State of a file: attributes that change with a write, with a rename, or with another target of a link.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    modified: (i64, i64),
    size: u64,
    file: (u64, u64),
    mode: u32,
}

impl Mark {
    fn of(path: &Path) -> Option<Mark> {
        let facts = std::fs::metadata(path).ok()?;
        Some(Mark {
            modified: (facts.mtime(), facts.mtime_nsec()),
            size: facts.size(),
            file: (facts.dev(), facts.ino()),
            // A key that was refused for its permissions is looked at again once they are right.
            mode: facts.mode(),
        })
    }
}

pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path, |_| Ok(()))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|e| no_pem(path, &e))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(chain)
}

/// Reads the key from a file that only its owner can read.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path, |file| {
        if let Some(mode) = longhaul_crypto::exposed(file).map_err(|e| unreadable(path, e))? {
            return Err(TlsError::Exposed { path: path.to_owned(), mode });
        }
        Ok(())
    })?;
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => Ok(key),
        Err(_) if is_encrypted(&text) => Err(TlsError::Encrypted { path: path.to_owned() }),
        Err(pem::Error::NoItemsFound) => Err(TlsError::NoKey { path: path.to_owned() }),
        Err(e) => Err(no_pem(path, &e)),
    }
}

fn is_encrypted(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    // PKCS #8, and what older tools write.
    text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
}

fn read(path: &Path, check: impl FnOnce(&File) -> Result<(), TlsError>) -> Result<Vec<u8>, TlsError> {
    let file = File::open(path).map_err(|e| unreadable(path, e))?;
    check(&file)?;
    let mut text = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut text).map_err(|e| unreadable(path, e))?;
    if text.len() as u64 > LARGEST {
        return Err(TlsError::NoPem { path: path.to_owned(), reason: "it is larger than 1 MiB".to_owned() });
    }
    Ok(text)
}

fn unreadable(path: &Path, source: std::io::Error) -> TlsError {
    TlsError::Read { path: path.to_owned(), source }
}

fn no_pem(path: &Path, e: &pem::Error) -> TlsError {
    TlsError::NoPem { path: path.to_owned(), reason: e.to_string() }
}
