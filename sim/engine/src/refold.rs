//! The node's own fold, once more: over its log from the start, and over what its database holds
//! with the rest of the log. D7's second and third opinion.

use billing_core::ledger::Ledger;
use billing_core::ledger::store::{LedgerStore, StoreError, Table};
use billing_shell::Replica;
use billing_wire::{RecordView, RegionId};
use billsim_oracle::LedgerView;

/// Rows that the fold may keep: all of them.
const CACHE_ROWS: usize = usize::MAX;
/// The region log that a one-region cluster has.
const REGION: RegionId = RegionId(0);

/// A database that never holds anything.
struct NoStore;

impl LedgerStore for NoStore {
    fn get(&self, _: Table, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    fn scan(
        &self,
        _: Table,
        _: &[u8],
        _: &[u8],
        _: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    fn rows(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
}

/// The ledger of the records that a node has folded, folded again.
///
/// # Panics
/// When a folded record is gone or does not verify.
pub(crate) fn refold(replica: &Replica) -> LedgerView {
    fold_on(replica, Box::new(NoStore)).expect("it has nothing to read")
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
    for index in ledger.frontier().of(REGION) + 1..=replica.status().folded.of(REGION) {
        let bytes = replica.node().record(REGION, index).expect("a folded record is kept");
        let view = RecordView::decode(bytes).expect("a folded record verifies");
        ledger.apply(&view)?;
        ledger.set_watermark(view.header.hlc);
    }
    let (state_hash, outcome_chain) = (ledger.state_hash(), ledger.outcome_chain());
    Ok(LedgerView { state_hash, outcome_chain, watermark: ledger.watermark() })
}
