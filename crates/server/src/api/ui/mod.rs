//! `/ui`: the web page. Its files are in the binary; it needs nothing from anywhere else.

mod files;
mod index;
pub(crate) mod session;

use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode, Uri};

use crate::error::ApiError;
use crate::request::IfNoneMatch;
use crate::respond;

/// The page.
pub(crate) async fn index() -> Response {
    index::page()
}

/// A file of the page, or the page itself, whose script reads the rest of the path.
pub(crate) async fn path(uri: Uri, headers: HeaderMap, known: IfNoneMatch) -> Response {
    let name = uri.path().trim_start_matches("/ui/");
    if name == index::FILE {
        return index::page();
    }
    match files::serve(name, &headers, &known) {
        Some(file) => file,
        // Where a script is expected, a page would only be a riddle.
        None if name.starts_with("assets/") => {
            ApiError::unknown_route(&Method::GET, uri.path()).into_response()
        }
        None => index::page(),
    }
}

/// Redirects from the server's root to the page.
pub(crate) fn redirect() -> Response {
    let mut response = respond::empty(StatusCode::FOUND);
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::from_static("/ui"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// Returns true if the caller names HTML among what it takes, which browsers do and programs do not.
pub(crate) fn takes_html(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|accepted| {
        let mut types = accepted.split(',').filter_map(|one| one.split(';').next());
        types.any(|one| one.trim().eq_ignore_ascii_case("text/html"))
    })
}

/// Sets the headers that every part of the page shares.
fn guard(headers: &mut HeaderMap, policy: HeaderValue) {
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
}
