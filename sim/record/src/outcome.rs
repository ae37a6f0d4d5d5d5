//! What one seed came to: one line of `outcomes.jsonl`.

use crate::document::Document;
use crate::exit_code::ExitCode;
use crate::region_loss::{Fates, Outage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format that this release writes and reads.
pub const OUTCOME_FORMAT: u32 = 1;

/// What a seed's run proved.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every promise held.
    Held,
    /// A safety promise broke.
    Safety,
    /// A liveness promise broke.
    Liveness,
    /// The same input gave another trace.
    Nondeterminism,
    /// Something that had to happen never did.
    Coverage,
    /// It did not run to its end.
    Incomplete,
}

impl Verdict {
    /// The word in reports and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Safety => "safety",
            Self::Liveness => "liveness",
            Self::Nondeterminism => "nondeterminism",
            Self::Coverage => "coverage",
            Self::Incomplete => "incomplete",
        }
    }

    /// The exit code of a run with this verdict.
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Held => ExitCode::Held,
            Self::Safety => ExitCode::Safety,
            Self::Liveness => ExitCode::Liveness,
            Self::Nondeterminism => ExitCode::Nondeterminism,
            Self::Coverage => ExitCode::Coverage,
            Self::Incomplete => ExitCode::Incomplete,
        }
    }
}

/// How often a fault kind was armed (planned), fired (took place), observed (changed something
/// that a node or client could see).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct FaultTally {
    /// Planned or switched on.
    pub armed: u64,
    /// Took place.
    pub fired: u64,
    /// Changed something that a node could see.
    pub observed: u64,
}

/// The first promise that broke, told so that a person can act on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// Oracle, with the invariant's id (`D2`).
    pub oracle: String,
    /// The promise in billing words.
    pub promise: String,
    /// What was seen instead.
    pub detail: String,
    /// The acknowledged transaction, where there is one.
    pub transaction: Option<String>,
    /// The last fault before it.
    pub last_fault: Option<String>,
    /// Simulated time in nanoseconds.
    pub at_ns: u64,
    /// Number of the event at which it was seen.
    pub event: u64,
    /// Groups failures: oracle, place and normalised shape, as 16 hexadecimal digits.
    pub fingerprint: String,
    /// How many further violations followed.
    pub further: u64,
}

/// What one seed came to. Holds nothing that depends on the machine or on wall time, so that
/// the same binary, scenario and seed give the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// Version of this format.
    pub format: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// The bug that was planted into the node, in a build that has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<String>,
    /// What it proved.
    pub verdict: Verdict,
    /// Hash over every delivery, disk byte, timer, fault and answer: 16 hexadecimal digits.
    pub trace_hash: String,
    /// Simulated seconds, both phases.
    pub simulated_seconds: f64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Frames that reached a node.
    pub delivered_messages: u64,
    /// Events of the world.
    pub events: u64,
    /// Per fault kind.
    pub faults: BTreeMap<String, FaultTally>,
    /// Comparisons per oracle.
    pub comparisons: BTreeMap<String, u64>,
    /// Comparisons per rule of the second checker, where it judged the run, too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub second_checker: BTreeMap<String, u64>,
    /// Hits per `sometimes!` mark.
    pub marks: BTreeMap<String, u64>,
    /// Latency of acknowledged writes in simulated microseconds: p50, p99, p99.9, max.
    pub write_latency_us: Option<[u64; 4]>,
    /// The same of those that reached another region before they were answered, while nothing was
    /// wrong and nothing had been for a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo_latency_us: Option<[u64; 4]>,
    /// Regions that were dark or are gone, and what that cost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<Outage>,
    /// Fates of all acknowledged transactions per grade, where a region was destroyed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fates: BTreeMap<String, Fates>,
    /// How long clients behind an edge waited for their first success after their region was gone,
    /// in simulated microseconds: p50, p99, p99.9, max.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region_recovery_us: Option<[u64; 4]>,
    /// The first promise that broke.
    pub failure: Option<Failure>,
    /// One sentence per thing that had not converged.
    pub stuck: Vec<String>,
    /// What was not waited for or not compared, with its reason, and how often.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub excuses: BTreeMap<String, u64>,
}

impl Outcome {
    /// What had not converged, as far as the failure does not say the same.
    pub fn untold_stuck(&self) -> impl Iterator<Item = &str> {
        let told = self.failure.as_ref().map_or("", |failure| failure.detail.as_str());
        self.stuck.iter().map(String::as_str).filter(move |sentence| !told.contains(sentence))
    }
}

impl Document for Outcome {
    const KIND: &'static str = "the outcome";
    const FORMAT: u32 = OUTCOME_FORMAT;
}
