//! `billsim mutate`: how many changes of the node's source a sweep sees, module by module.

use crate::arguments::{Format, Mutate};
use crate::context::{jobs, say, warn};
use crate::corpus::Corpus;
use crate::interrupt;
use crate::machine::git::{self, Worktree};
use crate::mutation::build::{Built, Workshop};
use crate::mutation::listing::{Drawn, Sample, draw};
use crate::mutation::reach::Reach;
use crate::mutation::trial::{Trials, Tried};
use crate::tool_error::ToolError;
use billsim_gate::{Equivalents, MutantEnd, MutantShown, scores, table};
use billsim_record::{ExitCode, Shard};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The results, a line each, in the directory of a run.
const RESULTS: &str = "mutants.jsonl";
/// What the run is about, beside them: written once the build is done.
const PLAN: &str = "mutate.json";
/// What the original reaches.
const ORIGINAL: &str = "original.json";
/// The binary with all mutants.
const BINARY: &str = "billsim";
/// The tests with all mutants, a directory.
const TESTS: &str = "tests";

/// What a run is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Plan {
    commit: String,
    sample: usize,
    sample_seed: u64,
    modules: Vec<String>,
    scenarios: Vec<String>,
    seeds: u64,
    shard: Option<Shard>,
    /// For each module: mutants that there are, and those that one build can hold.
    sizes: BTreeMap<String, [usize; 2]>,
    drawn: Vec<Drawn>,
    refused: BTreeSet<u32>,
    /// Whose survivors are tried again, and none else.
    survivors_of: Option<PathBuf>,
}

pub(crate) fn mutate(arguments: &Mutate) -> Result<ExitCode, ToolError> {
    let stop = interrupt::watch()?;
    let root = PathBuf::from(git::said(Path::new("."), &["rev-parse", "--show-toplevel"])?);
    let commit = git::commit(&root, "HEAD")?;
    let equivalents = equivalents(&root)?;
    let out = absolute(&arguments.out)?;
    fs::create_dir_all(&out).map_err(|error| ToolError::write(&out, &error))?;
    let scratch = std::env::temp_dir().join(format!("billsim-mutate-{}", std::process::id()));
    let tree = Worktree::add(&root, &scratch, &commit)?;
    let Some(plan) = prepare(arguments, &out, &tree, commit, &stop)? else {
        return Ok(interrupted());
    };
    let mut trials = Trials {
        binary: out.join(BINARY),
        tests: tests(&out)?,
        tree: tree.path(),
        scratch: &out,
        scenarios: plan.scenarios.clone(),
        seeds: plan.seeds,
        original: Reach::default(),
        limit: arguments.limit,
        stop: &stop,
    };
    let original = out.join(ORIGINAL);
    trials.original = if let Some(known) = Reach::read(&original)? {
        known
    } else {
        warn("mutate: the original first: every seed and every test must hold");
        match trials.run(0)? {
            None => return Ok(interrupted()),
            Some(Tried { end: MutantEnd::Survived, reach, .. }) => {
                reach.keep(&original)?;
                reach
            }
            Some(Tried { oracle, .. }) => {
                let oracle = oracle.unwrap_or_else(|| "a test".to_owned());
                warn(&format!("mutate: without any change {oracle} fails: nothing can be said"));
                return Ok(ExitCode::Safety);
            }
        }
    };
    let is_done = try_all(arguments, &plan, &trials, &equivalents, &out)?;
    show(arguments, &plan, &results(&out)?)?;
    Ok(if is_done { ExitCode::Held } else { interrupted() })
}

fn interrupted() -> ExitCode {
    warn("mutate: interrupted; the same command goes on");
    ExitCode::Incomplete
}

fn absolute(path: &Path) -> Result<PathBuf, ToolError> {
    std::path::absolute(path).map_err(ToolError::tool)
}

/// Mutants that do what the original does.
fn equivalents(root: &Path) -> Result<Equivalents, ToolError> {
    let file = root.join("ci/mutants.toml");
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(ToolError::read(&file, &error)),
    };
    Equivalents::parse(&text)
        .map_err(|error| ToolError::usage(format!("{}: {error}", file.display())))
}

