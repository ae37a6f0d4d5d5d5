//! The node's own fold, once more: over its log from the start, and over what its database holds
//! with the rest of the log. D7's second and third opinion.

use billing_core::ledger::Ledger;
use billing_core::ledger::store::{EmptyStore, LedgerStore, StoreError};
use billing_shell::Replica;
use billing_wire::{Hlc, RecordView, RegionId};
use billsim_oracle::LedgerView;

/// Rows that the fold may keep: all of them.
const CACHE_ROWS: usize = usize::MAX;

/// The ledger of the records that a node has folded, folded again.
///
/// # Panics
/// When a folded record is gone or does not verify.
pub(crate) fn refold(replica: &Replica) -> LedgerView {
    fold_on(replica, Box::new(EmptyStore)).expect("it has nothing to read")
}

/// The ledger that the node would have after a restart: its database as it is, and the records
/// behind it.
///
/// # Errors
/// Why the database cannot be believed.
///
/// # Panics
/// When a folded record is gone or does not verify.
pub(crate) fn resume(replica: &Replica) -> Result<LedgerView, String> {
    fold_on(replica, replica.database()).map_err(|error| error.to_string())
}

fn fold_on(replica: &Replica, store: Box<dyn LedgerStore>) -> Result<LedgerView, StoreError> {
    let mut ledger = Ledger::open(CACHE_ROWS, store)?;
    let (from, to) = (ledger.frontier(), replica.status().folded);
    let mut records = Vec::new();
    for (region, last) in (0_u8..).map(RegionId).zip(to.0) {
        for index in from.of(region) + 1..=last {
            let bytes = replica.node().record(region, index).expect("a folded record is kept");
            records.push(RecordView::decode(bytes).expect("a folded record verifies"));
        }
    }
    records.sort_by_key(|view| (view.header.hlc, view.header.region, view.header.index));
    for view in &records {
        ledger.apply(view)?;
        ledger.set_watermark(view.header.hlc);
    }
    if to.0[1..].iter().any(|last| *last > 0) {
        ledger.set_watermark(geo_watermark(replica));
    }
    let (state_hash, outcome_chain) = (ledger.state_hash(), ledger.outcome_chain());
    Ok(LedgerView { state_hash, outcome_chain, watermark: ledger.watermark() })
}

/// The finality watermark of several regions, read from the headers of all committed records: the
/// lowest of the stamps up to which each region says that its log is geo-durable.
fn geo_watermark(replica: &Replica) -> Hlc {
    let committed = replica.status().committed;
    let of_region = |(region, last): (RegionId, u64)| {
        let header = |index| {
            let bytes = replica.node().record(region, index)?;
            RecordView::decode(bytes).ok().map(|view| view.header)
        };
        let geo = (1..=last).filter_map(header).map(|header| header.geo_index).max()?;
        header(geo).map(|header| header.hlc)
    };
    let regions = (0_u8..).map(RegionId).zip(committed.0).filter(|(_, last)| *last > 0);
    regions.map(|region| of_region(region).unwrap_or(Hlc::ZERO)).min().unwrap_or(Hlc::ZERO)
}
