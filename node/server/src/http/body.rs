//! The body of a request: bounded in bytes and time, JSON, every key known.

use super::problem::Problem;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::time::timeout;

/// Bytes of a body, at most: above any legal command.
pub(super) const BODY_BYTES_MAX: usize = 64 << 10;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The body of a request as `T`.
#[derive(Debug)]
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let bytes = whole(request.into_body()).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let (kind, title) = ("malformed-body", "the body is not the JSON that is expected");
            Problem::new(StatusCode::BAD_REQUEST, kind, title, error.to_string())
        })
    }
}

/// A whole body.
pub(crate) async fn whole(body: Body) -> Result<Bytes, Problem> {
    match timeout(BODY_TIMEOUT, read(body)).await {
        Ok(bytes) => bytes,
        Err(_) => {
            let detail = "the body did not arrive within 10 s";
            let (kind, title) = ("request-timeout", "the request took too long");
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, kind, title, detail))
        }
    }
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let detail = format!("a body has at most {BODY_BYTES_MAX} bytes");
            let (kind, title) = ("body-too-large", "the body is too large");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, kind, title, detail))
        }
        Err(error) => {
            let (kind, title) = ("broken-body", "the body broke off");
            Err(Problem::new(StatusCode::BAD_REQUEST, kind, title, error.to_string()))
        }
    }
}
