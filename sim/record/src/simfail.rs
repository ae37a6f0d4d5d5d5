//! A failure in one file, to be sent to somebody else: `.simfail`. A gzip of one JSON document
//! with everything that a replay needs, and what it must come to.

use crate::document::{self, Document, ReadError};
use crate::outcome::Outcome;
use crate::plan::FaultPlan;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use thiserror::Error;

/// The format that this release writes and reads.
pub const SIMFAIL_FORMAT: u32 = 1;
/// Largest document that is unpacked, in bytes: a file from elsewhere must not fill the memory.
pub const UNPACKED_MAX: u64 = 1 << 30;

/// A failure with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SimFail {
    /// Version of this format.
    pub format: u32,
    /// BLAKE3 of the binary that failed: with the same one a replay is exact.
    pub binary_hash: String,
    /// BLAKE3 of the lock file that it was built with.
    pub lock_hash: String,
    /// The commit of its source, where it is known; `+` when the tree was changed.
    pub commit: Option<String>,
    /// The scenario as it was, in TOML.
    pub scenario: String,
    /// Faults and load.
    pub plan: FaultPlan,
    /// What it came to.
    pub outcome: Outcome,
    /// What happened, as the lines of `events.jsonl`; empty where it was not told.
    pub events: String,
}

impl Document for SimFail {
    const KIND: &'static str = "the failure";
    const FORMAT: u32 = SIMFAIL_FORMAT;
}

/// Why a file is no failure.
#[derive(Debug, Error)]
pub enum UnpackError {
    /// It does not unpack.
    #[error("it is no `.simfail`, or was cut off: {0}; send it again, whole")]
    Gzip(#[from] io::Error),
    /// It unpacks to more than anybody wants.
    #[error("it unpacks to more than {UNPACKED_MAX} bytes, which no failure does")]
    TooLarge,
    /// What it unpacks to is no failure of this release.
    #[error(transparent)]
    Document(#[from] ReadError),
}

impl SimFail {
    /// The file's bytes. Equal failures give equal bytes: no time and no name is in them.
    ///
    /// # Errors
    /// None that writing to memory could have.
    pub fn pack(&self) -> io::Result<Vec<u8>> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(document::line(self).as_bytes())?;
        packer.finish()
    }

    /// Reads a file's bytes.
    ///
    /// # Errors
    /// [`UnpackError`] says what the file is instead.
    pub fn unpack(bytes: &[u8]) -> Result<Self, UnpackError> {
        let mut text = String::new();
        let read = GzDecoder::new(bytes).take(UNPACKED_MAX + 1).read_to_string(&mut text)?;
        if read as u64 > UNPACKED_MAX {
            return Err(UnpackError::TooLarge);
        }
        Ok(document::read(&text)?)
    }
}
