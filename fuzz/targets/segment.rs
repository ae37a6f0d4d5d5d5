//! Segments, and a recovery over one: whatever a disk gives back, it is read or reported.
#![no_main]

use billing_core::FileName;
use billing_core::journal::segment::{SEGMENT_HEADER_BYTES, SegmentHeader, salvage, scan};
use billing_core::journal::{RegionPromise, Superblock, recover};
use billing_fuzz::with_checksum;
use billing_wire::frame::cluster_mark;
use billing_wire::{ClusterId, Genesis, Incarnation, NodeId, RegionId, RegionMembers};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

const REGION: RegionId = RegionId(0);

fn genesis(cluster: ClusterId) -> Genesis {
    let nodes = vec![NodeId(1), NodeId(2), NodeId(3)];
    let name = "main".to_owned();
    let regions = vec![RegionMembers { region: REGION, name, incarnation: Incarnation(0), nodes }];
    Genesis { cluster, currency: *b"EUR", secret: [0; 32], regions }
}

fuzz_target!(|data: &[u8]| {
    let header_bytes = data.len().min(SEGMENT_HEADER_BYTES);
    let mut file = with_checksum(&data[..header_bytes], 8, 12);
    file.extend_from_slice(&data[header_bytes..]);
    let Some(header) = SegmentHeader::decode(&file) else { return };
    let bytes = Bytes::from(file.clone());
    let records = scan(&header, &bytes);
    let left = salvage(header.region, &bytes, SEGMENT_HEADER_BYTES);
    assert!(left.len() >= records.len(), "what can be scanned can be salvaged");
    // A superblock that promises what was found, and one record more.
    let genesis = genesis(header.cluster);
    let promised = header.first_index.saturating_add(records.len() as u64).min(1 << 12);
    let last_hash = records.last().map_or([0; 32], |placed| placed.header.hash);
    let promise = RegionPromise {
        durable_index: promised,
        last_hash,
        tail_segment: 1,
        ..RegionPromise::empty(REGION, header.incarnation)
    };
    let superblock = Superblock {
        node: NodeId(1),
        cluster: cluster_mark(header.cluster),
        sequence: 1,
        regions: vec![promise],
        seen: Vec::new(),
    };
    let image = vec![
        (FileName::Superblock, superblock.encode().to_vec()),
        (FileName::Segment { region: REGION, sequence: 1 }, file),
    ];
    let (recovered, _) = recover(&genesis, NodeId(1), image).expect("damage is no error");
    assert_eq!(recovered.logs.len(), 1);
});
