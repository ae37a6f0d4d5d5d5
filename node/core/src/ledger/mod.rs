//! The ledger: a pure fold of the merged order into rows, kept in memory and committed in
//! batches to a database that can be thrown away.

pub mod store;

use billing_wire::*;
use store::*;
pub struct Ledger;
#[derive(Clone, Copy)]
pub struct Operation {
    pub fingerprint: Hash,
    pub position: Position,
    pub disposition: Disposition,
}
impl Ledger {
    pub fn open(_c: usize, _s: Box<dyn LedgerStore>) -> Result<Self, StoreError> { todo!() }
    pub fn apply(&mut self, _r: &RecordView<'_>) -> Result<(), StoreError> { todo!() }
    pub fn frontier(&self) -> Frontier { todo!() }
    pub fn watermark(&self) -> Hlc { todo!() }
    pub fn set_watermark(&mut self, _h: Hlc) { todo!() }
    pub fn outcome_chain(&self) -> OutcomeChain { todo!() }
    pub fn state_hash(&self) -> u128 { todo!() }
    pub fn operation(&mut self, _o: OpId) -> Result<Option<Operation>, StoreError> { todo!() }
    pub fn query(&mut self, _q: &Query) -> Result<QueryResult, StoreError> { todo!() }
    pub fn dirty_submissions(&self) -> usize { todo!() }
    pub fn take_batch(&mut self) -> LedgerBatch { todo!() }
    pub fn batch_committed(&mut self) { todo!() }
}
pub mod admission {
    pub fn check(_c: &billing_wire::Command) -> Result<(), billing_wire::Refusal> { todo!() }
}
