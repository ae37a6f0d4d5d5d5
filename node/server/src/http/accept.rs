//! Accepts clients. Connections are bounded in number, heads in time; on stop no more are
//! accepted and open ones finish the request that they are at.

use axum::Router;
use billing_shell::tokio_host::Handle;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
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

/// Serves connections until the node is told to stop and the last one has ended.
pub(super) async fn accept_clients(listener: TcpListener, router: Router, node: Handle) {
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

async fn serve_connection(stream: TcpStream, router: Router, node: Handle) {
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
