//! The simulated disk and the simulated links under the cases that the real ones pass: what the
//! node may rely on is the same in both worlds.
#![cfg(madsim)]

use billing_shell::conformance::network::{NODES, Wire};
use billing_shell::conformance::{disk, network};
use billing_wire::NodeId;
use billsim_engine::disk::{Disk, DiskHandle, DiskTiming};
use billsim_engine::seed::{Purpose, Stream};
use billsim_engine::world::links::Links;
use billsim_engine::world::queue::Queue;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Latency of a link in nanoseconds: wide, so that frames could overtake each other.
const LATENCY_NS: (u64, u64) = (100_000, 5_000_000);
/// Bytes per second that a stalled node takes.
const STALLED: u64 = 10_000_000;
/// Cases are run with so many seeds each.
const SEEDS: u64 = 20;

fn empty_disk() -> DiskHandle {
    let timing = DiskTiming { write_ns: (10, 100), sync_ns: (100, 1_000) };
    DiskHandle::new(&Arc::new(Mutex::new(Disk::new(timing, Stream::new(1, Purpose::Disk)))))
}

/// The links of three nodes with what is on the way, as the world keeps it.
struct Simulated {
    now: u64,
    links: Links,
    on_the_way: Queue<Arrival>,
    nodes: [Node; 3],
}

struct Arrival {
    slot: usize,
    life: u32,
    frame: Bytes,
}

#[derive(Default)]
struct Node {
    /// Counts starts and stops: what is on the way to an earlier life is void.
    life: u32,
    is_down: bool,
    arrived: VecDeque<Bytes>,
}

impl Simulated {
    fn new(seed: u64) -> Self {
        Self {
            now: 0,
            links: Links::new(NODES.len(), LATENCY_NS, Stream::new(seed, Purpose::Net)),
            on_the_way: Queue::new(Stream::new(seed, Purpose::Schedule)),
            nodes: Default::default(),
        }
    }

    fn others(slot: usize) -> impl Iterator<Item = usize> {
        (0..NODES.len()).filter(move |other| *other != slot)
    }
}

fn slot(node: NodeId) -> usize {
    NODES.iter().position(|known| *known == node).expect("one of the three")
}

impl Wire for Simulated {
    fn send(&mut self, from: NodeId, to: NodeId, frame: Bytes) {
        let (from, slot) = (slot(from), slot(to));
        let passage = self.links.pass(self.now, from, slot, frame);
        let life = self.nodes[slot].life;
        for (at, frame) in passage.arrivals.into_iter().flatten() {
            self.on_the_way.push(at, Arrival { slot, life, frame });
        }
    }

    fn receive(&mut self, at: NodeId, patience: Duration) -> Option<Bytes> {
        let until = self.now + patience.as_nanos() as u64;
        loop {
            if let Some(frame) = self.nodes[slot(at)].arrived.pop_front() {
                return Some(frame);
            }
            if self.on_the_way.next_at().is_none_or(|next| next > until) {
                self.now = until;
                return None;
            }
            let (now, arrival) = self.on_the_way.pop()?;
            self.now = now;
            let node = &mut self.nodes[arrival.slot];
            if node.life == arrival.life && !node.is_down {
                node.arrived.push_back(arrival.frame);
            }
        }
    }

    fn stop(&mut self, node: NodeId) {
        let life = self.nodes[slot(node)].life + 1;
        self.nodes[slot(node)] = Node { life, is_down: true, arrived: VecDeque::new() };
    }

    fn start(&mut self, node: NodeId) {
        let node = &mut self.nodes[slot(node)];
        (node.life, node.is_down) = (node.life + 1, false);
    }

    fn stall(&mut self, node: NodeId) {
        let to = slot(node);
        Self::others(to).for_each(|from| self.links.faults(from, to).bytes_per_s = STALLED);
    }

    fn resume(&mut self, node: NodeId) {
        let to = slot(node);
        Self::others(to).for_each(|from| self.links.speed_up(self.now, from, to));
    }
}

#[test]
fn the_simulated_disk_conforms() {
    for (_, case) in disk::CASES {
        case(&empty_disk());
    }
}

#[test]
fn the_simulated_network_conforms() {
    for (_, case) in network::CASES {
        (0..SEEDS).for_each(|seed| case(&mut Simulated::new(seed)));
    }
}
