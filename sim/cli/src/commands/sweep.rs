//! `billsim sweep`: many seeds, a progress bar, a verdict, a run directory.

use crate::arguments::{Format, Seeds, Sweep};
use crate::commands::sweep_end::{Ended, conclude};
use crate::commands::sweep_plan::{choose, show_origin};
use crate::commands::sweep_resume::Done;
use crate::context::{jobs, say};
use crate::corpus::{Corpus, Loaded};
use crate::failures::Failures;
use crate::progress::Progress;
use crate::run_directory::{RunDirectory, named};
use crate::shard::ShardOption;
use crate::tool_error::ToolError;
use crate::{identity, interrupt, waivers, wall_clock};
use billsim_engine::sweep::{Settings, sweep as run_jobs};
use billsim_engine::{Arm, Job, RunResult};
use billsim_record::manifest::{MANIFEST_FORMAT, SeedPlan};
use billsim_record::{ExitCode, FaultPlan, Manifest, Shard, Verdict, Waiver, document};
use billsim_reports::Tally;
use hdrhistogram::Histogram;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often a sweep notes how far it is.
const STORE_EVERY: Duration = Duration::from_secs(10);

/// What a sweep will run.
pub(super) struct Work {
    pub(super) scenarios: BTreeMap<String, Loaded>,
    pub(super) regressions: Vec<FaultPlan>,
    seeds: Vec<(String, Seeds)>,
    /// Which part of it runs here; all of it without.
    pub(super) shard: Option<Shard>,
    /// Known failures that do not count.
    waivers: Vec<Waiver>,
}

impl Work {
    /// Whether the run at this place runs here: plans first, then seeds.
    fn is_mine(&self, place: u64) -> bool {
        self.shard.is_none_or(|shard| shard.holds(place))
    }

    /// How many run here.
    fn asked(&self) -> u64 {
        let seeds: u64 = self.seeds.iter().map(|(_, seeds)| seeds.to - seeds.from).sum();
        let all = self.regressions.len() as u64 + seeds;
        (0..all).filter(|place| self.is_mine(*place)).count() as u64
    }

    /// Every seed, in the order in which they run.
    fn each(&self) -> impl Iterator<Item = (&str, u64)> {
        self.seeds
            .iter()
            .flat_map(|(name, seeds)| (seeds.from..seeds.to).map(move |seed| (name.as_str(), seed)))
    }

    /// Seeds that run twice: an even share of all of them.
    fn checked(&self, percent: u8) -> BTreeSet<(String, u64)> {
        let percent = u64::from(percent);
        let is_checked = |place: u64| (place * percent) % 100 < percent;
        let checked = (0..).zip(self.each()).filter(|(place, _)| is_checked(*place));
        checked.map(|(_, (name, seed))| (name.to_owned(), seed)).collect()
    }
}

/// What a sweep gathers.
pub(super) struct Results<'a> {
    pub(super) work: &'a Work,
    pub(super) tally: Tally,
    pub(super) failures: Failures,
    pub(super) latency: BTreeMap<String, Histogram<u64>>,
    /// How long clients behind an edge waited when their region went.
    pub(super) recovery: Option<Histogram<u64>>,
    /// Hashes of seeds whose second run is still to come.
    pub(super) first_hash: BTreeMap<(String, u64), String>,
    /// Second runs that ended before the first one: which one ends first is chance, and only the
    /// first was judged by both checkers.
    early: BTreeMap<(String, u64), RunResult>,
    /// What ran before.
    pub(super) done: Done,
    /// Seeds that run twice.
    checked: BTreeSet<(String, u64)>,
    pub(super) directory: RunDirectory,
    format: Format,
    broken: Option<ToolError>,
}

pub(crate) fn sweep(arguments: &Sweep, canary: Option<&str>) -> Result<ExitCode, ToolError> {
    let corpus = Corpus::find()?;
    if arguments.show_origin {
        return show_origin(arguments, &corpus);
    }
    let work = plan_work(arguments, &corpus, canary)?;
    let stop = interrupt::watch()?;
    let manifest = manifest(&work, arguments.check_determinism, canary)?;
    let out = arguments.out.as_deref();
    let out = out.map(|out| named(out, work.shard, manifest.commit.as_deref())).transpose()?;
    let (directory, checkpoint) = match &out {
        Some(out) if arguments.resume && out.join("manifest.json").is_file() => {
            RunDirectory::resume(out, &manifest)?
        }
        out => (RunDirectory::create(out.as_deref(), &manifest)?, None),
    };
    let mut results = Results::new(&work, arguments, directory);
    let before = match checkpoint {
        Some(checkpoint) => results.restore(&checkpoint)?,
        None => Duration::ZERO,
    };
    let asked = work.asked();
    let started = Started { at: wall_clock::now(), before };
    let ended_early = run(arguments, canary, &stop, &mut results, asked, started)?;
    if let Some(error) = results.broken {
        return Err(error);
    }
    results.checkpoint(started.elapsed())?;
    for (scenario, histogram) in &results.latency {
        results.directory.write_latency(scenario, histogram)?;
    }
    let wall_seconds = started.elapsed().as_secs_f64();
    conclude(arguments, canary, &mut results, Ended { asked, wall_seconds, early: ended_early })
}

