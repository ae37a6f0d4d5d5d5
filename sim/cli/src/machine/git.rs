//! Questions to git, and a work tree of its own for a revision. The user's tree, index and branches
//! are never touched.

use crate::tool_error::ToolError;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What git says in a directory.
pub(crate) fn said(directory: &Path, arguments: &[&str]) -> Result<String, ToolError> {
    let output = Command::new("git").current_dir(directory).args(arguments).output();
    let output = output.map_err(|error| ToolError::tool(format!("git: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(ToolError::usage(format!("git {}: {}", arguments.join(" "), why.trim())))
}

/// The commit that a revision names.
pub(crate) fn commit(directory: &Path, revision: &str) -> Result<String, ToolError> {
    let asked = format!("{revision}^{{commit}}");
    said(directory, &["rev-parse", "--verify", "--quiet", "--end-of-options", &asked]).map_err(
        |_| ToolError::usage(format!("'{revision}' is no commit: `git log` shows which there are")),
    )
}

/// A work tree that goes away with this value.
#[derive(Debug)]
pub(crate) struct Worktree {
    repository: PathBuf,
    path: PathBuf,
}

impl Worktree {
    /// Checks out a commit at a new place.
    pub(crate) fn add(repository: &Path, path: &Path, commit: &str) -> Result<Self, ToolError> {
        let shown = path.display().to_string();
        said(repository, &["worktree", "add", "--quiet", "--detach", &shown, commit])?;
        Ok(Self { repository: repository.to_path_buf(), path: path.to_path_buf() })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Another commit in it.
    pub(crate) fn checkout(&self, commit: &str) -> Result<(), ToolError> {
        said(&self.path, &["checkout", "--quiet", "--force", "--detach", commit]).map(drop)
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        let shown = self.path.display().to_string();
        // Git names what it left behind in `git worktree list`; there is nobody to tell here.
        let _ = said(&self.repository, &["worktree", "remove", "--force", &shown]);
    }
}
