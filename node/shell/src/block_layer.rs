//! Verified blocks: a checksum for every 4 KiB that the ledger database keeps, checked on every
//! read, so that a damaged disk gives an error and never wrong money.
//!
//! ```text
//! block 0      magic (8 bytes), 0 = sound or 1 = condemned, zeros
//! block 1      checksums of data blocks 0..511, one u64 each
//! 2..=512      data blocks 0..511
//! block 513    checksums of data blocks 511..1022
//! ...
//! ```
//!
//! A checksum is XXH3 seeded with the number of the data block, so that a block written to the
//! wrong place is found, too. 0 stands for a block that was never written: it must be zeros.
//! Checksums are kept in memory and written before a sync.
//!
//! This is only sound over a database that never overwrites a block that it still needs within
//! one sync: redb with two-phase commit, except for its header, data block 0, which is exempt
//! because it carries checksums of its own. A write that the disk lost together with its
//! checksum is not found here; redb's own tree of checksums is for that.

use crate::host::BlockFile;
use billing_core::{DiskFault, canary};
use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use xxhash_rust::xxh3::xxh3_64_with_seed;

const BLOCK: usize = 4096;
const GROUP: usize = 511;
const MAGIC: &[u8; 8] = b"BILLBLK1";
const STATE_AT: u64 = 8;
const CONDEMNED: u8 = 1;

/// The checksums of up to 511 data blocks.
#[derive(Debug)]
struct Group {
    sums: [u64; GROUP],
    // Changed since it was last written.
    dirty: bool,
}

impl Group {
    /// As it stands in the file.
    fn encode(&self) -> [u8; BLOCK] {
        let mut bytes = [0; BLOCK];
        for (word, sum) in bytes.chunks_exact_mut(8).zip(self.sums) {
            word.copy_from_slice(&sum.to_le_bytes());
        }
        bytes
    }

    /// Clears the checksums that no read asks for, of data block 0 and of blocks behind the end of
    /// the file: what damage did to those would never be found.
    fn forget_unused(&mut self, number: usize, blocks: usize) {
        if canary!("unused-checksums-kept") {
            return;
        }
        let is_used = |block: usize| block > 0 && block < blocks;
        for (block, sum) in (number * GROUP..).zip(&mut self.sums) {
            if *sum != 0 && !is_used(block) {
                *sum = 0;
                self.dirty = true;
            }
        }
    }
}

#[derive(Debug, Default)]
struct Checksums {
    // Data blocks in the file.
    blocks: usize,
    groups: Vec<Group>,
    fault: Option<DiskFault>,
}

/// A file of verified blocks. Shared by redb, which reads and writes, and by the ledger database,
/// which asks what went wrong.
#[derive(Debug, Clone)]
pub struct BlockLayer {
    file: Arc<dyn BlockFile>,
    checksums: Arc<Mutex<Checksums>>,
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Where a data block stands in the file.
fn file_offset(block: usize) -> u64 {
    ((block / GROUP * (GROUP + 1) + 2 + block % GROUP) * BLOCK) as u64
}

/// Where the checksums of a group stand in the file.
fn checksums_offset(group: usize) -> u64 {
    ((group * (GROUP + 1) + 1) * BLOCK) as u64
}

/// Length of a file of so many data blocks.
fn file_length(blocks: usize) -> u64 {
    ((1 + blocks + blocks.div_ceil(GROUP)) * BLOCK) as u64
}

fn checksum(block: usize, bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, block as u64).max(1)
}

fn is_sound(stored: u64, block: usize, bytes: &[u8]) -> bool {
    match stored {
        0 => bytes.iter().all(|byte| *byte == 0),
        stored => stored == checksum(block, bytes),
    }
}

impl BlockLayer {
    /// Opens a file of verified blocks; an empty one becomes one of no blocks.
    ///
    /// # Errors
    /// `InvalidData` when it is none or was condemned, or as the operating system says.
    pub fn open(file: Box<dyn BlockFile>) -> io::Result<Self> {
        let length = file.len()?;
        let mut checksums = Checksums::default();
        if length == 0 {
            let mut first = vec![0; BLOCK];
            first[..8].copy_from_slice(MAGIC);
            file.write_at(0, &first)?;
        } else {
            check_first_block(&*file)?;
            let blocks = (length / BLOCK as u64).saturating_sub(1) as usize;
            checksums.blocks = blocks - blocks.div_ceil(GROUP + 1);
            let whole = file_length(checksums.blocks);
            if whole != length {
                // A crash left a part of an extension that no commit needs.
                file.set_len(whole)?;
            }
            for number in 0..checksums.blocks.div_ceil(GROUP) {
                let mut group = read_group(&*file, number)?;
                group.forget_unused(number, checksums.blocks);
                checksums.groups.push(group);
            }
        }
        let is_dirty = checksums.groups.iter().any(|group| group.dirty);
        let layer = Self { file: Arc::from(file), checksums: Arc::new(Mutex::new(checksums)) };
        if is_dirty {
            layer.write_checksums()?;
            layer.file.sync()?;
        }
        Ok(layer)
    }

