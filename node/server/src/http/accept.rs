//! Accepts clients. Connections are bounded in number, heads in time; on stop no more are
//! accepted and open ones finish the request that they are at.

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Connections open at once, at most; further ones wait in the kernel.
const CONNECTIONS_MAX: usize = 1_024;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// After a failed accept (no file handles left): do not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Tells when no more clients are to be served.
pub(crate) trait Stopping: Clone + Send + Sync + 'static {
    /// Ends when that is so.
    fn stopping(&self) -> impl Future<Output = ()> + Send;
}

impl Stopping for billing_shell::tokio_host::Handle {
    fn stopping(&self) -> impl Future<Output = ()> + Send {
        Self::stopping(self)
    }
}

impl Stopping for tokio::sync::watch::Receiver<bool> {
    async fn stopping(&self) {
        // Nobody left who could say so is as good as being told.
        let _ = self.clone().wait_for(|stop| *stop).await;
    }
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller(pub(crate) SocketAddr);

/// Serves connections until it is told to stop and the last one has ended.
pub(crate) async fn accept_clients<S: Stopping>(listener: TcpListener, router: Router, node: S) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let stream = tokio::select! {
            biased;
            () = node.stopping() => break,
            stream = next_stream(&listener, &places) => stream,
        };
        let (stream, place) = match stream {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a client");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (router, node) = (router.clone(), node.clone());
        connections.spawn(async move {
            serve_connection(stream, router, node).await;
            drop(place);
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn next_stream(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await;
    let place = place.expect("the semaphore is never closed");
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

async fn serve_connection<S: Stopping>(stream: TcpStream, router: Router, node: S) {
    let router = match stream.peer_addr() {
        Ok(address) => router.layer(Extension(Caller(address))),
        Err(_) => return,
    };
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = node.stopping() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a client's connection ended");
    }
}
