//! Options of the commands about one stored failure or run.

use super::{Format, ShowProgress, duration, simulated};
use billsim_engine::OpId;
use clap::Args;
use std::path::PathBuf;

/// Runs a stored failure again: a `.simfail`, a failure's directory, or a fault plan.
///
/// With the binary that stored the failure the replay is exact, or ends with exit code 12. With
/// another one it is by plan: stderr says whether it STILL FAILS, FAILS OTHERWISE, is FIXED, or the
/// SCHEDULE is NO LONGER REACHABLE (a fault that took place then does not now), and where the runs
/// part.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// A `.simfail`, a directory under `failures/` of a run, or a fault plan.
    pub(crate) path: PathBuf,
    /// Ends the run at this simulated time, as in `12.5s` or `900ms`; exit code 20 if it held.
    #[arg(long, value_parser = simulated, value_name = "TIME", conflicts_with = "at")]
    pub(crate) until: Option<u64>,
    /// Shows this moment: the last events before it and what each node says of itself.
    #[arg(long, value_parser = simulated, value_name = "TIME")]
    pub(crate) at: Option<u64>,
    /// Runs it a second time; exit code 12 if that is another run.
    #[arg(long, conflicts_with = "at")]
    pub(crate) twice: bool,
    /// Changes a value of the scenario, by its dotted path, as in `load.clients=8`.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) vary: Vec<String>,
    /// Shows the nodes' own logs on stderr, stamped with simulated time.
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// `json`: the outcome as one document.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Says in billing words why a failure is one, and which faults it needs.
///
/// Three lines: who asked for what and was told what; which event took it away; which promise
/// forbids that. Then the faults that it needs: with any one of them left out it does not fail so.
///
/// Exit codes: 0 each was left out in turn, 2 it does not fail, 20 the budget was over.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A `.simfail`, a directory under `failures/` of a run, or a fault plan.
    pub(crate) path: PathBuf,
    /// Ends the search after this wall time.
    #[arg(long, value_parser = duration, default_value = "2m", value_name = "DURATION")]
    pub(crate) budget: std::time::Duration,
    /// `json`: the explanation as one document.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Shows what a stored failure is, or where one of its transactions was.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// A `.simfail`, a directory under `failures/` of a run, or a fault plan.
    pub(crate) path: PathBuf,
    /// Runs it again and follows this transaction: who sent it, who was told what, on which disks
    /// its bytes were, and what removed the last copy.
    #[arg(long, value_name = "OP_ID")]
    pub(crate) transaction: Option<OpId>,
}

/// Sets two stored failures beside each other, up to the first event that differs.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// A `.simfail`, or a directory under `failures/` of a run.
    pub(crate) one: PathBuf,
    /// Another one.
    pub(crate) other: PathBuf,
}

/// Makes the reports of a stored run again: pages, tables, metrics.
///
/// Writes `report.html`, `summary.md`, `junit.xml`, `metrics.prom` and `latency/*.txt` into the
/// directory of a run, and `timeline.html` and `trace.json` (for ui.perfetto.dev) into that of each
/// failure, from what is stored there. A sweep writes the same at its end. With `--against` the
/// reports say what differs from an earlier run, such as that of the last release, and keep
/// (`against.json`) what they need to say it again.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The directory of a run, or one under its `failures/`.
    pub(crate) path: PathBuf,
    /// The directory of an earlier run.
    #[arg(long, value_name = "RUN")]
    pub(crate) against: Option<PathBuf>,
}

/// Makes a failing plan as small as it gets, and says why it fails.
///
/// Leaves out faults, operations, clients and time, shortens and weakens what is left, and keeps
/// whatever still fails the same way (the same fingerprint). Writes `shrunk.json`,
/// `shrunk-outcome.json`, `explanation.txt` and, to go on after an interruption,
/// `shrink-state.json` into the directory of the failure, whose `timeline.html` then says what it
/// takes.
///
/// Exit codes: 0 nothing more can be left out, 2 it does not fail, 20 the budget was over.
#[derive(Debug, Args)]
pub(crate) struct Shrink {
    /// A `.simfail`, a directory under `failures/` of a run, or a fault plan.
    pub(crate) path: PathBuf,
    /// Ends after this wall time; the same command goes on from there.
    #[arg(long, value_parser = duration, default_value = "2m", value_name = "DURATION")]
    pub(crate) budget: std::time::Duration,
    /// Ends after so many runs.
    #[arg(long, value_name = "N")]
    pub(crate) max_runs: Option<u64>,
    /// Runs at a time; 0 for one per core. The result does not depend on it.
    #[arg(long, default_value_t = 0)]
    pub(crate) jobs: usize,
    /// Directory for the results, instead of that of the failure or, for a `.simfail` or a plan by
    /// itself, `NAME.shrunk`.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// How progress is shown.
    #[arg(long, value_enum, default_value_t = ShowProgress::Auto)]
    pub(crate) show_progress: ShowProgress,
    /// `json`: the result as one document.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Puts the shards of a sweep together, with one set of reports.
///
/// Order does not matter, nor does a shard that is given twice. Shards of different code, scenarios
/// or seeds are refused. Missing shards are named, and the exit code is 20.
#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// Directories of shards, or of runs that were merged before. `{commit}` in them stands for the
    /// first 12 digits of the commit, as in `sweep --out`.
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// Directory of the merged run; must not hold one already.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}
