//! Outgoing connections: one per peer, for ever reconnecting, with a bounded queue. Delivery is
//! best effort: a frame for which there is no room or no connection is dropped, and every sender
//! of the core repeats what matters.

use super::clock::Clock;
use super::counters::Counters;
use billing_wire::frame::{self, FrameHeader, FrameKind};
use billing_wire::{Genesis, NodeId, RegionId};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Frames that wait for one peer, at most.
const QUEUE_FRAMES_MAX: usize = 4_096;
/// Bytes that wait for one peer, at most.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// Frames are written together until they are this long.
const WRITE_BYTES: usize = 256 << 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A peer that takes nothing for so long is given up; the kernel alone would wait for minutes.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
const BACKOFF_MIN: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// The queues to all peers. Dropping it ends the connections.
#[derive(Debug)]
pub(super) struct Peers {
    queues: BTreeMap<NodeId, Queue>,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Queue {
    frames: mpsc::Sender<Bytes>,
    bytes: Arc<AtomicUsize>,
}

/// One peer and how it is greeted.
struct Link {
    peer: NodeId,
    address: String,
    hello: FrameHeader,
    frames: mpsc::Receiver<Bytes>,
    bytes: Arc<AtomicUsize>,
    counters: Arc<Counters>,
    clock: Clock,
}

impl Peers {
    /// Starts a connection to every other node of the cluster that has an address.
    pub(super) fn connect(
        genesis: &Genesis,
        node: NodeId,
        addresses: &BTreeMap<NodeId, String>,
        counters: &Arc<Counters>,
    ) -> Self {
        let mut queues = BTreeMap::new();
        for (peer, address) in addresses.iter().filter(|(peer, _)| **peer != node) {
            let (sender, frames) = mpsc::channel(QUEUE_FRAMES_MAX);
            let bytes = Arc::new(AtomicUsize::new(0));
            queues.insert(*peer, Queue { frames: sender, bytes: Arc::clone(&bytes) });
            let link = Link {
                peer: *peer,
                address: address.clone(),
                hello: hello(genesis, node, *peer),
                frames,
                bytes,
                counters: Arc::clone(counters),
                clock: Clock::new(),
            };
            tokio::spawn(link.run());
        }
        Self { queues, counters: Arc::clone(counters) }
    }

    /// Queues a frame, or drops it.
    pub(super) fn send(&self, to: NodeId, frame: Bytes) {
        let length = frame.len();
        let is_queued = self.queues.get(&to).is_some_and(|queue| {
            let waiting = queue.bytes.load(Relaxed);
            // Counted before it is pushed: the other end subtracts as soon as it sees it.
            queue.bytes.fetch_add(length, Relaxed);
            let fits = waiting + length <= QUEUE_BYTES_MAX;
            let is_pushed = fits && queue.frames.try_send(frame).is_ok();
            if !is_pushed {
                queue.bytes.fetch_sub(length, Relaxed);
            }
            is_pushed
        });
        if !is_queued {
            self.counters.frames_dropped.fetch_add(1, Relaxed);
        }
    }
}

impl Link {
    async fn run(mut self) {
        let mut backoff = BACKOFF_MIN;
        while !self.frames.is_closed() {
            match self.connected(&mut backoff).await {
                Ok(()) => return,
                Err(error) => tracing::debug!(peer = %self.peer, %error, "no connection"),
            }
            sleep(backoff).await;
            self.drop_waiting();
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// Serves one connection until it breaks; `Ok` when the node itself is gone.
    async fn connected(&mut self, backoff: &mut Duration) -> io::Result<()> {
        let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(&self.address)).await??;
        stream.set_nodelay(true)?;
        *backoff = BACKOFF_MIN;
        self.counters.connections_made.fetch_add(1, Relaxed);
        tracing::info!(peer = %self.peer, address = %self.address, "connected");
        let (mut reader, mut writer) = stream.into_split();
        let mut buffer = self.greeting();
        let mut ending = [0; 1];
        loop {
            timeout(WRITE_TIMEOUT, writer.write_all(&buffer)).await??;
            buffer.clear();
            tokio::select! {
                biased;
                // Nothing is ever sent this way: whatever comes is the end.
                _ = reader.read(&mut ending) => return Err(io::ErrorKind::ConnectionReset.into()),
                frame = self.frames.recv() => match frame {
                    Some(frame) => self.gather(&frame, &mut buffer),
                    None => return Ok(()),
                },
            }
        }
    }

    /// Puts a frame and those that wait behind it into one write.
    fn gather(&mut self, first: &Bytes, buffer: &mut Vec<u8>) {
        self.take(first, buffer);
        while buffer.len() < WRITE_BYTES
            && let Ok(frame) = self.frames.try_recv()
        {
            self.take(&frame, buffer);
        }
    }

    fn take(&self, frame: &Bytes, buffer: &mut Vec<u8>) {
        self.bytes.fetch_sub(frame.len(), Relaxed);
        self.counters.frames_sent.fetch_add(1, Relaxed);
        buffer.extend_from_slice(frame);
    }

    /// What waited for a peer that was away is stale; the core will say it anew.
    fn drop_waiting(&mut self) {
        let mut dropped = 0;
        while let Ok(frame) = self.frames.try_recv() {
            self.bytes.fetch_sub(frame.len(), Relaxed);
            dropped += 1;
        }
        self.counters.frames_dropped.fetch_add(dropped, Relaxed);
    }

    fn greeting(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let header = FrameHeader { wall_ms: self.clock.now().wall.ms(), ..self.hello };
        frame::start(&header, &mut out);
        frame::finish(out).to_vec()
    }
}

fn hello(genesis: &Genesis, from: NodeId, to: NodeId) -> FrameHeader {
    FrameHeader {
        kind: FrameKind::Hello,
        from,
        to,
        region: genesis.region_of(from).unwrap_or(RegionId(0)),
        cluster: frame::cluster_mark(genesis.cluster),
        wall_ms: 0,
    }
}
