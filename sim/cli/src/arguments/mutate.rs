//! How much of what may go wrong in the code is seen.

use super::{Format, duration};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Changes the node's source in many ways, and counts what sweeps see
///
/// Changes the node's source as cargo-mutants would (`cargo install cargo-mutants --locked`), a
/// seeded sample of each module, and sweeps each mutant, kept plans first, until one fails. One
/// whose seeds all hold, but reach a `sometimes!` mark in none where the original reaches it in ten
/// or more, is seen too: the gate of a profile demands each mark. The others are given to the tests
/// of the changed crate. All mutants are in one build, in a scratch copy of the last commit, and a
/// process is told which one it is. What `ci/mutants.toml` lists with its reason is equivalent: it
/// does what the original does.
///
///     billsim mutate --out runs/mutants                       the same command goes on
///     billsim mutate --out runs/mutants-2 --shard 2/4         results are lines: append them
///     billsim mutate --out runs/again --seeds 12 --survivors-of runs/mutants/mutants.jsonl
///     billsim gate RUN --profile release --mutants runs/mutants/mutants.jsonl
///
/// Exit codes: 0 all were tried, 2 no cargo-mutants, 10 or 11 a seed fails without any change,
/// 20 interrupted.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Mutate {
    /// A module; all of them without any.
    #[arg(long = "module", value_name = "MODULE")]
    #[arg(value_parser = ["journal", "consensus", "merge", "ledger", "session"])]
    pub(crate) modules: Vec<String>,
    /// Mutants of each module.
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) sample: usize,
    /// Decides which; a larger sample of the same seed holds the smaller one.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub(crate) sample_seed: u64,
    /// Scenarios; those of the smoke profile without any.
    #[arg(long = "scenario", value_name = "SCENARIO")]
    pub(crate) scenarios: Vec<String>,
    /// Seeds of each scenario.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(crate) seeds: u64,
    /// Mutants at a time; 0 for one per core.
    #[arg(long, default_value_t = 0)]
    pub(crate) jobs: usize,
    /// Wall time of one mutant's sweep, and of its tests.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub(crate) limit: Duration,
    /// Wall time of a build.
    #[arg(long, value_name = "DURATION", default_value = "60m", value_parser = duration)]
    pub(crate) build_limit: Duration,
    /// The builds' directory.
    #[arg(long, value_name = "DIR", default_value = "target/mutants")]
    pub(crate) build_dir: PathBuf,
    /// Tries again what survived in earlier results, and nothing else: their lines and the new
    /// ones together are the result, the later line of a mutant counts.
    #[arg(long, value_name = "FILE")]
    pub(crate) survivors_of: Option<PathBuf>,
    /// Leaves out the tests of the node.
    #[arg(long)]
    pub(crate) without_tests: bool,
    /// Tries a part only: the i-th mutant belongs to shard (i mod N) + 1; as for a sweep.
    #[arg(long, value_parser = crate::shard::parse, value_name = "K/N|auto")]
    pub(crate) shard: Option<crate::shard::ShardOption>,
    /// Where results go; the same command goes on with what is there.
    #[arg(long, value_name = "DIR", default_value = "target/runs/mutants")]
    pub(crate) out: PathBuf,
    /// `json`: one document per mutant.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}
