//! A stored run as its reports see it: what was asked for, what came of it, where things lie.

use crate::against::Baseline;
use crate::summary::Circumstances;
use crate::tally::Tally;
use billsim_record::{Conclusion, ExitCode, Manifest};
use std::collections::BTreeMap;

/// A run, folded.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// What was asked for.
    pub manifest: &'a Manifest,
    /// How it ended; a run that was killed has said nothing.
    pub conclusion: &'a Conclusion,
    /// What came of it.
    pub tally: &'a Tally,
    /// Latency of acknowledged writes per scenario, in simulated microseconds.
    pub latency: &'a [(String, Latency)],
    /// Causes that have a directory under `failures/`, and what is in it.
    pub stored: &'a BTreeMap<String, Stored>,
    /// An earlier run to be compared with.
    pub against: Option<&'a Baseline>,
    /// What goes before `replay DIRECTORY` in a command that people copy.
    pub command: &'a str,
    /// Where the run lies, as people would write it.
    pub directory: &'a str,
}

/// What the directory of a failure holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Whether a timeline lies in it.
    pub has_timeline: bool,
    /// Its transaction, from its sending to its acknowledgement, in billing words.
    pub told: Option<String>,
    /// What it takes, where it was made small.
    pub takes: Option<String>,
}

/// Latency in simulated microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// How many.
    pub count: u64,
    /// Half are below.
    pub p50: u64,
    /// All but 1 % are below.
    pub p99: u64,
    /// All but 0.1 % are below.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

impl Run<'_> {
    /// The worst that came of it, with what was not done.
    pub fn exit_code(&self) -> ExitCode {
        let mut code = self.tally.exit_code();
        if self.conclusion.coverage_required && !self.tally.gaps().is_empty() {
            code = code.worse(ExitCode::Coverage);
        }
        if self.conclusion.ended_early.is_some() {
            code = code.worse(ExitCode::Incomplete);
        }
        code
    }

    /// The sentence that everything else is the proof of.
    pub fn headline(&self) -> String {
        use crate::layout::plural;
        let (failures, seeds) = (self.tally.failures(), self.tally.seeds());
        let causes = self.tally.counted_causes().count() as u64;
        if failures > 0 {
            let of = plural(seeds, "seed");
            let causes = plural(causes, "distinct cause");
            return format!("{failures} of {of} failed, with {causes}");
        }
        match self.exit_code() {
            ExitCode::Coverage => {
                let gaps = plural(self.tally.gaps().len() as u64, "gap");
                format!("Every seed held, but with {gaps} in what was tested")
            }
            _ if seeds == 0 => "Nothing ran to its end".to_owned(),
            ExitCode::Incomplete => {
                let asked = plural(self.conclusion.asked, "seed");
                format!("What ran held, but only {seeds} of {asked} ran")
            }
            _ => crate::summary::confidence(self.tally),
        }
    }

    /// The word for it.
    pub fn verdict(&self) -> &'static str {
        match self.exit_code() {
            ExitCode::Held => "held",
            ExitCode::Safety => "safety",
            ExitCode::Liveness => "liveness",
            ExitCode::Nondeterminism => "nondeterminism",
            ExitCode::Coverage => "coverage",
            ExitCode::Incomplete => "incomplete",
            ExitCode::CanarySurvived => "canary survived",
            ExitCode::Tool | ExitCode::Usage | ExitCode::CannotJudge => "not judged",
        }
    }

    /// The promises by oracle.
    pub fn promises(&self) -> BTreeMap<&str, &str> {
        let promises = self.conclusion.promises.iter();
        promises.map(|(id, promise)| (id.as_str(), promise.as_str())).collect()
    }

    /// The same run for the summary of a terminal.
    pub fn circumstances<'a>(
        &'a self,
        promises: &'a BTreeMap<&'a str, &'a str>,
    ) -> Circumstances<'a> {
        Circumstances {
            promises,
            wall_seconds: self.conclusion.wall_seconds,
            asked: Some(self.conclusion.asked),
            ended_early: self.conclusion.ended_early.as_deref(),
            coverage_required: self.conclusion.coverage_required,
        }
    }

    /// A command that shows a cause again.
    pub(crate) fn replay(&self, cause: &str) -> String {
        format!("{} replay {}/failures/{cause}", self.command, self.directory)
    }
}
