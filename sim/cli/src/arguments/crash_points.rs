//! Dying everywhere.

use super::{Format, ShowProgress, duration};
use clap::Args;
use std::path::PathBuf;

/// Dies at every disk step of a run, and at every one of the recovery that follows
///
/// Runs a seed once and numbers every disk step that each node takes in the safety phase: writes,
/// syncs, changes of length, removals, renames, of the log, the superblock and the ledger database,
/// in persists and in openings. Then it runs the seed again for each node and step, three times:
/// the power goes before the step (nothing of it, and nothing that was not synced, stays), amid it
/// (any part does), and after it (all does). Then once more for each step of the recovery that
/// followed, where the power goes a second time, at each of the three moments.
///
/// Crash points that the scenario itself draws are left out, its other faults stay.
///
/// Exit codes: 0 all was visited and held, 2 the seed fails as it is, 10 or 11 something broke,
/// 13 a point was not reached, 20 interrupted or the budget was over.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CrashPoints {
    /// A name under `scenarios/`, or a path.
    #[arg(default_value = "disk/commit-path")]
    pub(crate) scenario: String,
    /// The seed.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Runs at a time; 0 for one per core.
    #[arg(long, default_value_t = 0)]
    pub(crate) jobs: usize,
    /// Ends after this wall time, with exit code 20 if points are left.
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub(crate) budget: Option<std::time::Duration>,
    /// Lets recoveries be.
    #[arg(long)]
    pub(crate) without_recovery: bool,
    /// Where the plans of violations go; a new directory under `target/runs` if absent.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// How progress is shown.
    #[arg(long, value_enum, default_value_t = ShowProgress::Auto)]
    pub(crate) show_progress: ShowProgress,
    /// `json`: the report as one document.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}
