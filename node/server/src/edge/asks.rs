//! What a request is to the edge, and what a node's answer means to it. Bodies are not looked into.

use super::calls::Answer;
use crate::http::accept::Caller;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use billing_edge::{Ask, ClientId, Priority, Reply};
use billing_wire::OpId;
use billing_wire::answer::Unavailable;
use std::net::IpAddr;

pub(super) const KEY_HEADER: &str = "idempotency-key";
pub(super) const TOKEN_HEADER: &str = "session-token";

/// What the edge must know of a request.
pub(super) fn ask_of(method: &Method, uri: &Uri, headers: &HeaderMap, caller: Caller) -> Ask {
    let is_write = method == Method::POST;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    // A write without a legal key gets its answer from a node, as everything that is wrong.
    let key = text(KEY_HEADER).and_then(|key| key.trim_matches('"').parse::<OpId>().ok());
    let query = uri.query().unwrap_or_default();
    let waits = ["min_durability=geo", "min_durability=final"];
    Ask {
        op_id: key.filter(|_| is_write),
        priority: priority_of(uri.path()),
        client: client_of(caller),
        to_leader: is_write || headers.contains_key(TOKEN_HEADER),
        is_patient: is_write && waits.iter().any(|wanted| query.contains(wanted)),
    }
}

/// Clients are told apart by their address; of IPv6 by the network that one site has.
fn client_of(caller: Caller) -> ClientId {
    match caller.0.ip() {
        IpAddr::V4(ip) => ClientId(u64::from(ip.to_bits())),
        IpAddr::V6(ip) => ClientId((ip.to_bits() >> 64) as u64),
    }
}

fn priority_of(path: &str) -> Priority {
    match path {
        "/v1/trial-balance" | "/v1/suspense" | "/v1/outbox" => Priority::Third,
        "/v1/reads" | "/v1/invoices" => Priority::Second,
        _ => Priority::First,
    }
}

/// What an answer of a node means.
pub(super) fn reply_of(answer: &Answer) -> Reply {
    match answer.status {
        StatusCode::SERVICE_UNAVAILABLE => {
            let seconds = answer.headers.get(header::RETRY_AFTER);
            let seconds = seconds.and_then(|s| s.to_str().ok()).and_then(|s| s.parse::<u32>().ok());
            let reason = reason_of(&answer.body);
            // A header counts whole seconds; a node's pause is shorter than that.
            let retry_after_ms = seconds.unwrap_or(0).saturating_mul(1_000).min(1_000);
            Reply::Unavailable { reason, retry_after_ms }
        }
        status if status.is_server_error() => Reply::Unknown,
        _ => Reply::Settled,
    }
}

/// The type of a problem says why nothing was logged. What it does not name is the node's fault.
fn reason_of(body: &[u8]) -> Unavailable {
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let kind = problem.as_ref().and_then(|problem| problem["type"].as_str()).unwrap_or_default();
    match kind.rsplit(':').next() {
        Some("overloaded") => Unavailable::Overloaded,
        Some("grade-unreachable") => Unavailable::GradeUnreachable,
        Some("disk-full") => Unavailable::DiskFull,
        Some("clock-skew") => Unavailable::ClockSkew,
        Some("stopping") => Unavailable::Stopping,
        Some("token-ahead") => Unavailable::TokenAhead,
        _ => Unavailable::NoLeader,
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, ask_of, reply_of};
    use crate::http::accept::Caller;
    use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
    use billing_edge::{Priority, Reply};
    use billing_wire::OpId;
    use billing_wire::answer::Unavailable;
    use bytes::Bytes;
    use std::net::SocketAddr;

    fn ask(method: &Method, uri: &str, headers: &[(&'static str, &str)]) -> billing_edge::Ask {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).expect("a header"));
        }
        let caller = Caller(SocketAddr::from(([10, 0, 0, 1], 1_000)));
        ask_of(method, &uri.parse::<Uri>().expect("a path"), &map, caller)
    }

    #[test]
    fn a_request_is_known_by_its_head() {
        let key = OpId(7).to_string();
        let pay = ask(&Method::POST, "/v1/payments", &[("idempotency-key", &key)]);
        assert_eq!((pay.op_id, pay.priority), (Some(OpId(7)), Priority::First));
        assert!(pay.to_leader && !pay.is_patient);
        let quoted = format!("\"{key}\"");
        let path = "/v1/reads?min_durability=final";
        let read = ask(&Method::POST, path, &[("idempotency-key", &quoted)]);
        assert_eq!((read.op_id, read.priority), (Some(OpId(7)), Priority::Second));
        assert!(read.is_patient);
        let look = ask(&Method::GET, "/v1/trial-balance", &[("idempotency-key", &key)]);
        assert_eq!((look.op_id, look.priority, look.to_leader), (None, Priority::Third, false));
        assert!(ask(&Method::GET, "/v1/accounts/1/balance", &[("session-token", "a")]).to_leader);
    }

    #[test]
    fn an_answer_says_whether_anything_is_logged() {
        let answer = |status: u16, body: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", HeaderValue::from_static("7"));
            let status = StatusCode::from_u16(status).expect("a status");
            reply_of(&Answer { status, headers, body: Bytes::from_static(body.as_bytes()) })
        };
        for status in [200, 201, 202, 400, 404, 409] {
            assert_eq!(answer(status, ""), Reply::Settled);
        }
        let reason = Unavailable::Overloaded;
        let shed = r#"{"type":"urn:billing:problem:overloaded"}"#;
        assert_eq!(answer(503, shed), Reply::Unavailable { reason, retry_after_ms: 1_000 });
        let reason = Unavailable::NoLeader;
        assert_eq!(answer(503, "no JSON"), Reply::Unavailable { reason, retry_after_ms: 1_000 });
        assert_eq!([answer(504, ""), answer(500, ""), answer(502, "")], [Reply::Unknown; 3]);
    }
}