/// Draws the mutants and builds them, or takes up what an earlier call built. `None`: stopped.
fn prepare(
    arguments: &Mutate,
    out: &Path,
    tree: &Worktree,
    commit: String,
    stop: &AtomicBool,
) -> Result<Option<Plan>, ToolError> {
    let shard = arguments.shard.map(|shard| shard.decide()).transpose()?;
    let mut plan = Plan {
        commit,
        sample: arguments.sample,
        sample_seed: arguments.sample_seed,
        modules: arguments.modules.clone(),
        scenarios: scenarios(arguments)?,
        seeds: arguments.seeds,
        shard,
        sizes: BTreeMap::new(),
        drawn: Vec::new(),
        refused: BTreeSet::new(),
        survivors_of: arguments.survivors_of.as_deref().map(absolute).transpose()?,
    };
    let file = out.join(PLAN);
    if let Ok(text) = fs::read_to_string(&file) {
        let known: Plan = serde_json::from_str(&text).map_err(ToolError::tool)?;
        let Plan { sizes, drawn, refused, .. } = known.clone();
        plan = Plan { sizes, drawn, refused, ..plan };
        if plan == known {
            return Ok(Some(plan));
        }
        let out = out.display();
        return Err(ToolError::usage(format!(
            "{out} is about other mutants, seeds or another commit: name another --out"
        )));
    }
    let target = absolute(&arguments.build_dir)?;
    let Sample { drawn, sizes } = draw(tree.path(), &plan.modules, plan.sample, plan.sample_seed)?;
    let is_ours =
        |one: &Drawn| shard.is_none_or(|shard| (one.number - 1) % shard.of + 1 == shard.number);
    (plan.drawn, plan.sizes) = (drawn.into_iter().filter(is_ours).collect(), sizes);
    if let Some(file) = &plan.survivors_of {
        let survivors = survivors(file)?;
        plan.drawn.retain(|one| survivors.contains(&one.mutant.name));
        let gone = survivors.len() - plan.drawn.len();
        if gone > 0 {
            warn(&format!("mutate: {gone} survivors are not drawn at this commit: lines moved"));
        }
    }
    if plan.drawn.is_empty() {
        return Err(ToolError::usage("no mutant is drawn: another --module, --shard or list"));
    }
    warn(&format!("mutate: {} mutants in one build, in {}", plan.drawn.len(), target.display()));
    let limit = arguments.build_limit;
    let workshop = Workshop { tree: tree.path(), target: &target, limit, stop };
    let Some(built) = workshop.build(&plan.drawn, !arguments.without_tests)? else {
        return Ok(None);
    };
    let Built { binary, tests, refused } = built;
    plan.refused = refused;
    keep(&binary, &out.join(BINARY))?;
    let directory = out.join(TESTS);
    fs::create_dir_all(&directory).map_err(|error| ToolError::write(&directory, &error))?;
    for (number, test) in tests.iter().enumerate() {
        keep(test, &directory.join(number.to_string()))?;
    }
    let text = serde_json::to_string(&plan).map_err(ToolError::tool)?;
    fs::write(&file, text).map_err(|error| ToolError::write(&file, &error))?;
    Ok(Some(plan))
}

fn keep(built: &Path, kept: &Path) -> Result<(), ToolError> {
    fs::copy(built, kept).map(|_| ()).map_err(|error| ToolError::write(kept, &error))
}

/// The tests that [`prepare`] kept.
fn tests(out: &Path) -> Result<Vec<PathBuf>, ToolError> {
    let directory = out.join(TESTS);
    let list = || fs::read_dir(&directory)?.map(|entry| Ok(entry?.path())).collect();
    let tests: std::io::Result<BTreeSet<PathBuf>> = list();
    Ok(tests.map_err(|error| ToolError::read(&directory, &error))?.into_iter().collect())
}

/// Names of those that survived in earlier results.
fn survivors(file: &Path) -> Result<BTreeSet<String>, ToolError> {
    let text = fs::read_to_string(file).map_err(|error| ToolError::read(file, &error))?;
    let shown = MutantShown::read_all(&text)
        .map_err(|error| ToolError::usage(format!("{}: {error}", file.display())))?;
    let survived = shown.into_iter().filter(|one| one.end == MutantEnd::Survived);
    Ok(survived.map(|one| one.mutant).collect())
}

