//! One file per command.

mod bench;
mod bench_compare;
mod bisect;
mod bisect_judge;
mod canary;
mod corpus;
mod crash_points;
mod crash_report;
mod diff;
mod doctor;
mod explain;
mod gate;
mod gate_recheck;
mod guide;
mod list;
mod manual;
mod merge;
mod mutate;
mod prune;
mod replay;
mod report;
mod run;
mod schema;
mod show;
mod shrink;
mod shrink_progress;
mod shrink_trials;
mod sweep;
mod sweep_diverged;
mod sweep_end;
mod sweep_plan;
mod sweep_resume;
mod unmask;
mod vary;

use crate::arguments::{Arguments, Command};
use crate::context::{self, plant, warn};
use crate::tool_error::ToolError;
use billsim_record::ExitCode;

/// Runs a command; an error is told here.
pub(crate) fn dispatch(arguments: Arguments) -> ExitCode {
    context::paint(arguments.color);
    let canary = arguments.canary.as_deref();
    let result = plant(canary).and_then(|()| match arguments.command {
        Command::Sweep(sweep) => sweep::sweep(&sweep, canary),
        Command::Merge(merge) => merge::merge(&merge),
        Command::Run(run) => run::run(&run, canary),
        Command::CrashPoints(points) => crash_points::crash_points(&points, canary),
        Command::Report(report) => report::report(&report),
        Command::Gate(gate) => gate::gate(&gate),
        Command::Replay(replay) => replay::replay(&replay, canary),
        Command::Explain(explain) => explain::explain(&explain, canary),
        Command::Show(show) => show::show(&show, canary),
        Command::Diff(diff) => diff::diff(&diff),
        Command::Bisect(bisect) => bisect::bisect(&bisect, canary),
        Command::Shrink(shrink) => shrink::shrink(&shrink, canary),
        Command::Guide(guide) => guide::guide(&guide),
        Command::Prune(prune) => prune::prune(&prune),
        Command::Corpus(corpus) => corpus::corpus(&corpus, canary),
        Command::Bench(bench) => bench::bench(&bench),
        Command::Canary(canary) => canary::canary(&canary),
        Command::Mutate(mutate) => mutate::mutate(&mutate),
        Command::Unmask(unmask) => unmask::unmask(&unmask, canary),
        Command::List(list) => list::list(&list),
        Command::Doctor => doctor::doctor(),
        Command::Schema(schema) => schema::schema(&schema),
        Command::Completions(completions) => Ok(manual::completions(&completions)),
        Command::Man(man) => manual::man(&man),
    });
    result.unwrap_or_else(|error: ToolError| {
        warn(&format!("billsim: {error}"));
        error.code
    })
}
