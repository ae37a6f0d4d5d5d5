//! A release build of this program in another tree, as a bisection or a comparison needs it.

use super::child::{self, Ended};
use crate::tool_error::ToolError;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What a build came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Built {
    /// The binary; the next build in that directory takes its place.
    Binary(PathBuf),
    /// There is none: why not, and where more is said.
    Failed(String),
    /// Somebody wants all of this to end.
    Stopped,
}

/// Builds `billsim` of a tree into a build directory; what cargo says goes to `log`.
///
/// # Errors
/// If the log cannot be written or cargo cannot be started.
pub(crate) fn release(
    tree: &Path,
    build_dir: &Path,
    log: &Path,
    limit: Duration,
    stop: &AtomicBool,
) -> Result<Built, ToolError> {
    let mut build = Command::new(cargo());
    build.current_dir(tree).args(["build", "--release", "--locked", "--package", "billsim"]);
    build.arg("--target-dir").arg(build_dir);
    build.stdin(Stdio::null()).stdout(Stdio::null()).stderr(create(log)?);
    Ok(match child::run(&mut build, limit, stop)? {
        Ended::Stopped => Built::Stopped,
        Ended::TooLate => Built::Failed("it takes too long to build".to_owned()),
        Ended::Itself(status) if status.success() => {
            Built::Binary(build_dir.join("release/billsim"))
        }
        Ended::Itself(_) => Built::Failed(format!("it does not build: {}", log.display())),
    })
}

/// A new file, with the directory for it.
pub(crate) fn create(path: &Path) -> Result<File, ToolError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| ToolError::write(parent, &error))?;
    }
    File::create(path).map_err(|error| ToolError::write(path, &error))
}

/// The cargo that runs this, or the one that a shell finds.
fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
