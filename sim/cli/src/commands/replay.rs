//! `billsim replay`: a stored failure again, and whether it is the same.

use crate::arguments::Replay;
use crate::commands::run::show;
use crate::context::{invocation, warn};
use crate::corpus::{Corpus, Loaded, parse, read_plan};
use crate::logs;
use crate::tool_error::ToolError;
use billsim_engine::sweep::run_one;
use billsim_engine::{Job, plan};
use billsim_record::{ExitCode, Outcome, document};
use std::fs;
use std::path::Path;

pub(crate) fn replay(arguments: &Replay, canary: Option<&str>) -> Result<ExitCode, ToolError> {
    let path = &arguments.path;
    let is_bundle = path.is_dir();
    let plan_file = if is_bundle { path.join("plan.json") } else { path.clone() };
    let plan = read_plan(&plan_file)?;
    let loaded = if is_bundle {
        stored_scenario(&path.join("scenario.toml"), &plan.scenario)?
    } else {
        Corpus::find()?.scenario(&plan.scenario)?
    };
    plan::check(&plan, &loaded.scenario.cluster)
        .map_err(|error| ToolError::usage(format!("{}: {error}", plan_file.display())))?;
    let stored = if is_bundle { Some(stored_outcome(&path.join("outcome.json"))?) } else { None };
    check_canary(stored.as_ref(), canary)?;
    if let Some(filter) = &arguments.log {
        logs::show(filter)?;
    }
    let mut job = Job::new(loaded.scenario, plan.seed);
    job.plan = Some(plan);
    job.canary = canary.map(str::to_owned);
    let result = run_one(job).map_err(ToolError::tool)?;
    let again = format!("{} replay {}", invocation(canary), path.display());
    let code = show(&result, arguments.format, &again);
    let Some(stored) = stored else { return Ok(code) };
    if stored.trace_hash == result.outcome.trace_hash {
        warn("replay: exact, the trace hash is the stored one");
    } else {
        warn(&format!(
            "replay: by plan only, trace hash {} instead of {}: another binary wrote it, or the \
             node's code has changed",
            result.outcome.trace_hash, stored.trace_hash
        ));
    }
    Ok(code)
}

fn stored_scenario(path: &Path, name: &str) -> Result<Loaded, ToolError> {
    let text = fs::read_to_string(path).map_err(|error| ToolError::read(path, &error))?;
    parse(name, text)
}

fn stored_outcome(path: &Path) -> Result<Outcome, ToolError> {
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
