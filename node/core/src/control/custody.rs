//! What each region log says of itself, up to its committed end: how far it is geo-durable, and how
//! its region acknowledges. A function of the logs, so every node that holds the same prefix says
//! the same (billing.md §3).

use crate::canary;
use crate::consensus::LogWindow;
use billing_wire::{Hlc, LogIndex, RecordKind, RegionMode};

/// The committed prefix of one region log, in five values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Custody {
    /// Committed entries that were looked at.
    read: LogIndex,
    /// The newest logged geo index.
    pub geo_index: LogIndex,
    /// Stamp of the entry there: nothing of this log at or below it can be lost with its region.
    pub geo_hlc: Hlc,
    /// How the region acknowledges.
    pub mode: RegionMode,
    /// Stamp of the last entry that carries submissions.
    pub last_submissions: Hlc,
}

impl Custody {
    /// Reads on to the committed end. A leader may know less than the one before it and log a
    /// lower geo index: what was once geo-durable stays so.
    pub fn read_to(&mut self, window: &LogWindow, committed: LogIndex) {
        for index in self.read + 1..=committed {
            let Some(slot) = window.get(index) else { break };
            let header = &slot.header;
            self.read = index;
            self.mode = header.mode;
            if canary!("final-without-geo") {
                (self.geo_index, self.geo_hlc) = (index, header.hlc);
            }
            if header.kind == RecordKind::Submissions {
                self.last_submissions = header.hlc;
            }
            if header.geo_index > self.geo_index
                && let Some(durable) = window.get(header.geo_index)
            {
                (self.geo_index, self.geo_hlc) = (header.geo_index, durable.header.hlc);
            }
        }
    }
}

/// The finality watermark: the lowest stamp up to which every region log is geo-durable and says
/// so (billing.md §3). A cluster of one region has no other rule than its log's order.
pub fn watermark(custodies: &[Custody]) -> Hlc {
    let stamps = custodies.iter().map(|custody| custody.geo_hlc);
    let watermark = if canary!("watermark-max") { stamps.max() } else { stamps.min() };
    watermark.unwrap_or(Hlc::ZERO)
}
