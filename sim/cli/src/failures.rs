//! What a failing sweep leaves behind and prints last.

use crate::context::invocation;
use crate::corpus::Loaded;
use crate::run_directory::RunDirectory;
use crate::tool_error::ToolError;
use billsim_engine::RunResult;
use billsim_reports::Tally;
use billsim_reports::epilogue::{Place, epilogue};
use billsim_reports::tally::cause_of;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Bundles of failures, one per cause: that of the lowest seed.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    kept: BTreeMap<String, (String, u64, PathBuf)>,
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
        let place = (result.outcome.scenario.clone(), result.outcome.seed);
        let is_first =
            self.kept.get(&cause).is_none_or(|(name, seed, _)| (&place.0, &place.1) < (name, seed));
        if is_first {
            let path = directory.keep_failure(&cause, result, scenario)?;
            self.kept.insert(cause, (place.0, place.1, path));
        }
        Ok(())
    }

    /// The last words about the worst cause; `None` when nothing failed.
    pub(crate) fn epilogue(&self, tally: &Tally, canary: Option<&str>) -> Option<String> {
        let (name, cause) = tally.worst_cause()?;
        let (_, _, path) = self.kept.get(name)?;
        let shown = path.display().to_string();
        let others: Vec<&str> =
            tally.causes.keys().map(String::as_str).filter(|other| *other != name).collect();
        let replay = format!("{} replay {shown}", invocation(canary));
        Some(epilogue(cause, Place { replay: &replay, directory: Some(&shown), others: &others }))
    }
}
