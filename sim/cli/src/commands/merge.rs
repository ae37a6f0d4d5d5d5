//! `billsim merge`: shards of a sweep as one run, with its reports. A merged run keeps its shards,
//! so that it can be merged again with others.

use crate::arguments::Merge;
use crate::context::{say, warn};
use crate::failures::Failures;
use crate::identity;
use crate::merging::{Candidate, Shards, merged};
use crate::run_directory::{RunDirectory, named};
use crate::stored_run::{self, StoredRun, each_outcome};
use crate::story;
use crate::tool_error::ToolError;
use billsim_record::{Conclusion, ExitCode, Manifest, Outcome, document};
use billsim_reports::summary::summary;
use billsim_reports::tally::cause_of;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Shards that are missing and named one by one.
const NAMED_MAX: usize = 20;

pub(crate) fn merge(arguments: &Merge) -> Result<ExitCode, ToolError> {
    let mut shards = Shards::new();
    let mut first: Option<(PathBuf, Manifest)> = None;
    let commit = identity::commit();
    let place = |path: &PathBuf| named(path, None, commit.as_deref());
    let out = place(&arguments.out)?;
    let runs: Vec<PathBuf> = arguments.runs.iter().map(place).collect::<Result<_, _>>()?;
    for path in runs.iter().flat_map(|path| parts_of(path)) {
        let (manifest, candidate) = read(&path)?;
        let Some(shard) = manifest.shard else {
            let shown = path.display();
            return Err(ToolError::usage(format!(
                "{shown}: it is no shard, but a whole run: merge needs `sweep --shard K/N`"
            )));
        };
        match &first {
            Some((known, of)) => {
                if let Some(what) = of.difference(&manifest) {
                    let (one, other) = (known.display(), path.display());
                    return Err(ToolError::usage(format!(
                        "{one} and {other} are not of one sweep: {what} differs"
                    )));
                }
            }
            None => first = Some((path, manifest)),
        }
        let one = Shards::from([(shard.number, candidate)]);
        shards = merged(shards, one).map_err(ToolError::nondeterminism)?;
    }
    let (_, manifest) = first.ok_or_else(|| ToolError::usage("name the shards to merge"))?;
    let of = manifest.shard.map_or(1, |shard| shard.of);
    write(&out, &shards, of)
}

/// The shards of a merged run, or the one that a directory is.
fn parts_of(path: &Path) -> Vec<PathBuf> {
    let parts = fs::read_dir(path.join("shards")).into_iter().flatten().flatten();
    let mut parts: Vec<PathBuf> = parts.map(|part| part.path()).collect();
    parts.sort();
    if parts.is_empty() { vec![path.to_path_buf()] } else { parts }
}

fn read(path: &Path) -> Result<(Manifest, Candidate), ToolError> {
    let manifest: Manifest = stored_run::read(&path.join("manifest.json"))?;
    let file = path.join("conclusion.json");
    let conclusion: Option<Conclusion> =
        if file.is_file() { Some(stored_run::read(&file)?) } else { None };
    let is_complete = conclusion.as_ref().is_some_and(|known| known.ended_early.is_none());
    let lines = lines(path)?;
    if let Some(said) = &conclusion {
        stored_run::check_whole(path, said, lines.len() as u64)?;
    }
    let candidate = Candidate {
        is_complete,
        runs: lines.len(),
        digest: identity::hash(lines.concat().as_bytes()),
        source: path.to_path_buf(),
    };
    Ok((manifest, candidate))
}

/// Outcomes in an order that does not depend on which seed ended first.
fn lines(path: &Path) -> Result<Vec<String>, ToolError> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    each_outcome(&path.join("outcomes.jsonl"), |outcome| outcomes.push(outcome.clone()))?;
    outcomes.sort_by(|a, b| {
        (&a.scenario, a.seed, &a.trace_hash).cmp(&(&b.scenario, b.seed, &b.trace_hash))
    });
    Ok(outcomes.iter().map(document::line).collect())
}

