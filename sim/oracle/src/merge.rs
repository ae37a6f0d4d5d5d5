//! Merged order over several region logs: a record is handed on once nothing earlier can follow.
//! With one region that is at once, and nothing is copied.

use billing_wire::limits::REGIONS_MAX;
use billing_wire::{Hlc, LogIndex, RecordView, RegionId};
use std::collections::BTreeMap;

/// Records of region logs that still wait for an earlier one of another region.
#[derive(Debug)]
pub(crate) struct MergeQueue {
    regions: usize,
    reached: [Hlc; REGIONS_MAX],
    waiting: BTreeMap<(Hlc, RegionId, LogIndex), Vec<u8>>,
}

impl MergeQueue {
    pub(crate) fn new(regions: usize) -> Self {
        Self { regions, reached: [Hlc::ZERO; REGIONS_MAX], waiting: BTreeMap::new() }
    }

    /// Takes the next record of a region log; hands on what has its final place, in merged order.
    pub(crate) fn push(&mut self, record: &RecordView<'_>, mut next: impl FnMut(&RecordView<'_>)) {
        if self.regions == 1 {
            next(record);
            return;
        }
        let header = &record.header;
        self.reached[usize::from(header.region.0)] = header.hlc;
        let key = (header.hlc, header.region, header.index);
        self.waiting.insert(key, record.bytes().to_vec());
        while let Some(entry) = self.waiting.first_entry() {
            let (hlc, region, _) = *entry.key();
            if !precedes_all(&self.reached[..self.regions], hlc, region) {
                return;
            }
            let bytes = entry.remove();
            next(&RecordView::decode(&bytes).expect("the bytes were decoded when they came"));
        }
    }
}

/// Whether every other region's next record comes behind this place: stamps rise within a log.
fn precedes_all(reached: &[Hlc], hlc: Hlc, region: RegionId) -> bool {
    (0_u8..)
        .zip(reached)
        .all(|(other, last)| other == region.0 || (last.next(), RegionId(other)) > (hlc, region))
}

#[cfg(test)]
mod tests {
    use super::*;
    use billing_wire::{Incarnation, Record, RecordHeader, RecordKind, RegionMode};

    fn record(region: u8, index: LogIndex, hlc: u64) -> Vec<u8> {
        let header = RecordHeader {
            kind: RecordKind::Submissions,
            region: RegionId(region),
            incarnation: Incarnation(0),
            index,
            term: 1,
            hlc: Hlc(hlc),
            geo_index: 0,
            mode: RegionMode::Geo,
            prev_hash: [0; 32],
            hash: [0; 32],
        };
        Record { header, submissions: Vec::new() }.encode()
    }

    fn merged(regions: usize, records: &[(u8, LogIndex, u64)]) -> Vec<u64> {
        let mut queue = MergeQueue::new(regions);
        let mut order = Vec::new();
        for (region, index, hlc) in records {
            let bytes = record(*region, *index, *hlc);
            let view = RecordView::decode(&bytes).expect("just encoded");
            queue.push(&view, |r| order.push(r.header.hlc.0));
        }
        order
    }

    #[test]
    fn one_region_passes_through() {
        assert_eq!(merged(1, &[(0, 1, 5), (0, 2, 6)]), [5, 6]);
    }

    #[test]
    fn several_regions_are_sorted_and_hold_back() {
        assert_eq!(merged(2, &[(0, 1, 5), (0, 2, 9)]), [0_u64; 0]);
        assert_eq!(merged(2, &[(0, 1, 5), (0, 2, 9), (1, 1, 7)]), [5, 7]);
        assert_eq!(merged(2, &[(1, 1, 5), (0, 1, 5)]), [5, 5]);
    }
}
