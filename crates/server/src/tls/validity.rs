//! Validity of a certificate. The TLS library checks what clients present, not the server's own certificate,
//! so its dates are read from the certificate itself (RFC 5280, section 4.1).

use longhaul_model::{Span, Timestamp};
use yasna::models::{GeneralizedTime, UTCTime};
use yasna::{ASN1Error, ASN1ErrorKind, ASN1Result, BERReader, Tag};

/// Time before a certificate's end at which warnings begin.
const SOON: Span = Span(14 * 24 * 3600 * 1000);
const DAY: i64 = 24 * 3600 * 1000;
const UTC_TIME: u64 = 23;
const GENERALIZED_TIME: u64 = 24;

/// Period in which a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

impl Validity {
    /// Reads the validity of a certificate in DER; `None` if the bytes are something else.
    pub(super) fn of(certificate: &[u8]) -> Option<Validity> {
        yasna::parse_der(certificate, |reader| {
            reader.read_sequence(|certificate| {
                let validity = certificate.next().read_sequence(|signed| {
                    signed.read_optional(|version| {
                        version.read_tagged(Tag::context(0), |version| version.read_i64())
                    })?;
                    for _serial_algorithm_issuer in 0..3 {
                        signed.next().read_der()?;
                    }
                    let validity = signed.next().read_sequence(|validity| {
                        Ok(Validity { from: instant(validity.next())?, until: instant(validity.next())? })
                    })?;
                    // Subject, key and extensions, of which some may be absent.
                    while signed.read_optional(|part| part.read_der())?.is_some() {}
                    Ok(validity)
                })?;
                for _algorithm_signature in 0..2 {
                    certificate.next().read_der()?;
                }
                Ok(validity)
            })
        })
        .ok()
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

fn instant(reader: BERReader<'_, '_>) -> ASN1Result<Timestamp> {
    let value = reader.read_tagged_der()?;
    let at = match value.tag().tag_number {
        UTC_TIME => UTCTime::parse(value.value()).map(|time| *time.datetime()),
        GENERALIZED_TIME => GeneralizedTime::parse(value.value()).map(|time| *time.datetime()),
        _ => None,
    };
    let at = at.ok_or_else(|| ASN1Error::new(ASN1ErrorKind::Invalid))?;
    Ok(Timestamp(at.unix_timestamp() * 1000))
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
