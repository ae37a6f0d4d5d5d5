//! What of the drawn load a plan sends, from how many clients and for how long. The generator
//! draws as ever, so that what is left of the load is what the seed has always meant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Restrictions of the drawn load; what is absent is as drawn.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedLoad {
    /// Numbers of the operations that are sent, from 1 in the order in which clients make them.
    /// The others are drawn and not sent. The liveness phase proves life with its own payments
    /// all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<BTreeSet<u64>>,
    /// So many of the scenario's clients, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<u32>,
    /// The safety phase, with its faults and load, ends here, in simulated milliseconds, at least
    /// 1; the scenario's own end, where that is earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
}

impl PlannedLoad {
    /// Whether everything is as drawn.
    pub fn is_as_drawn(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the operation with this number, from 1, is sent.
    pub fn sends(&self, number: u64) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&number))
    }
}
