//! How far a sweep is: `checkpoint.json`. With the outcomes up to there it is all that going on
//! after an interruption needs.

use crate::document::Document;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format that this release writes and reads.
pub const CHECKPOINT_FORMAT: u32 = 1;

/// How far a sweep is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checkpoint {
    /// Version of this format.
    pub format: u32,
    /// Bytes of `outcomes.jsonl` that belong to it; what is behind runs again.
    pub outcomes_bytes: u64,
    /// Wall time so far, in milliseconds.
    pub wall_ms: u64,
    /// Places of the plans that run first and have run, from 0.
    pub regressions: Vec<usize>,
    /// Seeds that run twice and ran once, with their trace hash.
    pub unpaired: Vec<Unpaired>,
    /// Histograms of the latency of writes per scenario: HdrHistogram V2, in hexadecimal.
    pub latency: BTreeMap<String, String>,
    /// The same of the wait of clients whose region went.
    pub recovery: Option<String>,
}

/// A seed whose second run is still to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unpaired {
    /// Its scenario.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// Trace hash of its first run.
    pub trace_hash: String,
}

impl Document for Checkpoint {
    const KIND: &'static str = "the checkpoint";
    const FORMAT: u32 = CHECKPOINT_FORMAT;
}