/// When it began, and how long it had run before it was interrupted.
#[derive(Debug, Clone, Copy)]
struct Started {
    at: Instant,
    before: Duration,
}

impl Started {
    fn elapsed(self) -> Duration {
        self.before + self.at.elapsed()
    }
}

fn plan_work(arguments: &Sweep, corpus: &Corpus, canary: Option<&str>) -> Result<Work, ToolError> {
    let seeds = choose(arguments, corpus)?.into_iter().map(|one| (one.scenario, one.seeds));
    let seeds: Vec<(String, Seeds)> = seeds.collect();
    let regressions =
        if arguments.without_regressions { Vec::new() } else { corpus.regressions()? };
    let mut scenarios = BTreeMap::new();
    let names = seeds.iter().map(|(name, _)| name);
    for name in names.chain(regressions.iter().map(|plan| &plan.scenario)) {
        if !scenarios.contains_key(name) {
            scenarios.insert(name.clone(), corpus.scenario(name)?);
        }
    }
    let shard = arguments.shard.map(ShardOption::decide).transpose()?;
    // What a planted bug breaks may look like a known failure.
    let waivers = if arguments.without_waivers || canary.is_some() {
        Vec::new()
    } else {
        waivers::read(arguments.waivers.as_deref(), corpus)?.all().cloned().collect()
    };
    Ok(Work { scenarios, regressions, seeds, shard, waivers })
}

fn manifest(work: &Work, percent: u8, canary: Option<&str>) -> Result<Manifest, ToolError> {
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
        regressions_hash: match work.regressions.as_slice() {
            [] => String::new(),
            plans => {
                identity::hash(plans.iter().map(document::line).collect::<String>().as_bytes())
            }
        },
        checked_percent: percent,
        shard: work.shard,
        waivers: work.waivers.clone(),
        toolchain: identity::TOOLCHAIN.to_owned(),
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
    work.waivers.iter().for_each(|waiver| tally.waive(waiver));
    tally
}

/// Every job of a sweep: regressions first, then seeds. Some seeds are checked: both judges look
/// at the run, and it takes place a second time, with each node as a task of its own.
fn all_jobs<'a>(
    work: &'a Work,
    checked: &'a BTreeSet<(String, u64)>,
    done: &'a Done,
    canary: Option<&'a str>,
) -> impl Iterator<Item = Job> + 'a {
    let job = move |name: &str, seed: u64| {
        let mut job = Job::new(Arc::clone(&work.scenarios[name].scenario), seed);
        job.canary = canary.map(str::to_owned);
        job
    };
    let regressions = work.regressions.iter().enumerate();
    let regressions =
        regressions.filter(|(place, _)| work.is_mine(*place as u64) && !done.plans.contains(place));
    let regressions = regressions.map(move |(_, plan)| {
        let mut job = job(&plan.scenario, plan.seed);
        job.plan = Some(plan.clone());
        job.second = true;
        job
    });
    let plans = work.regressions.len() as u64;
    let mine = (plans..).zip(work.each()).filter(|(place, _)| work.is_mine(*place));
    let seeds = mine.flat_map(move |(_, (name, seed))| {
        let key = (name.to_owned(), seed);
        let is_done = done.seeds.contains(&key);
        let is_checked = checked.contains(&key);
        let first = (!is_done).then(|| Job { second: is_checked, ..job(name, seed) });
        let is_wanted = is_checked && (!is_done || done.unpaired.contains(&key));
        let again = is_wanted.then(|| Job { arm: Arm::Tasks, ..job(name, seed) });
        first.into_iter().chain(again)
    });
    regressions.chain(seeds)
}

fn run(
    arguments: &Sweep,
    canary: Option<&str>,
    stop: &AtomicBool,
    results: &mut Results<'_>,
    asked: u64,
    started: Started,
) -> Result<Option<&'static str>, ToolError> {
    let work = results.work;
    let told = interrupt::asked()?;
    let settings = Settings { jobs: jobs(arguments.jobs), time_limit: arguments.seed_limit };
    let over = AtomicBool::new(false);
    let (checked, done) = (results.checked.clone(), results.done.clone());
    let all = all_jobs(work, &checked, &done, canary);
    let mut progress = Progress::new(arguments.show_progress, asked);
    let mut why = None;
    let progress_cell = std::cell::RefCell::new(&mut progress);
    let results_cell = std::cell::RefCell::new(results);
    let ended = std::cell::RefCell::new(&mut why);
    let look = || {
        let results = results_cell.borrow();
        let reason = if stop.load(Ordering::Relaxed) {
            Some("interrupted")
        } else if arguments.budget.is_some_and(|budget| started.at.elapsed() >= budget) {
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
        let mut progress = progress_cell.borrow_mut();
        progress.update(&results.tally);
        if told.swap(false, Ordering::Relaxed) {
            progress.tell(&results.tally, asked, started.elapsed());
        }
    };
    let mut stored = wall_clock::now();
    run_jobs(
        all,
        settings,
        &over,
        |result| {
            results_cell.borrow_mut().take(&result);
            if stored.elapsed() >= STORE_EVERY {
                results_cell.borrow_mut().store(started.elapsed());
                stored = wall_clock::now();
            }
            look();
        },
        look,
    );
    progress.finish();
    Ok(why)
}

