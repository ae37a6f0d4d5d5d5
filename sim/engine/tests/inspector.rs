//! The inspector and the node's recovery read the same bytes with different code. After any
//! power cut they must agree on every record, or one of them is wrong.

use billing_core::journal::{Writer, first_steps, recover};
use billing_core::{DiskStep, PersistToken};
use billing_shell::read_image;
use billing_wire::{
    ClusterId, Genesis, Incarnation, NodeId, Record, RecordHeader, RecordView, RegionId,
    RegionMembers,
};
use billsim_engine::disk::{Disk, DiskHandle, DiskTiming};
use billsim_engine::seed::{Purpose, Stream};
use bytes::Bytes;
use std::sync::{Arc, Mutex};

const NODE: NodeId = NodeId(1);
const REGION: RegionId = RegionId(0);

fn genesis() -> Genesis {
    let nodes = vec![NODE, NodeId(2), NodeId(3)];
    let name = "east".to_owned();
    let east = RegionMembers { region: REGION, name, incarnation: Incarnation(0), nodes };
    Genesis { cluster: ClusterId(7), currency: *b"EUR", secret: [1; 32], regions: vec![east] }
}

fn disk(seed: u64) -> Disk {
    let timing = DiskTiming { write_ns: (10, 100), sync_ns: (100, 1_000) };
    Disk::new(timing, Stream::new(seed, Purpose::Disk))
}

/// A record that follows `prev`, told apart by its term.
fn record(prev: Option<&RecordHeader>, term: u64) -> (RecordHeader, Bytes) {
    let header = RecordHeader::derived_noop(REGION, Incarnation(0), term, prev);
    let mut record = Record { header, submissions: Vec::new() };
    let bytes = record.encode();
    (record.header, Bytes::from(bytes))
}

/// Appends a few records, now and then in place of a suffix.
fn appends(log: &mut Vec<RecordHeader>, writer: &mut Writer, term: u64, stream: &mut Stream) {
    if !log.is_empty() && stream.below(4) == 0 {
        let kept = stream.below(log.len() as u64) as usize;
        log.truncate(kept);
    }
    for _ in 0..=stream.below(5) {
        let (header, bytes) = record(log.last(), term);
        writer.append(&header, &bytes);
        log.push(header);
    }
    writer.hard_state(REGION, term, 2);
}

#[test]
fn recovery_keeps_exactly_what_the_inspector_says() {
    let genesis = genesis();
    let (mut compared, mut cuts_inside) = (0, 0);
    for seed in 0..150 {
        let mut stream = Stream::new(seed, Purpose::Load);
        let mut disk = disk(seed);
        disk.run_now(&first_steps(&genesis, NODE)).expect("no fault is armed");
        let disk = Arc::new(Mutex::new(disk));
        let mut now = 0;
        for life in 0..6 {
            let handle = DiskHandle::new(&disk);
            let image = read_image(&handle).expect("no fault is armed");
            let (recovered, steps) = recover(&genesis, NODE, image).expect("nothing is damaged");
            disk.lock().unwrap().run_now(&steps).expect("no fault is armed");
            let records = &recovered.logs[0].records;
            let guard = disk.lock().unwrap();
            for (place, bytes) in records.iter().enumerate() {
                let hash = RecordView::decode(bytes).expect("recovery verified it").header.hash;
                let seen = guard.inspector().record_hash(REGION, place as u64 + 1);
                assert_eq!(seen, Some(hash), "seed {seed}, life {life}, record {}", place + 1);
                compared += 1;
            }
            assert_eq!(guard.inspector().record_hash(REGION, records.len() as u64 + 1), None);
            drop(guard);
            let mut log: Vec<RecordHeader> =
                records.iter().map(|b| RecordView::decode(b).unwrap().header).collect();
            let tails = [recovered.logs[0].tail];
            let mut writer = Writer::new(genesis.cluster, 4_096, recovered.superblock, &tails);
            for round in 0..stream.below(8) {
                appends(&mut log, &mut writer, life * 10 + round + 1, &mut stream);
                let steps: Vec<DiskStep> = writer.take_steps();
                let mut guard = disk.lock().unwrap();
                now = guard.submit(now, PersistToken(round), steps).done_at;
                guard.advance(now);
                for (place, header) in log.iter().enumerate() {
                    let seen = guard.inspector().record_hash(REGION, place as u64 + 1);
                    assert_eq!(seen, Some(header.hash), "seed {seed}, life {life}, {place}");
                }
            }
            appends(&mut log, &mut writer, life * 10 + 9, &mut stream);
            let mut guard = disk.lock().unwrap();
            let done_at = guard.submit(now, PersistToken(99), writer.take_steps()).done_at;
            now = stream.range(now, done_at);
            cuts_inside += usize::from(now < done_at);
            guard.power_cut(now);
        }
    }
    assert!(compared > 5_000 && cuts_inside > 500, "{compared} records, {cuts_inside} cuts");
}
