//! `billsim corpus add`: files a plan among those that run before every sweep.

use crate::arguments::{Corpus as Arguments, CorpusAdd, CorpusCommand};
use crate::commands::shrink::in_a_line;
use crate::context::{say, warn};
use crate::corpus::{Corpus, read_plan};
use crate::tool_error::ToolError;
use billsim_engine::sweep::run_to_its_end;
use billsim_engine::{Job, plan};
use billsim_record::{ExitCode, Failure, document};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

pub(crate) fn corpus(arguments: &Arguments, canary: Option<&str>) -> Result<ExitCode, ToolError> {
    match &arguments.command {
        CorpusCommand::Add(arguments) => add(arguments, canary),
    }
}

fn add(arguments: &CorpusAdd, canary: Option<&str>) -> Result<ExitCode, ToolError> {
    let corpus = Corpus::find()?;
    let file = corpus.regression(&arguments.name);
    if file.exists() {
        return Err(already_there(&file));
    }
    let mut filed = read_plan(&arguments.plan)?;
    // A sweep will run it in the scenario of the source tree, so it is tried there.
    let loaded = corpus.scenario(&filed.scenario)?;
    let shown = arguments.plan.display();
    plan::check(&filed, &loaded.scenario.cluster)
        .map_err(|error| ToolError::usage(format!("{shown}: {error}")))?;
    let mut job = Job::new(loaded.scenario, filed.seed);
    job.plan = Some(filed.clone());
    job.canary = canary.map(str::to_owned);
    let failure = run_to_its_end(&job).outcome.failure;
    check(arguments, failure.as_ref())?;
    let about = arguments.about.clone().or(filed.about).or(failure.as_ref().map(in_a_line));
    let Some(about) = about else {
        return Err(ToolError::usage(format!(
            "{shown} does not say what it once showed: tell it with --about"
        )));
    };
    if about.trim().is_empty() || about.contains('\n') {
        return Err(ToolError::usage("--about is one line that says what broke"));
    }
    say(&format!("{}: {about}\n", file.display()));
    filed.about = Some(about);
    store(&file, &document::pretty(&filed))?;
    if failure.is_some() && canary.is_none() {
        warn("corpus: every sweep fails now until this is mended");
    }
    Ok(ExitCode::Held)
}

/// It fails, or it is said to be mended and holds.
fn check(arguments: &CorpusAdd, failure: Option<&Failure>) -> Result<(), ToolError> {
    let shown = arguments.plan.display();
    match (failure, arguments.fixed) {
        (Some(_), false) | (None, true) => Ok(()),
        (None, false) => Err(ToolError::usage(format!(
            "{shown}: it holds here, so it shows nothing; add --fixed if what it once showed is \
             mended"
        ))),
        (Some(failure), true) => Err(ToolError::usage(format!(
            "{shown}: it is not mended, {} breaks: {}",
            failure.oracle, failure.detail
        ))),
    }
}

fn store(file: &Path, text: &str) -> Result<(), ToolError> {
    let created = OpenOptions::new().write(true).create_new(true).open(file);
    let mut opened = created.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => already_there(file),
        _ => ToolError::write(file, &error),
    })?;
    opened.write_all(text.as_bytes()).map_err(|error| ToolError::write(file, &error))
}

fn already_there(file: &Path) -> ToolError {
    let shown = file.display();
    ToolError::usage(format!("{shown} is there already: a regression is never replaced"))
}
