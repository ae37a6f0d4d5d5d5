//! What clients of an edge see: the node's API, answered by some node or by the edge itself, and
//! `/livez`, `/readyz` and `/metrics` of its own.

use super::asks::{TOKEN_HEADER, ask_of};
use super::calls::Call;
use super::driver::{Event, Figures, Outcome};
use crate::http::accept::{Caller, accept_clients};
use crate::http::body;
use crate::http::metrics::{describe, gauge};
use crate::http::problem::Problem;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use billing_edge::{RequestId, Shed, Verdict};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

type Events = mpsc::Sender<Event>;

/// What every handler gets.
#[derive(Debug, Clone)]
struct Front {
    events: Events,
    next_request: Arc<AtomicU64>,
}

/// A client that waits. When it hangs up its handler is dropped, and the driver is told.
struct Waiting<'a> {
    events: &'a Events,
    request: RequestId,
    is_answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            // With no room for it the request ends at its own deadline.
            let _ = self.events.try_send(Event::Gone { request: self.request });
        }
    }
}

/// Headers of a request that a node needs; the key is the edge's to set.
const TO_NODE: [HeaderName; 3] = [
    header::CONTENT_TYPE,
    HeaderName::from_static(super::asks::KEY_HEADER),
    HeaderName::from_static(TOKEN_HEADER),
];
/// Headers of an answer that a client needs.
const TO_CLIENT: [HeaderName; 4] = [
    header::CONTENT_TYPE,
    header::RETRY_AFTER,
    header::ALLOW,
    HeaderName::from_static(TOKEN_HEADER),
];
/// Writing to a text cannot fail.
const INFALLIBLE: &str = "a String takes every text";

/// Serves clients until the edge is told to stop, then finishes what is in flight.
pub(super) async fn serve(listener: TcpListener, events: Events, stopping: watch::Receiver<bool>) {
    let router = Router::new()
        .route("/livez", get(|| async { "live\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(pass_on)
        .with_state(Front { events, next_request: Arc::default() });
    accept_clients(listener, router, stopping).await;
}

/// Any request of the API.
async fn pass_on(
    State(front): State<Front>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let ask = ask_of(&head.method, &head.uri, &head.headers, caller);
    let (body, headers) = (body::whole(body).await?, only(&head.headers, &TO_NODE));
    let call = Call { method: head.method, uri: head.uri, headers, body };
    let (outcome, answered) = oneshot::channel();
    let request = RequestId(front.next_request.fetch_add(1, Relaxed));
    let asked = front.events.send(Event::Asked { request, ask, call, outcome }).await;
    asked.map_err(|_| shed(Shed::Stopping, 1_000))?;
    let mut waiting = Waiting { events: &front.events, request, is_answered: false };
    let outcome = answered.await;
    waiting.is_answered = true;
    match outcome {
        Ok(Outcome::Relayed(answer)) => {
            let mut response = (answer.status, answer.body).into_response();
            *response.headers_mut() = only(&answer.headers, &TO_CLIENT);
            Ok(response)
        }
        Ok(Outcome::Own(Verdict::Shed { why, retry_after_ms })) => Err(shed(why, retry_after_ms)),
        Ok(Outcome::Own(Verdict::Unknown | Verdict::Relay(_))) | Err(_) => Err(unknown()),
    }
}

fn only(headers: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let value = |name: &HeaderName| Some((name.clone(), headers.get(name)?.clone()));
    names.iter().filter_map(value).collect()
}

fn shed(why: Shed, retry_after_ms: u64) -> Problem {
    let retry_after_ms = u32::try_from(retry_after_ms).unwrap_or(u32::MAX);
    let (kind, detail) = match why {
        Shed::TooOften => {
            let detail = "this client asks too often: slow down";
            return Problem::too_often(detail, retry_after_ms);
        }
        Shed::Overloaded => ("overloaded", "too much is in flight at the edge: retry later"),
        Shed::NoNode => ("no-leader", "no region could be made to take it: retry later"),
        Shed::Stopping => ("stopping", "this edge is stopping: retry at another one"),
    };
    Problem::unavailable(kind, detail, retry_after_ms)
}

fn unknown() -> Problem {
    let detail = "it may or may not be logged: retry with the same key";
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "unknown", "the outcome is unknown", detail)
}

async fn look(events: &Events) -> Option<Figures> {
    let (figures, looked) = oneshot::channel();
    events.send(Event::Look { figures }).await.ok()?;
    looked.await.ok()
}

/// 200 when requests go to some node.
async fn ready(State(front): State<Front>) -> Result<&'static str, Problem> {
    let figures = look(&front.events).await;
    let is_ready = figures.is_some_and(|figures| figures.breakers.iter().any(|(_, at)| *at < 2));
    let detail = "every node is left alone until a probe says that it can serve";
    is_ready.then_some("ready\n").ok_or_else(|| Problem::unavailable("not-ready", detail, 1_000))
}

async fn metrics(State(front): State<Front>) -> Result<String, Problem> {
    let figures = look(&front.events).await.ok_or_else(|| shed(Shed::Stopping, 1_000))?;
    let mut out = String::with_capacity(2 << 10);
    let open = figures.in_flight as u64;
    gauge(&mut out, "billing_edge_requests_open", "Requests without an answer.", open);
    let totals = [
        ("billing_edge_requests_total", "Requests of clients.", figures.asked),
        ("billing_edge_sendings_total", "Sendings to nodes, retries included.", figures.sent),
        ("billing_edge_shed_total", "Requests that the edge refused.", figures.shed),
        ("billing_edge_unknown_total", "Writes that it could not tell of.", figures.unknown),
    ];
    for (name, help, value) in totals {
        describe(&mut out, name, "counter", help);
        writeln!(out, "{name} {value}").expect(INFALLIBLE);
    }
    let name = "billing_edge_breaker";
    describe(&mut out, name, "gauge", "0: requests go to the node, 1: one tries it, 2: none does.");
    for (node, state) in &figures.breakers {
        writeln!(out, "{name}{{node=\"{node}\"}} {state}").expect(INFALLIBLE);
    }
    Ok(out)
}
