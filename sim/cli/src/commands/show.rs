//! `billsim show`: what a stored failure is, without running it; or where one of its transactions
//! was at every moment, for which it runs again.

use crate::arguments::Show;
use crate::bundle::Bundle;
use crate::context::say;
use crate::tool_error::ToolError;
use billsim_engine::sweep::run_one;
use billsim_engine::{Job, OpId};
use billsim_record::{ExitCode, Happening, RunEvent};
use billsim_reports::diverge::line;
use billsim_reports::explain::explain;
use std::collections::BTreeSet;

/// Events before the violation that are shown.
const EVENTS_SHOWN: usize = 12;

pub(crate) fn show(arguments: &Show, canary: Option<&str>) -> Result<ExitCode, ToolError> {
    // What is only read needs no planted bug.
    let bundle = match arguments.transaction {
        Some(_) => Bundle::open(&arguments.path, canary)?,
        None => Bundle::look(&arguments.path)?,
    };
    match arguments.transaction {
        Some(op_id) => transaction(&bundle, op_id, canary),
        None => overview(&bundle),
    }
}

fn overview(bundle: &Bundle) -> Result<ExitCode, ToolError> {
    let plan = &bundle.plan;
    say(&format!("{}, seed {}, {} faults\n", plan.scenario, plan.seed, plan.faults.len()));
    if let Some(about) = &plan.about {
        say(&format!("{about}\n"));
    }
    if let Some(origin) = &bundle.origin {
        let commit = origin.commit.as_deref().unwrap_or("unknown");
        let binary = origin.binary_hash.get(..16).unwrap_or(&origin.binary_hash);
        say(&format!("commit {commit}, binary {binary}\n"));
    }
    let Some(outcome) = &bundle.stored else {
        say("it is a plan by itself: what it came to is not stored\n");
        return Ok(ExitCode::Held);
    };
    say(&format!(
        "{} at {:.3} s, trace {}\n\n",
        outcome.verdict.name().to_uppercase(),
        outcome.simulated_seconds,
        outcome.trace_hash
    ));
    if let Some(words) = explain(outcome, bundle.events.as_ref()) {
        say(&format!("{}\n", words.lines()));
    }
    if let Some(told) = &bundle.events {
        let is_violation = |event: &RunEvent| matches!(event.what, Happening::Violation { .. });
        // Thousands of messages would hide what they are about; the timeline draws them.
        let events: Vec<&RunEvent> =
            told.events.iter().filter(|event| !event.what.is_message()).collect();
        let end = events.iter().position(|event| is_violation(event));
        let end = end.map_or(events.len(), |at| at + 1);
        let shown = &events[end.saturating_sub(EVENTS_SHOWN)..end];
        shown.iter().for_each(|event| say(&format!("{}\n", line(event))));
    }
    Ok(ExitCode::Held)
}

/// Everything that a client did with an operation, and where its bytes were.
fn transaction(bundle: &Bundle, op_id: OpId, canary: Option<&str>) -> Result<ExitCode, ToolError> {
    let job = bundle.job(bundle.plan.clone(), canary);
    let job = Job { events: true, tell: true, custody: Some(op_id), ..job };
    let result = run_one(job).map_err(ToolError::tool)?;
    let events = result.events.as_deref().map_or(&[][..], |told| &told.events);
    let name = op_id.to_string();
    let mut calls = BTreeSet::new();
    let mut shown = 0;
    for event in events {
        let is_shown = match &event.what {
            Happening::Invoke { call, op_id: Some(of), .. } if *of == name => calls.insert(*call),
            Happening::Return { call, .. } => calls.contains(call),
            Happening::Custody { .. } => true,
            Happening::Violation { transaction, .. } => transaction.as_ref() == Some(&name),
            _ => false,
        };
        if is_shown {
            shown += 1;
            say(&format!("{}\n", line(event)));
        }
    }
    if shown > 0 {
        return Ok(ExitCode::Held);
    }
    Err(ToolError::usage(format!(
        "no client of this run sent {name}: see the op_ids in its events.jsonl"
    )))
}
