//! Bugs that a fault repairs.

use super::{Format, Seeds, seeds};
use clap::Args;
use std::path::PathBuf;

/// Runs seeds that hold again without restarts and heals, which may hide a bug
///
/// A restart mends what a node had wrong in memory, and a cut that heals hides what would have gone
/// wrong a second later. Runs seeds as they are; those that hold run again without any restart, and
/// then so that the last cut does not heal before the load ends. What fails only then was masked.
///
///     billsim unmask smoke/everything --seeds 0..100
///
/// Exit codes: 0 all held, 10 or 11 something was masked or fails anyway, 13 no seed had anything
/// to leave out, 20 interrupted.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Unmask {
    /// Scenarios: names under `scenarios/`, or paths.
    #[arg(default_value = "smoke/everything")]
    pub(crate) scenarios: Vec<String>,
    /// Seeds of each, half-open.
    #[arg(long, value_parser = seeds, default_value = "0..40", value_name = "A..B")]
    pub(crate) seeds: Seeds,
    /// Seeds at a time; 0 for one per core.
    #[arg(long, default_value_t = 0)]
    pub(crate) jobs: usize,
    /// Where failures go.
    #[arg(long, value_name = "DIR", default_value = "target/runs/unmasked")]
    pub(crate) out: PathBuf,
    /// `json`: one document per scenario.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}
