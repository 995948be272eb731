//! Files of the page: scripts, styles, pictures. Names of those under `assets/` change with their content, so
//! that browsers keep them for a year; the others are asked for again, by their tag.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderValue};
use longhaul_crypto::{base64url, digest};

use super::{guard, index};
use crate::request::IfNoneMatch;

/// A file as it was built.
struct File {
    /// Path below `/ui/`.
    name: &'static str,
    plain: &'static [u8],
    /// The file in gzip, where that is smaller.
    packed: Option<&'static [u8]>,
}

/// All files, by name.
static FILES: &[File] = &include!(concat!(env!("OUT_DIR"), "/page.rs"));

const FOR_A_YEAR: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

fn find(name: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.name == name)
}

/// Returns a file's text; `None` if the build has no such file.
pub(super) fn text(name: &str) -> Option<&'static str> {
    std::str::from_utf8(find(name)?.plain).ok()
}

/// Answers with a file; `None` if the build has no such file.
pub(super) fn serve(name: &str, headers: &HeaderMap, known: &IfNoneMatch) -> Option<Response> {
    Some(answer(find(name)?, headers, known))
}

fn answer(file: &File, asked: &HeaderMap, known: &IfNoneMatch) -> Response {
    let packed = file.packed.filter(|_| takes_gzip(asked));
    let coding = if packed.is_some() { "-gzip" } else { "" };
    let tag = format!("\"{}{coding}\"", hash(file.plain));
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    guard(headers, index::policy(""));
    let lasting = file.name.starts_with("assets/");
    headers.insert(header::CACHE_CONTROL, if lasting { FOR_A_YEAR } else { ASK_AGAIN });
    if let Ok(value) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, value);
    }
    if file.packed.is_some() {
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    if known.has(&tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    let kind = mime_guess::from_path(file.name).first_or_octet_stream();
    if let Ok(kind) = HeaderValue::from_str(kind.essence_str()) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    if packed.is_some() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    *response.body_mut() = Body::from(Bytes::from_static(packed.unwrap_or(file.plain)));
    response
}

/// Hash of a content, for its tag.
fn hash(bytes: &[u8]) -> String {
    base64url::encode(&digest::sha256(bytes)[..16])
}

/// Returns true if the caller takes gzip: it names it, or any coding, with a weight above 0.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let (mut named, mut any) = (None, None);
    for given in headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()) {
        for one in given.split(',') {
            let (coding, weight) = one.split_once(';').unwrap_or((one, ""));
            let weight = weight.trim().strip_prefix("q=").map(str::trim);
            let wanted = weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0));
            match coding.trim().to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => named = Some(wanted),
                "*" => any = Some(wanted),
                _ => {}
            }
        }
    }
    named.or(any).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn header<'a>(response: &'a Response, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn each_form_of_a_file_has_a_tag_of_its_own() {
        let script = File { name: "assets/a-1b2c.js", plain: b"export {}", packed: Some(b"gz") };
        let nothing = IfNoneMatch::of(None);
        let accepting = |coding| HeaderMap::from_iter([(header::ACCEPT_ENCODING, coding)]);
        let asked = ["identity", "gzip"].map(|coding| accepting(HeaderValue::from_static(coding)));
        for (n, form) in asked.iter().enumerate() {
            let response = answer(&script, form, &nothing);
            assert_eq!(header(&response, "content-type"), "text/javascript");
            assert_eq!(header(&response, "cache-control"), "public, max-age=31536000, immutable");
            assert_eq!(header(&response, "vary"), "accept-encoding");
            assert_eq!(header(&response, "content-encoding"), ["", "gzip"][n]);
            let known = IfNoneMatch::of(response.headers().get("etag").cloned());
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(&bytes[..], [&b"export {}"[..], b"gz"][n]);
            let again = [0, 1].map(|m| answer(&script, &asked[m], &known).status().as_u16());
            assert_eq!(again, if n == 0 { [304, 200] } else { [200, 304] });
        }
        let icon = File { name: "icon.svg", plain: b"<svg/>", packed: None };
        let icon = answer(&icon, &asked[1], &nothing);
        assert_eq!((header(&icon, "cache-control"), header(&icon, "vary")), ("no-cache", ""));
        assert_eq!((header(&icon, "content-type"), header(&icon, "content-encoding")), ("image/svg+xml", ""));
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for (given, wanted) in [
            (&["gzip, deflate, br"][..], true),
            (&["br;q=1.0, GZIP;q=0.5"], true),
            (&["*"], true),
            (&["br", "gzip"], true),
            (&[], false),
            (&["identity"], false),
            (&["gzip;q=0, *"], false),
            (&["gzip; q=0.000"], false),
            (&["*;q=0"], false),
            (&["gzipped"], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in given {
                headers.append(header::ACCEPT_ENCODING, value.parse().unwrap());
            }
            assert_eq!(takes_gzip(&headers), wanted, "{given:?}");
        }
    }
}
