//! The page's document. Each answer has a nonce of its own, by which the page's libraries may add styles and
//! nobody else may.

use std::sync::LazyLock;

use axum::response::Response;
use http::StatusCode;
use http::header::{self, HeaderValue};
use longhaul_crypto::random;

use super::{files, guard};
use crate::respond;

/// Name of the document among the files.
pub(super) const FILE: &str = "index.html";
/// Stands in the document where the nonce belongs.
const PLACEHOLDER: &str = "__CSP_NONCE__";

/// The document: the built one, or one that says how to build it.
static DOCUMENT: LazyLock<&str> = LazyLock::new(|| files::text(FILE).unwrap_or(include_str!("unbuilt.html")));

/// Answers with the document.
pub(super) fn page() -> Response {
    answer(&DOCUMENT)
}

fn answer(document: &str) -> Response {
    let nonce = random::token::<16>();
    let mut response = respond::json(StatusCode::OK, document.replace(PLACEHOLDER, &nonce));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    guard(headers, policy(&format!(" 'nonce-{nonce}'")));
    response
}

/// Content-Security-Policy of the page, which loads only what this server has. `styles` is added to the
/// sources of styles.
pub(super) fn policy(styles: &str) -> HeaderValue {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'{styles}; font-src 'self'; img-src 'self' data:; \
         connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    );
    // A nonce has letters, digits, `-` and `_` only.
    HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn each_answer_has_a_nonce_of_its_own_wherever_it_belongs() {
        let document = "<meta property=\"csp-nonce\" nonce=\"__CSP_NONCE__\"><style nonce=\"__CSP_NONCE__\">";
        let mut seen = Vec::new();
        for _ in 0..3 {
            let response = answer(document);
            let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
            let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, document.replace("__CSP_NONCE__", &nonce));
            assert!(nonce.len() == 22 && !seen.contains(&nonce), "{nonce}");
            seen.push(nonce);
        }
    }

    #[test]
    fn unbuilt_page_keeps_to_the_policy() {
        let text = include_str!("unbuilt.html");
        assert!(!text.contains("<script") && !text.contains("style=\"") && !text.contains("http"));
        assert_eq!(text.matches("<style").count(), text.matches(PLACEHOLDER).count());
    }
}
