//! Makes a failing plan small without losing its failure: fewer faults, fewer operations, fewer
//! clients, less time, shorter and milder faults, until nothing can be left out any more.
//!
//! It knows plans and a function that tries some of them. It runs nothing itself, reads no clock
//! and draws nothing: the same plan and the same answers give the same small plan, so that
//! remembering the answers ([`Memory`]) is all that it takes to go on after an interruption.

pub mod ddmin;
mod lower;
pub mod memory;
mod search;

pub use ddmin::ddmin;
pub use memory::Memory;
pub use search::{Shrunk, Start, Step, shrink};

/// Where a plan's failure was seen.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// When, in simulated milliseconds.
    pub at_ms: u64,
    /// Operations that had been drawn until then.
    pub operations: u64,
}

/// What trying a plan came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// It was not tried: one ahead of it fails the same way, or the budget is over.
    NotRun,
    /// It holds, or fails otherwise.
    Other,
    /// It fails the same way.
    Same(Place),
}

/// The budget is over: a plan whose trial mattered was not tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;
