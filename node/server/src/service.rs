//! A service outside of the cluster that is asked over HTTP: a `POST` under an `Idempotency-Key`,
//! so that it may be asked again whatever became of the first time. What an answer means is for
//! those who ask.

use crate::edge::calls::{Answer, Call, Nodes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use billing_edge::Loss;
use billing_wire::{NodeId, OpId};
use bytes::Bytes;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use thiserror::Error;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Connections are kept by node; there is one service.
const SERVICE: NodeId = NodeId(0);

/// Why an address is none of a service.
#[derive(Debug, Error)]
pub(crate) enum ServiceError {
    #[error("'{0}' is no URL: http://HOST:PORT/PATH expected")]
    Url(String),
    #[error("'{0}': only http is spoken: put a proxy on this machine before one that wants TLS")]
    Scheme(String),
    #[error("'{url}': {problem}")]
    Host { url: String, problem: String },
}

/// Where it is asked.
#[derive(Debug)]
pub(crate) struct HttpService {
    path: Uri,
    connections: Arc<Nodes>,
}

impl HttpService {
    /// A service at a URL. Its host is looked up once, here.
    pub(crate) fn at(url: &str) -> Result<Self, ServiceError> {
        let uri: Uri = url.parse().map_err(|_| ServiceError::Url(url.to_owned()))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some(_) => return Err(ServiceError::Scheme(url.to_owned())),
            None => return Err(ServiceError::Url(url.to_owned())),
        }
        let address = address_of(&uri).map_err(|problem| {
            let url = url.to_owned();
            ServiceError::Host { url, problem }
        })?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = path.parse().map_err(|_| ServiceError::Url(url.to_owned()))?;
        let connections = Arc::new(Nodes::new(BTreeMap::from([(SERVICE, address)])));
        Ok(Self { path, connections })
    }

    /// Posts a body under a key, and waits for the whole answer.
    pub(crate) fn post(
        &self,
        key: OpId,
        body: &Value,
    ) -> impl Future<Output = Result<Answer, Loss>> + Send + use<> {
        let (call, connections) = (self.call(key, body), Arc::clone(&self.connections));
        async move { connections.call(SERVICE, call).await }
    }

    fn call(&self, key: OpId, body: &Value) -> Call {
        let key = HeaderValue::from_str(&key.to_string());
        let json = HeaderValue::from_static("application/json");
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

#[cfg(test)]
mod tests {
    use super::HttpService;

    #[test]
    fn a_url_that_is_none_is_refused_with_what_is_wrong() {
        for (url, problem) in [
            ("", "no URL"),
            ("127.0.0.1:9000", "no URL"),
            ("/payouts", "no URL"),
            ("https://127.0.0.1:9000/payouts", "only http"),
            ("http://name.invalid./payouts", "not found"),
        ] {
            let error = HttpService::at(url).map(|_| ()).map_err(|error| error.to_string());
            assert!(error.as_ref().is_err_and(|text| text.contains(problem)), "{url}: {error:?}");
        }
        assert!(HttpService::at("http://127.0.0.1:9000").is_ok());
        assert!(HttpService::at("http://[::1]:9000/v1/payouts?a=b").is_ok());
    }
}
