//! The payment provider over HTTP: a payout is a `POST` with the refund's `op_id` as
//! `Idempotency-Key`, and what comes back is believed only when it is about that payout.

use crate::edge::calls::{Call, Nodes};
use crate::http::civil_date::CivilDate;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use billing_core::limits::{DATE_MAX, DATE_MIN};
use billing_core::{Effect, EffectResult};
use billing_edge::Loss;
use billing_shell::tokio_host::{Paying, PaymentProvider};
use billing_wire::{Date, NodeId, OpId};
use bytes::Bytes;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use thiserror::Error;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Connections are kept by node; there is one provider.
const PROVIDER: NodeId = NodeId(0);

/// Why an address is none of a provider.
#[derive(Debug, Error)]
pub(crate) enum ProviderError {
    #[error("'{0}' is no URL: http://HOST:PORT/PATH expected")]
    Url(String),
    #[error("'{0}': only http is spoken: put a proxy on this machine before one that wants TLS")]
    Scheme(String),
    #[error("'{url}': {problem}")]
    Host { url: String, problem: String },
}

/// Where payouts are asked for.
#[derive(Debug)]
pub(crate) struct HttpProvider {
    path: Uri,
    connections: Arc<Nodes>,
}

/// What a provider says of a payout.
#[derive(Debug, Deserialize)]
struct Said {
    status: Status,
    refund: String,
    amount: i64,
    /// When, if it was paid.
    paid_on: Option<CivilDate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Paid,
    Refused,
}

impl HttpProvider {
    /// A provider at a URL. Its host is looked up once, here.
    pub(crate) fn at(url: &str) -> Result<Self, ProviderError> {
        let uri: Uri = url.parse().map_err(|_| ProviderError::Url(url.to_owned()))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some(_) => return Err(ProviderError::Scheme(url.to_owned())),
            None => return Err(ProviderError::Url(url.to_owned())),
        }
        let address = address_of(&uri).map_err(|problem| {
            let url = url.to_owned();
            ProviderError::Host { url, problem }
        })?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = path.parse().map_err(|_| ProviderError::Url(url.to_owned()))?;
        let connections = Arc::new(Nodes::new(BTreeMap::from([(PROVIDER, address)])));
        Ok(Self { path, connections })
    }

    fn call(&self, effect: &Effect) -> Call {
        let key = HeaderValue::from_str(&effect.key.to_string());
        let json = HeaderValue::from_static("application/json");
        let body = serde_json::json!({
            "refund": effect.refund.to_string(),
            "account": effect.account.0,
            "amount": effect.amount,
            "currency": String::from_utf8_lossy(&effect.currency),
        });
        let mut headers = HeaderMap::new();
        headers.insert(IDEMPOTENCY_KEY, key.expect("a UUID is text that a header takes"));
        headers.insert(header::CONTENT_TYPE, json);
        let body = Bytes::from(body.to_string());
        Call { method: Method::POST, uri: self.path.clone(), headers, body }
    }
}

fn address_of(uri: &Uri) -> Result<SocketAddr, String> {
    let host = uri.host().filter(|host| !host.is_empty()).ok_or("it names no host")?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let addresses = (host, uri.port_u16().unwrap_or(80)).to_socket_addrs();
    let mut addresses = addresses.map_err(|error| format!("its host is not found: {error}"))?;
    addresses.next().ok_or_else(|| "its host has no address".to_owned())
}

impl PaymentProvider for HttpProvider {
    fn pay(&self, effect: Effect) -> Paying {
        let (call, connections) = (self.call(&effect), Arc::clone(&self.connections));
        Box::pin(async move {
            match connections.call(PROVIDER, call).await {
                Ok(answer) => judge(&effect, answer.status, &answer.body),
                // Nothing was sent.
                Err(Loss::Refused) => EffectResult::Refused,
                Err(_) => EffectResult::Unknown,
            }
        })
    }
}

