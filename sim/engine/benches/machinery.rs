//! What the simulator itself costs, without any node: links, queue and trace with faults on (the
//! bare engine; items are delivered messages), and the disk (items are persists).

use billing_core::{DiskStep, FileName, PersistToken};
use billing_wire::RegionId;
use billsim_engine::disk::{Disk, DiskTiming};
use billsim_engine::seed::{Purpose, Stream};
use billsim_engine::trace::{Trace, Traced};
use billsim_engine::world::links::{LinkFaults, Links};
use billsim_engine::world::queue::Queue;
use bytes::Bytes;
use divan::Bencher;
use divan::counter::ItemsCount;

const NODES: usize = 6;
const MESSAGES: u64 = 100_000;
const FRAME_BYTES: usize = 120;
const PERSISTS: u64 = 1_000;
const RECORD_BYTES: usize = 600;

fn main() {
    divan::main();
}

/// Frames go round among six nodes of two regions, over links that delay, lose, duplicate, reorder
/// and damage some; every delivery is hashed with its bytes.
#[divan::bench]
fn bare_engine(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        let stream = |purpose| Stream::new(7, purpose);
        let mut links = Links::new(NODES, (200_000, 900_000), stream(Purpose::Net))
            .between_regions(NODES / 2, (9_000_000, 12_000_000));
        let faults = LinkFaults {
            loss_ppm: 10_000,
            duplicate_ppm: 10_000,
            reorder_ppm: 10_000,
            flip_ppm: 1_000,
            ..LinkFaults::default()
        };
        for from in 0..NODES {
            for to in 0..NODES {
                *links.faults(from, to) = faults;
            }
        }
        let mut queue = Queue::new(stream(Purpose::Schedule));
        let (mut trace, mut delivered, mut turn) = (Trace::default(), 0, 0);
        let mut send = |links: &mut Links, queue: &mut Queue<_>, now, from: usize, frame: Bytes| {
            turn += 1;
            let to = (from + 1 + turn % (NODES - 1)) % NODES;
            for (at, frame) in links.pass(now, from, to, frame).arrivals.into_iter().flatten() {
                queue.push(at, (to, frame));
            }
        };
        let frame = Bytes::from(vec![7; FRAME_BYTES]);
        while delivered < MESSAGES {
            // What was lost is begun anew.
            if queue.next_at().is_none() {
                (0..NODES).for_each(|from| send(&mut links, &mut queue, 0, from, frame.clone()));
            }
            let Some((now, (at, frame))) = queue.pop() else { continue };
            trace.add(now, Traced::Delivery, at as u8, &frame);
            delivered += 1;
            send(&mut links, &mut queue, now, at, frame);
        }
        trace.digest()
    });
}

/// A record is appended and synced, again and again, as a node that writes one at a time does it;
/// what would survive a power cut is followed byte by byte.
#[divan::bench]
fn disk(bencher: Bencher<'_, '_>) {
    let timing = DiskTiming { write_ns: (20_000, 100_000), sync_ns: (500_000, 2_000_000) };
    let file = FileName::Segment { region: RegionId(0), sequence: 1 };
    let record = Bytes::from(vec![7; RECORD_BYTES]);
    bencher.counter(ItemsCount::new(PERSISTS)).bench_local(|| {
        let mut disk = Disk::new(timing, Stream::new(7, Purpose::Disk));
        let mut now = 0;
        for number in 0..PERSISTS {
            let offset = number * RECORD_BYTES as u64;
            let write = DiskStep::Write { file, offset, bytes: record.clone() };
            let steps = vec![write, DiskStep::Sync { file }];
            now = disk.submit(now, PersistToken(number), steps).done_at;
            disk.advance(now);
        }
        disk.power_cut(now)
    });
}
