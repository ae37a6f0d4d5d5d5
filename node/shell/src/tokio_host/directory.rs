//! A node's data directory on a real disk:
//!
//! ```text
//! genesis            ledger.redb        log/R/SSSSSSSS.seg
//! superblock         ledger.damaged     lock
//! ```
//!
//! A name is as durable as its file: whenever a file is synced, every directory in which a name
//! came or went since is synced too.

use super::block_file::DiskFile;
use crate::host::{BlockFile, Directory};
use billing_core::{DiskFault, DiskStep, FileName};
use billing_wire::RegionId;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// File handles that stay open although nothing in them waits for a sync.
const IDLE_HANDLES_MAX: usize = 16;

/// The files of one node below one path.
#[derive(Debug)]
pub struct DiskDirectory {
    root: PathBuf,
    open: Mutex<OpenFiles>,
}

#[derive(Debug, Default)]
struct OpenFiles {
    handles: BTreeMap<FileName, Handle>,
    /// Directories in which a name came or went since their last sync.
    changed: BTreeSet<PathBuf>,
}

#[derive(Debug)]
struct Handle {
    file: File,
    /// Written since the last sync. Such a handle stays open: the kernel reports a failed
    /// write-back through the handles that were open when it failed.
    unsynced: bool,
}

impl DiskDirectory {
    /// A directory that exists. Names that an earlier process left behind are made durable.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn open(root: &Path) -> io::Result<Self> {
        sync_directory(root)?;
        let logs = root.join("log");
        if logs.is_dir() {
            sync_directory(&logs)?;
            for entry in fs::read_dir(&logs)? {
                let path = entry?.path();
                if path.is_dir() {
                    sync_directory(&path)?;
                }
            }
        }
        Ok(Self { root: root.to_owned(), open: Mutex::default() })
    }

    /// Where a file lies.
    pub fn path(&self, file: FileName) -> PathBuf {
        self.root.join(file.to_string())
    }

    /// Runs steps in order, as [`Directory::run`], with the failure in the words of the core.
    ///
    /// # Errors
    /// What kind of step failed first.
    pub fn persist(&self, steps: &[DiskStep]) -> Result<(), DiskFault> {
        for step in steps {
            self.run_step(step).map_err(|error| {
                tracing::error!(%error, ?step, "a step of a persist failed");
                fault_of(&error, matches!(step, DiskStep::Sync { .. }))
            })?;
        }
        Ok(())
    }

    fn run_step(&self, step: &DiskStep) -> io::Result<()> {
        let mut open = self.files();
        match step {
            DiskStep::Write { file, offset, bytes } => {
                let handle = self.handle(&mut open, *file)?;
                handle.unsynced = true;
                handle.file.write_all_at(bytes, *offset)
            }
            DiskStep::SetLength { file, length } => {
                let handle = self.handle(&mut open, *file)?;
                handle.unsynced = true;
                handle.file.set_len(*length)
            }
            DiskStep::Sync { file } => {
                let handle = self.handle(&mut open, *file)?;
                handle.file.sync_data()?;
                handle.unsynced = false;
                open.sync_names()?;
                open.close_idle();
                Ok(())
            }
            DiskStep::Remove { file } => {
                open.handles.remove(file);
                let path = self.path(*file);
                fs::remove_file(&path)?;
                open.name_changed(&path);
                Ok(())
            }
        }
    }

    fn files(&self) -> MutexGuard<'_, OpenFiles> {
        // A panic elsewhere leaves the map whole: every change of it is one call.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle<'a>(&self, open: &'a mut OpenFiles, file: FileName) -> io::Result<&'a mut Handle> {
        if !open.handles.contains_key(&file) {
            let handle = Handle { file: self.open_file(open, file)?, unsynced: false };
            open.handles.insert(file, handle);
        }
        Ok(open.handles.get_mut(&file).expect("it was put there above"))
    }

    fn open_file(&self, open: &mut OpenFiles, file: FileName) -> io::Result<File> {
        let path = self.path(file);
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        for directory in [self.root.join("log"), path.parent().unwrap_or(&self.root).to_owned()] {
            let is_above = path.starts_with(&directory);
            if is_above && !directory.is_dir() {
                fs::create_dir(&directory)?;
                open.name_changed(&directory);
            }
        }
        // Genesis holds the cluster's secret, the others customers' data: for the owner only.
        let opened = options.create(true).mode(0o600).open(&path)?;
        open.name_changed(&path);
        Ok(opened)
    }

    fn segments(&self, files: &mut Vec<FileName>) -> io::Result<()> {
        let logs = self.root.join("log");
        if !logs.is_dir() {
            return Ok(());
        }
        for region in fs::read_dir(logs)? {
            let region = region?;
            let Some(id) = region.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            for entry in fs::read_dir(region.path())? {
                let name = entry?.file_name();
                let sequence = name.to_str().and_then(|name| name.strip_suffix(".seg"));
                if let Some(sequence) = sequence.and_then(|digits| digits.parse().ok()) {
                    files.push(FileName::Segment { region: RegionId(id), sequence });
                }
            }
        }
        Ok(())
    }
}

impl OpenFiles {
    fn name_changed(&mut self, path: &Path) {
        if let Some(parent) = path.parent() {
            self.changed.insert(parent.to_owned());
        }
    }

    fn sync_names(&mut self) -> io::Result<()> {
        while let Some(directory) = self.changed.first() {
            sync_directory(directory)?;
            self.changed.pop_first();
        }
        Ok(())
    }

    fn close_idle(&mut self) {
        if self.handles.len() > IDLE_HANDLES_MAX {
            self.handles.retain(|_, handle| handle.unsynced);
        }
    }
}

impl Directory for DiskDirectory {
    fn list(&self) -> io::Result<Vec<FileName>> {
        let mut files = Vec::new();
        for file in
            [FileName::Genesis, FileName::Superblock, FileName::Ledger, FileName::LedgerAside]
        {
            if self.path(file).try_exists()? {
                files.push(file);
            }
        }
        self.segments(&mut files)?;
        files.sort_unstable();
        Ok(files)
    }

    fn read(&self, file: FileName) -> io::Result<Vec<u8>> {
        fs::read(self.path(file))
    }

    fn run(&self, steps: &[DiskStep]) -> io::Result<()> {
        steps.iter().try_for_each(|step| self.run_step(step))
    }

    fn rename(&self, from: FileName, to: FileName) -> io::Result<()> {
        let mut open = self.files();
        open.handles.remove(&from);
        open.handles.remove(&to);
        let (from, to) = (self.path(from), self.path(to));
        fs::rename(&from, &to)?;
        open.name_changed(&from);
        open.name_changed(&to);
        open.sync_names()
    }

    fn open_block_file(&self, file: FileName) -> io::Result<Box<dyn BlockFile>> {
        let mut open = self.files();
        let opened = self.open_file(&mut open, file)?;
        open.sync_names()?;
        Ok(Box::new(DiskFile(opened)))
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn fault_of(error: &io::Error, is_sync: bool) -> DiskFault {
    match error.kind() {
        _ if is_sync => DiskFault::Sync,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskFault::Full,
        _ => DiskFault::Io,
    }
}
