//! The end of a sweep: what failed is told, the reports are written, and the last screen is shown.

use crate::arguments::{Format, Sweep};
use crate::commands::sweep::Results;
use crate::commands::sweep_diverged;
use crate::context::{invocation, say, warn};
use crate::stored_run::StoredRun;
use crate::tool_error::ToolError;
use billsim_engine::Job;
use billsim_record::conclusion::CONCLUSION_FORMAT;
use billsim_record::{Conclusion, ExitCode, FaultPlan};
use billsim_reports::summary::{Circumstances, summary};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How it ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    /// Seeds that were asked for.
    pub(super) asked: u64,
    /// Wall time in seconds.
    pub(super) wall_seconds: f64,
    /// Why before all of them had, if so.
    pub(super) early: Option<&'static str>,
}

/// Writes what is left to write, says what came of it.
pub(super) fn conclude(
    arguments: &Sweep,
    canary: Option<&str>,
    results: &mut Results<'_>,
    ended: Ended,
) -> Result<ExitCode, ToolError> {
    let promises: BTreeMap<&str, &str> = billsim_engine::oracles().collect();
    // A sweep of a whole profile claims to have tested everything; a few seeds do not.
    let whole = arguments.scenarios.is_empty() && arguments.seeds.is_none();
    // One shard of many has not seen everything.
    let is_alone = results.work.shard.is_none();
    let coverage_required = whole && is_alone && ended.early.is_none() && canary.is_none();
    let work = results.work;
    let told = results.failures.tell(|plan| again(work, plan, canary));
    sweep_diverged::show(results, |plan| again(work, plan, canary));
    let circumstances = Circumstances {
        promises: &promises,
        wall_seconds: ended.wall_seconds,
        asked: Some(ended.asked),
        ended_early: ended.early,
        coverage_required,
    };
    let text = summary(&results.tally, circumstances);
    results.directory.write_summary(&text)?;
    results.directory.write_conclusion(&Conclusion {
        format: CONCLUSION_FORMAT,
        asked: ended.asked,
        ended_early: ended.early.map(str::to_owned),
        is_whole: whole,
        coverage_required,
        wall_seconds: ended.wall_seconds,
        promises: promises.iter().map(|(id, words)| ((*id).into(), (*words).into())).collect(),
        marks: results.tally.marks.keys().cloned().collect(),
        required: results.tally.required.iter().cloned().collect(),
    })?;
    StoredRun::open(results.directory.path())?.write_reports()?;
    if arguments.format == Format::Human {
        show(results, &text);
    }
    last_words(arguments, canary, results);
    if ended.early.is_some() {
        let directory = results.directory.path().display();
        warn(&format!("sweep: the same command with `--out {directory} --resume` goes on"));
    }
    let mut code = results.tally.exit_code().worse(told);
    if coverage_required && !results.tally.gaps().is_empty() {
        code = code.worse(ExitCode::Coverage);
    }
    if ended.early.is_some() {
        code = code.worse(ExitCode::Incomplete);
    }
    Ok(code)
}

/// The run of a failure once more.
fn again(work: &super::sweep::Work, plan: &FaultPlan, canary: Option<&str>) -> Job {
    let scenario = &work.scenarios[&plan.scenario].scenario;
    let mut job = Job::new(Arc::clone(scenario), plan.seed);
    job.plan = Some(plan.clone());
    job.canary = canary.map(str::to_owned);
    job
}

fn show(results: &Results<'_>, summary: &str) {
    say(summary);
    if let Some(waited) = results.recovery.as_ref().filter(|waited| !waited.is_empty()) {
        let of = |q| waited.value_at_quantile(q) / 1_000;
        say(&format!(
            "clients of a region that went waited, in simulated ms: p50 {}, p99 {}, max {} ({} \
             times)\n",
            of(0.5),
            of(0.99),
            waited.max() / 1_000,
            waited.len(),
        ));
    }
    let path = results.directory.path();
    say(&format!("run directory: {}\n", path.display()));
    say(&format!("report: {}\n", path.join("report.html").display()));
}

fn last_words(arguments: &Sweep, canary: Option<&str>, results: &Results<'_>) {
    if let Some(last) = results.failures.epilogue(&results.tally, canary) {
        match arguments.format {
            Format::Human => say(&format!("\n{last}")),
            Format::Json => warn(&last),
        }
    } else if results.tally.failures() > 0 {
        warn(&format!("see outcomes.jsonl; run one seed again with `{} run`", invocation(canary)));
    }
}