/// What an answer means. One that is not about this payout, or makes no sense, means nothing:
/// whatever took place, asking again under the same key is safe.
fn judge(effect: &Effect, status: StatusCode, body: &[u8]) -> EffectResult {
    if status.is_client_error() || status == StatusCode::SERVICE_UNAVAILABLE {
        return EffectResult::Refused;
    }
    if !status.is_success() {
        return EffectResult::Unknown;
    }
    let said = match serde_json::from_slice::<Said>(body) {
        Ok(said) => said,
        Err(error) => return unbelievable(effect, &error.to_string()),
    };
    if said.refund.parse::<OpId>() != Ok(effect.refund) || said.amount != effect.amount {
        return unbelievable(effect, "it is about another payout");
    }
    match (said.status, said.paid_on) {
        (Status::Refused, _) => EffectResult::Refused,
        (Status::Paid, Some(CivilDate(on))) if is_bookable(on) => EffectResult::Paid { on },
        (Status::Paid, Some(_)) => unbelievable(effect, "paid_on lies outside of the books"),
        (Status::Paid, None) => unbelievable(effect, "paid_on is missing"),
    }
}

fn is_bookable(date: Date) -> bool {
    (DATE_MIN..=DATE_MAX).contains(&date.0)
}

fn unbelievable(effect: &Effect, problem: &str) -> EffectResult {
    tracing::warn!(refund = %effect.refund, problem, "the payment provider's answer is no use");
    EffectResult::Unknown
}

#[cfg(test)]
mod tests {
    use super::{HttpProvider, judge};
    use axum::http::StatusCode;
    use billing_core::{Effect, EffectId, EffectResult};
    use billing_wire::{AccountId, Date, OpId};

    const REFUND: &str = "00000000-0000-0000-0000-000000000009";

    fn effect() -> Effect {
        Effect {
            id: EffectId(1),
            key: OpId(9),
            refund: OpId(9),
            account: AccountId(3),
            amount: 250,
            currency: *b"EUR",
            timeout_ms: 1_000,
        }
    }

    fn answer(status: &str, refund: &str, amount: i64, rest: &str) -> String {
        format!("{{\"status\":\"{status}\",\"refund\":\"{refund}\",\"amount\":{amount}{rest}}}")
    }

    #[test]
    fn only_what_is_about_the_payout_is_believed() {
        let on = ",\"paid_on\":\"2026-04-01\"";
        let paid = EffectResult::Paid { on: Date(20_544) };
        for (status, body, expected) in [
            (200, answer("paid", REFUND, 250, on), paid),
            (201, answer("paid", REFUND, 250, on), paid),
            (200, answer("refused", REFUND, 250, ""), EffectResult::Refused),
            (402, String::new(), EffectResult::Refused),
            (503, String::new(), EffectResult::Refused),
            (500, answer("paid", REFUND, 250, on), EffectResult::Unknown),
            (302, String::new(), EffectResult::Unknown),
            (200, String::new(), EffectResult::Unknown),
            (200, answer("paid", REFUND, 251, on), EffectResult::Unknown),
            (200, answer("paid", &REFUND.replace('9', "8"), 250, on), EffectResult::Unknown),
            (200, answer("paid", REFUND, 250, ""), EffectResult::Unknown),
            (
                200,
                answer("paid", REFUND, 250, ",\"paid_on\":\"1970-01-01\""),
                EffectResult::Unknown,
            ),
            (200, answer("perhaps", REFUND, 250, on), EffectResult::Unknown),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(judge(&effect(), status, body.as_bytes()), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_url_that_is_none_is_refused_with_what_is_wrong() {
        for (url, problem) in [
            ("", "no URL"),
            ("127.0.0.1:9000", "no URL"),
            ("/payouts", "no URL"),
            ("https://127.0.0.1:9000/payouts", "only http"),
            ("http://name.invalid./payouts", "not found"),
        ] {
            let error = HttpProvider::at(url).map(|_| ()).map_err(|error| error.to_string());
            assert!(error.as_ref().is_err_and(|text| text.contains(problem)), "{url}: {error:?}");
        }
        assert!(HttpProvider::at("http://127.0.0.1:9000").is_ok());
        assert!(HttpProvider::at("http://[::1]:9000/v1/payouts?a=b").is_ok());
    }
}
