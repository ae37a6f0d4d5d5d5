//! What a woven build does as one mutant: its sweep, kept plans first, and the tests of its crate
//! where that holds.

use super::build::CHOICE;
use super::reach::Reach;
use crate::machine::child::{self, Ended};
use crate::tool_error::ToolError;
use billsim_gate::MutantEnd;
use billsim_record::{Outcome, Verdict, document};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Memory that a mutant may take, in kibibytes: some never stop to ask for more.
const MEMORY_KIB: u64 = 3 * 1024 * 1024;
/// CPU time of one seed: a hundred times what it takes.
const SEED_LIMIT: &str = "20s";

/// How mutants are tried.
#[derive(Debug)]
pub(crate) struct Trials<'a> {
    /// `billsim`, with all mutants.
    pub(crate) binary: PathBuf,
    /// The tests of the mutated crate, with all mutants.
    pub(crate) tests: Vec<PathBuf>,
    /// Where scenarios are found.
    pub(crate) tree: &'a Path,
    /// Where runs are kept while they run.
    pub(crate) scratch: &'a Path,
    /// What is swept.
    pub(crate) scenarios: Vec<String>,
    /// Seeds of each.
    pub(crate) seeds: u64,
    /// What the original reaches; of no account when that is tried itself.
    pub(crate) original: Reach,
    /// For one mutant's sweep, and for its tests.
    pub(crate) limit: Duration,
    /// Somebody wants all of this to end.
    pub(crate) stop: &'a AtomicBool,
}

/// How one ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tried {
    pub(crate) end: MutantEnd,
    pub(crate) oracle: Option<String>,
    pub(crate) seeds: u64,
    /// What its sweep reached.
    pub(crate) reach: Reach,
}

impl Tried {
    /// Nothing ran.
    pub(crate) fn without_a_seed(end: MutantEnd) -> Self {
        Self { end, oracle: None, seeds: 0, reach: Reach::default() }
    }
}

impl Trials<'_> {
    /// Tries a mutant; 0 is the original. `None`: stopped.
    pub(crate) fn run(&self, number: u32) -> Result<Option<Tried>, ToolError> {
        let out = self.scratch.join(format!("mutant-{number}"));
        if out.exists() {
            fs::remove_dir_all(&out).map_err(|error| ToolError::write(&out, &error))?;
        }
        let ended = child::run(&mut self.sweep(number, &out), self.limit, self.stop)?;
        let tried = match ended {
            Ended::Stopped => return Ok(None),
            Ended::TooLate => Tried::without_a_seed(MutantEnd::Timeout),
            Ended::Itself(status) => self.judged(&out, status.code())?,
        };
        // What a mutant left behind is of no further use.
        let _ = fs::remove_dir_all(&out);
        if tried.end == MutantEnd::Survived {
            return self.unit_tests(number, tried);
        }
        Ok(Some(tried))
    }

    fn sweep(&self, number: u32, out: &Path) -> Command {
        let seeds = format!("0..{}", self.seeds);
        let mut command = bounded(&self.binary);
        command.arg("sweep").args(&self.scenarios).args(["--seeds", &seeds, "--jobs", "1"]);
        command.args(["--fail-fast", "--without-waivers"]);
        command.args(["--check-determinism", "0%", "--show-progress", "none"]);
        command.args(["--seed-limit", SEED_LIMIT, "--out"]).arg(out);
        command.current_dir(self.tree).env(CHOICE, number.to_string());
        command
    }

    fn unit_tests(&self, number: u32, held: Tried) -> Result<Option<Tried>, ToolError> {
        for tests in &self.tests {
            let mut command = bounded(tests);
            command.args(["--quiet", "--test-threads", "1"]);
            command.current_dir(self.tree.join("node/core")).env(CHOICE, number.to_string());
            match child::run(&mut command, self.limit, self.stop)? {
                Ended::Stopped => return Ok(None),
                Ended::Itself(status) if status.success() => {}
                Ended::TooLate | Ended::Itself(_) => {
                    return Ok(Some(Tried { end: MutantEnd::KilledByTests, ..held }));
                }
            }
        }
        Ok(Some(held))
    }

    /// What the sweep of a mutant came to.
    fn judged(&self, out: &Path, code: Option<i32>) -> Result<Tried, ToolError> {
        let file = out.join("outcomes.jsonl");
        let text = fs::read_to_string(&file).unwrap_or_default();
        let read = |line| document::read::<Outcome>(line).map_err(ToolError::tool);
        let outcomes: Vec<Outcome> = text.lines().map(read).collect::<Result<_, _>>()?;
        let seeds = outcomes.len() as u64;
        let red = outcomes.iter().position(|outcome| outcome.verdict != Verdict::Held);
        let oracle = red.and_then(|place| outcomes[place].failure.as_ref());
        let oracle = oracle.map(|failure| failure.oracle.clone());
        let reach = Reach::of(&outcomes);
        let missed = self.original.missed_by(&reach);
        let (end, oracle, seeds) = match (red, code, missed) {
            (Some(place), ..) => (MutantEnd::KilledBySweep, oracle, place as u64 + 1),
            // The process itself died, of memory or of a fault that nothing can catch.
            (None, code, _) if !matches!(code, Some(0 | 13)) => {
                (MutantEnd::KilledBySweep, oracle, seeds + 1)
            }
            (None, _, Some(mark)) => {
                (MutantEnd::KilledBySweep, Some(format!("reachability of {mark}")), seeds)
            }
            // What is held; so few seeds reach and compare less than a gate asks of a profile.
            (None, _, None) => (MutantEnd::Survived, oracle, seeds),
        };
        Ok(Tried { end, oracle, seeds, reach })
    }
}

/// A program that gets no more memory than it should need.
fn bounded(program: &Path) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit -v {MEMORY_KIB}; exec \"$0\" \"$@\"");
    command.args(["-c", &script]).arg(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}
