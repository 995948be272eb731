//! `/mcp`: the tools of agents over the Model Context Protocol, where the configuration switches them on.
//! Each call of a tool is one or a few calls of the API in this process, with the credential of the agent's
//! request.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use longhaul_mcp::{Api, Call, Origin, Passes, Refusal, Tools, Verb};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rmcp::transport::StreamableHttpServerConfig;
use rmcp::transport::streamable_http_server::StreamableHttpService;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use serde_json::Value;
use tower::ServiceExt;

use crate::access::Role;
use crate::access::{self, AGENT, Gate, Peer};
use crate::api::App;
use crate::config::Agents;
use crate::error::{ApiError, Reference};

const PATH: &str = "/mcp";
/// Largest answer of the API that a tool reads, in bytes. Tools ask for pages, so that real ones are far
/// smaller.
const LARGEST: usize = 32 << 20;
/// Headers of the agent's request that its calls have, too.
const KEPT: [HeaderName; 2] = [header::AUTHORIZATION, header::USER_AGENT];

type Service = StreamableHttpService<Tools<Local>, NeverSessionManager>;

/// Adds `/mcp` to the API, if the configuration says so.
pub(crate) fn beside(api: Router, app: App) -> Router {
    let allow_write = match app.config.agents {
        Agents::Off => return api,
        Agents::Read => false,
        Agents::Write => true,
    };
    let tools = Tools::new(
        Arc::new(Local(api.clone())),
        Arc::new(Passes::new(app.engine.env().clone())),
        allow_write,
    );
    // Requests and their answers only: nothing is kept between two of them, so any node can answer. Hosts and
    // origins are checked for every request already.
    let settings = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(app.config.limits.body)
        .disable_allowed_hosts();
    let service = Service::new(move || Ok(tools.clone()), Arc::default(), settings);
    let gate = Gate { app, action: "useTools", role: Role::Known, counts: true };
    let route = post(answer).fallback(other).layer(from_fn_with_state(gate, access::check));
    Router::new().route(PATH, route).with_state(Arc::new(service)).fallback_service(api)
}

async fn answer(State(service): State<Arc<Service>>, request: Request) -> Response {
    service.handle(request).await.map(Body::new)
}

async fn other(request: Request) -> Response {
    ApiError::wrong_method(request.method(), PATH, "POST").into_response()
}

/// The API of this process.
struct Local(Router);

impl Api for Local {
    async fn call(&self, origin: Origin<'_>, call: Call) -> Result<Value, Refusal> {
        let parts = origin.request.ok_or_else(|| failed("the request is missing"))?;
        let request = request(parts, origin.agent, call).map_err(|e| failed(&e.to_string()))?;
        let answer = match Reference::within(self.0.clone().oneshot(request)).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        let status = answer.status();
        let body = to_bytes(answer.into_body(), LARGEST).await.map_err(|e| failed(&e.to_string()))?;
        if body.is_empty() && status.is_success() {
            return Ok(Value::Null);
        }
        let value: Value = serde_json::from_slice(&body).map_err(|e| failed(&e.to_string()))?;
        if status.is_success() { Ok(value) } else { Err(refusal(status, &value)) }
    }
}

fn request(parts: &Parts, agent: &str, call: Call) -> Result<Request, http::Error> {
    let Call { verb, path, query, body, key, wait: _ } = call;
    let mut request = http::Request::builder().method(method(verb)).uri(uri(&path, &query));
    if let Some(headers) = request.headers_mut() {
        keep(&parts.headers, headers);
        headers.insert(AGENT, HeaderValue::from_str(agent)?);
        if let Some(key) = key {
            headers.insert("idempotency-key", HeaderValue::from_str(&key)?);
        }
    }
    if let Some(peer) = parts.extensions.get::<Peer>() {
        request = request.extension(*peer);
    }
    match body {
        Some(body) => {
            let json = HeaderValue::from_static("application/json");
            request.header(header::CONTENT_TYPE, json).body(Body::from(body.to_string()))
        }
        None => request.body(Body::empty()),
    }
}

fn keep(of: &HeaderMap, into: &mut HeaderMap) {
    for name in KEPT {
        // A header that is there twice stays so, and is refused as it would be elsewhere.
        for value in of.get_all(&name) {
            into.append(name.clone(), value.clone());
        }
    }
}

fn method(verb: Verb) -> Method {
    match verb {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
        Verb::Patch => Method::PATCH,
        Verb::Delete => Method::DELETE,
    }
}

fn uri(path: &[String], query: &[(&'static str, String)]) -> String {
    let mut uri = "/v1".to_owned();
    for segment in path {
        uri.push('/');
        uri.extend(utf8_percent_encode(segment, NON_ALPHANUMERIC));
    }
    for (n, (name, value)) in query.iter().enumerate() {
        uri.push(if n == 0 { '?' } else { '&' });
        uri.push_str(name);
        uri.push('=');
        uri.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
    }
    uri
}

fn refusal(status: StatusCode, error: &Value) -> Refusal {
    let nested = error["nestedErrors"].as_array().into_iter().flatten();
    let text = |name: &str| error[name].as_str().map(str::to_owned);
    Refusal {
        code: text("errorCode").unwrap_or_else(|| status.as_u16().to_string()),
        message: text("message").unwrap_or_else(|| format!("the server answered {status}")),
        remediation: text("remediationMessage"),
        details: nested.filter_map(|nested| nested["message"].as_str().map(str::to_owned)).collect(),
    }
}

fn failed(why: &str) -> Refusal {
    Refusal::of("INTERNAL_SERVER_ERROR", why)
}
