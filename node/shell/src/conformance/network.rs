//! What every network between nodes must do. Each case starts with three nodes that are up and
//! links without a fault. Frames here have a header and a checksum as all frames, but whether
//! they verify is the core's business in both worlds: a damaged frame is no case.

use billing_wire::frame::{self, FRAME_HEADER_BYTES, FrameHeader, FrameKind};
use billing_wire::limits::FRAME_BYTES_MAX;
use billing_wire::{ClusterId, Genesis, Incarnation, NodeId, RegionId, RegionMembers};
use bytes::Bytes;
use std::time::Duration;

/// The nodes that a [`Wire`] connects.
pub const NODES: [NodeId; 3] = [A, B, C];
const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);
const C: NodeId = NodeId(3);
/// How long a frame may take that must arrive.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a frame is awaited that may be lost, before it is sent again.
const SHORT_PATIENCE: Duration = Duration::from_millis(100);
/// More frames than a host keeps for a peer that is away.
const FLOOD_FRAMES: u32 = 10_000;
/// More than every buffer between two nodes holds.
const FLOOD_BYTES: usize = 192 << 20;

/// The network between [`NODES`].
pub trait Wire {
    /// Sends a frame, best effort.
    ///
    /// # Panics
    /// When that makes the sender wait.
    fn send(&mut self, from: NodeId, to: NodeId, frame: Bytes);

    /// The next frame that arrives at a node; `None` when none does in the given time.
    fn receive(&mut self, at: NodeId, patience: Duration) -> Option<Bytes>;

    /// A node goes away, with everything that waits to be received there.
    fn stop(&mut self, node: NodeId);

    /// A node that was stopped is there again.
    fn start(&mut self, node: NodeId);

    /// From now on a node takes what arrives so slowly that it piles up on the way.
    fn stall(&mut self, node: NodeId);

    /// It takes it as fast as ever again.
    fn resume(&mut self, node: NodeId);
}

