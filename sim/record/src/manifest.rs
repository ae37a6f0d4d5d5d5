//! What a run directory is about: `manifest.json`.

use crate::document::Document;
use crate::waiver::Waiver;
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
    /// The compiler that built it, in its own words.
    #[serde(default)]
    pub toolchain: String,
    /// BLAKE3 of the lock file that it was built with.
    pub lock_hash: String,
    /// BLAKE3 of each scenario's resolved text, by name.
    pub scenario_hashes: BTreeMap<String, String>,
    /// Seeds per scenario, in the order in which they run.
    pub plan: Vec<SeedPlan>,
    /// BLAKE3 over the plans that run first; empty when none do.
    #[serde(default)]
    pub regressions_hash: String,
    /// Share of the seeds that run a second time, in percent.
    #[serde(default)]
    pub checked_percent: u8,
    /// Which part of it this is; absent: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Failures that were known and did not count, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waivers: Vec<Waiver>,
    /// The canary that is planted, if any.
    pub canary: Option<String>,
}

/// A part of a sweep: the i-th seed, from 0, belongs to shard (i mod `of`) + 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shard {
    /// Which, from 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl Shard {
    /// Whether the run at this place, from 0, is one of its own.
    pub fn holds(self, place: u64) -> bool {
        place % u64::from(self.of) + 1 == u64::from(self.number)
    }
}

impl Manifest {
    /// What keeps two runs from being one, as a person would say it; `None` when they ask for the
    /// same of the same code.
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        let differs = [
            (self.binary_hash != other.binary_hash, "the binary"),
            (self.lock_hash != other.lock_hash, "the lock file"),
            (self.canary != other.canary, "the planted bug"),
            (self.scenario_hashes != other.scenario_hashes, "a scenario"),
            (self.plan != other.plan, "which seeds of which scenarios"),
            (self.regressions_hash != other.regressions_hash, "the plans that run first"),
            (self.shard.map(|it| it.of) != other.shard.map(|it| it.of), "the number of shards"),
            (self.waivers != other.waivers, "the list of waivers"),
            (self.checked_percent != other.checked_percent, "the share that runs twice"),
        ];
        differs.iter().find(|(differs, _)| *differs).map(|(_, what)| *what)
    }
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
