//! The real disk and the real sockets under the cases that the simulator's must pass too.

use super::clock::Clock;
use super::counters::Counters;
use super::directory::DiskDirectory;
use super::listener::accept_peers;
use super::peers::Peers;
use crate::conformance::network::{NODES, Wire, genesis};
use crate::conformance::{disk, network};
use crate::host::{BlockFile, Directory};
use billing_core::{DiskStep, FileName};
use billing_wire::{Genesis, NodeId};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Frames that wait to be received at a node: few, so that a node that takes none stalls.
const FRAMES_MAX: usize = 16;
/// No sender may be held up for so long: longer than a loaded machine takes to do nothing, and
/// shorter than any timeout of a connection.
const SEND_MAX: Duration = Duration::from_millis(900);
/// How long the port of a stopped node may take to be free.
const PORT_TRIES: u32 = 200;

/// A directory on the real disk that is removed with its contents.
#[derive(Debug)]
struct Temporary {
    directory: DiskDirectory,
    _removed_on_drop: TempDir,
}

impl Temporary {
    fn new() -> Self {
        let place = tempfile::tempdir().expect("a temporary directory");
        let directory = DiskDirectory::open(place.path()).expect("it exists");
        Self { directory, _removed_on_drop: place }
    }
}

impl Directory for Temporary {
    fn list(&self) -> io::Result<Vec<FileName>> {
        self.directory.list()
    }

    fn read(&self, file: FileName) -> io::Result<Vec<u8>> {
        self.directory.read(file)
    }

    fn run(&self, steps: &[DiskStep]) -> io::Result<()> {
        self.directory.run(steps)
    }

    fn rename(&self, from: FileName, to: FileName) -> io::Result<()> {
        self.directory.rename(from, to)
    }

    fn open_block_file(&self, file: FileName) -> io::Result<Box<dyn BlockFile>> {
        self.directory.open_block_file(file)
    }
}

#[test]
fn the_real_disk_conforms() {
    disk::check(Temporary::new);
}

#[test]
fn the_real_network_conforms() {
    network::check(Loopback::new);
}

/// Connections of the real host between [`NODES`], each way one, on the loopback interface.
#[derive(Debug)]
struct Loopback {
    genesis: Arc<Genesis>,
    addresses: BTreeMap<NodeId, SocketAddr>,
    ends: BTreeMap<NodeId, End>,
    clock: Clock,
    // Last: the connections of the ends above are dropped while their runtime still runs.
    runtime: Runtime,
}

/// What a node has of the network while it is up.
#[derive(Debug)]
struct End {
    peers: Peers,
    frames: mpsc::Receiver<Bytes>,
}

impl Loopback {
    fn new() -> Self {
        let addresses: BTreeMap<_, _> = NODES.into_iter().map(|n| (n, free_address())).collect();
        let runtime = Runtime::new().expect("a runtime");
        let genesis = Arc::new(genesis());
        let mut loopback =
            Self { genesis, addresses, ends: BTreeMap::new(), clock: Clock::new(), runtime };
        // All listen before anyone calls: what is sent at once is not lost.
        let listeners: Vec<_> = NODES.into_iter().map(|n| (n, loopback.listen(n))).collect();
        for (node, listener) in listeners {
            loopback.connect(node, listener);
        }
        loopback
    }

    fn listen(&self, node: NodeId) -> TcpListener {
        let address = self.addresses[&node];
        for _ in 0..PORT_TRIES {
            if let Ok(listener) = self.runtime.block_on(TcpListener::bind(address)) {
                return listener;
            }
            sleep(Duration::from_millis(50));
        }
        panic!("the port of node {node} is not free: {address}");
    }

    fn connect(&mut self, node: NodeId, listener: TcpListener) {
        let _runtime = self.runtime.enter();
        let addresses = self.addresses.iter().map(|(node, at)| (*node, at.to_string())).collect();
        let counters = Arc::new(Counters::default());
        let (sender, frames) = mpsc::channel(FRAMES_MAX);
        let genesis = Arc::clone(&self.genesis);
        self.runtime.spawn(accept_peers(listener, genesis, node, sender, Arc::clone(&counters)));
        let peers = Peers::connect(&self.genesis, node, &addresses, Duration::ZERO, &counters);
        self.ends.insert(node, End { peers, frames });
    }
}

impl Wire for Loopback {
    fn send(&mut self, from: NodeId, to: NodeId, frame: Bytes) {
        let before = self.clock.now().monotonic.0;
        self.ends[&from].peers.send(to, frame);
        let took = Duration::from_nanos(self.clock.now().monotonic.0 - before);
        assert!(took < SEND_MAX, "node {from} was held up for {took:?} by node {to}");
    }

    fn receive(&mut self, at: NodeId, patience: Duration) -> Option<Bytes> {
        let frames = &mut self.ends.get_mut(&at).expect("only a node that is up receives").frames;
        self.runtime.block_on(async { timeout(patience, frames.recv()).await.ok().flatten() })
    }

    fn stop(&mut self, node: NodeId) {
        self.ends.remove(&node).expect("only a node that is up can be stopped");
    }

    fn start(&mut self, node: NodeId) {
        let listener = self.listen(node);
        self.connect(node, listener);
    }

    // Nothing is taken from a node's connections but by `receive`.
    fn stall(&mut self, _node: NodeId) {}

    fn resume(&mut self, _node: NodeId) {}
}

/// An address that nothing listens on. Below the range from which the kernel takes the near ends
/// of connections: one of those could sit on the port of a node that is stopped.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let spread = (std::process::id() % 100) as u16 * 10;
    loop {
        let port = 10_000 + (spread + NEXT.fetch_add(1, Relaxed)) % 2_000;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if std::net::TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
