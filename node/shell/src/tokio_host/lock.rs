//! One process per data directory: an advisory lock that the kernel drops with its holder,
//! however that one ends.

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a directory could not be locked.
#[derive(Debug, Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error(
        "{} is in use by another process (pid {holder}): stop it, or give this one a directory \
         of its own",
        .directory.display()
    )]
    Held {
        /// The directory.
        directory: PathBuf,
        /// Who holds it, as far as the lock file says.
        holder: String,
    },
    /// The lock file cannot be opened or locked.
    #[error("cannot lock {}: {source}", .directory.display())]
    Io {
        /// The directory.
        directory: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

/// Holds the lock until it is dropped.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Locks an existing directory for this process.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn acquire(directory: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { directory: directory.to_owned(), source };
        let path = directory.join("lock");
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                // Only for the message: a lock file without a readable pid is still held.
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                let holder = if holder.is_empty() { "unknown" } else { holder }.to_owned();
                return Err(LockError::Held { directory: directory.to_owned(), holder });
            }
            Err(errno) => return Err(failed(errno.into())),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(failed)?;
        Ok(Self { _file: file })
    }
}