    /// The first fault since the file was opened.
    pub(crate) fn fault(&self) -> Option<DiskFault> {
        self.checksums().fault
    }

    /// Number of blocks from `first` on, at most `count`, that verify on the disk itself; 0 behind
    /// the end. Writes wait meanwhile.
    ///
    /// # Errors
    /// When one of them does not verify or cannot be read; the file is then condemned.
    pub(crate) fn scrub(&self, first: usize, count: usize) -> io::Result<usize> {
        let verified = self.verify_on_disk(first, count);
        self.noted(verified, DiskFault::Io, true)
    }

    fn verify_on_disk(&self, first: usize, count: usize) -> io::Result<usize> {
        let checksums = self.checksums();
        let end = checksums.blocks.min(first + count);
        let mut bytes = vec![0; BLOCK];
        // What was read into memory at the start must still be there at the next.
        for (number, group) in checksums.groups.iter().enumerate() {
            if (first..end).contains(&(number * GROUP)) && !group.dirty {
                self.file.read_at(checksums_offset(number), &mut bytes)?;
                if bytes != group.encode() {
                    return Err(invalid(format!("checksums {number} of the ledger file changed")));
                }
            }
        }
        // Data block 0 carries checksums of its own.
        for block in first.max(1)..end {
            self.file.read_at(file_offset(block), &mut bytes)?;
            let stored = checksums.groups.get(block / GROUP).map_or(0, |g| g.sums[block % GROUP]);
            if !is_sound(stored, block, &bytes) {
                return Err(invalid(format!("block {block} of the ledger file does not verify")));
            }
        }
        Ok(end.saturating_sub(first))
    }

    /// Marks the file as not to be believed: the next open fails, and the database is set aside.
    /// A disk that does not take the mark will show its damage again.
    fn condemn(&self) {
        let written = self.file.write_at(STATE_AT, &[CONDEMNED]).and_then(|()| self.file.sync());
        if let Err(error) = written {
            tracing::debug!(%error, "the ledger file cannot be marked as damaged");
        }
    }

    fn checksums(&self) -> MutexGuard<'_, Checksums> {
        self.checksums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a fault. What was read wrong or not synced may not be believed again.
    fn noted<T>(&self, result: io::Result<T>, fault: DiskFault, condemn: bool) -> io::Result<T> {
        if result.is_err() {
            self.checksums().fault.get_or_insert(fault);
            if condemn {
                self.condemn();
            }
        }
        result
    }

    fn read_any(&self, offset: usize, out: &mut [u8]) -> io::Result<()> {
        let (offset, out) = match BLOCK.checked_sub(offset) {
            None | Some(0) => (offset, out),
            Some(left) => {
                let (head, rest) = out.split_at_mut(left.min(out.len()));
                self.file.read_at(file_offset(0) + offset as u64, head)?;
                (BLOCK, rest)
            }
        };
        if out.is_empty() {
            return Ok(());
        }
        let (skip, length) = (offset % BLOCK, out.len());
        if skip == 0 && length.is_multiple_of(BLOCK) {
            return self.read_blocks(offset / BLOCK, out);
        }
        let mut whole = vec![0; (skip + length).next_multiple_of(BLOCK)];
        self.read_blocks(offset / BLOCK, &mut whole)?;
        out.copy_from_slice(&whole[skip..skip + length]);
        Ok(())
    }

    fn read_blocks(&self, first: usize, out: &mut [u8]) -> io::Result<()> {
        let (mut block, mut out) = (first, out);
        while !out.is_empty() {
            let run = (GROUP - block % GROUP).min(out.len() / BLOCK);
            let (now, rest) = std::mem::take(&mut out).split_at_mut(run * BLOCK);
            self.file.read_at(file_offset(block), now)?;
            self.verify(block, now)?;
            (block, out) = (block + run, rest);
        }
        Ok(())
    }

    /// Checks the blocks of one group from `first` on.
    fn verify(&self, first: usize, blocks: &[u8]) -> io::Result<()> {
        let checksums = self.checksums();
        for (block, bytes) in (first..).zip(blocks.chunks_exact(BLOCK)) {
            let stored = match checksums.groups.get(block / GROUP) {
                Some(group) if block < checksums.blocks => group.sums[block % GROUP],
                _ => return Err(io::ErrorKind::UnexpectedEof.into()),
            };
            if !is_sound(stored, block, bytes) && !canary!("database-trusted-after-damage") {
                return Err(invalid(format!("block {block} of the ledger file does not verify")));
            }
        }
        Ok(())
    }

