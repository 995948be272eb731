//! `/ui/session`: signing in to the page and out of it. The session is one like any other: listed, ended and
//! noted in the audit log as such.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, StatusCode};
use longhaul_auth::Principal;
use longhaul_crypto::Zeroizing;
use longhaul_engine::EngineError;
use serde::Deserialize;
use uuid::Uuid;

use crate::access::{Caller, Peer};
use crate::api::App;
use crate::cookie;
use crate::error::ApiError;
use crate::origin::Site;
use crate::request;
use crate::respond;
use crate::wire::Json;

/// Name and password of a person.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    username: Option<String>,
    password: Option<Zeroizing<String>>,
}

/// Signs a person in; the browser gets the session as a cookie. The session that it had before ends.
pub(crate) async fn begin(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let before = cookie::read(request.headers(), peer.secure).and_then(|secret| Uuid::try_parse(secret).ok());
    let bytes = request::public_body(request, &app.config.limits).await?;
    let missing = |name: &str| {
        ApiError::field(&format!("/{name}"), format!("`{name}` is missing"))
            .remedy("Send `username` and `password`")
    };
    let SignIn { username, password } = request::parsed(&bytes)?;
    let username = username.ok_or_else(|| missing("username"))?;
    let password = password.ok_or_else(|| missing("password"))?;
    let opened = app.auth.sign_in(&username, password, caller.address()).await?;
    if let Some(before) = before.filter(|_| peer.site == Site::Own) {
        app.auth.revoke(before, Some(caller.address())).await.map_err(EngineError::Store)?;
    }
    let body = session(&app, &opened.principal);
    let given = cookie::given(&opened.refresh_id.to_string(), peer.secure);
    Ok(with_cookie(respond::json(StatusCode::OK, body), given))
}

/// Returns the session: the account that is signed in, and the server.
pub(crate) async fn get(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    Ok(respond::json(StatusCode::OK, session(&app, caller.principal()?)))
}

/// Signs out; the answer is the same if nobody was signed in.
pub(crate) async fn end(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if let Some(secret) = cookie::read(&headers, peer.secure) {
        peer.site.must_be_own()?;
        if let Ok(id) = Uuid::try_parse(secret) {
            app.auth.revoke(id, Some(caller.address())).await.map_err(EngineError::Store)?;
        }
    }
    Ok(with_cookie(respond::empty(StatusCode::NO_CONTENT), cookie::taken(peer.secure)))
}

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// The session as the page knows it.
fn session(app: &App, who: &Principal) -> Vec<u8> {
    let mut json = Json::new(256);
    json.object(|json| {
        json.key("name").value(&who.name);
        json.key("role").plain(who.role.code());
        json.key("kind").plain(who.kind.code());
        json.key("server").object(|json| {
            json.key("name").value(&app.node.name);
            json.key("version").value(&app.node.version);
        });
        if let Some(end) = who.session.and_then(|session| app.auth.session_end(session)) {
            json.key("expiresAt").time(end);
        }
    });
    json.finish()
}
