//! What a machine offers a node. The simulator and the real host implement these traits and
//! nothing above them knows which one it has.

use crate::ledger_database::LedgerDatabase;
use billing_core::ledger::store::LedgerBatch;
use billing_core::{
    DiskStep, Effect, FileName, HaltReason, Notice, PersistToken, Probe, RequestId,
};
use billing_wire::{NodeId, ReadAnswer, SealAnswer, WriteAnswer};
use bytes::Bytes;
use std::fmt::Debug;
use std::io;
use std::sync::Arc;

/// The disk does not give a sector back.
pub(crate) const EIO: i32 = 5;
/// The least that a disk refuses, in bytes.
const SECTOR: usize = 512;

/// Carries out the outputs of one step. Calls arrive in the order that the core gave them; the
/// results of `persist` and `commit_ledger` come back later as inputs.
pub trait Host {
    /// Runs the steps in order; the first failure skips the rest.
    fn persist(&mut self, token: PersistToken, steps: Vec<DiskStep>);
    /// Sends a frame: best effort, no answer.
    fn send(&mut self, to: NodeId, frame: Bytes);
    /// Answers a client's write.
    fn answer_write(&mut self, request: RequestId, answer: WriteAnswer);
    /// Answers a client's read.
    fn answer_read(&mut self, request: RequestId, answer: ReadAnswer);
    /// Answers a probe.
    fn answer_probe(&mut self, request: RequestId, probe: Probe);
    /// Answers an operator who sealed regions.
    fn answer_seal(&mut self, request: RequestId, answer: SealAnswer);
    /// Asks the payment provider for a payout, without waiting for it; a host without one is
    /// never asked. Every call ends as [`Input::EffectDone`](billing_core::Input::EffectDone).
    fn call_effect(&mut self, effect: Effect);
    /// Hands a notice to the mail service, without waiting for it; a host without one is never
    /// asked. Every call ends as [`Input::MailDone`](billing_core::Input::MailDone).
    fn send_notice(&mut self, notice: Notice);
    /// Commits rows with `database.commit(batch)`, on a thread of its own or at once.
    fn commit_ledger(&mut self, database: &Arc<LedgerDatabase>, batch: LedgerBatch);
    /// The node's memory may no longer be believed: drop the replica and open it again.
    fn halt(&mut self, reason: HaltReason);
}

/// The files of one node, as needed while it opens. Calls are synchronous in both worlds; under
/// simulation they finish at once and their latency is charged afterwards.
pub trait Directory: Send + Sync + Debug {
    /// Every file there is, in order.
    ///
    /// # Errors
    /// As the operating system says.
    fn list(&self) -> io::Result<Vec<FileName>>;

    /// A whole file.
    ///
    /// # Errors
    /// `NotFound`, or as the operating system says.
    fn read(&self, file: FileName) -> io::Result<Vec<u8>>;

    /// As much of a file as the disk gives back, where it refuses a part of it (`EIO`): zeros stand
    /// for the sectors that it does not, and no checksum takes those for data.
    ///
    /// # Errors
    /// As the operating system says, but for `EIO`.
    fn salvage(&self, file: FileName) -> io::Result<Vec<u8>> {
        let opened = self.open_block_file(file)?;
        let mut bytes = vec![0; usize::try_from(opened.len()?).map_err(io::Error::other)?];
        for (at, sector) in (0..).step_by(SECTOR).zip(bytes.chunks_mut(SECTOR)) {
            match opened.read_at(at, sector) {
                Err(error) if error.raw_os_error() == Some(EIO) => sector.fill(0),
                read => read?,
            }
        }
        Ok(bytes)
    }

    /// Runs steps in order, durable where they say `Sync`; stops at the first failure.
    ///
    /// # Errors
    /// As the operating system says.
    fn run(&self, steps: &[DiskStep]) -> io::Result<()>;

    /// Renames a file over another; durable when the call returns.
    ///
    /// # Errors
    /// As the operating system says.
    fn rename(&self, from: FileName, to: FileName) -> io::Result<()>;

    /// Opens the ledger database's file, creating it when it is missing.
    ///
    /// # Errors
    /// As the operating system says.
    fn open_block_file(&self, file: FileName) -> io::Result<Box<dyn BlockFile>>;
}

/// A random-access file for the ledger database. After a crash every call fails.
pub trait BlockFile: Send + Sync + Debug + 'static {
    /// Length in bytes.
    ///
    /// # Errors
    /// As the operating system says.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file is empty.
    ///
    /// # Errors
    /// As the operating system says.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Fills `out` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` behind the end, or as the operating system says.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
    /// Writes at an offset, extending the file as needed.
    ///
    /// # Errors
    /// As the operating system says.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts or extends with zeros.
    ///
    /// # Errors
    /// As the operating system says.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Makes everything written durable.
    ///
    /// # Errors
    /// As the operating system says.
    fn sync(&self) -> io::Result<()>;
}