    fn write_any(&self, offset: usize, data: &[u8]) -> io::Result<()> {
        let (offset, data) = match BLOCK.checked_sub(offset) {
            None | Some(0) => (offset, data),
            Some(left) => {
                let (head, rest) = data.split_at(left.min(data.len()));
                self.file.write_at(file_offset(0) + offset as u64, head)?;
                (BLOCK, rest)
            }
        };
        if data.is_empty() {
            return Ok(());
        }
        let (skip, length) = (offset % BLOCK, data.len());
        if skip == 0 && length.is_multiple_of(BLOCK) {
            return self.write_blocks(offset / BLOCK, data);
        }
        let mut whole = vec![0; (skip + length).next_multiple_of(BLOCK)];
        self.read_blocks(offset / BLOCK, &mut whole)?;
        whole[skip..skip + length].copy_from_slice(data);
        self.write_blocks(offset / BLOCK, &whole)
    }

    fn write_blocks(&self, first: usize, data: &[u8]) -> io::Result<()> {
        let (mut block, mut data) = (first, data);
        while !data.is_empty() {
            let run = (GROUP - block % GROUP).min(data.len() / BLOCK);
            let (now, rest) = data.split_at(run * BLOCK);
            let mut checksums = self.checksums();
            if block + run > checksums.blocks {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.file.write_at(file_offset(block), now)?;
            let group = &mut checksums.groups[block / GROUP];
            group.dirty = true;
            for (block, bytes) in (block..).zip(now.chunks_exact(BLOCK)) {
                group.sums[block % GROUP] = checksum(block, bytes);
            }
            (block, data) = (block + run, rest);
        }
        Ok(())
    }

    fn resize(&self, length: u64) -> io::Result<()> {
        let blocks = length as usize / BLOCK;
        if !length.is_multiple_of(BLOCK as u64) {
            return Err(invalid(format!("a ledger file of {length} bytes is not whole blocks")));
        }
        let mut checksums = self.checksums();
        self.file.set_len(file_length(blocks))?;
        // What appears is zeros and what disappears will be zeros when it appears again.
        let changed = blocks.min(checksums.blocks)..blocks.max(checksums.blocks);
        let empty = || Group { sums: [0; GROUP], dirty: true };
        checksums.groups.resize_with(blocks.div_ceil(GROUP), empty);
        for block in changed {
            if let Some(group) = checksums.groups.get_mut(block / GROUP) {
                group.dirty = true;
                group.sums[block % GROUP] = 0;
            }
        }
        checksums.blocks = blocks;
        Ok(())
    }

    fn write_checksums(&self) -> io::Result<()> {
        let mut checksums = self.checksums();
        for (number, group) in checksums.groups.iter_mut().enumerate() {
            if !group.dirty {
                continue;
            }
            self.file.write_at(checksums_offset(number), &group.encode())?;
            group.dirty = false;
        }
        Ok(())
    }
}

fn check_first_block(file: &dyn BlockFile) -> io::Result<()> {
    let mut first = [0; 9];
    file.read_at(0, &mut first)?;
    match first.split_at(8) {
        (magic, [0]) if magic == MAGIC => Ok(()),
        (magic, _) if magic == MAGIC => Err(invalid("the ledger file was found damaged".into())),
        _ => Err(invalid("the ledger file is none, or of another release".into())),
    }
}

fn read_group(file: &dyn BlockFile, group: usize) -> io::Result<Group> {
    let mut bytes = [0; BLOCK];
    file.read_at(checksums_offset(group), &mut bytes)?;
    let mut sums = [0; GROUP];
    for (sum, word) in sums.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *sum = u64::from_le_bytes(*word);
    }
    Ok(Group { sums, dirty: false })
}

fn write_fault(error: &io::Error) -> DiskFault {
    if error.kind() == io::ErrorKind::StorageFull { DiskFault::Full } else { DiskFault::Io }
}

impl StorageBackend for BlockLayer {
    fn len(&self) -> io::Result<u64> {
        Ok((self.checksums().blocks * BLOCK) as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.noted(self.read_any(offset as usize, out), DiskFault::Io, true)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let done = self.resize(length);
        let fault = done.as_ref().err().map_or(DiskFault::Io, write_fault);
        self.noted(done, fault, false)
    }

    fn sync_data(&self) -> io::Result<()> {
        let written = self.write_checksums();
        let fault = written.as_ref().err().map_or(DiskFault::Io, write_fault);
        self.noted(written, fault, false)?;
        self.noted(self.file.sync(), DiskFault::Sync, true)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let done = self.write_any(offset as usize, data);
        let fault = done.as_ref().err().map_or(DiskFault::Io, write_fault);
        self.noted(done, fault, false)
    }
}

#[cfg(test)]
mod tests;
