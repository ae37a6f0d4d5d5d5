//! How durable clients want their answers (billing.md §3).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How durable clients want their answers, until the faults are over: in so many writes of a
/// hundred a grade is named, and the rest is left to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Durability {
    /// `region` is enough.
    pub region_percent: u8,
    /// At least `geo`.
    pub geo_percent: u8,
    /// `final`.
    pub final_percent: u8,
    /// In so many of a hundred that name a grade, the client would rather be refused than told of
    /// a weaker one.
    pub fail_fast_percent: u8,
}
