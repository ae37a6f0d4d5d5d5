//! A directory in memory: a copy of the ledger database to open and read without touching the
//! one on disk (redb writes when it opens a database that was not closed).

use billing_core::{DiskStep, FileName};
use billing_shell::{BlockFile, Directory};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Content = Arc<Mutex<Vec<u8>>>;

/// Files by name. Nothing is ever durable.
#[derive(Debug, Default)]
pub(crate) struct MemoryDirectory {
    files: Mutex<BTreeMap<FileName, Content>>,
}

#[derive(Debug)]
struct MemoryFile(Content);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

fn write_at(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let (start, end) = (offset as usize, offset as usize + bytes.len());
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(bytes);
}

impl MemoryDirectory {
    /// Puts a file there.
    pub(crate) fn put(&self, file: FileName, bytes: Vec<u8>) {
        locked(&self.files).insert(file, Arc::new(Mutex::new(bytes)));
    }

    fn content(&self, file: FileName) -> Content {
        Arc::clone(locked(&self.files).entry(file).or_default())
    }
}

impl Directory for MemoryDirectory {
    fn list(&self) -> io::Result<Vec<FileName>> {
        Ok(locked(&self.files).keys().copied().collect())
    }

    fn read(&self, file: FileName) -> io::Result<Vec<u8>> {
        let content = locked(&self.files).get(&file).map(Arc::clone).ok_or_else(missing)?;
        Ok(locked(&content).clone())
    }

    fn run(&self, steps: &[DiskStep]) -> io::Result<()> {
        for step in steps {
            match step {
                DiskStep::Write { file, offset, bytes } => {
                    write_at(&mut locked(&self.content(*file)), *offset, bytes);
                }
                DiskStep::SetLength { file, length } => {
                    locked(&self.content(*file)).resize(*length as usize, 0);
                }
                DiskStep::Sync { .. } => {}
                DiskStep::Remove { file } => {
                    locked(&self.files).remove(file).ok_or_else(missing)?;
                }
            }
        }
        Ok(())
    }

    fn rename(&self, from: FileName, to: FileName) -> io::Result<()> {
        let mut files = locked(&self.files);
        let content = files.remove(&from).ok_or_else(missing)?;
        files.insert(to, content);
        Ok(())
    }

    fn open_block_file(&self, file: FileName) -> io::Result<Box<dyn BlockFile>> {
        Ok(Box::new(MemoryFile(self.content(file))))
    }
}

impl BlockFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(locked(&self.0).len() as u64)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let content = locked(&self.0);
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let found = content.get(start..start.saturating_add(out.len()));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        write_at(&mut locked(&self.0), offset, bytes);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        locked(&self.0).resize(length as usize, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::MemoryDirectory;

    #[test]
    fn conforms() {
        billing_shell::conformance::disk::check(MemoryDirectory::default);
    }
}
