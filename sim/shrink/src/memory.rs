//! What was tried, and what it came to: the whole state of a search that can be interrupted.

use crate::{Place, Trial};
use billsim_record::{Document, FaultPlan, document};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format that this release writes and reads.
const MEMORY_FORMAT: u32 = 1;

/// Trials by plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Version of this format.
    format: u32,
    /// What the trials are about: binary, scenario, planted bug, failure.
    of: String,
    /// Hash of a plan, and where it fails the same way; none where it does not.
    trials: BTreeMap<String, Option<Place>>,
}

impl Memory {
    /// Nothing tried yet. Whatever a trial depends on besides the plan belongs into `of`.
    pub fn new(of: String) -> Self {
        Self { format: MEMORY_FORMAT, of, trials: BTreeMap::new() }
    }

    /// Whether its trials are about this.
    pub fn is_of(&self, of: &str) -> bool {
        self.of == of
    }

    /// Plans that were tried.
    pub fn trials(&self) -> u64 {
        self.trials.len() as u64
    }

    /// What trying a plan came to.
    pub(crate) fn recall(&self, key: &str) -> Trial {
        match self.trials.get(key) {
            None => Trial::NotRun,
            Some(None) => Trial::Other,
            Some(Some(place)) => Trial::Same(*place),
        }
    }

    pub(crate) fn note(&mut self, key: String, trial: Trial) {
        match trial {
            Trial::NotRun => return,
            Trial::Other => self.trials.insert(key, None),
            Trial::Same(place) => self.trials.insert(key, Some(place)),
        };
    }

    /// The name of a plan in here.
    pub(crate) fn key(plan: &FaultPlan) -> String {
        format!("{:032x}", xxhash_rust::xxh3::xxh3_128(document::line(plan).as_bytes()))
    }
}

impl Document for Memory {
    const KIND: &'static str = "the state of a shrinking";
    const FORMAT: u32 = MEMORY_FORMAT;
}
