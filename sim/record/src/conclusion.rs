//! How a sweep ended, and what was known of the instrument: `conclusion.json`. With the manifest
//! and the outcomes it is all that the reports of a run are made of.

use crate::document::Document;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format that this release writes and reads.
pub const CONCLUSION_FORMAT: u32 = 1;

/// How a sweep ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Conclusion {
    /// Version of this format.
    pub format: u32,
    /// Seeds that were asked for, with the plans that run first.
    pub asked: u64,
    /// Why it ended before all of them had, if it did.
    pub ended_early: Option<String>,
    /// Whether it was a whole profile, which claims to test everything.
    #[serde(default)]
    pub is_whole: bool,
    /// Whether a gap in coverage is a failure of this sweep.
    pub coverage_required: bool,
    /// Wall time in seconds.
    pub wall_seconds: f64,
    /// The promise behind each oracle of the binary that ran.
    pub promises: BTreeMap<String, String>,
    /// Marks of the binary that ran.
    pub marks: Vec<String>,
    /// Fault kinds that somebody had to see.
    pub required: Vec<String>,
}

impl Document for Conclusion {
    const KIND: &'static str = "the conclusion";
    const FORMAT: u32 = CONCLUSION_FORMAT;
}
