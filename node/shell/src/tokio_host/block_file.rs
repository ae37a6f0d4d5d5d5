//! The ledger database's file on a real disk.

use crate::host::BlockFile;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// An open file. Reads and writes name their offset, so threads may share it.
#[derive(Debug)]
pub(super) struct DiskFile(pub(super) File);

impl BlockFile for DiskFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
