//! The text files of the repository, read from disk in a fixed order. Build results, run
//! directories and hidden tool state are not part of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Directories at any depth that hold nothing of ours.
const SKIPPED: &[&str] = &["target", "runs", ".git", "node_modules"];
/// Endings of the files that have rules.
const ENDINGS: &[&str] = &["rs", "toml", "md", "snap", "json", "txt", "new"];

/// A file with its path relative to the root, `/` between the parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceFile {
    /// Path relative to the root.
    pub(crate) path: String,
    /// What it says.
    pub(crate) text: String,
}

/// Why the files could not be read.
#[derive(Debug, Error)]
#[error("cannot read {}: {source}", .path.display())]
pub(crate) struct FileError {
    path: PathBuf,
    source: io::Error,
}

/// The root of the workspace.
///
/// # Panics
/// When this crate no longer lies two levels below the root.
pub(crate) fn root() -> &'static Path {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("this crate lies in ci/xtask")
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(|source| FileError { path: path.to_owned(), source })
}

/// Every text file below a directory, sorted by path.
pub(crate) fn all(root: &Path) -> Result<Vec<SourceFile>, FileError> {
    let mut found = Vec::new();
    collect(root, root, &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn collect(root: &Path, directory: &Path, found: &mut Vec<SourceFile>) -> Result<(), FileError> {
    let failed = |source| FileError { path: directory.to_owned(), source };
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_ref()) {
                collect(root, &path, found)?;
            }
        } else if has_rules(&path, &name) {
            let relative = path.strip_prefix(root).unwrap_or(&path);
            let relative = relative.to_string_lossy().replace('\\', "/");
            found.push(SourceFile { path: relative, text: read(&path)? });
        }
    }
    Ok(())
}

fn has_rules(path: &Path, name: &str) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().into_owned());
    name == "run" || ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}
