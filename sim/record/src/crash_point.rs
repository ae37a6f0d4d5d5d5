//! Where in a disk step the power goes, and where in the recovery that follows it goes again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which part of a disk step takes place before the power goes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// Nothing of it, and nothing that was not synced stays.
    Before,
    /// Any part of it, and any part of what was not synced.
    Amid,
    /// All of it, and all that was not synced.
    After,
}

impl Moment {
    /// Every moment.
    pub const ALL: [Self; 3] = [Self::Before, Self::Amid, Self::After];

    /// The name as in plans.
    pub fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Amid => "amid",
            Self::After => "after",
        }
    }
}

/// A second power cut, in the recovery from the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InRecovery {
    /// At which disk step of the opening that follows, from 1.
    pub step: u32,
    /// Which part of it takes place.
    pub moment: Moment,
}
