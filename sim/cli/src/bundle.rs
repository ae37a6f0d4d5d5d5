//! A stored plan with what belongs to it: its scenario as it was, and what the plan came to.
//!
//! In a failure's directory `plan.json` belongs to `outcome.json`, and any other `NAME.json` to
//! `NAME-outcome.json`; `scenario.toml` is theirs. A plan without a scenario beside it runs in
//! the scenario of the source tree.

use crate::corpus::{Corpus, Loaded, parse, read_plan};
use crate::tool_error::ToolError;
use billsim_engine::{Job, plan};
use billsim_record::{FaultPlan, Outcome, document};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A stored plan, checked.
#[derive(Debug)]
pub(crate) struct Bundle {
    /// The faults and the load.
    pub(crate) plan: FaultPlan,
    /// Where it was read from.
    pub(crate) file: PathBuf,
    /// Its scenario.
    pub(crate) loaded: Loaded,
    /// Whether the scenario lies beside the plan.
    pub(crate) has_scenario: bool,
    /// What it came to when it was stored.
    pub(crate) stored: Option<Outcome>,
}

impl Bundle {
    /// A failure's directory, or a plan; with the planted bug that it needs.
    pub(crate) fn open(path: &Path, canary: Option<&str>) -> Result<Self, ToolError> {
        let is_directory = path.is_dir();
        let file = if is_directory { path.join("plan.json") } else { path.to_path_buf() };
        let plan = read_plan(&file)?;
        let scenario = file.with_file_name("scenario.toml");
        let has_scenario = is_directory || scenario.is_file();
        let loaded = if has_scenario {
            let text = fs::read_to_string(&scenario)
                .map_err(|error| ToolError::read(&scenario, &error))?;
            parse(&plan.scenario, text)?
        } else {
            Corpus::find()?.scenario(&plan.scenario)?
        };
        plan::check(&plan, &loaded.scenario.cluster)
            .map_err(|error| ToolError::usage(format!("{}: {error}", file.display())))?;
        let outcome = outcome_beside(&file);
        let is_stored = is_directory || (has_scenario && outcome.is_file());
        let stored = if is_stored { Some(read_outcome(&outcome)?) } else { None };
        check_canary(stored.as_ref(), canary)?;
        Ok(Self { plan, file, loaded, has_scenario, stored })
    }

    /// A run of one of its plans.
    pub(crate) fn job(&self, plan: FaultPlan, canary: Option<&str>) -> Job {
        let mut job = Job::new(Arc::clone(&self.loaded.scenario), plan.seed);
        job.plan = Some(plan);
        job.canary = canary.map(str::to_owned);
        job
    }
}

/// Where the outcome of a plan is stored.
pub(crate) fn outcome_beside(plan: &Path) -> PathBuf {
    match plan.file_stem().and_then(|stem| stem.to_str()) {
        Some("plan") | None => plan.with_file_name("outcome.json"),
        Some(stem) => plan.with_file_name(format!("{stem}-outcome.json")),
    }
}

fn read_outcome(path: &Path) -> Result<Outcome, ToolError> {
    let text = fs::read_to_string(path).map_err(|error| ToolError::read(path, &error))?;
    document::read(&text).map_err(|error| ToolError::usage(format!("{}: {error}", path.display())))
}

/// A failure of a planted bug needs that bug.
fn check_canary(stored: Option<&Outcome>, canary: Option<&str>) -> Result<(), ToolError> {
    let Some(stored) = stored else { return Ok(()) };
    if stored.canary.as_deref() == canary {
        return Ok(());
    }
    Err(ToolError::usage(match &stored.canary {
        Some(name) => format!("this failure needs the planted bug: add `--canary {name}`"),
        None => "this failure is of a node without planted bugs: leave out --canary".to_owned(),
    }))
}
