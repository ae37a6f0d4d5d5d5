//! Counts requests by route and status, with their latency: the first three of the four golden
//! signals (the fourth, saturation, comes from the node's host).

use super::Api;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use billing_shell::tokio_host::{Clock, Histogram};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Requests of one route.
#[derive(Debug, Default)]
pub(super) struct RouteTraffic {
    /// How many, by status.
    pub(super) answers: BTreeMap<u16, u64>,
    /// How long they took.
    pub(super) latency: Histogram,
}

/// Requests by route. Locked for a few additions per request.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    routes: Mutex<BTreeMap<&'static str, RouteTraffic>>,
}

impl Traffic {
    /// Looks at every route, in order.
    pub(super) fn each(&self, mut look: impl FnMut(&'static str, &RouteTraffic)) {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        for (route, traffic) in &*routes {
            look(route, traffic);
        }
    }

    fn count(&self, route: &'static str, status: u16, took: Duration) {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let traffic = routes.entry(route).or_default();
        *traffic.answers.entry(status).or_default() += 1;
        traffic.latency.observe(took);
    }
}

/// Wraps every handler.
pub(super) async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    let route = route_of(request.uri().path());
    let clock = Clock::new();
    let response = next.run(request).await;
    let took = Duration::from_nanos(clock.now().monotonic.0);
    api.traffic.count(route, response.status().as_u16(), took);
    response
}

/// The route of a path without its numbers: a metric must not grow with what clients send.
fn route_of(path: &str) -> &'static str {
    let mut parts = path.trim_matches('/').split('/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("v1"), Some("accounts"), None, None) => "accounts",
        (Some("v1"), Some("payments"), None, None) => "payments",
        (Some("v1"), Some("reads"), None, None) => "reads",
        (Some("v1"), Some("adjustments"), None, None) => "adjustments",
        (Some("v1"), Some("reversals"), None, None) => "reversals",
        (Some("v1"), Some("accounts"), Some(_), Some("balance")) => "balance",
        (Some("v1"), Some("accounts"), Some(_), Some("history")) => "history",
        (Some("v1"), Some("operations"), Some(_), None) => "operation",
        (Some("v1"), Some("trial-balance"), None, None) => "trial-balance",
        (Some("livez" | "readyz" | "metrics"), None, None, None) => "health",
        _ => "other",
    }
}
