//! `billsim shrink`: the smallest plan that still fails the same way, and why it does.

use crate::arguments::{Format, Shrink};
use crate::bundle::{Bundle, outcome_beside};
use crate::commands::shrink_trials::{Trials, fingerprint, is_late, place_of};
use crate::context::{invocation, say, warn};
use crate::tool_error::ToolError;
use crate::{identity, interrupt, stored_run, story};
use billsim_engine::RunResult;
use billsim_engine::sweep::run_to_its_end;
use billsim_record::{ExitCode, Failure, FaultPlan, Outcome, PlannedLoad, document};
use billsim_reports::shrunk::{Cause, Size, comparison, explanation};
use billsim_shrink::{Memory, Shrunk, Start};
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Report<'a> {
    fingerprint: &'a str,
    is_minimal: bool,
    trials: u64,
    faults: [u64; 2],
    operations: [u64; 2],
    clients: [u64; 2],
    simulated_seconds: [f64; 2],
    explanation: Vec<&'a str>,
    replay: &'a str,
}

pub(crate) fn shrink(arguments: &Shrink, canary: Option<&str>) -> Result<ExitCode, ToolError> {
    let stop = interrupt::watch()?;
    let bundle = Bundle::open(&arguments.path, canary)?;
    let before = run(&bundle, &bundle.plan, canary);
    let failure = failure_of(&bundle, &before.outcome)?;
    let directory = prepare(arguments, &bundle)?;
    let state = directory.join("shrink-state.json");
    let mut memory = remembered(&state, &bundle, failure, canary)?;
    let start = Start {
        plan: bundle.plan.clone(),
        place: place_of(&before),
        safety_ms: u64::from(bundle.loaded.scenario.phases.safety_s) * 1_000,
    };
    let mut trials = Trials::new(arguments, &bundle, canary, &before, &stop, &state);
    let shrunk = trials.shrink(start, &mut memory)?;
    conclude(arguments, canary, &bundle, &directory, &before, shrunk, &memory)
}

/// The directory for the results: that of the failure, or one of its own.
fn prepare(arguments: &Shrink, bundle: &Bundle) -> Result<PathBuf, ToolError> {
    let beside = bundle.file.parent().unwrap_or(Path::new(".")).to_path_buf();
    let directory = match &arguments.out {
        Some(directory) => directory.clone(),
        None if bundle.has_scenario => beside.clone(),
        None => bundle.file.with_extension("shrunk"),
    };
    fs::create_dir_all(&directory).map_err(|error| ToolError::write(&directory, &error))?;
    if !bundle.has_scenario || directory != beside {
        write(&directory.join("scenario.toml"), &bundle.loaded.text)?;
    }
    Ok(directory)
}

fn write(path: &Path, text: &str) -> Result<(), ToolError> {
    fs::write(path, text).map_err(|error| ToolError::write(path, &error))
}

fn run(bundle: &Bundle, plan: &FaultPlan, canary: Option<&str>) -> RunResult {
    let mut job = bundle.job(plan.clone(), canary);
    job.tell = true;
    run_to_its_end(&job)
}

/// What fails now; a word if that is not what was stored.
fn failure_of<'a>(bundle: &Bundle, outcome: &'a Outcome) -> Result<&'a Failure, ToolError> {
    let Some(failure) = &outcome.failure else {
        return Err(ToolError::usage(format!(
            "{}: it holds here, there is nothing to shrink",
            bundle.file.display()
        )));
    };
    let stored = bundle.stored.as_ref().and_then(|stored| stored.failure.as_ref());
    if let Some(stored) = stored.filter(|stored| stored.fingerprint != failure.fingerprint) {
        warn(&format!(
            "shrink: it fails otherwise now, {} {} instead of {} {}: shrinking what it does now",
            failure.oracle, failure.fingerprint, stored.oracle, stored.fingerprint
        ));
    }
    Ok(failure)
}

/// The trials of an earlier call about the same, or none.
fn remembered(
    file: &Path,
    bundle: &Bundle,
    failure: &Failure,
    canary: Option<&str>,
) -> Result<Memory, ToolError> {
    let plan = document::line(&bundle.plan);
    let binary = identity::binary_hash()?;
    let about = [
        binary.as_str(),
        bundle.loaded.text.as_str(),
        plan.as_str(),
        canary.unwrap_or_default(),
        failure.fingerprint.as_str(),
    ];
    let of = identity::hash(about.join("\0").as_bytes());
    let Ok(text) = fs::read_to_string(file) else { return Ok(Memory::new(of)) };
    match document::read::<Memory>(&text) {
        Ok(memory) if memory.is_of(&of) => {
            warn(&format!("shrink: going on after {} trials", memory.trials()));
            Ok(memory)
        }
        _ => {
            warn("shrink: the stored state is of another binary or plan, starting anew");
            Ok(Memory::new(of))
        }
    }
}

