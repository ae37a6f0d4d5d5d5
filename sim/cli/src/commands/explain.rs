//! `billsim explain`: a failure in three lines of billing words, and the faults that it needs:
//! each of them left out in turn.

use crate::arguments::{Explain, Format};
use crate::bundle::Bundle;
use crate::commands::shrink::fails_bare;
use crate::context::{say, warn};
use crate::tool_error::ToolError;
use crate::{interrupt, story, wall_clock};
use billsim_engine::sweep::{Settings, sweep};
use billsim_engine::{Job, RunResult};
use billsim_record::{ExitCode, Failure, FaultPlan, Outcome, PlannedAction, PlannedFault};
use billsim_reports::explain::{Need, by_the_end, explain as in_words, instead, needs};
use billsim_reports::shrunk::BARE;
use billsim_shrink::ddmin;
use serde::Serialize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Wall time after which a trial is ended.
const TRIAL_LIMIT: Duration = Duration::from_secs(30);

/// A fault, or what the operator does.
#[derive(Debug, Clone, Copy)]
enum Part {
    Fault(PlannedFault),
    Action(PlannedAction),
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Report<'a> {
    fingerprint: &'a str,
    lines: Vec<&'a str>,
    is_proved: bool,
    parts: usize,
    fails_bare: bool,
    needs: Vec<[&'a str; 2]>,
}

pub(crate) fn explain(arguments: &Explain, canary: Option<&str>) -> Result<ExitCode, ToolError> {
    let stop = interrupt::watch()?;
    let bundle = Bundle::open(&arguments.path, canary)?;
    let first = try_plan(&bundle, &bundle.plan, canary)?;
    let Some(failure) = first.outcome.failure.clone() else {
        return Err(ToolError::usage(format!(
            "{}: it holds here, there is nothing to explain",
            arguments.path.display()
        )));
    };
    let told = story::told(&bundle.job(bundle.plan.clone(), canary), &first.outcome)?;
    let words = in_words(&first.outcome, told.events.as_deref());
    let lines = words.map(|words| words.lines()).unwrap_or_default();
    if arguments.format == Format::Human {
        say(&format!("{lines}\n"));
    }
    let started = wall_clock::now();
    let is_over = || stop.load(Ordering::Relaxed) || started.elapsed() >= arguments.budget;
    let (found, is_proved) = needed(&bundle, canary, &failure, is_over)?;
    let is_bare = fails_bare(&bundle, &bundle.plan, canary, &failure.fingerprint)?;
    let all = bundle.plan.faults.len() + bundle.plan.operator.len();
    if arguments.format == Format::Json {
        let report = Report {
            fingerprint: &failure.fingerprint,
            lines: lines.lines().collect(),
            is_proved,
            parts: all,
            fails_bare: is_bare,
            needs: found.iter().map(|need| [need.part.as_str(), need.without.as_str()]).collect(),
        };
        say(&format!("{}\n", serde_json::to_string(&report).map_err(ToolError::tool)?));
    } else {
        say(&needs(all, &found, is_proved));
        if is_proved && found.is_empty() {
            say(&without_any(&bundle, canary, &failure)?);
        } else if is_bare {
            say(&format!("{BARE}\n"));
        }
    }
    if is_proved {
        return Ok(ExitCode::Held);
    }
    warn("explain: ended before each fault was left out; give it more with --budget");
    Ok(ExitCode::Incomplete)
}

/// What brings a failure about that needs no planned fault.
fn without_any(
    bundle: &Bundle,
    canary: Option<&str>,
    failure: &Failure,
) -> Result<String, ToolError> {
    let plan = with(&bundle.plan, &[]);
    let bare = try_plan(bundle, &plan, canary)?.outcome;
    let told = story::told(&bundle.job(plan, canary), &bare)?;
    let failure = bare.failure.as_ref().unwrap_or(failure);
    let end = told.events.as_deref().and_then(|events| by_the_end(failure, events));
    let end = end.unwrap_or_else(|| "The node does this by itself, without any fault.".to_owned());
    let at = failure.at_ns as f64 / 1e9;
    Ok(format!("Without any of them it breaks in the same way, at {at:.3} s. {}\n", end.trim_end()))
}

/// The faults that a failure needs, with what happens without each. `false`: not all was tried.
fn needed(
    bundle: &Bundle,
    canary: Option<&str>,
    failure: &Failure,
    is_over: impl Fn() -> bool,
) -> Result<(Vec<Need>, bool), ToolError> {
    let faults = bundle.plan.faults.iter().copied().map(Part::Fault);
    let actions = bundle.plan.operator.iter().copied().map(Part::Action);
    let all: Vec<Part> = faults.chain(actions).collect();
    let mut smallest = all.clone();
    let outcome = |parts: &[Part]| -> Result<Outcome, ToolError> {
        Ok(try_plan(bundle, &with(&bundle.plan, parts), canary)?.outcome)
    };
    let is_same = |outcome: &Outcome| {
        outcome.failure.as_ref().is_some_and(|other| other.fingerprint == failure.fingerprint)
    };
    // `None` gives up for want of time, with what is known so far.
    let found = ddmin(all, |count, candidate| {
        for number in 0..count {
            if is_over() {
                return Err(None);
            }
            let parts = candidate(number);
            if is_same(&outcome(&parts).map_err(Some)?) {
                smallest = parts;
                return Ok(Some(number));
            }
        }
        Ok(None)
    });
    let (parts, is_proved) = match found {
        Ok(parts) => (parts, true),
        Err(None) => (smallest, false),
        Err(Some(error)) => return Err(error),
    };
    let mut found = Vec::with_capacity(parts.len());
    for place in 0..parts.len() {
        let mut others = parts.clone();
        let part = others.remove(place);
        let without = if is_proved { instead(&outcome(&others)?, failure) } else { String::new() };
        found.push(Need { part: in_a_line(&part), without });
    }
    Ok((found, is_proved))
}

fn in_a_line(part: &Part) -> String {
    match part {
        Part::Fault(planned) => planned.to_string(),
        Part::Action(action) => action.to_string(),
    }
}

/// A plan with some of its parts.
fn with(plan: &FaultPlan, parts: &[Part]) -> FaultPlan {
    let mut plan = plan.clone();
    plan.faults.clear();
    plan.operator.clear();
    for part in parts {
        match part {
            Part::Fault(planned) => plan.faults.push(*planned),
            Part::Action(action) => plan.operator.push(*action),
        }
    }
    plan
}

/// One run, ended if it does not end by itself.
fn try_plan(
    bundle: &Bundle,
    plan: &FaultPlan,
    canary: Option<&str>,
) -> Result<RunResult, ToolError> {
    let job: Job = bundle.job(plan.clone(), canary);
    let settings = Settings { jobs: 1, time_limit: TRIAL_LIMIT };
    let mut found = None;
    sweep([job], settings, &AtomicBool::new(false), |result| found = Some(result), || {});
    found.ok_or_else(|| ToolError::tool("a trial gave no result"))
}
