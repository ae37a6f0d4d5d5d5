//! What became of the planted bugs, as `cargo canary --format json` prints it: whether the
//! instrument of the same commit can see what it must.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What became of one planted bug.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanaryShown {
    /// Its name, or `name/ORACLE` where a second oracle was shown.
    pub canary: String,
    /// Whether the oracle that must catch it did.
    pub caught: bool,
    /// That oracle.
    pub oracle: Option<String>,
    /// Another oracle, where one saw it and the right one did not: no proof of either.
    pub wrong_oracle: Option<String>,
    /// Seeds that it took.
    pub after_seeds: u64,
    /// Seeds that it may take.
    pub allowed_seeds: u64,
    /// CPU time until it was caught, of all jobs together, in milliseconds.
    pub cpu_ms: u64,
    /// How many of the same seeds hold without it.
    pub green_without: u64,
    /// The commit of the code that it was planted into.
    pub commit: Option<String>,
}

/// A list of canaries that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line} is no result of `cargo canary --format json`: {message}")]
pub struct CanariesError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

impl CanaryShown {
    /// Reads a list, a document a line.
    ///
    /// # Errors
    /// [`CanariesError`].
    pub fn read_all(text: &str) -> Result<Vec<Self>, CanariesError> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let read = |(place, line): (usize, &str)| {
            let wrong = |error: serde_json::Error| CanariesError {
                line: place + 1,
                message: error.to_string(),
            };
            serde_json::from_str(line).map_err(wrong)
        };
        lines.map(read).collect()
    }

    /// Whether the seeds that caught it hold without it.
    pub fn is_green_without(&self) -> bool {
        self.green_without >= self.after_seeds
    }
}
