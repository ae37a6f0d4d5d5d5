//! Outgoing connections: one per peer, for ever reconnecting, with a bounded queue. Delivery is
//! best effort: a frame for which there is no room or no connection is dropped, and every sender
//! of the core repeats what matters.
//!
//! Frames between regions can be made to wait, so that one machine behaves as sites far apart
//! do: each waits in its own peer's queue until it is due, so no other peer is held up, and
//! they leave in the order in which they came.

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
use tokio::time::{Instant, sleep, sleep_until, timeout};

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
    frames: mpsc::Sender<Waiting>,
    bytes: Arc<AtomicUsize>,
    /// How long a frame waits before it leaves.
    delay: Duration,
}

/// A frame in a queue.
#[derive(Debug)]
struct Waiting {
    frame: Bytes,
    /// Not to leave before; `None`: at once.
    due: Option<Instant>,
}

/// One peer and how it is greeted.
struct Link {
    peer: NodeId,
    address: String,
    hello: FrameHeader,
    frames: mpsc::Receiver<Waiting>,
    /// Taken from the queue and not due yet; everything behind it is due later.
    next: Option<Waiting>,
    bytes: Arc<AtomicUsize>,
    counters: Arc<Counters>,
    clock: Clock,
}

impl Peers {
    /// Starts a connection to every other node of the cluster that has an address. Frames to
    /// another region wait for `inter_region_delay` before they leave.
    pub(super) fn connect(
        genesis: &Genesis,
        node: NodeId,
        addresses: &BTreeMap<NodeId, String>,
        inter_region_delay: Duration,
        counters: &Arc<Counters>,
    ) -> Self {
        let mut queues = BTreeMap::new();
        for (peer, address) in addresses.iter().filter(|(peer, _)| **peer != node) {
            let (sender, frames) = mpsc::channel(QUEUE_FRAMES_MAX);
            let bytes = Arc::new(AtomicUsize::new(0));
            let is_near = genesis.region_of(*peer) == genesis.region_of(node);
            let delay = if is_near { Duration::ZERO } else { inter_region_delay };
            queues.insert(*peer, Queue { frames: sender, bytes: Arc::clone(&bytes), delay });
            let link = Link {
                peer: *peer,
                address: address.clone(),
                hello: hello(genesis, node, *peer),
                frames,
                next: None,
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
            let due = (!queue.delay.is_zero()).then(|| Instant::now() + queue.delay);
            let is_pushed = fits && queue.frames.try_send(Waiting { frame, due }).is_ok();
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
                is_due = self.await_due() => match is_due {
                    true => self.gather(&mut buffer),
                    false => return Ok(()),
                },
            }
        }
    }

    /// Waits until `next` is a frame that may leave; false when the node itself is gone. Given up
    /// half-way it loses nothing: what it took stays in `next`.
    async fn await_due(&mut self) -> bool {
        if self.next.is_none() {
            self.next = self.frames.recv().await;
        }
        if let Some(due) = self.next.as_ref().and_then(|waiting| waiting.due) {
            sleep_until(due).await;
        }
        self.next.is_some()
    }

    /// Puts the frames that may leave into one write.
    fn gather(&mut self, buffer: &mut Vec<u8>) {
        let mut now = None;
        while buffer.len() < WRITE_BYTES
            && let Some(waiting) = self.next.take().or_else(|| self.frames.try_recv().ok())
        {
            // The clock is read once per write, and never where nothing is delayed.
            if waiting.due.is_some_and(|due| due > *now.get_or_insert_with(Instant::now)) {
                self.next = Some(waiting);
                return;
            }
            self.bytes.fetch_sub(waiting.frame.len(), Relaxed);
            self.counters.frames_sent.fetch_add(1, Relaxed);
            buffer.extend_from_slice(&waiting.frame);
        }
    }

    /// What waited for a peer that was away is stale; the core will say it anew.
    fn drop_waiting(&mut self) {
        let mut dropped = 0;
        while let Some(waiting) = self.next.take().or_else(|| self.frames.try_recv().ok()) {
            self.bytes.fetch_sub(waiting.frame.len(), Relaxed);
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

#[cfg(test)]
mod tests {
    use super::{Clock, Counters, Peers};
    use crate::tokio_host::listener::accept_peers;
    use billing_wire::{
        ClusterId, FrameHeader, FrameKind, Genesis, Incarnation, NodeId, RegionId, RegionMembers,
        frame,
    };
    use bytes::Bytes;
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    const DELAY: Duration = Duration::from_secs(2);
    const NEAR: NodeId = NodeId(2);
    const FAR: NodeId = NodeId(3);

    fn genesis() -> Genesis {
        let region = |(place, nodes): (u8, &[NodeId])| RegionMembers {
            region: RegionId(place),
            name: place.to_string(),
            incarnation: Incarnation(0),
            nodes: nodes.to_vec(),
        };
        Genesis {
            cluster: ClusterId(7),
            currency: *b"EUR",
            secret: [0; 32],
            regions: [(0, [NodeId(1), NEAR].as_slice()), (1, &[FAR])].map(region).to_vec(),
        }
    }

    fn frame_to(genesis: &Genesis, to: NodeId, number: u32) -> Bytes {
        let mut out = Vec::new();
        let header = FrameHeader {
            kind: FrameKind::Raft,
            from: NodeId(1),
            to,
            region: RegionId(0),
            cluster: frame::cluster_mark(genesis.cluster),
            wall_ms: 0,
        };
        frame::start(&header, &mut out);
        out.extend_from_slice(&number.to_le_bytes());
        frame::finish(out)
    }

    #[tokio::test]
    async fn another_region_is_far_and_holds_nobody_up() {
        let genesis = Arc::new(genesis());
        let counters = Arc::new(Counters::default());
        let (mut addresses, mut inlets) = (BTreeMap::new(), BTreeMap::new());
        for node in [NEAR, FAR] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("it is bound");
            addresses.insert(node, address.to_string());
            let (frames, inlet) = mpsc::channel(1_024);
            inlets.insert(node, inlet);
            let (genesis, counters) = (Arc::clone(&genesis), Arc::clone(&counters));
            tokio::spawn(accept_peers(listener, genesis, node, frames, counters));
        }
        let peers = Peers::connect(&genesis, NodeId(1), &addresses, DELAY, &counters);
        let clock = Clock::new();
        let sent: Vec<_> = (0..100).map(|number| frame_to(&genesis, FAR, number)).collect();
        for frame in &sent {
            peers.send(FAR, frame.clone());
        }
        let near = frame_to(&genesis, NEAR, 0);
        peers.send(NEAR, near.clone());
        let elapsed = || Duration::from_nanos(clock.now().monotonic.0);
        let inlet = inlets.get_mut(&NEAR).expect("it listens");
        assert_eq!(inlet.recv().await, Some(near));
        assert!(elapsed() < DELAY, "the near node waited {:?}", elapsed());
        let inlet = inlets.get_mut(&FAR).expect("it listens");
        for frame in sent {
            assert_eq!(inlet.recv().await, Some(frame));
            assert!(elapsed() >= DELAY, "the far node heard after {:?}", elapsed());
        }
    }
}
