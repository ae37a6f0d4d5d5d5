//! Calls to nodes: one request and its answer over a connection of its own, taken from a few that
//! are kept open per node.

use axum::http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use billing_edge::Loss;
use billing_wire::NodeId;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Connections to one node that are kept open without a request, at most.
const IDLE_MAX: usize = 64;
/// A node that takes no connection in this time takes none.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// Bytes of a node's answer, at most: above any page of history.
const ANSWER_BYTES_MAX: usize = 4 << 20;

type Connection = SendRequest<Full<Bytes>>;

/// What goes to a node.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What comes back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The nodes and the connections to them.
#[derive(Debug)]
pub(crate) struct Nodes(BTreeMap<NodeId, Node>);

#[derive(Debug)]
struct Node {
    address: SocketAddr,
    idle: Mutex<Vec<Connection>>,
}

impl Nodes {
    pub(crate) fn new(addresses: BTreeMap<NodeId, SocketAddr>) -> Self {
        let node = |(node, address)| (node, Node { address, idle: Mutex::default() });
        Self(addresses.into_iter().map(node).collect())
    }

    /// Sends a request to a node and waits for its whole answer.
    pub(crate) async fn call(&self, node: NodeId, call: Call) -> Result<Answer, Loss> {
        let node = self.0.get(&node).ok_or(Loss::Refused)?;
        let mut request = call.request(node.address).ok_or(Loss::Refused)?;
        loop {
            let kept = node.idle().pop();
            let is_kept = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => connect(node.address).await?,
            };
            match connection.try_send_request(request).await {
                Ok(response) => {
                    let answer = whole(response).await?;
                    let mut idle = node.idle();
                    if idle.len() < IDLE_MAX && connection.is_ready() {
                        idle.push(connection);
                    }
                    return Ok(answer);
                }
                // A kept connection had ended; nothing was sent over it.
                Err(mut error) => match error.take_message() {
                    Some(unsent) if is_kept => request = unsent,
                    Some(_) => return Err(Loss::Refused),
                    None => return Err(Loss::Broken),
                },
            }
        }
    }
}

impl Node {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    /// A look at a path.
    pub(super) fn get(path: &'static str) -> Self {
        let uri = Uri::from_static(path);
        Self { method: Method::GET, uri, headers: HeaderMap::new(), body: Bytes::new() }
    }

    fn request(self, address: SocketAddr) -> Option<Request<Full<Bytes>>> {
        let mut request = Request::new(Full::new(self.body));
        (*request.method_mut(), *request.uri_mut()) = (self.method, self.uri);
        *request.headers_mut() = self.headers;
        let host = address.to_string().parse().ok()?;
        request.headers_mut().insert(header::HOST, host);
        Some(request)
    }
}

async fn connect(address: SocketAddr) -> Result<Connection, Loss> {
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
    let stream = stream.map_err(|_| Loss::Refused)?.map_err(|_| Loss::Refused)?;
    stream.set_nodelay(true).map_err(|_| Loss::Refused)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|_| Loss::Refused)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to a node ended");
        }
    });
    Ok(sender)
}

async fn whole(response: hyper::Response<hyper::body::Incoming>) -> Result<Answer, Loss> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|_| Loss::Broken)?;
    Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
}