/// A case: a name, and a function that panics when the network fails it.
pub type Case = (&'static str, fn(&mut dyn Wire));

/// Every case.
pub const CASES: [Case; 8] = [
    ("a frame arrives whole", whole),
    ("the smallest and the largest frame arrive", extremes),
    ("frames of a pair arrive once and in order", in_order),
    ("frames pass in both directions at once", both_directions),
    ("each frame arrives where it was sent", addressed),
    ("a peer that is away loses frames and holds nobody up", absent),
    ("after a restart later frames arrive", restarted),
    ("a full queue drops frames and holds nobody up", full_queue),
];

/// Runs every case, each on a network of its own.
///
/// # Panics
/// With the name of the first case that fails, and what was expected.
pub fn check<W: Wire>(mut fresh_wire: impl FnMut() -> W) {
    for (name, case) in CASES {
        tracing::debug!(name, "conformance");
        case(&mut fresh_wire());
    }
}

/// The cluster of [`NODES`].
pub fn genesis() -> Genesis {
    let (region, name) = (RegionId(0), "main".to_owned());
    let members = RegionMembers { region, name, incarnation: Incarnation(0), nodes: NODES.into() };
    let (currency, secret) = (*b"EUR", [7; 32]);
    Genesis { cluster: ClusterId(7), currency, secret, regions: vec![members] }
}

/// A frame that is told apart by its number, filled up to a length in bytes.
fn frame(from: NodeId, to: NodeId, number: u32, length: usize) -> Bytes {
    let cluster = frame::cluster_mark(genesis().cluster);
    let (kind, region, wall_ms) = (FrameKind::Raft, RegionId(0), u64::from(number));
    let mut out = Vec::with_capacity(length);
    frame::start(&FrameHeader { kind, from, to, region, cluster, wall_ms }, &mut out);
    out.resize(length, number as u8);
    frame::finish(out)
}

fn short(from: NodeId, to: NodeId, number: u32) -> Bytes {
    frame(from, to, number, FRAME_HEADER_BYTES + 16)
}

/// The frame that arrives next must be this one.
fn expect(wire: &mut dyn Wire, at: NodeId, expected: &Bytes) {
    let found = wire.receive(at, PATIENCE);
    assert_eq!(found.as_ref().map(Bytes::len), Some(expected.len()), "a frame at node {at}");
    // Compared apart from the length: eight megabytes are no message.
    assert!(found.as_ref() == Some(expected), "the frame that was sent arrives at node {at}");
}

/// What arrives until nothing does any more.
fn drain(wire: &mut dyn Wire, at: NodeId) -> Vec<Bytes> {
    let quiet = 5 * SHORT_PATIENCE;
    std::iter::from_fn(|| wire.receive(at, quiet)).collect()
}

/// Sends numbered frames until one arrives; returns that one.
fn insist(wire: &mut dyn Wire, from: NodeId, to: NodeId, first: u32) -> Bytes {
    let tries = (PATIENCE.as_millis() / SHORT_PATIENCE.as_millis()) as u32;
    let mut tried = (first..first + tries).filter_map(|number| {
        wire.send(from, to, short(from, to, number));
        wire.receive(to, SHORT_PATIENCE)
    });
    tried.next().unwrap_or_else(|| panic!("of {tries} frames from {from} none reached node {to}"))
}

/// The numbers of frames that were sent and arrived: whole, and in the order of their numbers.
fn numbers(arrived: &[Bytes], sent: &[Bytes]) -> Vec<usize> {
    let mut from = 0;
    let mut found = Vec::with_capacity(arrived.len());
    for frame in arrived {
        let place = sent[from..].iter().position(|sent| sent == frame);
        let place = from + place.expect("what arrives was sent, once, and overtakes nothing");
        found.push(place);
        from = place + 1;
    }
    found
}

fn whole(wire: &mut dyn Wire) {
    let sent = frame(A, B, 1, 1_000);
    wire.send(A, B, sent.clone());
    expect(wire, B, &sent);
    assert_eq!(wire.receive(B, SHORT_PATIENCE), None, "a frame arrives once");
}

fn extremes(wire: &mut dyn Wire) {
    for (number, length) in
        [FRAME_HEADER_BYTES, FRAME_BYTES_MAX, FRAME_HEADER_BYTES].into_iter().enumerate()
    {
        let sent = frame(A, B, number as u32, length);
        wire.send(A, B, sent.clone());
        expect(wire, B, &sent);
    }
}

fn in_order(wire: &mut dyn Wire) {
    let frames: Vec<_> =
        (0..1_000).map(|number| frame(A, B, number, 32 + number as usize * 7 % 500)).collect();
    frames.iter().for_each(|frame| wire.send(A, B, frame.clone()));
    frames.iter().for_each(|frame| expect(wire, B, frame));
    assert_eq!(wire.receive(B, SHORT_PATIENCE), None, "nothing arrives twice");
}

fn both_directions(wire: &mut dyn Wire) {
    for number in 0..100 {
        let (there, back) = (short(A, B, number), short(B, A, number));
        wire.send(A, B, there.clone());
        wire.send(B, A, back.clone());
        expect(wire, B, &there);
        expect(wire, A, &back);
    }
}

fn addressed(wire: &mut dyn Wire) {
    let pairs = [(A, B), (B, C), (C, A), (A, C), (C, B), (B, A)];
    for (number, (from, to)) in (0..).zip(pairs) {
        wire.send(from, to, short(from, to, number));
    }
    for at in NODES {
        let mut arrived: Vec<_> = (0..2).filter_map(|_| wire.receive(at, PATIENCE)).collect();
        // Two senders: which frame is first is nobody's promise.
        arrived.sort_unstable();
        let to_it = (0..).zip(pairs).filter(|(_, (_, to))| *to == at);
        let mut expected: Vec<_> =
            to_it.map(|(number, (from, to))| short(from, to, number)).collect();
        expected.sort_unstable();
        assert_eq!(arrived, expected, "at node {at}");
        assert_eq!(wire.receive(at, SHORT_PATIENCE), None, "nothing else reaches node {at}");
    }
}

fn absent(wire: &mut dyn Wire) {
    wire.stop(B);
    let sent: Vec<_> = (0..FLOOD_FRAMES).map(|number| short(A, B, number)).collect();
    sent.iter().for_each(|frame| wire.send(A, B, frame.clone()));
    let to_another = short(A, C, 1);
    wire.send(A, C, to_another.clone());
    expect(wire, C, &to_another);
    wire.start(B);
    let arrived = numbers(&drain(wire, B), &sent);
    assert!(arrived.len() < sent.len(), "not all of them were kept for a peer that was away");
}

fn restarted(wire: &mut dyn Wire) {
    let before = short(A, B, 1);
    wire.send(A, B, before.clone());
    expect(wire, B, &before);
    for round in 1..=2 {
        wire.stop(B);
        wire.send(A, B, short(A, B, 1_000 * round));
        wire.start(B);
        let first = insist(wire, A, B, 1_000 * round + 1);
        assert_ne!(first, before, "nothing of an earlier life arrives again");
        insist(wire, B, A, 1_000 * round);
        drain(wire, B);
        drain(wire, A);
    }
    let after = short(A, B, 9_000);
    wire.send(A, B, after.clone());
    expect(wire, B, &after);
}

fn full_queue(wire: &mut dyn Wire) {
    let length = 1 << 20;
    let before = short(A, B, 1);
    wire.send(A, B, before.clone());
    expect(wire, B, &before);
    wire.stall(B);
    let count = (FLOOD_BYTES / length) as u32;
    let sent: Vec<_> = (0..count).map(|number| frame(A, B, number, length)).collect();
    sent.iter().for_each(|frame| wire.send(A, B, frame.clone()));
    let to_another = short(A, C, 1);
    wire.send(A, C, to_another.clone());
    expect(wire, C, &to_another);
    wire.resume(B);
    let arrived = numbers(&drain(wire, B), &sent);
    assert_eq!(arrived.first(), Some(&0), "what found room arrives");
    assert!(arrived.len() < sent.len(), "what found no room is dropped");
    insist(wire, A, B, count);
}
