//! The OpenAPI document and the page that shows it. Everything the page needs is in the binary.

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderValue};
use http::{StatusCode, Uri};

use super::App;
use crate::error::ApiError;
use crate::respond;

static PAGE: LazyLock<Arc<utoipa_swagger_ui::Config<'static>>> = LazyLock::new(|| {
    Arc::new(utoipa_swagger_ui::Config::new(["/openapi.json"]).try_it_out_enabled(true).validator_url("none"))
});

/// Forbids content from elsewhere. Styles are the page's only inline part: it sets them from its script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

/// The document.
pub(crate) async fn openapi(State(app): State<App>) -> Response {
    respond::json(StatusCode::OK, app.openapi.to_string())
}

/// Redirects to the page, with the slash that its relative links need.
pub(crate) async fn redirect() -> Response {
    let mut response = respond::empty(StatusCode::PERMANENT_REDIRECT);
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/docs/index.html"));
    response
}

/// A file of the page.
pub(crate) async fn file(uri: Uri) -> Response {
    let name = uri.path().trim_start_matches("/docs/");
    match utoipa_swagger_ui::serve(name, PAGE.clone()) {
        Ok(Some(file)) => {
            let mut response = Response::new(Body::from(file.bytes.into_owned()));
            let headers = response.headers_mut();
            if let Ok(kind) = HeaderValue::from_str(&file.content_type) {
                headers.insert(header::CONTENT_TYPE, kind);
            }
            if file.gzpipped {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
            response
        }
        Ok(None) => ApiError::unknown_route(&http::Method::GET, uri.path()).into_response(),
        Err(e) => ApiError::internal(e.to_string()).into_response(),
    }
}
