//! What `cargo metadata` says about the workspace, reduced to what the rules need.

use crate::files::root;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use thiserror::Error;

/// The workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    /// Packages: ours only, as nothing else was asked for.
    pub(crate) packages: Vec<Package>,
    /// Where build results are.
    pub(crate) target_directory: PathBuf,
}

/// A package of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// What it depends on, as declared.
    pub(crate) dependencies: Vec<Dependency>,
    /// Its features with what each switches on.
    pub(crate) features: BTreeMap<String, Vec<String>>,
}

/// A declared dependency.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    /// The package.
    pub(crate) name: String,
    /// `None` for a normal one, else `dev` or `build`.
    pub(crate) kind: Option<String>,
    /// Features that the declaration switches on.
    #[serde(default)]
    pub(crate) features: Vec<String>,
}

/// Why cargo did not answer.
#[derive(Debug, Error)]
pub(crate) enum MetadataError {
    /// It could not be started.
    #[error("cannot start cargo: {0}")]
    Start(#[from] io::Error),
    /// It ended with an error.
    #[error("cargo metadata failed: {0}")]
    Failed(String),
    /// It said something that this release does not understand.
    #[error("cargo metadata has another shape than expected: {0}")]
    Shape(#[from] serde_json::Error),
}

/// Asks cargo.
pub(crate) fn load() -> Result<Metadata, MetadataError> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()?;
    if !output.status.success() {
        return Err(MetadataError::Failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
