//! `billsim replay`: a stored failure again, and whether it is the same: exactly, with the binary
//! that stored it; by plan with any other.

use crate::arguments::{Format, Replay};
use crate::bundle::Bundle;
use crate::commands::run::{Again, show};
use crate::commands::vary::vary;
use crate::comparison::{Comparison, Seen};
use crate::context::{say, warn};
use crate::corpus::parse;
use crate::tool_error::ToolError;
use crate::{identity, logs, story};
use billsim_engine::sweep::run_one;
use billsim_engine::{Job, RunResult};
use billsim_record::{ExitCode, Outcome};
use billsim_reports::diverge::{divergence, line};

/// Events that are shown of the moment that `--at` names.
const EVENTS_AT: usize = 12;

pub(crate) fn replay(arguments: &Replay, canary: Option<&str>) -> Result<ExitCode, ToolError> {
    let path = &arguments.path;
    let mut bundle = Bundle::open(path, canary)?;
    if !arguments.vary.is_empty() {
        let text = vary(&bundle.loaded.text, &arguments.vary)?;
        bundle.loaded = parse(&bundle.plan.scenario, text)?;
        // What it came to in another scenario says nothing of this one.
        (bundle.origin, bundle.events) = (None, None);
    }
    if let Some(filter) = &arguments.log {
        logs::show(filter)?;
    }
    let mut job = bundle.job(bundle.plan.clone(), canary);
    if let Some(at) = arguments.at {
        return look_at(&Job { until: Some(at), ..job });
    }
    job.until = arguments.until;
    job.second = true;
    let result = run_one(job.clone()).map_err(ToolError::tool)?;
    let again = Again::planned(path, canary);
    let code = show(&result, arguments.format, &again);
    if arguments.twice {
        let _hushed = logs::hush();
        let second = run_one(job.clone()).map_err(ToolError::tool)?;
        let (one, other) = (&result.outcome.trace_hash, &second.outcome.trace_hash);
        if one != other {
            let words = format!("replay: twice is not the same: trace {one}, then {other}");
            return Err(ToolError::nondeterminism(words));
        }
        warn(&format!("replay: twice the same, trace {one}"));
    }
    if arguments.until.is_some() {
        return Ok(code);
    }
    match &bundle.stored {
        Some(stored) => Ok(code.worse(compare(&bundle, stored, &job, &result, arguments)?)),
        None => Ok(code),
    }
}

/// Says how the replay relates to what was stored.
fn compare(
    bundle: &Bundle,
    stored: &Outcome,
    job: &Job,
    result: &RunResult,
    arguments: &Replay,
) -> Result<ExitCode, ToolError> {
    let (then, now) = (&stored.trace_hash, &result.outcome.trace_hash);
    let is_same_binary = match &bundle.origin {
        Some(origin) => Some(origin.binary_hash == identity::binary_hash()?),
        None => None,
    };
    if then == now {
        let whose = if is_same_binary == Some(true) { "same binary, " } else { "" };
        warn(&format!("replay: exact, {whose}the trace hash is the stored one"));
        return Ok(ExitCode::Held);
    }
    if is_same_binary == Some(true) {
        return Err(ToolError::nondeterminism(format!(
            "replay: the same binary gives trace {now} instead of {then}: all verdicts are void"
        )));
    }
    let by = match bundle.origin.as_ref().and_then(|origin| origin.commit.as_ref()) {
        Some(commit) => format!("stored by commit {}", commit.get(..12).unwrap_or(commit)),
        None => "another binary wrote it, the node's code or the scenario has changed".to_owned(),
    };
    let why = if arguments.vary.is_empty() { by } else { "the scenario was varied".to_owned() };
    warn(&format!("replay: by plan only, trace hash {now} instead of {then}: {why}"));
    let proven = Comparison::of(&Seen::of(stored), &Seen::of(&result.outcome));
    warn(&format!("replay: {proven}"));
    if let Some(told_then) = bundle.events.as_ref().filter(|_| arguments.format == Format::Human) {
        let told = story::told(job, &result.outcome)?;
        if let Some(told_now) = &told.events {
            warn(&format!("replay: then -, now +: {}", divergence(told_then, told_now)));
        }
    }
    Ok(ExitCode::Held)
}

/// Shows one moment: what happened last, and what each node says of itself.
fn look_at(job: &Job) -> Result<ExitCode, ToolError> {
    let job = Job { events: true, tell: true, ..job.clone() };
    let at = job.until.unwrap_or_default();
    let result = run_one(job).map_err(ToolError::tool)?;
    let events = result.events.as_deref().map_or(&[][..], |told| &told.events);
    let events: Vec<_> = events.iter().filter(|event| !event.what.is_message()).collect();
    let first = events.len().saturating_sub(EVENTS_AT);
    events[first..].iter().for_each(|event| say(&format!("{}\n", line(event))));
    if result.statuses.is_empty() {
        let ended = result.outcome.simulated_seconds;
        say(&format!("\nthe run had ended before, at {ended:.3} s\n"));
        return Ok(result.outcome.verdict.exit_code());
    }
    say(&format!("\nat {:.3} s\n", at as f64 / 1e9));
    for (slot, status) in result.statuses.iter().enumerate() {
        let Some(status) = status else {
            say(&format!("  node {}: down\n", slot + 1));
            continue;
        };
        let role = format!("{:?}", status.role).to_lowercase();
        let knows = status.leader.map_or("nobody".to_owned(), |leader| format!("node {leader}"));
        say(&format!(
            "  node {}: {role} of term {}, knows {knows} as leader, log to {} ({} durable), \
             committed {}, folded {}\n",
            status.node,
            status.term,
            status.last_index,
            status.durable_index,
            listed(&status.committed.0, job_regions(&result)),
            listed(&status.folded.0, job_regions(&result)),
        ));
    }
    Ok(ExitCode::Held)
}

fn job_regions(result: &RunResult) -> usize {
    result.events.as_deref().map_or(1, |told| told.head.regions.len())
}

fn listed(frontier: &[u64], regions: usize) -> String {
    let ends: Vec<String> = frontier.iter().take(regions).map(u64::to_string).collect();
    ends.join("/")
}
