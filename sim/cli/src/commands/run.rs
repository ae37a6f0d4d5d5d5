//! `billsim run`: one seed, one outcome.

use crate::arguments::{Format, Run};
use crate::context::{invocation, say, warn};
use crate::corpus::{Corpus, read_plan};
use crate::run_directory::RunDirectory;
use crate::tool_error::ToolError;
use crate::{logs, story};
use billsim_engine::sweep::run_one;
use billsim_engine::{Arm, Job, RunResult, plan};
use billsim_record::{ExitCode, Fate, LossVerdict, Verdict, document};
use billsim_reports::Tally;
use billsim_reports::epilogue::{Place, epilogue};
use billsim_reports::region_loss;
use billsim_reports::summary::{Circumstances, summary};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Transactions lost outside their grade that are followed.
const TRAILS_MAX: usize = 16;
/// Fates of transactions that are listed on a terminal; the file has them all.
const FATES_SHOWN_MAX: usize = 20;

pub(crate) fn run(arguments: &Run, canary: Option<&str>) -> Result<ExitCode, ToolError> {
    let loaded = Corpus::find()?.scenario(&arguments.scenario)?;
    if let Some(filter) = &arguments.log {
        logs::show(filter)?;
    }
    let mut job = Job::new(Arc::clone(&loaded.scenario), arguments.seed);
    if let Some(path) = &arguments.plan {
        let plan = read_plan(path)?;
        plan::check(&plan, &job.scenario.cluster)
            .map_err(|error| ToolError::usage(format!("{}: {error}", path.display())))?;
        job.plan = Some(plan);
    }
    job.arm = if arguments.tasks { Arm::Tasks } else { Arm::Central };
    job.altered_frame = arguments.alter_frame;
    job.canary = canary.map(str::to_owned);
    job.custody = arguments.custody;
    job.second = true;
    let result = run_one(job.clone()).map_err(ToolError::tool)?;
    if let Some(path) = &arguments.write_plan {
        fs::write(path, document::pretty(&result.plan))
            .map_err(|error| ToolError::write(path, &error))?;
    }
    let failed = result.outcome.verdict != Verdict::Held;
    let wants_files = failed || result.losses.is_some();
    let directory =
        wants_files.then(|| arguments.out.clone().unwrap_or_else(RunDirectory::of_one_run));
    let (mut code, mut told) = (ExitCode::Held, None);
    if let Some(directory) = &directory {
        RunDirectory::keep_result(directory, &result, &loaded)?;
    }
    if let Some(directory) = directory.as_ref().filter(|_| failed) {
        let kept = story::keep(directory, &job, &result.outcome);
        (code, told) = (kept.code, kept.told);
    }
    if let Some((verdict, directory)) = result.losses.as_ref().zip(directory.as_ref()) {
        follow_lost(&job, verdict, directory)?;
        warn(&format!("region-loss verdict: {}", directory.join("verdict.txt").display()));
    }
    let again = match directory.filter(|_| failed) {
        Some(directory) => Again { told, ..Again::stored(directory, canary) },
        None => Again::default(),
    };
    Ok(show(&result, arguments.format, &again).worse(code))
}

/// How to see a failure again.
#[derive(Debug, Default)]
pub(crate) struct Again {
    command: String,
    shrink: Option<String>,
    directory: Option<PathBuf>,
    told: Option<String>,
}

impl Again {
    /// A failure that is stored here.
    pub(crate) fn stored(directory: PathBuf, canary: Option<&str>) -> Self {
        let Self { command, shrink, told, .. } = Self::planned(&directory, canary);
        Self { command, shrink, directory: Some(directory), told }
    }

    /// A failure of a plan by itself.
    pub(crate) fn planned(plan: &Path, canary: Option<&str>) -> Self {
        let (called, shown) = (invocation(canary), plan.display());
        let [command, shrink] = ["replay", "shrink"].map(|what| format!("{called} {what} {shown}"));
        Self { command, shrink: Some(shrink), directory: None, told: None }
    }
}

/// Runs again for each transaction that is lost outside its grade, and writes its custody trail.
fn follow_lost(job: &Job, verdict: &LossVerdict, directory: &Path) -> Result<(), ToolError> {
    let lost = verdict.transactions.iter().filter(|one| one.fate == Fate::LostOutsideItsGrade);
    for one in lost.take(TRAILS_MAX) {
        let Ok(op_id) = one.op_id.parse() else { continue };
        let followed = Job { custody: Some(op_id), ..job.clone() };
        let trail = run_one(followed).map_err(ToolError::tool)?.custody.join("\n");
        let file = directory.join(format!("custody-{}.txt", one.op_id));
        fs::write(&file, trail + "\n").map_err(|error| ToolError::write(&file, &error))?;
    }
    Ok(())
}

/// Prints the outcome of one run.
pub(crate) fn show(result: &RunResult, format: Format, again: &Again) -> ExitCode {
    let outcome = &result.outcome;
    if format == Format::Json {
        say(&document::line(outcome));
        return outcome.verdict.exit_code();
    }
    let mut tally = Tally::default();
    tally.add(outcome);
    let promises: BTreeMap<&str, &str> = billsim_engine::oracles().collect();
    let circumstances = Circumstances {
        promises: &promises,
        wall_seconds: 0.0,
        asked: None,
        ended_early: None,
        coverage_required: false,
    };
    say(&summary(&tally, circumstances));
    say(&format!("trace hash {}, {} events\n", outcome.trace_hash, outcome.events));
    if let Some([p50, p99, p999, max]) = outcome.write_latency_us {
        say(&format!(
            "write latency in simulated us: p50 {p50}, p99 {p99}, p99.9 {p999}, max {max}\n"
        ));
    }
    if let Some([p50, p99, p999, max]) = outcome.geo_latency_us {
        say(&format!(
            "geo latency outside fault windows: p50 {p50}, p99 {p99}, p99.9 {p999}, max {max}\n"
        ));
    }
    match &result.losses {
        Some(verdict) => say(&region_loss::region_loss(verdict, FATES_SHOWN_MAX)),
        None => say(&region_loss::outages(&outcome.outages)),
    }
    if let Some([p50, p99, p999, max]) = outcome.region_recovery_us {
        say(&format!(
            "clients of a region that went waited, in simulated us: p50 {p50}, p99 {p99}, \
             p99.9 {p999}, max {max}\n"
        ));
    }
    for line in &result.custody {
        say(&format!("{line}\n"));
    }
    if let Some((_, cause)) = tally.worst_cause() {
        let timeline = again.directory.as_ref().map(|path| path.join(story::PAGES[0]));
        let timeline = timeline.filter(|file| file.is_file());
        let timeline = timeline.map(|file| file.display().to_string());
        let directory = again.directory.as_ref().map(|path| path.display().to_string());
        let place = Place {
            replay: &again.command,
            shrink: again.shrink.as_deref(),
            directory: directory.as_deref(),
            timeline: timeline.as_deref(),
            told: again.told.as_deref(),
            others: &[],
        };
        say(&format!("\n{}", epilogue(cause, place)));
    }
    outcome.verdict.exit_code()
}
