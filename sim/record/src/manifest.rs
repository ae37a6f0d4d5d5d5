//! What a run directory is about: `manifest.json`.

use crate::document::Document;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format that this release writes and reads.
pub const MANIFEST_FORMAT: u32 = 1;

/// What was asked for, of which code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// Version of this format.
    pub format: u32,
    /// The command line.
    pub argv: Vec<String>,
    /// The commit of the source, where it is known; `+` when the tree was changed.
    pub commit: Option<String>,
    /// BLAKE3 of the running binary.
    pub binary_hash: String,
    /// BLAKE3 of the lock file that it was built with.
    pub lock_hash: String,
    /// BLAKE3 of each scenario's resolved text, by name.
    pub scenario_hashes: BTreeMap<String, String>,
    /// Seeds per scenario, in the order in which they run.
    pub plan: Vec<SeedPlan>,
    /// The canary that is planted, if any.
    pub canary: Option<String>,
}

/// Which seeds of a scenario were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeedPlan {
    /// Name of the scenario.
    pub scenario: String,
    /// First seed.
    pub seeds_from: u64,
    /// One past the last seed.
    pub seeds_to: u64,
}

impl Document for Manifest {
    const KIND: &'static str = "the manifest";
    const FORMAT: u32 = MANIFEST_FORMAT;
}
