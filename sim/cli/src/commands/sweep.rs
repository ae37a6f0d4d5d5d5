//! `billsim sweep`: many seeds, a progress bar, a verdict, a run directory.

use crate::arguments::{Format, Seeds, Sweep};
use crate::commands::sweep_end::{Ended, conclude};
use crate::context::{jobs, say};
use crate::corpus::{Corpus, Loaded};
use crate::failures::Failures;
use crate::progress::Progress;
use crate::run_directory::RunDirectory;
use crate::tool_error::ToolError;
use crate::{identity, interrupt, wall_clock};
use billsim_engine::sweep::{Settings, sweep as run_jobs};
use billsim_engine::{Arm, Job, RunResult};
use billsim_record::manifest::{MANIFEST_FORMAT, SeedPlan};
use billsim_record::{ExitCode, FaultPlan, Manifest, Verdict, document};
use billsim_reports::Tally;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What a sweep will run.
pub(super) struct Work {
    pub(super) scenarios: BTreeMap<String, Loaded>,
    regressions: Vec<FaultPlan>,
    seeds: Vec<(String, Seeds)>,
}

/// What a sweep gathers.
pub(super) struct Results<'a> {
    pub(super) work: &'a Work,
    pub(super) tally: Tally,
    pub(super) failures: Failures,
    latency: BTreeMap<String, Histogram<u64>>,
    /// How long clients behind an edge waited when their region went.
    pub(super) recovery: Option<Histogram<u64>>,
    /// Hashes of seeds whose second run is still to come.
    first_hash: BTreeMap<(String, u64), String>,
    pub(super) directory: RunDirectory,
    format: Format,
    broken: Option<ToolError>,
}

pub(crate) fn sweep(arguments: &Sweep, canary: Option<&str>) -> Result<ExitCode, ToolError> {
    let work = plan_work(arguments)?;
    let stop = interrupt::watch()?;
    let directory = RunDirectory::create(arguments.out.as_deref(), &manifest(&work, canary)?)?;
    let mut results = Results {
        tally: known_tally(&work),
        work: &work,
        failures: Failures::default(),
        latency: BTreeMap::new(),
        recovery: None,
        first_hash: BTreeMap::new(),
        directory,
        format: arguments.format,
        broken: None,
    };
    let asked = work.regressions.len() as u64
        + work.seeds.iter().map(|(_, seeds)| seeds.to - seeds.from).sum::<u64>();
    let started = wall_clock::now();
    let ended_early = run(arguments, canary, &stop, &mut results, asked, started);
    if let Some(error) = results.broken {
        return Err(error);
    }
    for (scenario, histogram) in &results.latency {
        results.directory.write_latency(scenario, histogram)?;
    }
    let wall_seconds = started.elapsed().as_secs_f64();
    conclude(arguments, canary, &mut results, Ended { asked, wall_seconds, early: ended_early })
}

fn plan_work(arguments: &Sweep) -> Result<Work, ToolError> {
    let corpus = Corpus::find()?;
    let mut seeds = Vec::new();
    let profiles = corpus.profiles()?;
    let profile = profiles.0.get(&arguments.profile).ok_or_else(|| {
        let known: Vec<&str> = profiles.0.keys().map(String::as_str).collect();
        ToolError::usage(format!(
            "no profile '{}'; known are {}",
            arguments.profile,
            known.join(", ")
        ))
    })?;
    for run in &profile.runs {
        let range = Seeds { from: run.first, to: run.first + run.seeds };
        seeds.push((run.scenario.clone(), range));
    }
    if !arguments.scenarios.is_empty() {
        let of_profile = |name: &String| seeds.iter().find(|(n, _)| n == name).map(|(_, s)| *s);
        let default = Seeds { from: 0, to: 100 };
        let named = arguments.scenarios.iter();
        seeds = named.map(|name| (name.clone(), of_profile(name).unwrap_or(default))).collect();
    }
    if let Some(range) = arguments.seeds {
        seeds.iter_mut().for_each(|(_, seeds)| *seeds = range);
    }
    let regressions =
        if arguments.without_regressions { Vec::new() } else { corpus.regressions()? };
    let mut scenarios = BTreeMap::new();
    let names = seeds.iter().map(|(name, _)| name);
    for name in names.chain(regressions.iter().map(|plan| &plan.scenario)) {
        if !scenarios.contains_key(name) {
            scenarios.insert(name.clone(), corpus.scenario(name)?);
        }
    }
    Ok(Work { scenarios, regressions, seeds })
}

fn manifest(work: &Work, canary: Option<&str>) -> Result<Manifest, ToolError> {
    let hash = |loaded: &Loaded| identity::hash(loaded.text.as_bytes());
    Ok(Manifest {
        format: MANIFEST_FORMAT,
        argv: std::env::args().collect(),
        commit: identity::commit(),
        binary_hash: identity::binary_hash()?,
        lock_hash: identity::lock_hash(),
        scenario_hashes: work.scenarios.iter().map(|(name, l)| (name.clone(), hash(l))).collect(),
        plan: work
            .seeds
            .iter()
            .map(|(scenario, seeds)| SeedPlan {
                scenario: scenario.clone(),
                seeds_from: seeds.from,
                seeds_to: seeds.to,
            })
            .collect(),
        canary: canary.map(str::to_owned),
    })
}

