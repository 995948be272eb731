//! Judgement of an answer: its status, its body, and the output made from it.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use longhaul_model::expr::visible;
use longhaul_model::workflow::HttpTemplate;
use longhaul_model::{Env, Failure, Fault, Launch, weight};
use longhaul_store::Room;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::super::{bad_expression, json_of, may_pass, not_done, refuse};
use super::decode::{self, LARGEST_BODY, Undecoded};
use super::failure;
use crate::logs::Log;

/// Maximum memory in bytes for the values of a body.
const LARGEST_VALUES: usize = 64 << 20;
/// Bytes that are read without a share of the budget for all answers.
const SMALL: usize = 64 * 1024;
/// Longest part of an unexpected answer's body that an error quotes, in characters.
const QUOTED: usize = 500;
/// Longest wait for the body of an unexpected answer: the status alone is enough to fail.
const QUOTE_LIMIT: Duration = Duration::from_secs(5);

/// Returns the output of a success; a failure for any status that is not expected.
pub(super) async fn judge(
    template: &HttpTemplate,
    launch: &Launch,
    what: &str,
    mut response: Response,
    mut room: Room,
    log: &Log,
) -> Result<Option<Value>, Failure> {
    let status = response.status();
    let code = status.as_u16();
    if !template.expect.iter().any(|range| (range.from..=range.to).contains(&code)) {
        return Err(unexpected(what, response, log).await);
    }
    let packed = read(what, &mut response, &mut room).await?;
    let undecoded = |e: Undecoded| match e {
        Undecoded::TooLarge => {
            too_large(what, &format!("the answer is larger than {LARGEST_BODY} bytes (10 MiB)"))
        }
        Undecoded::Unreadable(reason) => unreadable(what, &reason),
    };
    let packed_length = packed.len();
    let bytes = decode::unpacked(response.headers(), packed).map_err(undecoded)?;
    if bytes.len() > packed_length.max(SMALL) {
        room.reach(bytes.len()).await;
    }
    let text = decode::text(response.headers(), &bytes).map_err(undecoded)?;
    if is_json(response.headers()) {
        let values = weight::of_text(text.as_bytes());
        if values > LARGEST_VALUES {
            return Err(too_large(what, "the values of the answer take more than 64 MiB of memory"));
        }
        if values > SMALL {
            room.reach(bytes.len() + values).await;
        }
    }
    let body = parse(response.headers(), text)?;
    let Some(output) = &template.output else { return Ok(body.filter(|body| !body.is_null())) };
    let headers = headers(response.headers());
    let scope = launch
        .scope
        .with("status", visible(&json!(code)))
        .with("headers", visible(&headers))
        .with("body", visible(&body.unwrap_or_default()));
    output.value(&scope).map(Some).map_err(|e| bad_expression("output", &e))
}

/// Bytes that are no text would be stored as garble.
fn unreadable(what: &str, reason: &str) -> Failure {
    refuse(Fault::new("HTTP_BODY", format!("{what}: the answer cannot be read as a text: {reason}")).remedy(
        "Ask for another form with the header `Accept` or `Accept-Encoding`, or let a `command` fetch it",
    ))
}

fn too_large(what: &str, how: &str) -> Failure {
    refuse(
        Fault::new("HTTP_BODY", format!("{what}: {how}"))
            .remedy("Ask for less, such as one page, or let a `command` fetch it"),
    )
}

