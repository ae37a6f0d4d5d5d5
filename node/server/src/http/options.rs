//! What stands beside a body: `Idempotency-Key` and the query parameters.

use super::civil_date::CivilDate;
use super::problem::Problem;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use billing_wire::codec::Reader;
use billing_wire::limits::HISTORY_PAGE_MAX;
use billing_wire::{Grade, OnUnmet, OpId, Position, ReadLevel, WriteOptions};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

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
pub(super) struct PageParameters {
    #[serde(default)]
    pub(super) after: u64,
    #[serde(default)]
    pub(super) limit: PageLimit,
    pub(super) level: Option<ReadLevel>,
}

/// `?from=DATE&to=DATE&after=N&limit=N&level=...`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatementParameters {
    pub(super) from: CivilDate,
    pub(super) to: CivilDate,
    #[serde(default)]
    pub(super) after: u64,
    #[serde(default)]
    pub(super) limit: PageLimit,
    pub(super) level: Option<ReadLevel>,
}

/// `?after=CURSOR&limit=N&level=...`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PositionPageParameters {
    #[serde(default)]
    pub(super) after: Cursor,
    #[serde(default)]
    pub(super) limit: PageLimit,
    pub(super) level: Option<ReadLevel>,
}

/// How many items a page has.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(transparent)]
pub(super) struct PageLimit(u64);

impl Default for PageLimit {
    fn default() -> Self {
        Self(100)
    }
}

impl PageLimit {
    /// The limit, if it is legal.
    pub(super) fn checked(self) -> Result<u16, Problem> {
        let limit = u16::try_from(self.0).ok().filter(|n| (1..=HISTORY_PAGE_MAX).contains(n));
        limit.ok_or_else(|| Problem::invalid("limit", format!("1 to {HISTORY_PAGE_MAX} expected")))
    }
}

/// `next` of the page before: a position as hexadecimal digits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cursor(pub(super) Position);

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let error = || D::Error::custom(format!("'{text}' is no `next` of a page"));
        let digits = text.as_bytes();
        if digits.len() != Position::BYTES * 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(error());
        }
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
        let bytes = bytes.ok_or_else(error)?;
        Position::decode(&mut Reader::new("cursor", &bytes)).map(Self).map_err(|_| error())
    }
}
