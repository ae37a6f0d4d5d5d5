//! The archive of a scenario: how often it is taken, and what goes wrong with it.

use super::Between;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One node of the cluster is archived, and what is archived is restored, now and then and at the
/// end. Of each kind of trouble half of the seeds have none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// Time between two archives, in milliseconds; 10 to 600000.
    pub period_ms: Between,
    /// The archive is late when it has not had everything for so long, in milliseconds; 10 to
    /// 3600000.
    pub late_after_ms: u32,
    /// It is restored, to try, after each so many archives; 1 to 1000.
    pub drill_every: u32,
    /// Of a hundred archives so many die on the way.
    #[serde(default)]
    pub dies_percent: u8,
    /// Of a hundred archives so many are refused an object.
    #[serde(default)]
    pub refused_percent: u8,
    /// After so many of a hundred archives an object rots, is cut short, or is gone.
    #[serde(default)]
    pub harmed_percent: u8,
    /// In so many seeds of a hundred nothing is archived any more from some time on, and nobody
    /// says so.
    #[serde(default)]
    pub stops_percent: u8,
}

impl Archive {
    /// The percentages, by their names.
    pub(crate) fn percentages(&self) -> [(&'static str, u8); 4] {
        [
            ("dies_percent", self.dies_percent),
            ("refused_percent", self.refused_percent),
            ("harmed_percent", self.harmed_percent),
            ("stops_percent", self.stops_percent),
        ]
    }
}
