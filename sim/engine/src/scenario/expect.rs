//! What a scenario expects beyond the promises: figures that only make sense for its own network,
//! load and faults, judged seed by seed. A seed that misses one fails like one that broke a
//! promise; what was to be measured and could not be is a failure, too.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a run must show.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// 99 of 100 writes that another region holds before they are answered take less, in
    /// milliseconds, while nothing is wrong and nothing has been for a second; 1 to 60000. Judged
    /// where a seed has a hundred of them.
    pub geo_p99_ms: Option<u64>,
    /// After each cut between regions that are whole all nodes have one order again sooner, in
    /// milliseconds; 1 to 3600000. A run with a cut has at least one that could be judged.
    pub catch_up_ms: Option<u64>,
    /// No region changes its leader or incarnation from the beginning of such a cut until all have
    /// caught up.
    pub leaders_stand: bool,
    /// Each region serves at least so many payments while it is cut off from the others.
    pub payments_apart: Option<u64>,
    /// At least so many payments are acknowledged by two regions that cannot hear each other.
    pub paid_in_two_regions: Option<u64>,
}
