//! A directory in memory whose files know what is durable. At a crash each write that was not
//! synced is kept, lost or torn by sectors, in any combination.

use billing_core::{DiskStep, FileName};
use billing_shell::{BlockFile, Directory};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

const SECTOR: usize = 512;

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

#[derive(Debug, Clone)]
enum Pending {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Debug, Clone, Default)]
struct File {
    durable: Vec<u8>,
    content: Vec<u8>,
    pending: Vec<Pending>,
}

#[derive(Debug, Clone, Default)]
struct Disk {
    files: BTreeMap<FileName, Arc<Mutex<File>>>,
    calls: u64,
    // Hash over kind, place and content of every call, reads included.
    call_hash: u64,
    die_at: Option<u64>,
    dead: bool,
    fail_sync: bool,
    full: bool,
}

#[derive(Debug, Default)]
pub(crate) struct MemoryDirectory {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug)]
struct MemoryFile {
    disk: Arc<Mutex<Disk>>,
    file: Arc<Mutex<File>>,
}

fn put(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(data);
}

impl Disk {
    fn alive(&self) -> io::Result<()> {
        if self.dead { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }

    fn note(&mut self, kind: u64, offset: usize, bytes: &[u8]) {
        let call = xxhash_rust::xxh3::xxh3_64_with_seed(bytes, kind << 48 | offset as u64);
        self.call_hash = (self.call_hash ^ call).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// Counts a call that changes something; the power may go just before it is done.
    fn change(&mut self) -> io::Result<()> {
        self.calls += 1;
        self.dead |= self.die_at.is_some_and(|at| self.calls >= at);
        self.alive()
    }
}

impl File {
    fn after_crash(&self, chance: &mut Draw) -> Self {
        let mut bytes = self.durable.clone();
        for pending in &self.pending {
            match pending {
                Pending::Length(length) if chance.below(2) == 0 => bytes.resize(*length, 0),
                Pending::Length(_) => {}
                Pending::Write(offset, data) => match chance.below(3) {
                    0 => {}
                    1 => put(&mut bytes, *offset, data),
                    _ => torn(&mut bytes, *offset, data, chance),
                },
            }
        }
        Self { durable: bytes.clone(), content: bytes, pending: Vec::new() }
    }
}

fn torn(bytes: &mut Vec<u8>, offset: usize, data: &[u8], chance: &mut Draw) {
    let mut at = 0;
    while at < data.len() {
        let end = (at + SECTOR - (offset + at) % SECTOR).min(data.len());
        if chance.below(2) == 0 {
            put(bytes, offset + at, &data[at..end]);
        }
        at = end;
    }
}

impl MemoryDirectory {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }

    /// The power goes at the n-th call from now on that changes something.
    pub(crate) fn die_at(&self, n: u64) {
        let mut disk = self.disk();
        disk.die_at = Some(disk.calls + n);
    }

    /// How many calls changed something, and a hash over these and every read, in order.
    pub(crate) fn calls(&self) -> (u64, u64) {
        let disk = self.disk();
        (disk.calls, disk.call_hash)
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.disk().dead
    }

    pub(crate) fn fail_next_sync(&self) {
        self.disk().fail_sync = true;
    }

    pub(crate) fn fill_up(&self, full: bool) {
        self.disk().full = full;
    }

    pub(crate) fn holds(&self, name: FileName) -> bool {
        self.disk().files.contains_key(&name)
    }

    /// Another directory with what a crash leaves of this one.
    pub(crate) fn crashed(&self, chance: &mut Draw) -> Self {
        self.map(|file| file.after_crash(chance))
    }

    /// Another directory with the same files.
    pub(crate) fn copy(&self) -> Self {
        self.map(File::clone)
    }

    fn map(&self, mut with: impl FnMut(&File) -> File) -> Self {
        let files = &self.disk().files;
        let files = files
            .iter()
            .map(|(name, file)| (*name, Arc::new(Mutex::new(with(&file.lock().unwrap())))))
            .collect();
        Self { disk: Arc::new(Mutex::new(Disk { files, ..Disk::default() })) }
    }

    /// Flips one bit of a file.
    pub(crate) fn flip(&self, name: FileName, draw: &mut Draw) {
        let disk = self.disk();
        let mut file = disk.files[&name].lock().unwrap();
        let at = draw.below(file.content.len() as u64) as usize;
        file.content[at] ^= 1 << draw.below(8);
    }
}

impl Directory for MemoryDirectory {
    fn list(&self) -> io::Result<Vec<FileName>> {
        let disk = self.disk();
        disk.alive()?;
        Ok(disk.files.keys().copied().collect())
    }

    fn read(&self, file: FileName) -> io::Result<Vec<u8>> {
        let disk = self.disk();
        disk.alive()?;
        let file = disk.files.get(&file).ok_or(io::ErrorKind::NotFound)?;
        Ok(file.lock().unwrap().content.clone())
    }

    fn run(&self, _steps: &[DiskStep]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn rename(&self, from: FileName, to: FileName) -> io::Result<()> {
        let mut disk = self.disk();
        disk.change()?;
        let file = disk.files.remove(&from).ok_or(io::ErrorKind::NotFound)?;
        disk.files.insert(to, file);
        Ok(())
    }

    fn open_block_file(&self, file: FileName) -> io::Result<Box<dyn BlockFile>> {
        let mut disk = self.disk();
        disk.alive()?;
        let file = Arc::clone(disk.files.entry(file).or_default());
        Ok(Box::new(MemoryFile { disk: Arc::clone(&self.disk), file }))
    }
}

impl MemoryFile {
    fn file(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap()
    }

    fn alive(&self) -> io::Result<()> {
        self.disk.lock().unwrap().alive()
    }

    fn change(&self) -> io::Result<()> {
        self.disk.lock().unwrap().change()
    }

    fn grow(&self, to: usize) -> io::Result<()> {
        if self.disk.lock().unwrap().full && to > self.file().content.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl BlockFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        self.alive()?;
        Ok(self.file().content.len() as u64)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.alive()?;
        let (file, offset) = (self.file(), offset as usize);
        let bytes = file.content.get(offset..offset + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        self.disk.lock().unwrap().note(1, offset, out);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = offset as usize;
        self.alive()?;
        self.grow(offset + bytes.len())?;
        // What is under way when the power goes may arrive; what comes later does not.
        let dies = self.change();
        let mut file = self.file();
        self.disk.lock().unwrap().note(2, offset, bytes);
        put(&mut file.content, offset, bytes);
        file.pending.push(Pending::Write(offset, bytes.to_vec()));
        dies
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.alive()?;
        self.grow(length as usize)?;
        let dies = self.change();
        let mut file = self.file();
        self.disk.lock().unwrap().note(3, length as usize, &[]);
        file.content.resize(length as usize, 0);
        file.pending.push(Pending::Length(length as usize));
        dies
    }

    fn sync(&self) -> io::Result<()> {
        self.change()?;
        if std::mem::take(&mut self.disk.lock().unwrap().fail_sync) {
            return Err(io::Error::other("sync failed"));
        }
        let mut file = self.file();
        self.disk.lock().unwrap().note(4, 0, &[]);
        file.durable = file.content.clone();
        file.pending.clear();
        Ok(())
    }
}
