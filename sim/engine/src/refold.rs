//! The node's own fold over its log from the start, in memory: D7's second opinion.

use billing_core::ledger::Ledger;
use billing_core::ledger::store::{LedgerStore, StoreError, Table};
use billing_shell::Replica;
use billing_wire::{OutcomeChain, RecordView, RegionId};

/// Rows that the fold may keep: all of them.
const CACHE_ROWS: usize = usize::MAX;

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

/// State hash and outcome chain of the records that a node has folded, folded again.
///
/// # Panics
/// When a folded record is gone or does not verify.
pub(crate) fn refold(replica: &Replica) -> (u128, OutcomeChain) {
    let mut ledger = Ledger::open(CACHE_ROWS, Box::new(NoStore)).expect("it has nothing to read");
    let region = RegionId(0);
    for index in 1..=replica.status().folded.of(region) {
        let bytes = replica.node().record(region, index).expect("a folded record is kept");
        let view = RecordView::decode(bytes).expect("a folded record verifies");
        ledger.apply(&view).expect("it has nothing to read");
    }
    (ledger.state_hash(), ledger.outcome_chain())
}
