//! Self-signed certificate, made by the server for operators who have none: connections are encrypted from
//! the first start, and clients that are given the file trust it. The certificate is kept, so that trust
//! given once lasts; a new one keeps the key, so that clients that trust a certificate by its key trust the
//! next one too.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use longhaul_model::{Env, Span, Timestamp};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use time::OffsetDateTime;

use super::error::TlsError;
use super::pair::{self, Files, Pair};
use super::validity::Validity;

const DAY: u64 = 24 * 3600 * 1000;
/// The longest that browsers accept.
const LIFE: Span = Span(397 * DAY);
/// Time before its end at which a certificate is replaced.
const RENEWED: Span = Span(30 * DAY);
/// Clocks that are late by less accept a new certificate.
const BACKDATED: i64 = DAY as i64;
/// Maximum number of addresses of this machine that go into a certificate.
const ADDRESSES: usize = 32;
/// The longest common name (RFC 5280, appendix A.1).
const COMMON_NAME: usize = 64;

/// Maker of one directory's certificate.
#[derive(Clone, Debug)]
pub(super) struct SelfSigned {
    directory: PathBuf,
    /// Addresses that the server listens on.
    listen: Vec<IpAddr>,
}

impl SelfSigned {
    pub(super) fn new(directory: PathBuf, listen: Vec<IpAddr>) -> Self {
        SelfSigned { directory, listen }
    }

    /// Returns the files of the certificate and its key.
    pub(super) fn files(&self) -> Files {
        Files { certificate: self.directory.join("cert.pem"), key: self.directory.join("key.pem") }
    }

    /// Opens the existing pair if it can still be used; else makes a new one. An existing key is kept, and
    /// one with the wrong form or permissions is an error: somebody else put it there, or may have read it.
    pub(super) fn open(&self, env: &Env, provider: &CryptoProvider) -> Result<Pair, TlsError> {
        let files = self.files();
        if files.key.exists() && files.certificate.exists() {
            match files.load(provider) {
                Ok(pair) => match self.objection(&pair, env.wall()) {
                    None => return Ok(pair),
                    Some(objection) => tracing::warn!(
                        certificate = %files.certificate.display(),
                        reason = objection,
                        "the self-signed certificate is made anew"
                    ),
                },
                Err(
                    e @ (TlsError::Mismatch { .. }
                    | TlsError::NoCertificate { .. }
                    | TlsError::NoPem { .. }
                    | TlsError::Unusable { .. }),
                ) => tracing::warn!(error = %e, "the self-signed certificate is made anew"),
                Err(e) => return Err(e),
            }
        }
        self.make(env)?;
        files.load(provider)
    }

    /// Returns true if a new certificate is due.
    pub(super) fn is_due(&self, validity: Validity, now: Timestamp) -> bool {
        validity.until < now.after(RENEWED)
    }

    /// Reason why a certificate can no longer be used.
    fn objection(&self, pair: &Pair, now: Timestamp) -> Option<String> {
        if self.is_due(pair.validity, now) {
            return Some(format!("it expires on {}", pair.validity.until));
        }
        let leaf = pair.certified.cert.first()?;
        let uncovered = |name: &ServerName<'static>| !is_for(leaf, name);
        let missing = self.needed().into_iter().find(uncovered)?;
        Some(format!("it is not for {}", missing.to_str()))
    }

    /// Makes a certificate, and a key if there is none.
    pub(super) fn make(&self, env: &Env) -> Result<(), TlsError> {
        let failed = |e: &dyn std::fmt::Display| TlsError::Make {
            directory: self.directory.clone(),
            reason: e.to_string(),
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory).map_err(|e| failed(&e))?;
        let files = self.files();
        let key = if files.key.exists() {
            KeyPair::try_from(&pair::key(&files.key)?)
        } else {
            KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
        };
        let key = key.map_err(|e| failed(&e))?;
        let params = self.params(env).map_err(|e| failed(&e))?;
        let certificate = params.self_signed(&key).map_err(|e| failed(&e))?;
        // The key is written first: one without a certificate gets it at the next start.
        if !files.key.exists() {
            write(&files.key, key.serialize_pem().as_bytes()).map_err(|e| failed(&e))?;
        }
        write(&files.certificate, certificate.pem().as_bytes()).map_err(|e| failed(&e))?;
        tracing::info!(certificate = %files.certificate.display(), "made a self-signed certificate");
        Ok(())
    }

    fn params(&self, env: &Env) -> Result<CertificateParams, rcgen::Error> {
        let now = env.wall();
        let host = host_name();
        let mut params = CertificateParams::default();
        params.not_before = instant(Timestamp(now.0 - BACKDATED))?;
        params.not_after = instant(now.after(LIFE))?;
        // Positive, and new each time: browsers refuse two certificates of one issuer with the same number.
        let serial = (env.random() >> 1 | 1 << 120).to_be_bytes();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let name: String = match &host {
            Some(host) => format!("longhaul {host}").chars().take(COMMON_NAME).collect(),
            None => "longhaul".to_owned(),
        };
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.subject_alt_names.push(SanType::DnsName("localhost".try_into()?));
        if let Some(host) = host.filter(|host| host != "localhost") {
            params.subject_alt_names.push(SanType::DnsName(host.try_into()?));
        }
        params.subject_alt_names.extend(self.addresses().into_iter().map(SanType::IpAddress));
        Ok(params)
    }

