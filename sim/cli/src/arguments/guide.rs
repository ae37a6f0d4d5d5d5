//! Options of `billsim guide`.

use clap::{Args, value_parser};
use std::path::PathBuf;

/// Says which seeds to run next, after what earlier runs have reached
///
/// How likely the next seed of a scenario reaches a `sometimes!` mark that no seed has reached yet
/// is about the share of its seeds that reached a mark which no other seed did (Good and Turing's
/// estimate; I. J. Good, Biometrika 40, 1953). The seeds are shared out in that proportion, and
/// follow those that ran. It writes a list and runs nothing, so that what follows can be sharded,
/// resumed and repeated like any sweep:
///
///     billsim sweep --profile smoke --out runs/first
///     billsim guide runs/first --seeds 1000 --out next.txt
///     billsim sweep --seeds-from next.txt --out runs/second
///     billsim guide runs/first runs/second --seeds 1000 --out next.txt
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Guide {
    /// Run directories of this code, which count together.
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// So many seeds in all.
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(crate) seeds: u64,
    /// Where the list goes: a line each, SCENARIO SEED.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}