impl<'a> Results<'a> {
    fn new(work: &'a Work, arguments: &Sweep, directory: RunDirectory) -> Self {
        Self {
            tally: known_tally(work),
            work,
            failures: Failures::default(),
            latency: BTreeMap::new(),
            recovery: None,
            first_hash: BTreeMap::new(),
            early: BTreeMap::new(),
            done: Done::default(),
            checked: work.checked(arguments.check_determinism),
            directory,
            format: arguments.format,
            broken: None,
        }
    }

    fn take(&mut self, result: &RunResult) {
        if let Err(error) = self.try_take(result) {
            self.broken.get_or_insert(error);
        }
    }

    /// Notes how far it is.
    fn store(&mut self, elapsed: Duration) {
        if let Err(error) = self.checkpoint(elapsed) {
            self.broken.get_or_insert(error);
        }
    }

    fn try_take(&mut self, result: &RunResult) -> Result<(), ToolError> {
        let mut result = result.clone();
        let key = (result.outcome.scenario.clone(), result.outcome.seed);
        // A given plan is another run than the seed's own.
        if result.is_planned {
            let place = self.work.regressions.iter().position(|plan| *plan == result.plan);
            self.done.plans.extend(place);
            return self.record(&result);
        }
        let is_second = result.arm == Arm::Tasks && self.checked.contains(&key);
        if is_second && !self.first_hash.contains_key(&key) {
            self.early.insert(key, result);
            return Ok(());
        }
        // The pair of a seed that was run twice.
        if let Some(other) = self.first_hash.remove(&key) {
            if other == result.outcome.trace_hash {
                return Ok(());
            }
            result.outcome.verdict = Verdict::Nondeterminism;
            result.outcome.stuck =
                vec![format!("the same seed gave trace {other} and {}", result.outcome.trace_hash)];
        }
        if self.checked.contains(&key) && !is_second {
            self.first_hash.insert(key.clone(), result.outcome.trace_hash.clone());
        }
        self.record(&result)?;
        match self.early.remove(&key) {
            Some(second) => self.try_take(&second),
            None => Ok(()),
        }
    }

    fn record(&mut self, result: &RunResult) -> Result<(), ToolError> {
        let outcome = &result.outcome;
        self.directory.append(outcome)?;
        if self.format == Format::Json {
            say(&document::line(outcome));
        }
        self.tally.add(outcome);
        let histogram = self.latency.entry(outcome.scenario.clone());
        let histogram = histogram.or_insert_with(|| Histogram::new_from(&result.write_latency));
        histogram.add(&result.write_latency).map_err(ToolError::tool)?;
        match &mut self.recovery {
            Some(recovery) => recovery.add(&result.recovery).map_err(ToolError::tool)?,
            None => self.recovery = Some(result.recovery.clone()),
        }
        self.failures.keep(&self.directory, result, &self.work.scenarios[&outcome.scenario])
    }
}

#[cfg(test)]
mod tests {
    use super::{Arm, Corpus, Job, Results, RunDirectory, manifest, plan_work};
    use crate::arguments::{Arguments, Command};
    use billsim_engine::sweep::run_one;
    use clap::Parser;
    use std::fs;
    use std::sync::Arc;

    #[test]
    fn what_is_stored_of_a_pair_does_not_depend_on_which_ends_first() {
        let words = "billsim sweep smoke/steady --seeds 1..2 --check-determinism 100% \
                     --without-regressions";
        let arguments = Arguments::try_parse_from(words.split_whitespace()).unwrap();
        let Command::Sweep(arguments) = arguments.command else { panic!("it is a sweep") };
        let work = plan_work(&arguments, &Corpus::find().unwrap(), None).unwrap();
        let manifest = manifest(&work, 100, None).unwrap();
        let job = Job::new(Arc::clone(&work.scenarios["smoke/steady"].scenario), 1);
        let first = run_one(Job { second: true, ..job.clone() }).unwrap();
        let second = run_one(Job { arm: Arm::Tasks, ..job }).unwrap();
        let stored = [[&first, &second], [&second, &first]].map(|pair| {
            let directory = tempfile::tempdir().unwrap();
            let run = RunDirectory::create(Some(directory.path()), &manifest).unwrap();
            let mut results = Results::new(&work, &arguments, run);
            pair.iter().for_each(|result| results.take(result));
            assert!(results.first_hash.is_empty() && results.early.is_empty(), "it is a pair");
            fs::read_to_string(directory.path().join("outcomes.jsonl")).unwrap()
        });
        assert!(stored[0].contains("second_checker"), "{}", stored[0]);
        assert_eq!(stored[0].lines().count(), 1);
        assert_eq!(stored[0], stored[1]);
    }
}
