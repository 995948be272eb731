//! The cookie that the page's session is in. Over TLS its name has the prefix with which browsers take it
//! from this host only and over TLS only, so that nobody on the way can plant another; without TLS it has
//! none.

use http::header::{self, HeaderMap, HeaderValue};

const SECURE: &str = "__Host-longhaul";
const PLAIN: &str = "longhaul_session";

fn name(secure: bool) -> &'static str {
    if secure { SECURE } else { PLAIN }
}

/// Returns the secret of a request's session. A cookie that is there twice counts as none: one of them is
/// somebody else's.
pub(crate) fn read(headers: &HeaderMap, secure: bool) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut named = lines.flat_map(|line| line.split(';')).filter_map(|pair| {
        let (given, value) = pair.split_once('=')?;
        (given.trim() == name(secure)).then_some(value.trim())
    });
    match (named.next(), named.next()) {
        (Some(secret), None) => Some(secret),
        _ => None,
    }
}

/// Returns the header that gives a browser its session's secret. It is forgotten with the browser's own
/// session; the server knows how long it counts.
pub(crate) fn given(secret: &str, secure: bool) -> Option<HeaderValue> {
    header(secret, secure, "")
}

/// Returns the header that takes the secret from a browser.
pub(crate) fn taken(secure: bool) -> Option<HeaderValue> {
    header("", secure, "; Max-Age=0")
}

fn header(secret: &str, secure: bool, life: &str) -> Option<HeaderValue> {
    let only_by_tls = if secure { "; Secure" } else { "" };
    let text = format!("{}={secret}; Path=/; HttpOnly; SameSite=Strict{only_by_tls}{life}", name(secure));
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_read_from_the_one_cookie_of_its_name() {
        let read = |lines: &[&'static str], secure| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, line.parse().unwrap());
            }
            super::read(&headers, secure).map(str::to_owned)
        };
        for (lines, plain, secure) in [
            (&["longhaul_session=a"][..], Some("a"), None),
            (&["theme=dark; longhaul_session=a"], Some("a"), None),
            (&["theme=dark", "longhaul_session=a;x"], Some("a"), None),
            (&["__Host-longhaul=b; longhaul_session=a"], Some("a"), Some("b")),
            (&["longhaul_session=a; longhaul_session=b"], None, None),
            (&["longhaul_session=a", "longhaul_session=a"], None, None),
            (&["xlonghaul_session=a; Longhaul_Session=b"], None, None),
            (&["longhaul_session"], None, None),
            (&[], None, None),
        ] {
            assert_eq!(read(lines, false).as_deref(), plain, "{lines:?}");
            assert_eq!(read(lines, true).as_deref(), secure, "{lines:?}");
        }
    }

    #[test]
    fn browsers_keep_it_from_scripts_and_other_sites() {
        let text = |value: Option<HeaderValue>| value.unwrap().to_str().unwrap().to_owned();
        assert_eq!(text(given("s", true)), "__Host-longhaul=s; Path=/; HttpOnly; SameSite=Strict; Secure");
        assert_eq!(text(given("s", false)), "longhaul_session=s; Path=/; HttpOnly; SameSite=Strict");
        assert!(text(taken(true)).ends_with("; Secure; Max-Age=0"));
        assert!(given("s", true).unwrap().is_sensitive());
    }
}