/// A tally that knows what must not stay silent.
fn known_tally(work: &Work) -> Tally {
    let oracles = billsim_engine::oracles().map(|(id, _)| id);
    let mut tally = Tally::knowing(oracles, billsim_engine::marks::catalogue());
    for (name, _) in &work.seeds {
        for kind in &work.scenarios[name].scenario.require {
            tally.require(kind.name());
        }
    }
    tally
}

/// Every job of a sweep: regressions first, then seeds; some of them a second time, with each
/// node as a task of its own.
fn all_jobs<'a>(
    work: &'a Work,
    share: u8,
    canary: Option<&'a str>,
) -> impl Iterator<Item = Job> + 'a {
    let job = move |name: &str, seed: u64| {
        let mut job = Job::new(Arc::clone(&work.scenarios[name].scenario), seed);
        job.canary = canary.map(str::to_owned);
        job
    };
    let regressions = work.regressions.iter().map(move |plan| {
        let mut job = job(&plan.scenario, plan.seed);
        job.plan = Some(plan.clone());
        job
    });
    let seeds = work.seeds.iter().flat_map(move |(name, seeds)| {
        (seeds.from..seeds.to).enumerate().flat_map(move |(place, seed)| {
            let first = job(name, seed);
            let is_checked =
                share > 0 && (place as u64 * u64::from(share)) % 100 < u64::from(share);
            let second = is_checked.then(|| Job { arm: Arm::Tasks, ..first.clone() });
            std::iter::once(first).chain(second)
        })
    });
    regressions.chain(seeds)
}

fn run(
    arguments: &Sweep,
    canary: Option<&str>,
    stop: &AtomicBool,
    results: &mut Results<'_>,
    asked: u64,
    started: Instant,
) -> Option<&'static str> {
    let work = results.work;
    let settings = Settings { jobs: jobs(arguments.jobs), wall_limit: arguments.seed_limit };
    let over = AtomicBool::new(false);
    let all = all_jobs(work, arguments.check_determinism, canary);
    let mut progress = Progress::new(arguments.show_progress, asked);
    let mut why = None;
    let progress_cell = std::cell::RefCell::new(&mut progress);
    let results_cell = std::cell::RefCell::new(results);
    let ended = std::cell::RefCell::new(&mut why);
    let look = || {
        let results = results_cell.borrow();
        let reason = if stop.load(Ordering::Relaxed) {
            Some("interrupted")
        } else if arguments.budget.is_some_and(|budget| started.elapsed() >= budget) {
            Some("the budget is over")
        } else if arguments.fail_fast.is_some_and(|n| results.tally.failures() >= n) {
            Some("enough seeds failed")
        } else {
            results.broken.as_ref().map(|_| "the run directory cannot be written")
        };
        if let Some(reason) = reason {
            ended.borrow_mut().get_or_insert(reason);
            over.store(true, Ordering::Relaxed);
        }
        progress_cell.borrow_mut().update(&results.tally);
    };
    run_jobs(
        all,
        settings,
        &over,
        |result| {
            results_cell.borrow_mut().take(&result);
            look();
        },
        look,
    );
    progress.finish();
    why
}

impl Results<'_> {
    fn take(&mut self, result: &RunResult) {
        if let Err(error) = self.try_take(result) {
            self.broken.get_or_insert(error);
        }
    }

    fn try_take(&mut self, result: &RunResult) -> Result<(), ToolError> {
        let mut result = result.clone();
        let key = (result.outcome.scenario.clone(), result.outcome.seed);
        // A given plan is another run than the seed's own.
        if result.is_planned {
            return self.record(&result);
        }
        // The pair of a seed that was run twice, whichever came first.
        if let Some(other) = self.first_hash.remove(&key) {
            if other == result.outcome.trace_hash {
                return Ok(());
            }
            result.outcome.verdict = Verdict::Nondeterminism;
            result.outcome.stuck =
                vec![format!("the same seed gave trace {other} and {}", result.outcome.trace_hash)];
        }
        self.first_hash.insert(key, result.outcome.trace_hash.clone());
        self.record(&result)
    }

    fn record(&mut self, result: &RunResult) -> Result<(), ToolError> {
        let outcome = &result.outcome;
        self.directory.append(outcome)?;
        if self.format == Format::Json {
            say(&document::line(outcome));
        }
        self.tally.add(outcome);
        let histogram = self.latency.entry(outcome.scenario.clone());
        let histogram = histogram.or_insert_with(|| result.write_latency.clone());
        histogram.add(&result.write_latency).map_err(ToolError::tool)?;
        match &mut self.recovery {
            Some(recovery) => recovery.add(&result.recovery).map_err(ToolError::tool)?,
            None => self.recovery = Some(result.recovery.clone()),
        }
        self.failures.keep(&self.directory, result, &self.work.scenarios[&outcome.scenario])
    }
}
