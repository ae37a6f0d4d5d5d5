//! How the payment provider, or the mail service, misbehaves in a run: per kind, so many of a
//! hundred calls until the end of the safety phase. Which calls these are the seed draws.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Percentages of calls; what is absent does not happen. A call may be slow and something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PlannedService {
    /// They arrive late.
    #[serde(skip_serializing_if = "is_never")]
    pub slow_percent: u8,
    /// They are refused and nothing is done.
    #[serde(skip_serializing_if = "is_never")]
    pub refused_percent: u8,
    /// They never arrive.
    #[serde(skip_serializing_if = "is_never")]
    pub lost_percent: u8,
    /// They are carried out and the answer is lost.
    #[serde(skip_serializing_if = "is_never")]
    pub answer_lost_percent: u8,
    /// They are carried out and the answer says that they were refused.
    #[serde(skip_serializing_if = "is_never")]
    pub lied_percent: u8,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_never(percent: &u8) -> bool {
    *percent == 0
}

impl PlannedService {
    /// Whether it does nothing of the sort.
    pub fn is_sound(&self) -> bool {
        *self == Self::default()
    }

    /// Each kind with its name in plans and scenarios, to read and to change.
    pub fn kinds(&mut self) -> [(&'static str, &mut u8); 5] {
        [
            ("slow_percent", &mut self.slow_percent),
            ("refused_percent", &mut self.refused_percent),
            ("lost_percent", &mut self.lost_percent),
            ("answer_lost_percent", &mut self.answer_lost_percent),
            ("lied_percent", &mut self.lied_percent),
        ]
    }
}
