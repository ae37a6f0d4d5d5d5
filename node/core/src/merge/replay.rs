//! Region logs that nobody works on any more, such as those of an archive, in merged order: how far
//! they are final by what they say themselves, and the fold of that from the start. It appends
//! nothing, and knows nothing of where the records came from.

use super::{Head, lowest};
use crate::consensus::LogWindow;
use crate::control::{Custody, Seals};
use crate::ledger::Ledger;
use crate::ledger::store::StoreError;
use billing_wire::{Frontier, Genesis, Hlc, Incarnation, LogIndex, RecordView, RegionId};
use bytes::Bytes;

/// A region log up to an entry that is known to be committed.
#[derive(Debug, Clone)]
pub struct CommittedLog {
    /// The region's incarnation.
    pub incarnation: Incarnation,
    /// The encoded records from index 1 on, verified, their chain of hashes, too.
    pub records: Vec<Bytes>,
}

/// The logs of a whole cluster, and how far their order is final.
#[derive(Debug)]
pub struct Replay {
    windows: Vec<LogWindow>,
    watermark: Hlc,
}

impl Replay {
    /// Reads the logs of all regions of genesis, in order.
    ///
    /// # Panics
    /// When there are not as many logs as regions, or a record does not decode.
    pub fn new(genesis: &Genesis, logs: Vec<CommittedLog>) -> Self {
        assert_eq!(logs.len(), genesis.regions.len(), "a log per region");
        let mut seals = Seals::new(genesis);
        let mut custodies = Vec::with_capacity(logs.len());
        let mut windows = Vec::with_capacity(logs.len());
        for (members, log) in genesis.regions.iter().zip(logs) {
            let CommittedLog { incarnation, records } = log;
            let (state, members_of) = Default::default();
            windows.push(LogWindow::new(members.region, incarnation, records, state, members_of));
            custodies.push(Custody::default());
            let custody = custodies.last_mut().expect("it was just put there");
            custody.incarnation = incarnation;
        }
        for (custody, window) in custodies.iter_mut().zip(&windows) {
            custody.read_window(window, window.last_index(), &mut seals);
        }
        seals.advance(&mut custodies);
        let watermark = match &windows[..] {
            // Nothing can come before an entry of the only log.
            [only] => only.last().map_or(Hlc::ZERO, |last| last.hlc),
            _ => seals.watermark(&custodies),
        };
        Self { windows, watermark }
    }

    /// Nothing at or below it can change: up to here the order is final, and all of it is there.
    pub fn watermark(&self) -> Hlc {
        self.watermark
    }

    /// How many entries of each log are stamped at or below `until`.
    pub fn frontier_at(&self, until: (Hlc, RegionId)) -> Frontier {
        let mut frontier = Frontier::default();
        for (window, place) in self.windows.iter().zip(0..) {
            let region = RegionId(place);
            let is_within = |index: &LogIndex| {
                window.get(*index).is_some_and(|slot| (slot.header.hlc, region) <= until)
            };
            let within = (1..=window.last_index()).take_while(is_within).last();
            frontier.set(region, within.unwrap_or(0));
        }
        frontier
    }

    /// As [`Replay::frontier_at`], of every region.
    pub fn frontier_until(&self, until: Hlc) -> Frontier {
        self.frontier_at((until, RegionId(u8::MAX)))
    }

    /// Last index of a region log.
    pub fn last_index(&self, region: RegionId) -> LogIndex {
        self.windows[usize::from(region.0)].last_index()
    }

    /// An encoded record.
    pub fn record(&self, region: RegionId, index: LogIndex) -> Option<&Bytes> {
        self.windows.get(usize::from(region.0))?.get(index).map(|slot| &slot.bytes)
    }

    /// The record of a frontier that comes last in merged order.
    pub fn last_of(&self, frontier: &Frontier) -> Option<(Hlc, RegionId, LogIndex)> {
        let last = |(window, place): (&LogWindow, u8)| {
            let index = frontier.of(RegionId(place));
            window.get(index).map(|slot| (slot.header.hlc, RegionId(place), index))
        };
        self.windows.iter().zip(0..).filter_map(last).max()
    }

    /// Folds on from where a ledger stands, in merged order, up to `frontier`; after every
    /// `submissions_max` submissions `commit` may take a batch. How many entries were folded.
    ///
    /// # Errors
    /// What the ledger's database or `commit` says.
    pub fn fold<E: From<StoreError>>(
        &self,
        ledger: &mut Ledger,
        frontier: &Frontier,
        submissions_max: usize,
        mut commit: impl FnMut(&mut Ledger) -> Result<(), E>,
    ) -> Result<u64, E> {
        let mut entries = 0;
        while let Some((head, bytes)) = self.next(&ledger.frontier(), frontier) {
            let view = RecordView::decode(bytes).expect("it was decoded when the log was read");
            ledger.apply(&view).map_err(E::from)?;
            ledger.set_watermark(head.hlc);
            entries += 1;
            if ledger.dirty_submissions() >= submissions_max {
                commit(ledger)?;
            }
        }
        Ok(entries)
    }

    fn next(&self, folded: &Frontier, until: &Frontier) -> Option<(Head, &Bytes)> {
        let head = lowest(self.windows.iter().zip(0..).map(|(window, place)| {
            let region = RegionId(place);
            let index = folded.of(region) + 1;
            let slot = (index <= until.of(region)).then(|| window.get(index)).flatten()?;
            Some(Head { hlc: slot.header.hlc, region })
        }))?;
        let bytes = self.record(head.region, folded.of(head.region) + 1)?;
        Some((head, bytes))
    }
}
