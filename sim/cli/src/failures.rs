//! What a failing sweep leaves behind and prints last.

use crate::context::invocation;
use crate::corpus::{Loaded, read_plan};
use crate::run_directory::RunDirectory;
use crate::tool_error::ToolError;
use crate::{stored_run, story};
use billsim_engine::{Job, RunResult};
use billsim_record::{ExitCode, FaultPlan, Outcome, Verdict};
use billsim_reports::Tally;
use billsim_reports::epilogue::{Place, epilogue};
use billsim_reports::tally::cause_of;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Causes whose failure is told at the end of a sweep; the others are stored all the same.
const STORIES_MAX: usize = 20;

/// A failure that is stored.
#[derive(Debug)]
struct Kept {
    outcome: Outcome,
    plan: FaultPlan,
    path: PathBuf,
    told: Option<String>,
}

/// Bundles of failures, one per cause: that of the lowest seed.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    kept: BTreeMap<String, Kept>,
}

impl Failures {
    /// Keeps a result if it failed and is the first of its cause.
    pub(crate) fn keep(
        &mut self,
        directory: &RunDirectory,
        result: &RunResult,
        scenario: &Loaded,
    ) -> Result<(), ToolError> {
        let Some(cause) = cause_of(&result.outcome) else { return Ok(()) };
        let outcome = &result.outcome;
        let is_first = self.kept.get(&cause).is_none_or(|known| {
            (&outcome.scenario, outcome.seed) < (&known.outcome.scenario, known.outcome.seed)
        });
        if is_first {
            let path = directory.keep_failure(&cause, result, scenario)?;
            let (outcome, plan) = (outcome.clone(), result.plan.clone());
            self.kept.insert(cause, Kept { outcome, plan, path, told: None });
        }
        Ok(())
    }

    /// Takes over the failures of a run that goes on.
    pub(crate) fn restore(&mut self, run: &Path, tally: &Tally) -> Result<(), ToolError> {
        for cause in tally.causes.keys() {
            let path = run.join("failures").join(cause);
            // One that was kept behind the last checkpoint is kept again.
            if !path.is_dir() {
                continue;
            }
            let outcome = stored_run::read(&path.join("outcome.json"))?;
            let plan = read_plan(&path.join("plan.json"))?;
            self.kept.insert(cause.clone(), Kept { outcome, plan, path, told: None });
        }
        Ok(())
    }

    /// Tells each failure that was kept: runs it again and writes its story. Returns the worst
    /// that came of it.
    pub(crate) fn tell(&mut self, job: impl Fn(&FaultPlan) -> Job) -> ExitCode {
        // A run that did not come to its end has no events either.
        let is_told = |kept: &&mut Kept| {
            kept.outcome.verdict != Verdict::Nondeterminism
                && kept.outcome.failure.as_ref().is_some_and(|failure| failure.event > 0)
        };
        let mut code = ExitCode::Held;
        for kept in self.kept.values_mut().filter(is_told).take(STORIES_MAX) {
            let story = story::keep(&kept.path, &job(&kept.plan), &kept.outcome);
            code = code.worse(story.code);
            kept.told = story.told;
        }
        code
    }

    /// Where the first seed lies that gave two traces, and its plan.
    pub(crate) fn diverged(&self) -> Option<(&Path, &FaultPlan)> {
        let mut kept = self.kept.values();
        let found = kept.find(|kept| kept.outcome.verdict == Verdict::Nondeterminism)?;
        Some((&found.path, &found.plan))
    }

    /// The last words about the worst cause; `None` when nothing failed.
    pub(crate) fn epilogue(&self, tally: &Tally, canary: Option<&str>) -> Option<String> {
        let (name, cause) = tally.worst_cause()?;
        let kept = self.kept.get(name)?;
        let shown = kept.path.display().to_string();
        let timeline = kept.path.join(story::PAGES[0]);
        let timeline = timeline.is_file().then(|| timeline.display().to_string());
        let others = tally.counted_causes().map(|(other, _)| other.as_str());
        let others: Vec<&str> = others.filter(|other| *other != name).collect();
        // Where it was not told here, as in a merge, its events say it.
        let events = || stored_run::events(&kept.path).ok().flatten();
        let told = kept.told.clone().or_else(|| events()?.head.told);
        let called = invocation(canary);
        let [replay, shrink] = ["replay", "shrink"].map(|what| format!("{called} {what} {shown}"));
        // A run that had no end, or two, has nothing to make small.
        let can_shrink = kept.outcome.failure.is_some();
        let place = Place {
            replay: &replay,
            shrink: can_shrink.then_some(shrink.as_str()),
            directory: Some(&shown),
            timeline: timeline.as_deref(),
            told: told.as_deref(),
            others: &others,
        };
        Some(epilogue(cause, place))
    }
}
