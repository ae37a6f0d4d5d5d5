//! An archive in a directory: an object is a file. It is written under a temporary name, synced,
//! renamed, and the directories are synced, so that a name never shows half an object.

use super::lock::{DirectoryLock, LockError};
use crate::archive::ObjectStore;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

/// Ends the name of a file that was not finished; such files are no objects.
const UNFINISHED: &str = ".part";

/// Objects below one path.
#[derive(Debug)]
pub struct ArchiveDirectory {
    root: PathBuf,
    /// Nobody else writes meanwhile.
    _lock: Option<DirectoryLock>,
}

impl ArchiveDirectory {
    /// To read.
    pub fn open(root: &Path) -> Self {
        Self { root: root.to_owned(), _lock: None }
    }

    /// To write; made when it is missing. One process at a time.
    ///
    /// # Errors
    /// When it cannot be made, or another process writes it.
    pub fn lock(root: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { directory: root.to_owned(), source };
        fs::create_dir_all(root).map_err(failed)?;
        Ok(Self { root: root.to_owned(), _lock: Some(DirectoryLock::acquire(root)?) })
    }

    fn path(&self, name: &str) -> io::Result<PathBuf> {
        let mut parts = Path::new(name).components();
        match parts.all(|part| matches!(part, Component::Normal(_))) {
            true => Ok(self.root.join(name)),
            false => Err(io::Error::new(io::ErrorKind::InvalidInput, "no name of an object")),
        }
    }

    fn list_below(&self, below: &str, found: &mut Vec<(String, u64)>) -> io::Result<()> {
        for entry in fs::read_dir(self.root.join(below))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let name = if below.is_empty() { name } else { format!("{below}/{name}") };
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                self.list_below(&name, found)?;
            } else if metadata.is_file() && !name.ends_with(UNFINISHED) && name != "lock" {
                found.push((name, metadata.len()));
            }
        }
        Ok(())
    }
}

impl ObjectStore for ArchiveDirectory {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        self.list_below("", &mut found)?;
        found.sort_unstable();
        Ok(found)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(name)?)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(name)?;
        let parent = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(parent)?;
        let unfinished = path.with_extension(&UNFINISHED[1..]);
        let mut options = OpenOptions::new();
        // Customers' data: for the owner only.
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        // Each directory may have been made just now.
        let mut directory = parent;
        while directory.starts_with(&self.root) {
            File::open(directory)?.sync_all()?;
            let Some(above) = directory.parent() else { break };
            directory = above;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::ArchiveDirectory;
    use crate::archive::ObjectStore as _;
    use std::fs;

    #[test]
    fn an_object_is_whole_or_not_there() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let root = dir.path().join("archive");
        let store = ArchiveDirectory::lock(&root).expect("it is made");
        assert!(ArchiveDirectory::lock(&root).is_err(), "one process writes");
        store.put("log/0/a", b"first").expect("it is put there");
        store.put("log/0/a", b"second").expect("in the place of the other one");
        fs::write(root.join("log/0/b.part"), b"half").expect("a crash left it");
        assert_eq!(store.list().expect("it is read"), [("log/0/a".to_owned(), 6)]);
        assert_eq!(store.read("log/0/a").expect("it is there"), b"second");
        assert!(store.read("log/0/b").is_err());
        assert!(store.put("../outside", b"").is_err(), "names stay below");
    }
}
