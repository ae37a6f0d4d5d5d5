//! What a node serves to others that repair their logs, while it is wrong by a bit: it went bad in
//! memory before it was given its checksums, so that only the hash that the asker knows tells. The
//! disks have nothing to do with it, and no copy is lost.

use super::{World, own_stream};
use crate::seed::Purpose;
use billing_wire::frame::{FRAME_HEADER_BYTES, FRAME_KIND_AT};
use billing_wire::{FrameKind, RecordView};
use bytes::Bytes;

/// An answer begins with the index of its first record.
const RECORDS_AT: usize = FRAME_HEADER_BYTES + 8;
/// Where the streams of such answers begin, one for each of a machine's.
const SERVED: u64 = 1 << 32;
/// Length and checksum of a record or frame; the latter covers everything behind it.
const CHECKED_FROM: usize = 8;

impl World {
    /// A frame as it leaves a machine.
    pub(super) fn served(&mut self, slot: usize, frame: Bytes) -> Bytes {
        let is_answer = frame[FRAME_KIND_AT] == FrameKind::Repair as u8;
        if self.machines[slot].serves_rot == 0 || !is_answer {
            return frame;
        }
        let mut records = Vec::new();
        let mut at = RECORDS_AT;
        while let Some(length) = frame.get(at..).and_then(|rest| RecordView::length(rest).ok()) {
            records.push(at..at + length);
            at += length;
        }
        if records.is_empty() {
            return frame;
        }
        self.machines[slot].served_rot += 1;
        let number = SERVED + (self.machines[slot].served_rot << 8) + slot as u64;
        let mut stream = own_stream(self.plan.seed, Purpose::Disk, number);
        let record = stream.pick(&records).clone();
        let place = stream.range((record.start + 2 * CHECKED_FROM) as u64, record.end as u64 - 1);
        let mut bytes = frame.to_vec();
        bytes[place as usize] ^= 1 << stream.below(8);
        put_checksum(&mut bytes[record]);
        put_checksum(&mut bytes);
        self.tallies.observed("repair-rot");
        Bytes::from(bytes)
    }
}

fn put_checksum(bytes: &mut [u8]) {
    let sum = crc32c::crc32c(&bytes[CHECKED_FROM..]);
    bytes[CHECKED_FROM - 4..CHECKED_FROM].copy_from_slice(&sum.to_le_bytes());
}
