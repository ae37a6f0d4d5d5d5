//! Options of `billsim bench`.

use super::{Format, Seeds, duration, seeds};
use clap::{Args, value_parser};
use std::path::PathBuf;
use std::time::Duration;

/// Measures the speed of the testbed at one job
///
/// Figures are per second of CPU time, so that other work on the machine counts less; yet it
/// counts, so two revisions are compared in one run. `--compare REV` builds that revision in a work
/// tree of its own and measures the two in turns, ours first in one round and theirs in the next.
/// It prints their ratio: least, median and most of the rounds.
///
///     billsim bench swarm/everything --seeds 0..10 --compare HEAD~5
///
/// Exit codes: 0 measured, 2 the revision does not exist or does not build, 10 or 11 a seed fails,
/// 20 interrupted.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Bench {
    /// A name under `scenarios/`, or a path.
    #[arg(default_value = "smoke/everything")]
    pub(crate) scenario: String,
    /// Seeds, half-open.
    #[arg(long, value_parser = seeds, default_value = "0..20", value_name = "A..B")]
    pub(crate) seeds: Seeds,
    /// Measures this revision in turns with this binary, with the scenario as it has it.
    #[arg(long, value_name = "REV")]
    pub(crate) compare: Option<String>,
    /// How often both are measured.
    #[arg(
        long,
        requires = "compare",
        value_parser = value_parser!(u32).range(1..),
        default_value_t = 5,
        value_name = "N"
    )]
    pub(crate) rounds: u32,
    /// Directory for the build and its log, kept for the next time; by default `target/compare`.
    #[arg(long, requires = "compare", value_name = "DIR")]
    pub(crate) build_dir: Option<PathBuf>,
    /// A build that takes longer than this is given up.
    #[arg(
        long,
        requires = "compare",
        value_parser = duration,
        default_value = "30m",
        value_name = "DURATION"
    )]
    pub(crate) build_limit: Duration,
    /// `json`: the figures as one document.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}
