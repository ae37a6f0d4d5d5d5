//! A seed that gave two traces: run again in pairs, told as events, until the two can be set beside
//! each other. Every verdict is void then, and the first event that differs is where to look.

use crate::commands::sweep::Results;
use crate::context::warn;
use crate::logs;
use crate::tool_error::ToolError;
use billsim_engine::sweep::run_one;
use billsim_engine::{Arm, Job};
use billsim_record::FaultPlan;
use billsim_reports::diverge::divergence;
use std::fs;
use std::path::Path;

/// Pairs that are run before it is given up.
const PAIRS_MAX: u32 = 5;

/// Shows the first event that differs, and keeps it as `divergence.txt` beside the plan. That it
/// cannot be shown is said.
pub(super) fn show(results: &Results<'_>, job: impl Fn(&FaultPlan) -> Job) {
    let Some((path, plan)) = results.failures.diverged() else { return };
    let told = pairs(&job(plan)).and_then(|words| keep(path, &words).map(|()| words));
    match told {
        Ok(words) => warn(&words),
        Err(error) => warn(&format!("billsim: {error}")),
    }
}

fn keep(path: &Path, words: &str) -> Result<(), ToolError> {
    let file = path.join("divergence.txt");
    fs::write(&file, words).map_err(|error| ToolError::write(&file, &error))
}

fn pairs(job: &Job) -> Result<String, ToolError> {
    let _hushed = logs::hush();
    let (scenario, seed) = (&job.scenario.name, job.seed);
    let of_arm = |arm: Arm| {
        let told = Job { arm, events: true, tell: true, ..job.clone() };
        run_one(told).map_err(ToolError::tool)
    };
    for _ in 0..PAIRS_MAX {
        let (one, other) = (of_arm(Arm::Central)?, of_arm(Arm::Tasks)?);
        let (left, right) = (&one.outcome.trace_hash, &other.outcome.trace_hash);
        if left == right {
            continue;
        }
        let head = format!("{scenario}, seed {seed}: trace {left} -, trace {right} +");
        return Ok(match (&one.events, &other.events) {
            (Some(one), Some(other)) => format!("{head}: {}", divergence(one, other)),
            _ => head,
        });
    }
    Ok(format!(
        "{scenario}, seed {seed}: {PAIRS_MAX} more pairs gave one trace each: what differs depends \
         on what else the process does"
    ))
}
