//! Status codes that the official document declares. A client made from it turns any other code into an error
//! without type and message (wire contract, section 4.3), so a refusal is answered with a code of its
//! operation.

use std::sync::{Arc, LazyLock};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{Method, StatusCode};

use crate::config::Dialects;
use crate::error::Refusal;

/// The operations that the table of the official document has.
static OPERATIONS: LazyLock<Vec<Operation>> =
    LazyLock::new(|| include_str!("declared/operations.md").lines().filter_map(Operation::read).collect());

/// Codes of refusals that concern Longhaul's additions to an operation, or the lack of an operation, rather
/// than the operation itself.
const APART: [&str; 2] = ["INVALID_PARAMETER", "ROUTE_NOT_FOUND"];

/// An operation of the official document.
struct Operation {
    method: &'static str,
    path: &'static str,
    /// The declared codes of a success, the usual one first.
    success: Vec<u16>,
    /// The declared codes of errors.
    errors: Vec<u16>,
}

impl Operation {
    /// Reads a row: method, path, success, body, query, errors.
    fn read(line: &'static str) -> Option<Self> {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        let (method, path, success) = (cells.next()?, cells.next()?, cells.next()?);
        let errors = cells.nth(2)?;
        let success = success.split('/').filter_map(|code| code.parse().ok()).collect();
        let errors = errors.split(' ').filter_map(|code| code.parse().ok()).collect();
        path.starts_with('/').then_some(Operation { method, path, success, errors })
    }

    /// Matches a request with the operation; the result ranks a literal path above one with parameters.
    fn matches(&self, method: &Method, path: &str) -> Option<usize> {
        let (mut own, mut given, mut literals) = (self.path.split('/'), path.split('/'), 0);
        loop {
            match (own.next(), given.next()) {
                (None, None) => return (method == self.method).then_some(literals),
                (Some(own), Some(given)) if own == given => literals += 1,
                (Some(own), Some(_)) if own.starts_with('{') => {}
                _ => return None,
            }
        }
    }
}

/// A request's operation; none for a call of Longhaul's own.
fn operation(method: &Method, path: &str) -> Option<&'static Operation> {
    // It looks like an operation on a task.
    if path == "/v1/tasks/events" {
        return None;
    }
    let matching = OPERATIONS.iter().filter_map(|one| Some((one.matches(method, path)?, one)));
    matching.max_by_key(|(literals, _)| *literals).map(|(_, one)| one)
}

/// Returns the declared code for a refusal. Codes about the caller, the transfer, the load or the server
/// (401, 403, 408, 413, 415, 429, 5xx) stay, and so do all where the operation declares no code for refusals.
fn conforming(status: StatusCode, declared: &[u16]) -> StatusCode {
    let about_the_request = matches!(status.as_u16(), 400 | 404 | 409 | 422);
    if !about_the_request || declared.contains(&status.as_u16()) {
        return status;
    }
    let candidates = [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::FORBIDDEN];
    candidates.into_iter().find(|code| declared.contains(&code.as_u16())).unwrap_or(status)
}

/// Replaces the code of refusals of official operations by a declared one; their bodies stay as they are.
pub(crate) async fn conform(State(dialects): State<Arc<Dialects>>, request: Request, next: Next) -> Response {
    if !dialects.common().strict_codes {
        return next.run(request).await;
    }
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let mut response = next.run(request).await;
    let status = response.status();
    let refusal = response.extensions().get::<Refusal>();
    if status.is_client_error()
        && refusal.is_some_and(|Refusal { code }| !APART.contains(&code.as_str()))
        && let Some(operation) = operation(&method, uri.path())
    {
        *response.status_mut() = conforming(status, &operation.errors);
    }
    // A route's task was accepted; an operation may declare another code for that.
    if status == StatusCode::ACCEPTED
        && let Some(operation) = operation(&method, uri.path())
        && !operation.success.contains(&202)
    {
        let declared = operation.success.first().and_then(|code| StatusCode::from_u16(*code).ok());
        *response.status_mut() = declared.unwrap_or(status);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(method: &Method, path: &str) -> Option<&'static [u16]> {
        operation(method, path).map(|one| one.errors.as_slice())
    }

    #[test]
    fn every_row_of_the_table_is_read() {
        assert_eq!(OPERATIONS.len(), 61);
        for one in OPERATIONS.iter() {
            assert!(!one.errors.is_empty() && one.errors.iter().all(|code| (400..600).contains(code)));
            let path = one.path.replace(['{', '}'], "");
            assert_eq!(
                declared(&one.method.parse().unwrap(), &path),
                Some(one.errors.as_slice()),
                "{}",
                one.path
            );
        }
        assert_eq!(declared(&Method::DELETE, "/v1/tasks/history"), Some(&[400, 500][..]));
        assert_eq!(declared(&Method::DELETE, "/v1/tasks/x"), Some(&[404, 409, 500][..]));
        assert_eq!(declared(&Method::POST, "/v1/tasks"), None);
    }

    #[test]
    fn a_refusal_gets_the_nearest_declared_code() {
        let of =
            |code: u16, declared: &[u16]| conforming(StatusCode::from_u16(code).unwrap(), declared).as_u16();
        for (code, declared, wanted) in [
            (422, &[400, 500][..], 400),
            (404, &[400, 500], 400),
            (404, &[400, 404, 500], 404),
            (409, &[400, 409, 500], 409),
            (400, &[404, 500], 404),
            (422, &[403], 403),
            (400, &[500], 400),
            (401, &[400, 500], 401),
            (429, &[400, 500], 429),
            (415, &[400, 500], 415),
            (503, &[400, 500], 503),
        ] {
            assert_eq!(of(code, declared), wanted, "{code} {declared:?}");
        }
    }
}
