//! Whether a run may release something.

use super::percent;
use clap::Args;
use std::path::PathBuf;

/// Says whether a stored run may release something, and keeps the evidence
///
/// Holds a stored run against the policy of its profile: how much was tested, that every seed
/// held, that every oracle compared something and every fault and mark was reached, and that no
/// exemption is needless. Writes the evidence, whose parts are chained by their digests.
///
///     billsim sweep --profile smoke --out RUN && billsim gate RUN --profile smoke
///     billsim gate --recheck RUN/evidence.json --sample 1%
///
/// Exit codes: 0 every claim holds, 10 or 11 a seed failed, 13 something was not seen, 20 too
/// little was run; of a check: 2 the evidence was changed, 12 a seed gave another trace, 125 this
/// is another binary.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Gate {
    /// The directory of a run; `{commit}` in it as in `sweep --out`.
    #[arg(required_unless_present = "recheck")]
    pub(crate) run: Option<PathBuf>,

    /// What a run must show.
    #[arg(long, default_value = "ci/gate.toml")]
    pub(crate) policy: PathBuf,

    /// The profile that was run, and whose policy counts.
    #[arg(long, default_value = "smoke")]
    pub(crate) profile: String,

    /// Where the evidence goes; `evidence.json` in the run's directory otherwise.
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,

    /// What `cargo canary --format json` printed: whether the instrument can see what it must.
    #[arg(long, value_name = "FILE")]
    pub(crate) canaries: Option<PathBuf>,

    /// The results of `billsim mutate`: how much of what may go wrong in the code is seen.
    #[arg(long, value_name = "FILE")]
    pub(crate) mutants: Option<PathBuf>,

    /// Evidence of an earlier gate, which this one follows in the chain of digests.
    #[arg(long, value_name = "EVIDENCE")]
    pub(crate) after: Option<PathBuf>,

    /// Checks evidence instead: its digests, and a sample of its seeds by running them again.
    #[arg(long, value_name = "EVIDENCE", conflicts_with_all = ["run", "out", "after"])]
    pub(crate) recheck: Option<PathBuf>,

    /// The share of seeds that a check runs again; at least one of each scenario.
    #[arg(long, default_value = "1%", value_parser = percent, requires = "recheck")]
    pub(crate) sample: u8,
}
