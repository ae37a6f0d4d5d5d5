//! Incoming connections of peers: a hello, then frames. A connection that says anything else is
//! closed; its peer calls again.

use super::counters::Counters;
use billing_wire::frame::{FRAME_HEADER_BYTES, cluster_mark};
use billing_wire::{Frame, FrameKind, Genesis, NodeId};
use bytes::{Bytes, BytesMut};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};

/// Connections open at once, at most; peers need one each.
const CONNECTIONS_MAX: usize = 64;
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// After a failed accept (no file handles left): do not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A frame's memory grows as its bytes arrive, so a lying length costs nothing.
const READ_STEP: usize = 64 << 10;

/// Accepts connections until the receiver of frames is gone.
pub(super) async fn accept_peers(
    listener: TcpListener,
    genesis: Arc<Genesis>,
    node: NodeId,
    frames: mpsc::Sender<Bytes>,
    counters: Arc<Counters>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            biased;
            () = frames.closed() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a peer");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (genesis, frames) = (Arc::clone(&genesis), frames.clone());
        let counters = Arc::clone(&counters);
        tokio::spawn(async move {
            let ended = receive(stream, &genesis, node, &frames, &counters).await;
            if let Err(error) = ended {
                tracing::debug!(%address, %error, "a peer's connection ended");
            }
            drop(place);
        });
    }
}

async fn receive(
    stream: TcpStream,
    genesis: &Genesis,
    node: NodeId,
    frames: &mpsc::Sender<Bytes>,
    counters: &Counters,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::with_capacity(READ_STEP, stream);
    let hello = timeout(HELLO_TIMEOUT, read_frame(&mut stream)).await??;
    check_hello(&hello, genesis, node)?;
    loop {
        let frame = tokio::select! {
            biased;
            () = frames.closed() => return Ok(()),
            frame = read_frame(&mut stream) => frame?,
        };
        counters.frames_received.fetch_add(1, Relaxed);
        // Waits when the node is behind: the peer's own queue is then the one that overflows.
        if frames.send(frame).await.is_err() {
            return Ok(());
        }
    }
}

fn check_hello(bytes: &Bytes, genesis: &Genesis, node: NodeId) -> io::Result<()> {
    let refuse = |text: String| Err(io::Error::new(io::ErrorKind::InvalidData, text));
    let header = match Frame::decode(bytes) {
        Ok(frame) => frame.header,
        Err(error) => return refuse(error.to_string()),
    };
    let is_member = genesis.nodes().any(|member| member == header.from);
    if header.kind != FrameKind::Hello || !is_member || header.to != node {
        return refuse(format!("no hello of a peer to node {node}"));
    }
    if header.cluster != cluster_mark(genesis.cluster) {
        tracing::warn!(peer = %header.from, "a node of another cluster calls: check `peers`");
        return refuse("another cluster".to_owned());
    }
    Ok(())
}

/// Reads one frame, still unverified but of a legal length.
async fn read_frame(stream: &mut BufReader<TcpStream>) -> io::Result<Bytes> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix).await?;
    let length = Frame::length(prefix)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
    let mut frame = BytesMut::with_capacity(length.clamp(FRAME_HEADER_BYTES, READ_STEP));
    frame.extend_from_slice(&prefix);
    while frame.len() < length {
        let wanted = (length - frame.len()).min(READ_STEP);
        let start = frame.len();
        frame.resize(start + wanted, 0);
        stream.read_exact(&mut frame[start..]).await?;
    }
    Ok(frame.freeze())
}