fn scenarios(arguments: &Mutate) -> Result<Vec<String>, ToolError> {
    if !arguments.scenarios.is_empty() {
        return Ok(arguments.scenarios.clone());
    }
    let profiles = Corpus::find()?.profiles()?;
    let smoke = profiles.0.get("smoke").map(|profile| profile.runs.as_slice()).unwrap_or_default();
    Ok(smoke.iter().map(|run| run.scenario.clone()).collect())
}

fn results(out: &Path) -> Result<Vec<MutantShown>, ToolError> {
    let file = out.join(RESULTS);
    let text = fs::read_to_string(&file).unwrap_or_default();
    // A line that was cut off when the machine died is tried again.
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    MutantShown::read_all(whole)
        .map_err(|error| ToolError::usage(format!("{}: {error}", file.display())))
}

/// Tries what has no result yet; `false`: stopped before the end.
fn try_all(
    arguments: &Mutate,
    plan: &Plan,
    trials: &Trials<'_>,
    equivalents: &Equivalents,
    out: &Path,
) -> Result<bool, ToolError> {
    let known: BTreeSet<String> = results(out)?.into_iter().map(|one| one.mutant).collect();
    let left = plan.drawn.iter().filter(|one| !known.contains(&one.mutant.name));
    let left: Vec<&Drawn> = left.collect();
    let file = OpenOptions::new().create(true).append(true).open(out.join(RESULTS));
    let file = Mutex::new(file.map_err(|error| ToolError::write(out, &error))?);
    let next = Arc::new(Mutex::new(left.iter()));
    let take = || next.lock().unwrap_or_else(PoisonError::into_inner).next().copied();
    let work = || -> Result<(), ToolError> {
        while let Some(one) = take() {
            let name = &one.mutant.name;
            let tried = if plan.refused.contains(&one.number) {
                Tried::without_a_seed(MutantEnd::DoesNotBuild)
            } else {
                let Some(tried) = trials.run(one.number)? else { return Ok(()) };
                tried
            };
            let is_equivalent = tried.end == MutantEnd::Survived && equivalents.holds(name);
            let shown = MutantShown {
                mutant: name.clone(),
                module: one.module.clone(),
                end: if is_equivalent { MutantEnd::Equivalent } else { tried.end },
                oracle: tried.oracle,
                seeds: tried.seeds,
                commit: plan.commit.clone(),
            };
            let line = serde_json::to_string(&shown).map_err(ToolError::tool)? + "\n";
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.write_all(line.as_bytes()).map_err(ToolError::tool)?;
            tell(arguments.format, &shown, &line);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs(arguments.jobs)).map(|_| scope.spawn(work)).collect();
        let ended = workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| ToolError::tool("a worker panicked"))?);
        ended.collect::<Result<Vec<()>, ToolError>>()
    })?;
    Ok(!trials.stop.load(Ordering::Relaxed))
}

fn tell(format: Format, shown: &MutantShown, line: &str) {
    if format == Format::Json {
        return say(line);
    }
    let how = match (shown.end, &shown.oracle) {
        (MutantEnd::KilledBySweep, Some(oracle)) => {
            format!("killed by {oracle} after {} seeds", shown.seeds)
        }
        (MutantEnd::KilledBySweep, None) => {
            format!("killed: its process died, seed {}", shown.seeds)
        }
        (MutantEnd::KilledByTests, _) => "killed by tests only".to_owned(),
        (MutantEnd::Timeout, _) => "did not end".to_owned(),
        (MutantEnd::Survived, _) => format!("SURVIVED {} seeds and the tests", shown.seeds),
        (MutantEnd::Equivalent, _) => "equivalent".to_owned(),
        (MutantEnd::DoesNotBuild, _) => "does not build".to_owned(),
    };
    say(&format!("{:<10} {how:<36} {}\n", shown.module, shown.mutant));
}

fn show(arguments: &Mutate, plan: &Plan, shown: &[MutantShown]) -> Result<(), ToolError> {
    if arguments.format == Format::Json {
        return Ok(());
    }
    say(&format!("\n{}", table(&scores(shown))));
    for (module, [all, fit]) in &plan.sizes {
        say(&format!("{module}: drawn of {fit}; {} more need a build of their own\n", all - fit));
    }
    let file = arguments.out.join(RESULTS);
    say(&format!("results: {}\n", file.display()));
    Ok(())
}
