//! Options of `billsim bisect`.

use super::{Format, duration};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Finds the commit with which a stored failure began
///
/// Each revision is built in a work tree and a build directory of its own (the tree you work in is
/// not touched) and replays the plan: it is bad if the same promise breaks in the same way, good if
/// every fault took place and all held. It is skipped if it does not build, cannot read the plan,
/// fails otherwise, or does not reach the schedule. Both ends are judged first; `git bisect run`
/// does the rest.
///
///     billsim bisect FAILURE --good v1.2 --bad HEAD
///     git bisect run billsim bisect FAILURE --judge     # the same predicate, by hand
///
/// Exit codes: 0 the commit was found, 2 an end is not what it was said to be, 20 interrupted,
/// 125 skipped revisions hide it; of `--judge`: 0 good, 1 bad, 125 it cannot be judged.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Bisect {
    /// A `.simfail`, a directory under `failures/` of a run, or a fault plan.
    pub(crate) path: PathBuf,
    /// A revision before the failure began.
    #[arg(long, value_name = "REV", required_unless_present = "judge")]
    pub(crate) good: Option<String>,
    /// A revision that fails so.
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    pub(crate) bad: String,
    /// Takes every broken promise for the same failure, not only one with the same fingerprint.
    #[arg(long)]
    pub(crate) any_failure: bool,
    /// Directory for builds and their logs, kept for the next time; by default `target/bisect`.
    #[arg(long, value_name = "DIR")]
    pub(crate) build_dir: Option<PathBuf>,
    /// A revision that takes longer than this to build is skipped.
    #[arg(long, value_parser = duration, default_value = "30m", value_name = "DURATION")]
    pub(crate) build_limit: Duration,
    /// A revision whose replay takes longer than this is skipped.
    #[arg(long, value_parser = duration, default_value = "5m", value_name = "DURATION")]
    pub(crate) seed_limit: Duration,
    /// Judges the tree of the working directory and nothing else.
    #[arg(long, conflicts_with_all = ["good", "bad", "format"])]
    pub(crate) judge: bool,
    /// What the bad end came to; set by a bisection for its steps.
    #[arg(long, hide = true, requires = "judge")]
    pub(crate) reference: Option<PathBuf>,
    /// `json`: what was found as one document.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}