fn size(plan: &FaultPlan, result: &RunResult) -> Size {
    Size {
        faults: plan.faults.len() as u64,
        operations: result.load.sent,
        clients: result.load.clients,
        simulated_seconds: result.outcome.simulated_seconds,
    }
}

/// Replays the result, writes it, prints it.
fn conclude(
    arguments: &Shrink,
    canary: Option<&str>,
    bundle: &Bundle,
    directory: &Path,
    before: &RunResult,
    shrunk: Shrunk,
    memory: &Memory,
) -> Result<ExitCode, ToolError> {
    let Shrunk { mut plan, is_minimal, .. } = shrunk;
    let after = run(bundle, &plan, canary);
    let Some(failure) =
        after.outcome.failure.as_ref().filter(|_| fingerprint(before) == fingerprint(&after))
    else {
        return Err(ToolError::tool(
            "the shrunk plan does not fail again as it did: run `doctor`, this is nondeterminism",
        ));
    };
    plan.about.get_or_insert_with(|| in_a_line(failure));
    let file = directory.join("shrunk.json");
    write(&file, &document::pretty(&plan))?;
    write(&outcome_beside(&file), &document::pretty(&after.outcome))?;
    let told = after.told.as_deref().unwrap_or_default();
    let is_late = is_late(bundle, &after);
    let is_bare = fails_bare(bundle, &plan, canary, &failure.fingerprint)?;
    let words = explanation(&Cause { failure, told, plan: &plan, is_minimal, is_late, is_bare });
    write(&directory.join("explanation.txt"), &words)?;
    // The page of the failure says from now on what it takes.
    if let (Some(events), Some(stored)) = (stored_run::events(directory)?, &bundle.stored) {
        story::pages(directory, stored, &events)?;
    }
    let (before, after) = (size(&bundle.plan, before), size(&plan, &after));
    let replay = format!("{} replay {}", invocation(canary), file.display());
    if arguments.format == Format::Json {
        let report = Report {
            fingerprint: &failure.fingerprint,
            is_minimal,
            trials: memory.trials(),
            faults: [before.faults, after.faults],
            operations: [before.operations, after.operations],
            clients: [before.clients, after.clients],
            simulated_seconds: [before.simulated_seconds, after.simulated_seconds],
            explanation: words.lines().collect(),
            replay: &replay,
        };
        say(&format!("{}\n", serde_json::to_string(&report).map_err(ToolError::tool)?));
    } else {
        let keep = format!("{} corpus add {} --name NAME", invocation(canary), file.display());
        say(&format!("{}\n{words}\n", comparison(before, after)));
        say(&format!(
            "  trials    {}\n  replay    {replay}\n  keep      {keep}\n",
            memory.trials()
        ));
    }
    if is_minimal {
        return Ok(ExitCode::Held);
    }
    warn("shrink: ended before everything was tried; the same command goes on from here");
    Ok(ExitCode::Incomplete)
}

/// Whether a plan that names faults, and leaves out operations, fails the same way with none of
/// the faults and all of the operations: its faults only stand for what the end of a run does.
pub(crate) fn fails_bare(
    bundle: &Bundle,
    plan: &FaultPlan,
    canary: Option<&str>,
    fingerprint: &str,
) -> Result<bool, ToolError> {
    let is_whole = plan.load == PlannedLoad::default();
    if is_whole || (plan.faults.is_empty() && plan.operator.is_empty()) {
        return Ok(false);
    }
    let mut bare = plan.clone();
    bare.faults.clear();
    bare.operator.clear();
    bare.load = PlannedLoad::default();
    let outcome = run(bundle, &bare, canary).outcome;
    Ok(outcome.failure.is_some_and(|failure| failure.fingerprint == fingerprint))
}

/// What a plan showed, in a line.
pub(crate) fn in_a_line(failure: &Failure) -> String {
    format!("{}: {}; seen: {}", failure.oracle, failure.promise, failure.detail)
}
