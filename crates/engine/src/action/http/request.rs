//! Construction of the request from its template.

use longhaul_model::workflow::HttpTemplate;
use longhaul_model::{Failure, Fault, Launch};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Method, Request, Url};
use serde_json::Value;

use super::super::{bad_expression, refuse};
use super::{DEFAULT_LIMIT, failure};
use crate::egress::Egress;

/// Headers that belong to the connection or follow from URL and body; a value set by hand would contradict
/// them.
const RESERVED: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Evaluates the template and checks the destination of the request.
pub(super) fn build(template: &HttpTemplate, launch: &Launch, egress: &Egress) -> Result<Request, Failure> {
    let scope = &launch.scope;
    let url = template.url.text(scope).map_err(|e| bad_expression("url", &e))?;
    let url = egress.check_url(&url).map_err(|denied| failure::denied(&template.method, &denied))?;
    let method = Method::from_bytes(template.method.as_bytes())
        .map_err(|_| wrong("method", format!("`{}` is no method", template.method)))?;
    let mut request = Request::new(method, url);
    if launch.timeout.is_none() {
        *request.timeout_mut() = Some(DEFAULT_LIMIT);
    }
    if let Some(body) = &template.body {
        let (kind, body) = match body.value(scope).map_err(|e| bad_expression("body", &e))? {
            Value::String(text) => ("text/plain; charset=utf-8", text),
            json => ("application/json", json.to_string()),
        };
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        *request.body_mut() = Some(Body::from(body));
    }
    let key = HeaderValue::from_str(&launch.idempotency_key)
        .map_err(|_| wrong("headers", "the idempotency key is no header value".to_owned()))?;
    request.headers_mut().insert("idempotency-key", key);
    if let Some(trace) = launch.trace.and_then(|trace| HeaderValue::from_str(&trace.to_string()).ok()) {
        request.headers_mut().insert("traceparent", trace);
    }
    for (name, text) in &template.headers {
        let text = text.text(scope).map_err(|e| bad_expression(&format!("headers.{name}"), &e))?;
        set(request.headers_mut(), name, &text)?;
    }
    Ok(request)
}

/// Sets a header, which replaces one that Longhaul sends of itself.
fn set(headers: &mut HeaderMap, name: &str, text: &str) -> Result<(), Failure> {
    let field = format!("headers.{name}");
    let key = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| wrong(&field, "is no header name: use letters, digits and `-`".to_owned()))?;
    if RESERVED.contains(&key.as_str()) {
        return Err(wrong(
            &field,
            "cannot be set: it follows from the URL, the body and the connection".to_owned(),
        ));
    }
    // The value may be a secret: it is not shown.
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        wrong(&field, "has a value with a line break or another control character".to_owned())
    })?;
    value.set_sensitive(true);
    headers.insert(key, value);
    Ok(())
}

fn wrong(field: &str, reason: String) -> Failure {
    refuse(
        Fault::new("HTTP_REQUEST", format!("`{field}`: {reason}"))
            .remedy(format!("Correct `{field}` of the `http` action, or the values its expressions use")),
    )
}

/// Method and URL as messages name them.
pub(super) fn describe(request: &Request) -> String {
    format!("{} {}", request.method(), shown(request.url()))
}

/// Returns a URL without its parts that may be secret: user, password, query, fragment.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let has_query = url.query().is_some();
    url.set_query(None);
    url.set_fragment(None);
    // Only URLs without a host refuse these, and they hold neither.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    if has_query { format!("{url}?…") } else { url.to_string() }
}
