//! `route:` bindings: a request of the operator's choosing that starts a task with its body as input.

use thiserror::Error;

/// Method and path, whose `{name}` segments become members of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// The path's segments.
    pub segments: Vec<Segment>,
}

/// Segment of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A literal text.
    Literal(String),
    /// Any text, which becomes the member of the input with this name.
    Parameter(String),
}

/// Reason why a text is not a route.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RouteError {
    /// The text is not two words.
    #[error("write a method and a path, such as `PATCH /v1/system/ceip`")]
    Form,
    /// A method that starts nothing.
    #[error("the method `{0}` cannot start a task; use POST, PUT, PATCH or DELETE")]
    Method(String),
    /// A path outside `/v1/`.
    #[error("the path must begin with /v1/ and have no empty segment, query or fragment")]
    Path,
    /// A path that Longhaul answers itself.
    #[error("`/v1/{0}` is Longhaul's own")]
    Taken(String),
}

/// First segments below `/v1/` that are the API's own.
const OWN: [&str; 13] = [
    "tasks",
    "workflows",
    "workers",
    "tokens",
    "credentials",
    "webhooks",
    "users",
    "audit",
    "resources",
    "nodes",
    "queues",
    "signing-keys",
    "events",
];

/// Returns true if a path of that beginning is Longhaul's own. Below `resources` there are operations of
/// others, too.
fn is_own(first: &str, second: Option<&Segment>) -> bool {
    let is_free = |segment: &Segment| matches!(segment, Segment::Literal(name) if name != "locks");
    OWN.contains(&first) && !(first == "resources" && second.is_some_and(is_free))
}

impl Route {
    /// Parses `PATCH /v1/system/ceip`.
    pub fn parse(text: &str) -> Result<Self, RouteError> {
        let mut words = text.split_ascii_whitespace();
        let (Some(method), Some(path), None) = (words.next(), words.next(), words.next()) else {
            return Err(RouteError::Form);
        };
        if !["POST", "PUT", "PATCH", "DELETE"].contains(&method) {
            return Err(RouteError::Method(method.to_owned()));
        }
        let rest = path.strip_prefix("/v1/").ok_or(RouteError::Path)?;
        let segments: Vec<Segment> =
            rest.split('/').map(segment).collect::<Option<_>>().ok_or(RouteError::Path)?;
        match segments.first() {
            Some(Segment::Literal(first)) if is_own(first, segments.get(1)) => {
                Err(RouteError::Taken(first.clone()))
            }
            Some(Segment::Literal(_)) => Ok(Route { method: method.to_owned(), segments }),
            Some(Segment::Parameter(_)) | None => Err(RouteError::Path),
        }
    }

    /// Returns the parameters if a request is this route's; `path` is without its trailing slash.
    pub fn matches<'a>(&'a self, method: &str, path: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        if method != self.method {
            return None;
        }
        let given: Vec<&str> = path.strip_prefix("/v1/")?.split('/').collect();
        if given.len() != self.segments.len() {
            return None;
        }
        let mut parameters = Vec::new();
        for (segment, text) in self.segments.iter().zip(given) {
            match segment {
                Segment::Literal(literal) if literal == text => {}
                Segment::Literal(_) => return None,
                Segment::Parameter(name) => parameters.push((name.as_str(), text)),
            }
        }
        Some(parameters)
    }

    /// Returns true when some request would be both routes'.
    pub fn overlaps(&self, other: &Route) -> bool {
        self.method == other.method
            && self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|pair| match pair {
                (Segment::Literal(a), Segment::Literal(b)) => a == b,
                (Segment::Parameter(_), _) | (_, Segment::Parameter(_)) => true,
            })
    }
}

fn segment(text: &str) -> Option<Segment> {
    let plain = |text: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~'))
    };
    match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(name) if plain(name) => Some(Segment::Parameter(name.to_owned())),
        Some(_) => None,
        None => plain(text).then(|| Segment::Literal(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_match_their_requests_only() {
        let route = Route::parse("POST /v1/hosts/{hostId}/reboot").unwrap();
        assert_eq!(route.matches("POST", "/v1/hosts/h1/reboot"), Some(vec![("hostId", "h1")]));
        assert_eq!(route.matches("PATCH", "/v1/hosts/h1/reboot"), None);
        assert_eq!(route.matches("POST", "/v1/hosts/h1"), None);
        assert!(route.overlaps(&Route::parse("POST /v1/hosts/x/reboot").unwrap()));
        assert!(Route::parse("PUT /v1/resources/licensing-infos").is_ok());
        for bad in ["PUT /v1/resources", "PUT /v1/resources/locks", "PUT /v1/resources/{any}"] {
            assert!(Route::parse(bad).is_err(), "{bad}");
        }
        for bad in ["POST", "GET /v1/hosts", "POST /hosts", "POST /v1//a", "POST /v1/tasks/x", "POST /v1/a?b"]
        {
            assert!(Route::parse(bad).is_err(), "{bad}");
        }
    }
}
