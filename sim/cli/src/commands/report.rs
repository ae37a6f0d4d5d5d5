//! `billsim report`: every report of a stored run or failure, made again of what is stored.

use crate::arguments::Report;
use crate::context::say;
use crate::stored_run::{self, StoredRun};
use crate::story;
use crate::tool_error::ToolError;
use billsim_record::ExitCode;
use std::path::Path;

pub(crate) fn report(arguments: &Report) -> Result<ExitCode, ToolError> {
    let path = &arguments.path;
    if path.join("outcome.json").is_file() {
        return match &arguments.against {
            Some(_) => Err(ToolError::usage("a failure is compared with another by `diff`")),
            None => of_failure(path),
        };
    }
    if !path.join("manifest.json").is_file() {
        return Err(ToolError::usage(format!(
            "{}: neither a run (no manifest.json) nor a failure of one (no outcome.json)",
            path.display()
        )));
    }
    if let Some(earlier) = &arguments.against {
        StoredRun::compare(path, earlier)?;
    }
    let run = StoredRun::open(path)?;
    let mut told = 0;
    for directory in run.failures() {
        told += u64::from(pages_of(&directory)?);
    }
    // Which failures have a timeline is known only now.
    let names = StoredRun::open(path)?.write_reports()?;
    say(&format!("{}: {}", path.display(), names.join(", ")));
    say(&format!("; {told} timelines under failures/\n"));
    Ok(ExitCode::Held)
}

fn of_failure(path: &Path) -> Result<ExitCode, ToolError> {
    if pages_of(path)? {
        say(&format!("{}: {}\n", path.display(), story::PAGES.join(", ")));
        return Ok(ExitCode::Held);
    }
    Err(ToolError::usage(format!(
        "{}: it was not told (no events.jsonl); `billsim run --out DIR` tells a failing seed",
        path.display()
    )))
}

/// Writes the pages of a failure; `false` where it was not told.
fn pages_of(directory: &Path) -> Result<bool, ToolError> {
    let Some(events) = stored_run::events(directory)? else { return Ok(false) };
    let outcome = stored_run::read(&directory.join("outcome.json"))?;
    story::pages(directory, &outcome, &events)?;
    Ok(true)
}
