//! The payment provider over HTTP: a payout is a `POST` with the refund's `op_id` as
//! `Idempotency-Key`, and what comes back is believed only when it is about that payout.

use crate::http::civil_date::CivilDate;
use crate::service::{HttpService, ServiceError};
use axum::http::StatusCode;
use billing_core::limits::{DATE_MAX, DATE_MIN};
use billing_core::{Effect, EffectResult};
use billing_edge::Loss;
use billing_shell::tokio_host::{Paying, PaymentProvider};
use billing_wire::{Date, OpId};
use serde::Deserialize;

/// Where payouts are asked for.
#[derive(Debug)]
pub(crate) struct HttpProvider {
    service: HttpService,
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
    pub(crate) fn at(url: &str) -> Result<Self, ServiceError> {
        HttpService::at(url).map(|service| Self { service })
    }
}

impl PaymentProvider for HttpProvider {
    fn pay(&self, effect: Effect) -> Paying {
        let posted = self.service.post(effect.key, &body(&effect));
        Box::pin(async move {
            match posted.await {
                Ok(answer) => judge(&effect, answer.status, &answer.body),
                // Nothing was sent.
                Err(Loss::Refused) => EffectResult::Refused,
                Err(_) => EffectResult::Unknown,
            }
        })
    }
}

fn body(effect: &Effect) -> serde_json::Value {
    serde_json::json!({
        "refund": effect.refund.to_string(),
        "account": effect.account.0,
        "amount": effect.amount,
        "currency": String::from_utf8_lossy(&effect.currency),
    })
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
    use super::judge;
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
}
