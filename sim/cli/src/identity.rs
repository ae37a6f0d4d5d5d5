//! Which code runs: the hash of this binary, of the lock file, and the commit where it is known.

use crate::tool_error::ToolError;
use std::fs;
use std::process::Command;

/// The lock file that this binary was built with.
const LOCK: &[u8] = include_bytes!("../../../Cargo.lock");

/// The compiler that built this binary.
pub(crate) const TOOLCHAIN: &str = env!("BILLSIM_TOOLCHAIN");

/// BLAKE3 of some bytes, in hexadecimal.
pub(crate) fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// BLAKE3 of the running binary.
pub(crate) fn binary_hash() -> Result<String, ToolError> {
    let path = std::env::current_exe().map_err(ToolError::tool)?;
    let bytes = fs::read(&path).map_err(|error| ToolError::write(&path, &error))?;
    Ok(hash(&bytes))
}

/// BLAKE3 of the lock file.
pub(crate) fn lock_hash() -> String {
    hash(LOCK)
}

/// The commit of the source tree, with `+` when it was changed. Where there is none, as in a
/// container, the one that `BILLSIM_COMMIT` named when this binary was built.
pub(crate) fn commit() -> Option<String> {
    let built_from = option_env!("BILLSIM_COMMIT").filter(|commit| !commit.is_empty());
    of_tree().or_else(|| built_from.map(str::to_owned))
}

fn of_tree() -> Option<String> {
    let said = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let mut commit = said(&["rev-parse", "HEAD"])?;
    if said(&["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty()) {
        commit.push('+');
    }
    Some(commit)
}
