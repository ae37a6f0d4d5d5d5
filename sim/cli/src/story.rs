//! The story of a failure: the same seed again, this time told as events, and the pages made of
//! them. Sweeps pay nothing for it until something breaks.

use crate::bundle::pack;
use crate::context::{invocation, warn};
use crate::tool_error::ToolError;
use crate::{logs, stored_run};
use billsim_engine::sweep::run_one;
use billsim_engine::{Job, RunResult};
use billsim_record::{ExitCode, Outcome, RunEvents};
use billsim_reports::perfetto::perfetto;
use billsim_reports::timeline::{Beside, timeline};
use std::fs;
use std::path::Path;

/// What is made of the events of a failure.
pub(crate) const PAGES: [&str; 2] = ["timeline.html", "trace.json"];

/// Runs a job again, told, with its transaction followed if it is about one.
///
/// # Errors
/// A nondeterminism if it is another run than the first one.
pub(crate) fn told(job: &Job, outcome: &Outcome) -> Result<RunResult, ToolError> {
    let _hushed = logs::hush();
    let told = Job { events: true, tell: true, ..job.clone() };
    let mut result = run_one(told.clone()).map_err(ToolError::tool)?;
    if told.custody.is_none() && result.about.is_some() {
        let followed = Job { custody: result.about, ..told };
        result = run_one(followed).map_err(ToolError::tool)?;
    }
    let (first, again) = (&outcome.trace_hash, &result.outcome.trace_hash);
    if first == again {
        return Ok(result);
    }
    Err(ToolError::nondeterminism(format!(
        "{}, seed {}: told again it is another run, trace {again} instead of {first}: all verdicts \
         are void",
        outcome.scenario, outcome.seed
    )))
}

/// Writes the story of a failure into its directory: `events.jsonl` and the pages made of it.
pub(crate) fn write(
    directory: &Path,
    outcome: &Outcome,
    events: &RunEvents,
) -> Result<(), ToolError> {
    create(&directory.join("events.jsonl"), &events.to_lines())?;
    pack(directory, events)?;
    pages(directory, outcome, events)
}

/// Writes the pages only.
pub(crate) fn pages(
    directory: &Path,
    outcome: &Outcome,
    events: &RunEvents,
) -> Result<(), ToolError> {
    let shown = directory.display();
    let command = invocation(outcome.canary.as_deref());
    let replay = format!("{command} replay {shown}");
    let explain = format!("{command} explain {shown}");
    let takes = stored_run::takes(directory);
    let last = match &takes {
        None => (
            "Find the smallest plan that it takes, and keep it",
            format!("{command} shrink {shown}"),
        ),
        Some(_) => (
            "Keep the smallest plan: every sweep runs it first, ever after",
            format!("{command} corpus add {shown}/shrunk.json --name NAME"),
        ),
    };
    let next = [
        ("See it again, with the nodes' own logs", format!("{replay} --log info")),
        ("Find the faults that it needs, each left out in turn", explain),
        last,
    ];
    let next = next.each_ref().map(|(what, line)| (*what, line.as_str()));
    let next = if outcome.failure.is_some() { &next[..] } else { &[] };
    let beside = Beside { takes: takes.as_deref(), next };
    create(&directory.join(PAGES[0]), &timeline(outcome, events, beside))?;
    create(&directory.join(PAGES[1]), &perfetto(events))
}

/// What came of telling a failure.
#[derive(Debug)]
pub(crate) struct Kept {
    /// How well that went.
    pub(crate) code: ExitCode,
    /// Its transaction in billing words.
    pub(crate) told: Option<String>,
}

/// Tells a failure in its directory. That it cannot be told is said, and takes nothing away.
pub(crate) fn keep(directory: &Path, job: &Job, outcome: &Outcome) -> Kept {
    let kept = told(job, outcome).and_then(|result| match &result.events {
        Some(events) => write(directory, outcome, events).map(|()| result.told),
        None => Ok(None),
    });
    match kept {
        Ok(told) => Kept { code: ExitCode::Held, told },
        Err(error) => {
            warn(&format!("billsim: {error}"));
            Kept { code: error.code, told: None }
        }
    }
}

fn create(path: &Path, text: &str) -> Result<(), ToolError> {
    fs::write(path, text).map_err(|error| ToolError::write(path, &error))
}