fn write(out: &Path, shards: &Shards, of: u32) -> Result<ExitCode, ToolError> {
    let mut conclusions = Vec::new();
    let mut latency: BTreeMap<String, Histogram<u64>> = BTreeMap::new();
    let mut kept: BTreeMap<String, (String, u64, PathBuf)> = BTreeMap::new();
    let mut manifest = None;
    for candidate in shards.values() {
        let path = &candidate.source;
        let stored = StoredRun::open(path)?;
        manifest.get_or_insert_with(|| stored.manifest().clone());
        conclusions.push(stored.conclusion().clone());
        for (scenario, histogram) in stored.latency() {
            let sum = latency.entry(scenario.clone());
            let sum = sum.or_insert_with(|| Histogram::new_from(histogram));
            sum.add(histogram).map_err(ToolError::tool)?;
        }
        for directory in stored.failures() {
            let outcome: Outcome = stored_run::read(&directory.join("outcome.json"))?;
            let Some(cause) = cause_of(&outcome) else { continue };
            let place = (outcome.scenario, outcome.seed);
            let is_first =
                kept.get(&cause).is_none_or(|(name, seed, _)| place < (name.clone(), *seed));
            if is_first {
                kept.insert(cause, (place.0, place.1, directory));
            }
        }
    }
    let mut manifest = manifest.ok_or_else(|| ToolError::usage("name the shards to merge"))?;
    (manifest.shard, manifest.argv) = (None, vec!["billsim".to_owned(), "merge".to_owned()]);
    let mut directory = RunDirectory::create(Some(out), &manifest)?;
    let mut all: Vec<Outcome> = Vec::new();
    for (number, candidate) in shards {
        each_outcome(&candidate.source.join("outcomes.jsonl"), |one| all.push(one.clone()))?;
        copy(&candidate.source, &out.join("shards").join(format!("{number:06}")))?;
    }
    all.sort_by(|a, b| {
        (&a.scenario, a.seed, &a.trace_hash).cmp(&(&b.scenario, b.seed, &b.trace_hash))
    });
    for outcome in &all {
        directory.append(outcome)?;
    }
    for (scenario, histogram) in &latency {
        directory.write_latency(scenario, histogram)?;
    }
    for (cause, (_, _, source)) in &kept {
        let copied = out.join("failures").join(cause);
        copy(source, &copied)?;
        // Its pages name commands with the place where it lies.
        if let Some(events) = stored_run::events(&copied)? {
            story::pages(&copied, &stored_run::read(&copied.join("outcome.json"))?, &events)?;
        }
    }
    directory.write_conclusion(&concluded(shards, of, &conclusions, &manifest))?;
    let run = StoredRun::open(out)?;
    run.write_reports()?;
    let text = run.with(|run| summary(run.tally, run.circumstances(&run.promises())));
    directory.write_summary(&text)?;
    say(&text);
    say(&format!("report: {}\n", out.join("report.html").display()));
    let mut failures = Failures::default();
    failures.restore(out, run.tally())?;
    if let Some(last) = failures.epilogue(run.tally(), manifest.canary.as_deref()) {
        say(&format!("\n{last}"));
    }
    Ok(run.with(|run| run.exit_code()))
}

/// How the shards ended together.
fn concluded(
    shards: &Shards,
    of: u32,
    conclusions: &[Conclusion],
    manifest: &Manifest,
) -> Conclusion {
    let missing: Vec<String> =
        (1..=of).filter(|number| !shards.contains_key(number)).map(|n| n.to_string()).collect();
    let incomplete = shards.iter().filter(|(_, candidate)| !candidate.is_complete);
    let incomplete: Vec<String> = incomplete.map(|(number, _)| number.to_string()).collect();
    let named = |numbers: &[String]| match numbers.len() {
        few if few <= NAMED_MAX => numbers.join(", "),
        many => format!("{} and {} more", numbers[..NAMED_MAX].join(", "), many - NAMED_MAX),
    };
    let mut why = Vec::new();
    if !missing.is_empty() {
        why.push(format!("of {of} shards these are missing: {}", named(&missing)));
    }
    if !incomplete.is_empty() {
        why.push(format!("these did not end: {}", named(&incomplete)));
    }
    why.iter().for_each(|words| warn(&format!("merge: {words}")));
    let mut all = conclusions[0].clone();
    all.asked = conclusions.iter().map(|one| one.asked).sum();
    // In whole milliseconds: then the sum does not depend on its order.
    let ms: u64 = conclusions.iter().map(|one| (one.wall_seconds * 1e3).round() as u64).sum();
    all.wall_seconds = ms as f64 / 1e3;
    all.ended_early = (!why.is_empty()).then(|| why.join("; "));
    all.is_whole = conclusions.iter().all(|one| one.is_whole);
    all.coverage_required = all.is_whole && why.is_empty() && manifest.canary.is_none();
    all
}

/// Copies a directory with all that is in it, but no lock.
fn copy(from: &Path, to: &Path) -> Result<(), ToolError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |error: std::io::Error| ToolError::write(&path, &error)
    };
    fs::create_dir_all(to).map_err(failed(to))?;
    for entry in fs::read_dir(from).map_err(failed(from))? {
        let entry = entry.map_err(failed(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target)?;
        } else if entry.file_name() != "lock" {
            fs::copy(&source, &target).map_err(failed(&source))?;
        }
    }
    Ok(())
}
