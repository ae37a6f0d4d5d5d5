//! The ledger database: redb over verified blocks.

use crate::host::Directory;
use billing_core::DiskFault;
use billing_core::ledger::store::{LedgerBatch, LedgerStore, StoreError};
use std::sync::Arc;

/// A node's ledger database. Shared: reads from the node's step, commits from wherever the host
/// runs them.
#[derive(Debug)]
pub struct LedgerDatabase {}

impl LedgerDatabase {
    /// Opens the database of a directory. A missing one is created; one that does not verify is
    /// set aside (`ledger.damaged`) and replaced by an empty one, which the fold refills.
    ///
    /// # Errors
    /// When not even an empty one can be made.
    pub fn open(_directory: &dyn Directory, _cache_bytes: usize) -> Result<Arc<Self>, StoreError> {
        todo!()
    }

    /// Renames the database of a directory to `ledger.damaged`, if there is one.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn set_aside(_directory: &dyn Directory) -> std::io::Result<()> {
        todo!()
    }

    /// Commits a batch, durably.
    ///
    /// # Errors
    /// When the disk failed; the database must then be opened again.
    pub fn commit(&self, _batch: &LedgerBatch) -> Result<(), DiskFault> {
        todo!()
    }

    /// A read handle for the node.
    pub fn reader(self: &Arc<Self>) -> Box<dyn LedgerStore> {
        todo!()
    }
}
