//! Versioned documents: every file that the testbed writes says its format, and a reader
//! refuses a format that it does not know instead of guessing.

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// A document with a name and a format version.
pub trait Document: Serialize + DeserializeOwned {
    /// What people call it, for error messages.
    const KIND: &'static str;
    /// The only format that this release writes and reads.
    const FORMAT: u32;
}

/// Why a document could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// Not JSON at all.
    #[error("{kind} is not valid JSON: {source}")]
    NotJson {
        /// Which document.
        kind: &'static str,
        /// Place and cause.
        source: serde_json::Error,
    },
    /// JSON without a format number.
    #[error("{kind} has no number under `format`, so it was not written by billsim")]
    NoFormat {
        /// Which document.
        kind: &'static str,
    },
    /// Written by another release.
    #[error(
        "{kind} has format {found}, this release reads format {known}: use the release that \
         wrote it"
    )]
    OtherFormat {
        /// Which document.
        kind: &'static str,
        /// What it says.
        found: u64,
        /// What this release reads.
        known: u32,
    },
    /// Right format, wrong shape.
    #[error("{kind} of format {format} does not have the shape of that format: {source}")]
    Shape {
        /// Which document.
        kind: &'static str,
        /// Its format.
        format: u32,
        /// Place and cause.
        source: serde_json::Error,
    },
}

/// Reads a document of the format that this release knows.
///
/// # Errors
/// [`ReadError`] says which document it was and what is wrong with it.
pub fn read<D: Document>(text: &str) -> Result<D, ReadError> {
    let kind = D::KIND;
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|source| ReadError::NotJson { kind, source })?;
    let found = value
        .get("format")
        .and_then(serde_json::Value::as_u64)
        .ok_or(ReadError::NoFormat { kind })?;
    if found != u64::from(D::FORMAT) {
        return Err(ReadError::OtherFormat { kind, found, known: D::FORMAT });
    }
    // From the text again: errors then name line and column.
    serde_json::from_str(text).map_err(|source| ReadError::Shape {
        kind,
        format: D::FORMAT,
        source,
    })
}

/// One line of JSON with its newline.
///
/// # Panics
/// When a document holds a map with keys that are not text; none of ours does.
pub fn line<D: Document>(document: &D) -> String {
    let mut text = serde_json::to_string(document).expect("documents have text keys only");
    text.push('\n');
    text
}

/// Indented JSON with a final newline, for files that people open.
///
/// # Panics
/// As [`line`].
pub fn pretty<D: Document>(document: &D) -> String {
    let mut text = serde_json::to_string_pretty(document).expect("documents have text keys only");
    text.push('\n');
    text
}
