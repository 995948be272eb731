//! Counters of requests, by the route's template: their number is that of the table of routes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{Method, StatusCode};
use longhaul_metrics::{Family, Histogram, HistogramVec, IntCounter, IntCounterVec, SHORT, family_of};
use longhaul_metrics::{histograms, totals};

/// Label of the requests that no route of the table took: unknown paths, routes of workflows, and requests
/// that are refused before.
const NO_ROUTE: &str = "other";

/// Classes of status codes, by their first digit.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Counters of all requests.
pub(crate) struct Meters {
    requests: IntCounterVec,
    durations: HistogramVec,
    other: Arc<OfRoute>,
}

/// Counters of the requests of one route; created at first use.
pub(crate) struct OfRoute {
    route: &'static str,
    method: &'static str,
    requests: IntCounterVec,
    durations: HistogramVec,
    by_class: [OnceLock<IntCounter>; CLASSES.len()],
    duration: OnceLock<Histogram>,
}

impl Default for Meters {
    fn default() -> Self {
        let requests = totals(
            "longhaul_http_requests_total",
            "Requests that were answered",
            &["route", "method", "class"],
        );
        let durations = histograms(
            "longhaul_http_request_duration_seconds",
            "Time from the head of a request to the head of its answer",
            &SHORT,
            &["route", "method"],
        );
        let other = Arc::new(OfRoute::new(NO_ROUTE, "other", &requests, &durations));
        Meters { requests, durations, other }
    }
}

impl Meters {
    /// Returns the counters of a route of the table.
    pub(crate) fn of_route(&self, method: &Method, path: &'static str) -> Arc<OfRoute> {
        let known = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let names = ["GET", "POST", "PUT", "PATCH", "DELETE"];
        let name =
            known.iter().zip(names).find(|(known, _)| *known == method).map_or("other", |(_, name)| name);
        Arc::new(OfRoute::new(path, name, &self.requests, &self.durations))
    }

    /// Counts an answer that took so long.
    pub(crate) fn answered(&self, response: &Response, took: Duration) {
        let route = response.extensions().get::<Arc<OfRoute>>().unwrap_or(&self.other);
        route.answered(response.status(), took);
    }

    /// Returns all counters as they are now.
    pub(crate) fn families(&self) -> Vec<Family> {
        let mut all = family_of(&self.requests);
        all.extend(family_of(&self.durations));
        all
    }
}

/// Marks an answer with its route.
pub(crate) async fn mark(State(route): State<Arc<OfRoute>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.extensions_mut().insert(route);
    response
}

impl OfRoute {
    fn new(
        route: &'static str,
        method: &'static str,
        requests: &IntCounterVec,
        durations: &HistogramVec,
    ) -> OfRoute {
        OfRoute {
            route,
            method,
            requests: requests.clone(),
            durations: durations.clone(),
            by_class: Default::default(),
            duration: OnceLock::new(),
        }
    }

    fn answered(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        let counter = self.by_class[class]
            .get_or_init(|| self.requests.with_label_values(&[self.route, self.method, CLASSES[class]]));
        counter.inc();
        let labels = [self.route, self.method];
        self.duration.get_or_init(|| self.durations.with_label_values(&labels)).observe(took.as_secs_f64());
    }
}
