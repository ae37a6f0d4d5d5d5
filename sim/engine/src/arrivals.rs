//! The node's own merge and fold, over the same region logs in other orders of arrival: the state
//! must not depend on which log is heard of first (C2). Each log arrives in its own order, a drawn
//! number of entries at a time, and everything that is known is folded before more arrives; what
//! turns out to be out of order is taken back, as in a node.
//!
//! The watermark here knows nothing of durability: what is at or below the last stamp of every log
//! that has not wholly arrived cannot be preceded any more.

use crate::seed::Stream;
use billing_core::ledger::Ledger;
use billing_core::ledger::store::EmptyStore;
use billing_core::merge::{self, Head};
use billing_shell::Replica;
use billing_wire::{Hlc, RecordView, RegionId};
use billsim_oracle::LedgerView;

/// Region logs up to where a node has folded them for good.
pub(crate) struct Arrivals<'a> {
    logs: Vec<Vec<RecordView<'a>>>,
}

impl<'a> Arrivals<'a> {
    /// The logs of a node.
    ///
    /// # Panics
    /// When a folded record is gone or does not verify.
    pub(crate) fn of(replica: &'a Replica) -> Self {
        let to = replica.status().folded;
        let log = |(region, last): (RegionId, u64)| {
            let record = |index| {
                let bytes = replica.node().record(region, index).expect("a folded record is kept");
                RecordView::decode(bytes).expect("a folded record verifies")
            };
            (1..=last).map(record).collect()
        };
        Self { logs: (0_u8..).map(RegionId).zip(to.0).map(log).collect() }
    }

    /// Whether there is more than one order.
    pub(crate) fn can_differ(&self) -> bool {
        self.logs.iter().filter(|log| !log.is_empty()).count() > 1
    }

    /// The fold when they arrive in an order that is drawn.
    pub(crate) fn fold(&self, stream: &mut Stream) -> LedgerView {
        let mut ledger = Ledger::open(usize::MAX, Box::new(EmptyStore)).expect("nothing to read");
        let mut arrived = vec![0; self.logs.len()];
        loop {
            let waiting = |place: &usize| arrived[*place] < self.logs[*place].len();
            let waiting: Vec<usize> = (0..self.logs.len()).filter(waiting).collect();
            if waiting.is_empty() {
                break;
            }
            let log = *stream.pick(&waiting);
            let rest = self.logs[log].len() - arrived[log];
            arrived[log] += stream.log_uniform(1, rest as u64) as usize;
            self.fold_known(&mut ledger, &arrived);
        }
        let (state_hash, outcome_chain) = (ledger.state_hash(), ledger.outcome_chain());
        LedgerView { state_hash, outcome_chain, watermark: ledger.watermark() }
    }

    fn fold_known(&self, ledger: &mut Ledger, arrived: &[usize]) {
        let watermark = self.watermark(arrived);
        while let Some(next) = self.next(ledger, arrived) {
            merge::place(ledger, next, watermark).expect("it has nothing to read");
        }
        merge::settle(ledger, watermark);
    }

    /// The entry that comes next among those that have arrived.
    fn next(&self, ledger: &Ledger, arrived: &[usize]) -> Option<&RecordView<'a>> {
        let shown = ledger.shown();
        let entry = |place: usize| {
            let index = shown.of(RegionId(place as u8)) as usize;
            self.logs[place][..arrived[place]].get(index)
        };
        let head = |place| {
            let header = &entry(place)?.header;
            Some(Head { hlc: header.hlc, region: header.region })
        };
        let first = merge::lowest((0..self.logs.len()).map(head))?;
        entry(first.region.0.into())
    }

    fn watermark(&self, arrived: &[usize]) -> Hlc {
        let open = self.logs.iter().zip(arrived).filter(|(log, arrived)| **arrived < log.len());
        let last = |(log, arrived): (&Vec<RecordView<'_>>, &usize)| {
            arrived.checked_sub(1).map_or(Hlc::ZERO, |last| log[last].header.hlc)
        };
        open.map(last).min().unwrap_or(Hlc(u64::MAX))
    }
}
