//! The node: takes one input at a time through consensus, journal, merge, ledger and sessions.

use crate::config::Config;
use crate::io::{Input, Outputs, Status};
use crate::journal::Recovered;
use crate::ledger::store::{LedgerStore, StoreError};
use crate::time::Now;

/// One billing node.
pub struct Node {}

impl Node {
    /// A node over what recovery found and the committed rows of its ledger database. Emits
    /// nothing: the first outputs follow the first input.
    ///
    /// # Errors
    /// When the database cannot be believed.
    pub fn open(
        _config: Config,
        _recovered: Recovered,
        _store: Box<dyn LedgerStore>,
        _now: Now,
    ) -> Result<Self, StoreError> {
        todo!()
    }

    /// Takes one input and appends what is to be done to `out`, in the order in which it is to
    /// be done.
    pub fn step(&mut self, _now: Now, _input: Input, _out: &mut Outputs) {
        todo!()
    }

    /// What the node says of itself.
    pub fn status(&self) -> Status {
        todo!()
    }
}
