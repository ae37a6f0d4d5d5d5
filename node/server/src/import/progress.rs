//! How far an import is: a file beside the one that is imported. It only saves work: what was sent
//! is known by its key, so a progress that is lost or behind costs time and nothing else.

use billing_wire::OpId;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Lines of a file that are logged.
#[derive(Debug)]
pub(super) struct Progress {
    path: PathBuf,
    kept: Kept,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// Which file this is about.
    file: String,
    /// The last line that is logged, with all before it.
    done: u64,
}

/// Why progress cannot be kept.
#[derive(Debug, Error)]
#[error("{}: {source}", .path.display())]
pub(crate) struct ProgressError {
    path: PathBuf,
    source: io::Error,
}

impl Progress {
    /// Of this file; that of another one, or one that cannot be read, counts for nothing.
    pub(super) fn open(file: &Path, digest: OpId) -> Result<Self, ProgressError> {
        let mut name = file.as_os_str().to_owned();
        name.push(".progress");
        let (path, file) = (PathBuf::from(name), digest.to_string());
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ProgressError { path, source }),
            Ok(text) => text,
        };
        let kept = serde_json::from_str::<Kept>(&text).ok().filter(|kept| kept.file == file);
        Ok(Self { path, kept: kept.unwrap_or(Kept { file, done: 0 }) })
    }

    /// The last line that is logged.
    pub(super) fn done(&self) -> u64 {
        self.kept.done
    }

    /// Everything up to this line is logged; `now`: kept at once.
    pub(super) fn note(&mut self, line: u64, now: bool) -> Result<(), ProgressError> {
        self.kept.done = self.kept.done.max(line);
        if !now {
            return Ok(());
        }
        self.keep().map_err(|source| ProgressError { path: self.path.clone(), source })
    }

    fn keep(&self) -> io::Result<()> {
        let fresh = self.path.with_extension("progress.new");
        let mut file = File::create(&fresh)?;
        file.write_all(serde_json::to_string(&self.kept)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)
    }
}