    /// Names that a certificate must have to be kept. The host name and the machine's other addresses are
    /// left out: they come and go, with containers at every start, and trust in a certificate should not go
    /// with them.
    fn needed(&self) -> Vec<ServerName<'static>> {
        let listen = self.listen.iter().filter(|ip| !ip.is_unspecified()).copied();
        let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST)].into_iter().chain(listen);
        addresses.map(|address| ServerName::IpAddress(address.into())).collect()
    }

    /// Returns loopback, and the addresses at which the server can be reached: the one it listens on, or all
    /// of the machine's. Those are included while it listens on loopback, so that the certificate is still
    /// usable once the server is opened to others.
    fn addresses(&self) -> BTreeSet<IpAddr> {
        let everywhere = self.listen.iter().all(IpAddr::is_loopback);
        let everywhere = everywhere || self.listen.iter().any(IpAddr::is_unspecified);
        let mut own: Vec<IpAddr> = self.listen.iter().filter(|ip| !ip.is_unspecified()).copied().collect();
        if everywhere {
            own.extend(machine_addresses());
        }
        let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        loopback.into_iter().chain(own.into_iter().take(ADDRESSES)).collect()
    }
}

fn is_for(certificate: &CertificateDer<'_>, name: &ServerName<'static>) -> bool {
    ParsedCertificate::try_from(certificate).is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok())
}

fn instant(at: Timestamp) -> Result<OffsetDateTime, rcgen::Error> {
    OffsetDateTime::from_unix_timestamp(at.0 / 1000).map_err(|_| rcgen::Error::Time)
}

/// Returns the machine's name, if a certificate can have it.
fn host_name() -> Option<String> {
    let name = nix::unistd::gethostname().ok()?.into_string().ok()?.to_ascii_lowercase();
    matches!(ServerName::try_from(name.as_str()), Ok(ServerName::DnsName(_))).then_some(name)
}

/// Returns the addresses of the machine's interfaces that others can use: without those that need to know the
/// interface.
fn machine_addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let address = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    };
    let linked = |address: &IpAddr| match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    interfaces.filter_map(address).filter(|address| !linked(address)).collect()
}

/// Writes a file that only its owner may read, whole or not at all, also if the power fails.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let partial = path.with_extension("pem.partial");
    match std::fs::remove_file(&partial) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&partial, path)?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustls::crypto::aws_lc_rs;

    use super::*;

    fn now() -> Timestamp {
        "2026-03-01T12:00:00.000Z".parse().unwrap()
    }

    fn maker(directory: &Path, listen: &str) -> SelfSigned {
        SelfSigned::new(directory.join("tls"), vec![listen.parse().unwrap()])
    }

    fn open(maker: &SelfSigned, env: &Env) -> Result<Pair, TlsError> {
        maker.open(env, &aws_lc_rs::default_provider())
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn it_is_made_once_for_its_owner_only() {
        let data = tempfile::tempdir().unwrap();
        let maker = maker(data.path(), "10.1.2.3");
        let env = Env::manual(now());
        let made = open(&maker, &env).unwrap();
        assert_eq!(mode(&data.path().join("tls")), 0o700);
        assert_eq!((mode(&maker.files().certificate), mode(&maker.files().key)), (0o600, 0o600));
        let leaf = &made.certified.cert[0];
        for name in ["localhost", "127.0.0.1", "::1", "10.1.2.3"] {
            assert!(is_for(leaf, &ServerName::try_from(name.to_owned()).unwrap()), "{name}");
        }
        if let Some(host) = host_name() {
            assert!(is_for(leaf, &ServerName::try_from(host).unwrap()), "the host name");
        }
        assert!(!is_for(leaf, &ServerName::try_from("example.com").unwrap()));
        let again = open(&maker, &env).unwrap();
        assert_eq!(again.certified.cert, made.certified.cert);
        assert_eq!(std::fs::read_dir(data.path().join("tls")).unwrap().count(), 2, "nothing is left over");
    }

    #[test]
    fn it_is_made_anew_near_its_end_and_keeps_the_key() {
        let data = tempfile::tempdir().unwrap();
        let maker = maker(data.path(), "127.0.0.1");
        let env = Env::manual(now());
        let first = open(&maker, &env).unwrap();
        let key = std::fs::read(maker.files().key).unwrap();
        env.advance(Span(LIFE.0 - RENEWED.0 - DAY));
        assert_eq!(open(&maker, &env).unwrap().validity, first.validity, "31 days to go");
        env.advance(Span(DAY + 1));
        let second = open(&maker, &env).unwrap();
        assert!(second.validity.until > first.validity.until);
        assert_eq!(std::fs::read(maker.files().key).unwrap(), key);
        assert_ne!(second.certified.cert, first.certified.cert);
    }

    #[test]
    fn it_is_made_anew_for_another_address() {
        let data = tempfile::tempdir().unwrap();
        let env = Env::manual(now());
        let first = open(&maker(data.path(), "127.0.0.1"), &env).unwrap();
        let second = open(&maker(data.path(), "10.1.2.3"), &env).unwrap();
        assert_ne!(first.certified.cert, second.certified.cert);
        assert!(is_for(&second.certified.cert[0], &ServerName::try_from("10.1.2.3").unwrap()));
    }

    #[test]
    fn what_somebody_spoiled_is_mended_or_refused() {
        let data = tempfile::tempdir().unwrap();
        let maker = maker(data.path(), "127.0.0.1");
        let env = Env::manual(now());
        open(&maker, &env).unwrap();
        let Files { certificate, key } = maker.files();
        std::fs::write(&certificate, "no certificate").unwrap();
        open(&maker, &env).unwrap();
        std::fs::remove_file(&key).unwrap();
        open(&maker, &env).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = open(&maker, &env).unwrap_err();
        assert!(matches!(refused, TlsError::Exposed { mode: 0o640, .. }), "{refused}");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&key, "no key").unwrap();
        let refused = open(&maker, &env).unwrap_err();
        assert!(matches!(refused, TlsError::NoKey { .. }), "{refused}");
    }
}
