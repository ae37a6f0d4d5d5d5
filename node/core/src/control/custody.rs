//! What each region log says of itself, up to its committed end: how far it is geo-durable, and how
//! its region acknowledges. A function of the logs, so every node that holds the same prefix says
//! the same (billing.md §3).

use super::Seals;
use crate::canary;
use crate::consensus::{Consensus, LogWindow, RegionLog};
use billing_wire::{Hlc, Incarnation, LogIndex, RecordKind, RecordView, RegionMode, SealedChain};

/// The committed prefix of one region log, in a few values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Custody {
    /// The incarnation that the prefix reaches; the one before while a sealed chain is adopted.
    pub incarnation: Incarnation,
    /// Committed entries that were looked at, and the stamp of the last one.
    read: LogIndex,
    read_hlc: Hlc,
    /// The newest logged geo index.
    pub geo_index: LogIndex,
    /// Stamp of the entry there: nothing of this log at or below it can be lost with its region.
    pub geo_hlc: Hlc,
    /// How the region acknowledges.
    pub mode: RegionMode,
    /// Stamp of the last entry that carries submissions.
    pub last_submissions: Hlc,
    /// The entries that let other regions in: index and stamp.
    returns: Vec<(LogIndex, Hlc)>,
}

impl Custody {
    /// Reads on to the committed end; what control entries say goes to `seals`. A leader may know
    /// less than the one before it and log a lower geo index: what was once geo-durable stays so.
    ///
    /// Nothing is read of a damaged log: what stands before a hole is not certain to be part of it
    /// before that is filled.
    pub fn read_to(&mut self, log: &RegionLog, seals: &mut Seals) {
        if log.is_damaged() {
            return;
        }
        if !log.is_adopting() {
            self.incarnation = log.incarnation();
        }
        self.read_window(log.window(), log.committed(), seals);
    }

    /// As [`Custody::read_to`], of a log that no group works on.
    pub fn read_window(&mut self, window: &LogWindow, committed: LogIndex, seals: &mut Seals) {
        for index in self.read + 1..=committed {
            let Some(slot) = window.get(index) else { break };
            let header = &slot.header;
            (self.read, self.read_hlc) = (index, header.hlc);
            self.mode = header.mode;
            if canary!("final-without-geo") {
                (self.geo_index, self.geo_hlc) = (index, header.hlc);
            }
            match header.kind {
                RecordKind::Submissions => self.last_submissions = header.hlc,
                RecordKind::RegionSealed
                | RecordKind::RegionRestored
                | RecordKind::Readmitted
                | RecordKind::ChainPart => {
                    self.read_control(&slot.bytes, seals);
                }
                _ => {}
            }
            self.read_geo(header.geo_index, window);
        }
    }

    fn read_geo(&mut self, geo_index: LogIndex, window: &LogWindow) {
        if geo_index > self.geo_index
            && let Some(durable) = window.get(geo_index)
        {
            self.geo_index = geo_index;
            self.geo_hlc = self.geo_hlc.max(durable.header.hlc);
        }
    }

    fn read_control(&mut self, bytes: &[u8], seals: &mut Seals) {
        let Ok(view) = RecordView::decode(bytes) else { return };
        let header = &view.header;
        match header.kind {
            RecordKind::RegionRestored => self.returns.push((header.index, header.hlc)),
            RecordKind::Readmitted => self.last_submissions = header.hlc,
            _ => {}
        }
        let place = (header.incarnation, header.index);
        seals.note((header.hlc, header.region), place, view.control());
    }

    /// Whether the log is in a later incarnation than a sealed chain of it, and all of the chain
    /// was read. A node that lost its disk may hold the former before it knows the latter as
    /// committed.
    pub fn has_left(&self, chain: &SealedChain) -> bool {
        self.incarnation > chain.incarnation && self.read >= chain.last_index
    }

    /// A sealed chain of the log is adopted: what is read next may differ from what was read.
    /// What was geo-durable is in the chain.
    pub fn read_again(&mut self) {
        let Self { incarnation, geo_index, geo_hlc, .. } = *self;
        *self = Self { incarnation, geo_index, geo_hlc, ..Self::default() };
    }

    /// Up to here the log is final when its region is the only one since the entry at
    /// `sealed_by`: to its end, or to the entry that lets another region in.
    pub fn settled_alone(&self, sealed_by: LogIndex) -> Hlc {
        let mut later = self.returns.iter().filter(|(index, _)| *index > sealed_by);
        let first = later.next().map(|(_, hlc)| *hlc);
        if self.read < sealed_by { Hlc::ZERO } else { first.unwrap_or(self.read_hlc) }
    }

    /// What is final while the region is the only one stays final: what is settled, up to the
    /// watermark.
    pub fn settle_alone(&mut self, sealed_by: LogIndex, watermark: Hlc) {
        self.geo_hlc = self.geo_hlc.max(self.settled_alone(sealed_by).min(watermark));
    }
}
