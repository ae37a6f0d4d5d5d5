//! `billsim unmask`: seeds that hold are run again without what repairs: no restart, and a last cut
//! that does not heal. What fails only then was masked by a fault.

use crate::arguments::{Format, Unmask};
use crate::context::{invocation, jobs, say, warn};
use crate::corpus::{Corpus, Loaded};
use crate::interrupt;
use crate::run_directory::RunDirectory;
use crate::story;
use crate::tool_error::ToolError;
use billsim_engine::sweep::{Settings, sweep};
use billsim_engine::{Job, RunResult, plan};
use billsim_record::{ExitCode, Fault, FaultPlan, Verdict};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// CPU time after which a run is ended.
const SEED_LIMIT: Duration = Duration::from_secs(60);

/// What the seeds of a scenario came to.
#[derive(Debug, Default, Serialize)]
struct Found {
    scenario: String,
    /// Seeds that held as they are.
    green: u64,
    /// Seeds that did not.
    red: u64,
    /// Runs without restarts, or with a cut that stays.
    unmasked: u64,
    /// Those of them that failed: where, with the oracle.
    masked: Vec<(String, String)>,
}

pub(crate) fn unmask(arguments: &Unmask, canary: Option<&str>) -> Result<ExitCode, ToolError> {
    let stop = interrupt::watch()?;
    let corpus = Corpus::find()?;
    let mut code = ExitCode::Held;
    let mut unmasked = 0;
    for name in &arguments.scenarios {
        let loaded = corpus.scenario(name)?;
        let (found, worst) = of_scenario(arguments, &loaded, canary, &stop)?;
        show(arguments.format, &found, canary)?;
        unmasked += found.unmasked;
        code = code.worse(worst);
    }
    if stop.load(Ordering::Relaxed) {
        return Ok(code.worse(ExitCode::Incomplete));
    }
    Ok(if unmasked == 0 { code.worse(ExitCode::Coverage) } else { code })
}

fn of_scenario(
    arguments: &Unmask,
    loaded: &Loaded,
    canary: Option<&str>,
    stop: &AtomicBool,
) -> Result<(Found, ExitCode), ToolError> {
    let scenario = &loaded.scenario;
    let mut found = Found { scenario: scenario.name.clone(), ..Found::default() };
    let mut code = ExitCode::Held;
    let job =
        |seed| Job { canary: canary.map(str::to_owned), ..Job::new(Arc::clone(scenario), seed) };
    let settings = Settings { jobs: jobs(arguments.jobs), time_limit: SEED_LIMIT };
    let mut again = Vec::new();
    let seeds = arguments.seeds.from..arguments.seeds.to;
    let take = |result: RunResult| {
        if result.outcome.verdict != Verdict::Held {
            found.red += 1;
            code = code.worse(result.outcome.verdict.exit_code());
            return;
        }
        found.green += 1;
        let safety_ms = u64::from(scenario.phases.safety_s) * 1_000;
        let plans = without_repairs(&result.plan, safety_ms);
        let is_legal = |plan: &FaultPlan| plan::check(plan, &scenario.cluster).is_ok();
        again.extend(plans.into_iter().filter(is_legal));
    };
    sweep(seeds.map(job), settings, stop, take, || {});
    let mut failed = Vec::new();
    let planned = |plan: FaultPlan| Job { plan: Some(plan.clone()), ..job(plan.seed) };
    let take = |result: RunResult| {
        found.unmasked += 1;
        if result.outcome.verdict != Verdict::Held {
            failed.push(result);
        }
    };
    sweep(again.into_iter().map(planned), settings, stop, take, || {});
    for (number, result) in (1..).zip(&failed) {
        code = code.worse(result.outcome.verdict.exit_code());
        let place = format!("{}-{}-{number}", scenario.name.replace('/', "-"), result.outcome.seed);
        let directory = arguments.out.join(place);
        RunDirectory::keep_result(&directory, result, loaded)?;
        let told = story::keep(&directory, &planned(result.plan.clone()), &result.outcome);
        code = code.worse(told.code);
        let oracle = result.outcome.failure.as_ref().map(|failure| failure.oracle.clone());
        found.masked.push((directory.display().to_string(), oracle.unwrap_or_default()));
    }
    Ok((found, code))
}

/// The same plan without restarts, and that with a last cut that lasts as long as the load. A
/// plan that has neither gives none.
fn without_repairs(plan: &FaultPlan, safety_ms: u64) -> Vec<FaultPlan> {
    let mut calm = plan.clone();
    calm.faults.retain(|planned| !restarts(&planned.fault));
    let mut cut = calm.clone();
    let last = cut.faults.iter_mut().rfind(|planned| heals(&planned.fault));
    let is_cut = last.is_some_and(|last| {
        let left = safety_ms.saturating_sub(last.at_ms);
        let is_longer = left > last.for_ms;
        last.for_ms = last.for_ms.max(left);
        is_longer
    });
    let is_calm = calm.faults.len() < plan.faults.len();
    is_calm.then_some(calm).into_iter().chain(is_cut.then_some(cut)).collect()
}

/// Whether a node begins a new life after it.
fn restarts(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::PowerCut { .. }
            | Fault::Kill { .. }
            | Fault::Restart { .. }
            | Fault::PowerCutAtWrite { .. }
            | Fault::CrashPoint { .. }
            | Fault::PowerCutAll
            | Fault::RegionDark { .. }
            | Fault::RegionWiped { .. }
            | Fault::ZoneDark { .. }
            | Fault::Wipe { .. }
            | Fault::Rollback { .. }
    )
}

/// Whether it separates nodes and lets them meet again.
fn heals(fault: &Fault) -> bool {
    matches!(fault, Fault::Cut { .. } | Fault::Isolate { .. } | Fault::RegionCut { .. })
}

fn show(format: Format, found: &Found, canary: Option<&str>) -> Result<(), ToolError> {
    if format == Format::Json {
        let line = serde_json::to_string(found).map_err(ToolError::tool)?;
        say(&format!("{line}\n"));
        return Ok(());
    }
    let Found { scenario, green, red, unmasked, masked } = found;
    let failed = masked.len();
    say(&format!(
        "{scenario}: {green} seeds held; {unmasked} more runs without what repairs, {failed} of \
         them failed\n"
    ));
    for (directory, oracle) in masked {
        say(&format!("  {oracle:<4} {} replay {directory}\n", invocation(canary)));
    }
    if *red > 0 {
        warn(&format!("unmask: {red} seeds of {scenario} fail as they are: sweep shows them"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::without_repairs;
    use billsim_record::{Fault, FaultPlan, NodeNumber, PlannedFault};

    #[test]
    fn restarts_go_and_the_last_cut_stays() {
        let node = NodeNumber::at(1);
        let planned = |at_ms, fault| PlannedFault { at_ms, for_ms: 500, fault };
        let cuts =
            [planned(1_000, Fault::Isolate { node }), planned(4_000, Fault::Isolate { node })];
        let all = [cuts[0], planned(2_000, Fault::Kill { node }), cuts[1]];
        let plan = |faults: &[PlannedFault]| FaultPlan::new("s".to_owned(), 7, faults.to_vec());
        let stays = PlannedFault { for_ms: 6_000, ..cuts[1] };
        let found = without_repairs(&plan(&all), 10_000);
        assert_eq!(found, [plan(&cuts), plan(&[cuts[0], stays])]);
        assert_eq!(without_repairs(&plan(&[stays]), 10_000), [], "nothing repairs here");
        assert_eq!(without_repairs(&plan(&[]), 10_000), []);
    }
}
