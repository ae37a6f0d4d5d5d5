//! The simulated disk as the shell sees it: a directory and its block files. Calls finish at
//! once; after a crash every call of the earlier life fails.

use super::{Disk, StepName};
use billing_core::{DiskStep, FileName};
use billing_shell::{BlockFile, Directory};
use bytes::Bytes;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One life's access to a disk.
#[derive(Debug, Clone)]
pub struct DiskHandle {
    disk: Arc<Mutex<Disk>>,
    life: u32,
}

impl DiskHandle {
    /// Access for the life that begins now.
    pub fn new(disk: &Arc<Mutex<Disk>>) -> Self {
        let life = disk.lock().unwrap_or_else(PoisonError::into_inner).life;
        Self { disk: Arc::clone(disk), life }
    }

    fn disk(&self) -> io::Result<MutexGuard<'_, Disk>> {
        // A panic of the node under test must not hide the disk from the oracles.
        let disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        if disk.life == self.life {
            return Ok(disk);
        }
        Err(io::Error::other("the process that opened this file is gone"))
    }
}

impl Directory for DiskHandle {
    fn list(&self) -> io::Result<Vec<FileName>> {
        Ok(self.disk()?.list())
    }

    fn read(&self, file: FileName) -> io::Result<Vec<u8>> {
        self.disk()?.file(file)?.read_all()
    }

    fn run(&self, steps: &[DiskStep]) -> io::Result<()> {
        self.disk()?.run_now(steps)
    }

    fn rename(&self, from: FileName, to: FileName) -> io::Result<()> {
        self.disk()?.rename(from, to)
    }

    fn open_block_file(&self, file: FileName) -> io::Result<Box<dyn BlockFile>> {
        self.disk()?.file_mut(file);
        Ok(Box::new(BlockHandle { handle: self.clone(), file }))
    }
}

#[derive(Debug)]
struct BlockHandle {
    handle: DiskHandle,
    file: FileName,
}

impl BlockFile for BlockHandle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.handle.disk()?.file(self.file)?.current().len() as u64)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.handle.disk()?.file(self.file)?.read_into(offset as usize, out)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.handle.disk()?;
        let end = offset + bytes.len() as u64;
        disk.take_space(self.file, end).map_err(|_| io::ErrorKind::StorageFull)?;
        disk.at_once(StepName::new("write", self.file), |disk| {
            disk.file_mut(self.file).write(offset, Bytes::copy_from_slice(bytes));
            Ok(())
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut disk = self.handle.disk()?;
        disk.take_space(self.file, length).map_err(|_| io::ErrorKind::StorageFull)?;
        disk.at_once(StepName::new("set length", self.file), |disk| {
            disk.file_mut(self.file).set_length(length);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.handle.disk()?.run_now(&[DiskStep::Sync { file: self.file }])
    }
}
