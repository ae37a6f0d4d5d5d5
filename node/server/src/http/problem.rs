//! Errors as RFC 9457 problem details: what is wrong, where, and what to do.

use super::reads::AsOf;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An error answer.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Problem {
    /// Names the kind of problem; stable.
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    detail: String,
    /// The field, header or parameter that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// The frame of reference, where the books were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<Box<AsOf>>,
    #[serde(skip)]
    retry_after_ms: Option<u32>,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let kind = format!("urn:billing:problem:{kind}");
        let detail = detail.into();
        Self { kind, title, status, detail, field: None, as_of: None, retry_after_ms: None }
    }

    /// 400: a field, header or parameter is wrong.
    pub(crate) fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        let (kind, title) = ("invalid-request", "the request is invalid");
        Self::new(StatusCode::BAD_REQUEST, kind, title, detail).at(field)
    }

    /// 503: nothing was logged, a retry is safe.
    pub(crate) fn unavailable(kind: &'static str, detail: &str, retry_after_ms: u32) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let mut problem = Self::new(status, kind, "not now; nothing was logged", detail);
        problem.retry_after_ms = Some(retry_after_ms);
        problem
    }

    /// 429: nothing was logged, this client must slow down.
    pub(crate) fn too_often(detail: &str, retry_after_ms: u32) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let mut problem = Self::new(status, "too-often", "too often; nothing was logged", detail);
        problem.retry_after_ms = Some(retry_after_ms);
        problem
    }

    /// Names what is wrong.
    #[must_use]
    pub(crate) fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Says as of when the books were looked at.
    #[must_use]
    pub(super) fn looked_at(mut self, as_of: AsOf) -> Self {
        self.as_of = Some(Box::new(as_of));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).expect("a problem has only texts and numbers");
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if let Some(ms) = self.retry_after_ms {
            // The header counts whole seconds; 0 would mean "at once".
            let seconds = ms.div_ceil(1_000).max(1);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

fn as_number<S: serde::Serializer>(status: &StatusCode, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_u16(status.as_u16())
}
