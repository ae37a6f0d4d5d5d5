//! What stands beside a body: `Idempotency-Key` and the query parameters.

use super::problem::Problem;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use billing_wire::{Grade, OnUnmet, OpId, ReadLevel, WriteOptions};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// `Idempotency-Key`: the UUID that names the operation over all of its sendings.
#[derive(Debug, Clone, Copy)]
pub(super) struct IdempotencyKey(pub(super) OpId);

const KEY_HEADER: &str = "Idempotency-Key";

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(KEY_HEADER) else {
            let detail = "draw a UUID once per operation and send it with every retry of it";
            return Err(Problem::invalid(KEY_HEADER, detail));
        };
        let text = value.to_str().unwrap_or_default();
        // The header's draft standard writes it as a quoted string, most clients do not.
        let text = text.trim_matches('"');
        text.parse().map(Self).map_err(|error: String| Problem::invalid(KEY_HEADER, error))
    }
}

/// Query parameters as `T`; unknown ones are refused.
#[derive(Debug)]
pub(super) struct Parameters<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(error) => Err(Problem::invalid("query", error.body_text())),
        }
    }
}

/// `?min_durability=region|geo|final&on_unmet=degrade|fail_fast`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WriteParameters {
    min_durability: Option<Grade>,
    #[serde(default)]
    on_unmet: OnUnmet,
}

impl WriteParameters {
    pub(super) fn options(&self) -> WriteOptions {
        WriteOptions { min_durability: self.min_durability, on_unmet: self.on_unmet }
    }
}

/// `?level=local|session|final`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadParameters {
    pub(super) level: Option<ReadLevel>,
}

/// `?after=N&limit=N&level=...`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryParameters {
    #[serde(default)]
    pub(super) after: u64,
    #[serde(default = "default_limit")]
    pub(super) limit: u64,
    pub(super) level: Option<ReadLevel>,
}

fn default_limit() -> u64 {
    100
}