async fn read(what: &str, response: &mut Response, room: &mut Room) -> Result<Vec<u8>, Failure> {
    let too_large = || too_large(what, &format!("the answer is larger than {LARGEST_BODY} bytes (10 MiB)"));
    if response.content_length().unwrap_or(0) > LARGEST_BODY as u64 {
        return Err(too_large());
    }
    let mut bytes: Vec<u8> = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| failure::broken(what, e))? {
        let length = bytes.len() + chunk.len();
        if length > LARGEST_BODY {
            return Err(too_large());
        }
        if length > bytes.capacity() {
            // Only bytes received count, not the announced length; while the budget is exhausted, the service
            // waits.
            let capacity = length.next_power_of_two().min(LARGEST_BODY);
            if capacity > SMALL {
                room.reach(capacity).await;
            }
            bytes.reserve_exact(capacity - bytes.len());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Returns true if the answer is declared as JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.ends_with("/json") || kind.ends_with("+json")
}

/// Parses JSON where the answer says so and it is, else returns a text; `None` without a body. A service that
/// mislabels its text has done its work all the same, so that is no failure.
fn parse(headers: &HeaderMap, text: Cow<'_, str>) -> Result<Option<Value>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    if is_json(headers)
        && let Some(json) = json_of(text.as_bytes())?
    {
        return Ok(Some(json));
    }
    Ok(Some(Value::String(text.into_owned())))
}

/// Returns headers by lower-case name; values of a repeated header are joined with commas.
fn headers(headers: &HeaderMap) -> Value {
    let mut all = Map::new();
    for name in headers.keys() {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
        all.insert(name.as_str().to_owned(), Value::String(values.join(", ")));
    }
    Value::Object(all)
}

async fn unexpected(what: &str, mut response: Response, log: &Log) -> Failure {
    let status = response.status();
    let mut fault = Fault::new("HTTP_STATUS", format!("{what} answered {status}"));
    fault = fault.argument(status.as_str()).with("status", status.as_u16());
    if let Some(pause) = retry_after(response.headers()) {
        fault = fault.with(Fault::RETRY_AFTER, u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
    }
    if let Some(quote) = quote(&mut response, log).await {
        fault = fault.cause("HTTP_RESPONSE", quote);
    }
    if status.is_redirection() {
        let target =
            response.headers().get(LOCATION).and_then(|to| response.url().join(to.to_str().ok()?).ok());
        if let Some(target) = target {
            fault.message.push_str(&format!(", a redirect to {}", super::request::shown(&target)));
        }
        fault.message.push_str("; redirects are not followed");
        return refuse(fault.remedy("Write the final address, or add the status to `expect`"));
    }
    match status {
        // A gateway that lost its service does not know what that did.
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => Failure::Unknown {
            fault: fault
                .remedy("Look whether the service behind the gateway did what it was asked, then retry"),
        },
        // The request was not processed, or not completely; an earlier request with the same key may have
        // been.
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            may_pass(fault.remedy("The service asks to come back later: retry"))
        }
        // A service answers so while it still works on an earlier request with the same key.
        StatusCode::CONFLICT => refuse(fault.remedy(
            "Look whether the service is at work on an earlier attempt, or correct the request, then retry",
        )),
        status if status.is_server_error() => {
            not_done(fault.remedy("Look at the service's own log, then retry"), true)
        }
        status if status.is_client_error() => not_done(
            fault.remedy("Correct the request, or add the status to `expect` if it counts as a success here"),
            false,
        ),
        // Neither a success as the workflow expects it nor a failure: the work may have been done.
        _ => refuse(
            fault.remedy("Correct the request, or add the status to `expect` if it counts as a success here"),
        ),
    }
}

/// Returns the time to wait that the service asks for, in seconds or by an instant.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let at = httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            let now = u64::try_from(Env::real().wall().0).ok()?;
            at.checked_sub(Duration::from_millis(now))
        }
    }
}

/// Returns the beginning of a body, if it arrives soon.
async fn quote(response: &mut Response, log: &Log) -> Option<String> {
    let mut bytes = Vec::new();
    let reading = async {
        while bytes.len() < QUOTED * 4 {
            match response.chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) | Err(_) => break,
            }
        }
    };
    // Bytes that arrived by the end of the time are quoted too.
    let _ = tokio::time::timeout(QUOTE_LIMIT, reading).await;
    let packed = response.headers().contains_key(CONTENT_ENCODING);
    // The last character of a body that was cut may be cut, too.
    let decoded =
        if packed { None } else { decode::text(response.headers(), &bytes).ok().map(Cow::into_owned) };
    let text = decoded.or_else(|| (!packed).then(|| String::from_utf8_lossy(&bytes).into_owned()))?;
    let quote: String = log.clean(text).chars().take(QUOTED).collect();
    let quote = quote.trim();
    (!quote.is_empty()).then(|| quote.to_owned())
}
