//! Failures of requests, with what to do about each.

use std::error::Error;

use longhaul_model::{Failure, Fault};

use super::super::{may_pass, refuse};
use super::clients::CONNECT_LIMIT;
use crate::egress::Denied;

/// A request that was not sent.
pub(super) fn denied(method: &str, denied: &Denied) -> Failure {
    if denied.is_about_address() {
        return refuse(not_permitted(method, denied));
    }
    refuse(
        Fault::new("HTTP_REQUEST", format!("`url`: {denied}"))
            .remedy("Write an absolute address such as https://host.example/path"),
    )
}

fn not_permitted(what: &str, denied: &Denied) -> Fault {
    Fault::new("HTTP_DENIED", format!("{what} was not sent: {denied}, and not on the list of permitted ones")).remedy(
        "Only public addresses may be requested. An operator permits others in the server's configuration under \
         `http.allow`, by network, address or host name",
    )
}

/// A request that got no whole answer.
pub(super) fn broken(what: &str, error: reqwest::Error) -> Failure {
    let error = error.without_url();
    if let Some(denied) = find_denied(&error) {
        return refuse(not_permitted(what, denied));
    }
    let reason = innermost(&error);
    if error.is_builder() {
        return refuse(Fault::new("HTTP_REQUEST", format!("{what} could not be made: {reason}")));
    }
    if let Some(why) = distrusted(&error) {
        return refuse(untrusted(what, why));
    }
    if error.is_connect() {
        let fault = if error.is_timeout() {
            let limit = CONNECT_LIMIT.as_secs();
            Fault::new("HTTP_CONNECT", format!("{what}: no connection within {limit} s"))
        } else {
            Fault::new("HTTP_CONNECT", format!("{what}: no connection: {reason}"))
        };
        return may_pass(fault.remedy("Check that the service runs and can be reached from this server"));
    }
    // From here on the request may have been received and carried out.
    let fault = if error.is_timeout() {
        Fault::new("HTTP_TIMEOUT", format!("{what} was not answered in time"))
            .remedy("Find out what the service is waiting for, or give the sub-task a longer `timeout`")
    } else {
        Fault::new(
            "HTTP_INTERRUPTED",
            format!("{what}: the connection broke before the whole answer came: {reason}"),
        )
        .remedy("Look whether the service did what it was asked, then retry")
    };
    Failure::Unknown { fault }
}

/// Returns the problem with the certificate of the service, if that is why there is no connection.
fn distrusted<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref() {
        return Some(found).filter(|found| {
            matches!(found, rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)
        });
    }
    // The inner error of an I/O error is not among its sources.
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    let inner = inner.and_then(|inner| distrusted(inner as &(dyn Error + 'static)));
    inner.or_else(|| error.source().and_then(distrusted))
}

fn untrusted(what: &str, why: &rustls::Error) -> Fault {
    use rustls::CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, UnknownIssuer,
    };
    let (reason, remedy) = match why {
        rustls::Error::InvalidCertificate(UnknownIssuer) => (
            "it is self-signed, or signed by an authority that this server does not trust".to_owned(),
            "Write the authority's certificate, or the self-signed one itself, to a PEM file, and name that in the \
             server's configuration as `actions.http.ca_file`",
        ),
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. }) => {
            ("it has expired".to_owned(), "Renew the certificate of the service")
        }
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => (
            "it is for another name".to_owned(),
            "Write the name that the certificate has in `url`, or give the service one for this name",
        ),
        rustls::Error::InvalidCertificate(other) if other.to_string().contains("CaUsedAsEndEntity") => (
            "it is self-signed as an authority's (CA:TRUE), which is not for services".to_owned(),
            "Make it anew with `openssl req -x509 -addext basicConstraints=critical,CA:FALSE …`, or have an authority \
             sign one",
        ),
        other => (other.to_string(), "Give the service a certificate that this server can check"),
    };
    Fault::new(
        "HTTP_CERTIFICATE",
        format!("{what} was not sent: the certificate of the service cannot be trusted: {reason}"),
    )
    .remedy(remedy)
}

fn find_denied<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Denied> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

/// Returns the last link of a chain of errors, which says what happened; those before it only say where.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let last = std::iter::successors(Some(error), |&error| error.source()).last();
    last.map(ToString::to_string).unwrap_or_default()
}
