//! Refusals of access, and their reasons: little to the caller, more to the log. The messages are those that
//! clients look for (wire contract, sections 4.1 and 4.3).

use http::StatusCode;
use http::header::{self, HeaderValue};
use longhaul_auth::{Denied, LoginError, Principal, RefreshError, RotateError, UserError};
use longhaul_engine::EngineError;
use longhaul_model::{Cause, Fault, Span};
use longhaul_store::{AccountRefused, StoreError};

use super::ApiError;
use crate::access::Role;

/// Code of a login that failed; scripts look for it, on other calls, too.
const NOBODY: &str = "IDENTITY_UNAUTHORIZED_ENTITY";

impl ApiError {
    /// 401: no valid credential. `Unauthorized` makes clients get a new token and try once more.
    fn unauthorized(message: &str, challenge: &'static str) -> Self {
        let mut fault =
            Fault::new("Unauthorized", message).remedy("Get an access token with POST /v1/tokens");
        fault.causes = vec![Cause { kind: NOBODY.to_owned(), message: message.to_owned() }];
        let mut e = ApiError::new(StatusCode::UNAUTHORIZED, fault);
        e.header = Some((header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge)));
        e
    }

    /// 401: no credential at all.
    pub(crate) fn no_credential() -> Self {
        ApiError::unauthorized(
            "Unauthorized: the request has no `Authorization: Bearer` with an access token or API key",
            "Bearer",
        )
    }

    /// 403: a known caller without the right to this call.
    pub(crate) fn forbidden(who: &Principal, needed: Role) -> Self {
        let message = format!("{} is {}, and this call needs {}", who.name, who.role.code(), needed.name());
        let fault = Fault::new("FORBIDDEN", message)
            .argument(needed.name())
            .remedy("Ask an administrator for that role, or come as somebody who has it");
        ApiError::new(StatusCode::FORBIDDEN, fault)
    }

    /// 403: the role would do, and the account is bound to less.
    pub(crate) fn out_of_bounds(who: &Principal, kind: &str, name: &str) -> Self {
        let message = format!("the account {} is not for the {kind} `{name}`", who.name);
        let fault = Fault::new("FORBIDDEN", message).argument(name).remedy(
            "An administrator changes what it is bound to: PATCH /v1/users/{name} with `queues` or `actions`",
        );
        ApiError::new(StatusCode::FORBIDDEN, fault)
    }

    /// 404: no session of that identity, or none that the caller may know of.
    pub(crate) fn no_session() -> Self {
        let fault = Fault::new("SESSION_NOT_FOUND", "there is no such session, or it is over")
            .remedy("GET /v1/sessions lists those that last");
        ApiError::new(StatusCode::NOT_FOUND, fault)
    }

    /// 429: later.
    pub(crate) fn too_many(code: &str, message: impl Into<String>, after: Span) -> Self {
        let seconds = after.0.div_ceil(1000).max(1);
        let fault = Fault::new(code, message).remedy(format!("Try again in {seconds} s"));
        let mut e = ApiError::new(StatusCode::TOO_MANY_REQUESTS, fault);
        e.header = Some((header::RETRY_AFTER, HeaderValue::from(seconds)));
        e
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        let invalid = "Bearer error=\"invalid_token\"";
        let mut e = match denied {
            Denied::Expired => ApiError::unauthorized("Unauthorized: JWT expired", invalid),
            Denied::NoRole => {
                let fault = Fault::new("FORBIDDEN", denied.to_string())
                    .remedy("Ask an administrator which roles of the issuer count here");
                ApiError::new(StatusCode::FORBIDDEN, fault)
            }
            Denied::Unavailable => EngineError::Store(StoreError::Unavailable(denied.to_string())).into(),
            Denied::NeedsFetch | Denied::Refused(_) => {
                ApiError::unauthorized("Unauthorized: the access token is not accepted", invalid)
            }
        };
        e.cause = Some(denied.to_string());
        e
    }
}

impl From<LoginError> for ApiError {
    fn from(e: LoginError) -> Self {
        let message = e.to_string();
        match e {
            LoginError::Unauthorized => ApiError::new(StatusCode::UNAUTHORIZED, Fault::new(NOBODY, message)),
            LoginError::Worker => ApiError::new(StatusCode::FORBIDDEN, Fault::new("FORBIDDEN", message))
                .remedy("Sign in with an account of the role VIEWER, OPERATOR or ADMIN"),
            LoginError::TooMany { after } => ApiError::too_many("TOO_MANY_FAILED_LOGINS", message, after),
            LoginError::Busy => ApiError::too_many("TOO_MANY_LOGINS", message, Span(1000)),
            LoginError::Store(e) => stored(e),
            LoginError::Hash(why) => ApiError::internal(why),
        }
    }
}

impl From<RotateError> for ApiError {
    fn from(e: RotateError) -> Self {
        match e {
            RotateError::Keyring(e) => ApiError::internal(e.to_string()),
            RotateError::Store(e) => stored(e),
        }
    }
}

impl From<RefreshError> for ApiError {
    fn from(e: RefreshError) -> Self {
        match e {
            RefreshError::NotFound => {
                let fault =
                    Fault::new("TOKEN_NOT_FOUND", e.to_string()).remedy("Log in again with POST /v1/tokens");
                ApiError::new(StatusCode::NOT_FOUND, fault)
            }
            RefreshError::Store(e) => stored(e),
        }
    }
}

impl From<UserError> for ApiError {
    fn from(e: UserError) -> Self {
        let message = e.to_string();
        let of = |status, code| ApiError::new(status, Fault::new(code, message.clone()));
        match e {
            UserError::NoUser(_) => {
                of(StatusCode::NOT_FOUND, "USER_NOT_FOUND").remedy("GET /v1/users lists them")
            }
            UserError::NoApiKey(_) => of(StatusCode::NOT_FOUND, "API_KEY_NOT_FOUND")
                .remedy("GET /v1/users/{name} lists those of an account"),
            UserError::Bounds { member, message } => ApiError::field(&format!("/{member}"), message),
            UserError::BadName
            | UserError::ReservedName
            | UserError::Lookalike(_)
            | UserError::BadKeyName => ApiError::field("/name", message),
            UserError::Weak(_) | UserError::PasswordMissing | UserError::PasswordOfService => {
                ApiError::field("/password", message)
            }
            UserError::WrongPassword => {
                let mut e = of(StatusCode::BAD_REQUEST, "WRONG_PASSWORD");
                e.fault = Box::new(e.fault.with("pointer", "/oldPassword"));
                e
            }
            UserError::NoPassword(_) => of(StatusCode::CONFLICT, "NO_PASSWORD")
                .remedy("Whoever gave this account its identity changes its password"),
            UserError::Refused(AccountRefused::Exists) => of(StatusCode::CONFLICT, "USER_EXISTS"),
            UserError::Refused(AccountRefused::LastAdmin) => {
                of(StatusCode::CONFLICT, "LAST_ADMIN").remedy("Make another administrator first")
            }
            UserError::Refused(AccountRefused::TooManyApiKeys) => {
                of(StatusCode::CONFLICT, "TOO_MANY_API_KEYS")
            }
            UserError::TooMany { after } => ApiError::too_many("TOO_MANY_FAILED_LOGINS", message, after),
            UserError::Busy => ApiError::too_many("TOO_MANY_LOGINS", message, Span(1000)),
            UserError::Store(e) => stored(e),
            UserError::Hash(why) => ApiError::internal(why),
        }
    }
}

fn stored(e: StoreError) -> ApiError {
    EngineError::Store(e).into()
}
