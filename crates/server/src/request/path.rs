//! Values that a request's path and headers name.

use axum::extract::{FromRequestParts, Path};
use http::HeaderValue;
use http::header;
use http::request::Parts;
use longhaul_model::TaskId;

use super::query::percent_decoded;
use crate::error::ApiError;

/// The task that a path names.
pub(crate) struct Id(pub(crate) TaskId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(names) = Path::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::bad("TASK_ID_MALFORMED", "the path is not valid UTF-8"))?;
        let text =
            names.into_iter().find(|(name, _)| name == "id").map(|(_, value)| value).unwrap_or_default();
        let malformed = || {
            ApiError::bad("TASK_ID_MALFORMED", "the ID in the path is not a task ID")
                .remedy("A task ID is a UUID such as bc32f3be-a777-434b-a156-3fa54e8d2ded")
        };
        text.parse().map(Id).map_err(|_| malformed())
    }
}

/// Parameters of the path, by their names in the route.
pub(crate) struct Named(Vec<(String, String)>);

impl Named {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(names) = Path::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::bad("INVALID_REQUEST", "the path is not valid UTF-8"))?;
        match names.iter().find(|(_, text)| text.contains('\0')) {
            Some((name, _)) => {
                Err(ApiError::bad("INVALID_REQUEST", format!("{name}: it has the character NUL")))
            }
            None => Ok(Named(names)),
        }
    }
}

/// The ETags that the caller knows.
pub(crate) struct IfNoneMatch(Option<HeaderValue>);

impl IfNoneMatch {
    /// Wraps the header of a request.
    #[cfg(test)]
    pub(crate) fn of(header: Option<HeaderValue>) -> Self {
        IfNoneMatch(header)
    }

    /// Returns true if the caller has this tag, weak or strong.
    pub(crate) fn has(&self, tag: &str) -> bool {
        let given = self.0.as_ref().and_then(|value| value.to_str().ok());
        given.is_some_and(|given| {
            given
                .split(',')
                .map(str::trim)
                .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(IfNoneMatch(parts.headers.get(header::IF_NONE_MATCH).cloned()))
    }
}

/// Decodes a segment of a path.
pub(crate) fn decoded(segment: &str) -> Result<String, ApiError> {
    percent_decoded(segment, false).ok_or_else(|| {
        ApiError::bad("INVALID_REQUEST", "the path is not valid UTF-8 without NUL in percent encoding")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        let has = |given: &'static str| IfNoneMatch(Some(HeaderValue::from_static(given))).has("\"7-1\"");
        assert!(has("\"7-1\"") && has("W/\"7-1\"") && has("\"6-1\", \"7-1\"") && has("*"));
        assert!(!has("\"7-2\"") && !has("") && !IfNoneMatch(None).has("\"7-1\""));
    }

    #[test]
    fn segments_keep_their_plus() {
        assert_eq!(decoded("a+b%20c%2Fd").unwrap(), "a+b c/d");
        assert!(decoded("%ff").is_err() && decoded("%2").is_err());
    }
}
