//! Validity of a certificate. The TLS library checks what clients present, not the server's own certificate,
//! so its dates are read from the certificate itself (RFC 5280, section 4.1).

use longhaul_model::{Span, Timestamp};
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

/// Time before a certificate's end at which warnings begin.
const SOON: Span = Span(14 * 24 * 3600 * 1000);
const DAY: i64 = 24 * 3600 * 1000;

/// Period in which a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

impl Validity {
    /// Reads the validity of a certificate in DER; `None` if the bytes are something else.
    pub(super) fn of(certificate: &[u8]) -> Option<Validity> {
        let (rest, certificate) = X509Certificate::from_der(certificate).ok()?;
        let at = |time: ASN1Time| Timestamp(time.timestamp().saturating_mul(1000));
        let validity = certificate.validity();
        rest.is_empty().then(|| Validity { from: at(validity.not_before), until: at(validity.not_after) })
    }

    /// Warning for an operator, if there is a reason for one.
    pub(super) fn warning(&self, now: Timestamp) -> Option<String> {
        if self.until < now {
            Some(format!("the certificate has expired on {}: clients refuse it", self.until))
        } else if self.from > now {
            Some(format!("the certificate is valid from {} only: clients refuse it until then", self.from))
        } else if self.until < now.after(SOON) {
            let days = (self.until.0 - now.0) / DAY;
            Some(format!("the certificate expires in {days} days, on {}: replace its files", self.until))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn both_spellings_of_time_are_read() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        for ((from, from_text), (until, until_text)) in [
            (((1999, 12, 31), "1999-12-31T00:00:00.000Z"), ((2049, 12, 31), "2049-12-31T00:00:00.000Z")),
            // From 2050 on, the year has four digits.
            (((2026, 2, 28), "2026-02-28T00:00:00.000Z"), ((2050, 1, 1), "2050-01-01T00:00:00.000Z")),
        ] {
            params.not_before = date_time_ymd(from.0, from.1, from.2);
            params.not_after = date_time_ymd(until.0, until.1, until.2);
            let certificate = params.self_signed(&key).unwrap();
            let wanted = Validity { from: at(from_text), until: at(until_text) };
            assert_eq!(Validity::of(certificate.der()), Some(wanted));
        }
    }

    #[test]
    fn what_is_no_certificate_has_none() {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let whole = certificate.der();
        assert!(Validity::of(whole).is_some());
        for end in 0..whole.len() {
            assert_eq!(Validity::of(&whole[..end]), None, "cut at {end}");
        }
        assert_eq!(Validity::of(&key.serialize_der()), None);
    }

    #[test]
    fn only_what_matters_is_said() {
        let validity =
            Validity { from: at("2026-01-01T00:00:00.000Z"), until: at("2026-12-31T00:00:00.000Z") };
        let said = |now: &str| validity.warning(at(now));
        assert_eq!(said("2026-06-01T00:00:00.000Z"), None);
        assert_eq!(said("2026-12-17T00:00:00.000Z"), None);
        assert!(said("2026-12-20T12:00:00.000Z").unwrap().contains("expires in 10 days"));
        assert!(said("2026-12-31T00:00:00.001Z").unwrap().contains("has expired on 2026-12-31T"));
        assert!(said("2025-12-31T00:00:00.000Z").unwrap().contains("valid from 2026-01-01T"));
    }
}
