//! A known failure that does not count for a while: with the reason why that is right, and the day
//! after which it counts again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One known failure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// Which: `<oracle>-<fingerprint>`, as its directory under `failures/` is called.
    pub failure: String,
    /// Why it may fail, in a line.
    pub reason: String,
    /// The last day on which it may, as `2026-12-31` (UTC).
    pub expires: String,
}
