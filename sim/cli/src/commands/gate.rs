//! `billsim gate`: whether a stored run may release something.

use super::gate_recheck::recheck;
use super::sweep_plan::no_commit;
use crate::arguments::Gate;
use crate::context::{choices, say};
use crate::corpus::Corpus;
use crate::run_directory::named;
use crate::stored_run::StoredRun;
use crate::tool_error::ToolError;
use crate::{identity, wall_clock};
use billsim_gate::{
    Asked, Beside, CanaryShown, EVIDENCE_FORMAT, Evidence, Judged, MutantShown, Policies,
    SeedTrace, Waivers, judge,
};
use billsim_record::{ExitCode, Manifest};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn gate(arguments: &Gate) -> Result<ExitCode, ToolError> {
    if let Some(evidence) = &arguments.recheck {
        return recheck(evidence, arguments.sample);
    }
    let path = arguments.run.as_deref().unwrap_or(Path::new(""));
    let path = named(path, None, identity::commit().as_deref())?;
    let path = path.as_path();
    if !path.join("manifest.json").is_file() {
        let shown = path.display();
        return Err(ToolError::usage(format!("{shown}: no run of a sweep (no manifest.json)")));
    }
    let file = arguments.policy.display().to_string();
    let text = fs::read_to_string(&arguments.policy)
        .map_err(|error| ToolError::read(&arguments.policy, &error))?;
    let policies = Policies::parse(&file, &text).map_err(ToolError::usage)?;
    let policy = policies.of(&file, &arguments.profile).map_err(ToolError::usage)?;
    let run = StoredRun::open(path)?;
    if run.manifest().shard.is_some() {
        let shown = path.display();
        return Err(ToolError::usage(format!("{shown}: one shard of many: merge them first")));
    }
    let asked = asked(&arguments.profile, run.manifest().commit.as_deref())?;
    let waivers = Waivers::of_run(&run.manifest().waivers).map_err(ToolError::usage)?;
    let canaries = arguments.canaries.as_ref().map(canaries).transpose()?;
    let mutants = arguments.mutants.as_ref().map(mutants).transpose()?;
    let planted = Corpus::find()?.planted()?;
    let beside = Beside {
        waivers: &waivers,
        today: wall_clock::today(),
        canaries: canaries.as_deref(),
        planted: &planted,
        mutants: mutants.as_deref(),
    };
    let judged = judge(policy, &asked, run.manifest(), run.conclusion(), run.tally(), beside);
    let code = judged.exit_code();
    show(&judged, &arguments.profile, path);
    let shown = (canaries.unwrap_or_default(), mutants.unwrap_or_default());
    let policy_hash = identity::hash(text.as_bytes());
    let evidence = evidence(arguments, &run, judged, shown, policy_hash)?;
    let out = arguments.out.clone().unwrap_or_else(|| path.join("evidence.json"));
    fs::write(&out, evidence.pretty()).map_err(|error| ToolError::write(&out, &error))?;
    say(&format!("evidence: {} ({})\n", out.display(), evidence.digest()));
    Ok(code)
}

/// What the profile runs at a commit.
fn asked(profile: &str, commit: Option<&str>) -> Result<Vec<Asked>, ToolError> {
    let profiles = Corpus::find()?.profiles()?;
    let known = profiles.0.get(profile).ok_or_else(|| {
        let known: Vec<&str> = profiles.0.keys().map(String::as_str).collect();
        ToolError::usage(format!(
            "no profile '{profile}'{}",
            choices(profile, &known, "list profiles")
        ))
    })?;
    let base = known.base(|| commit.map(str::to_owned)).ok_or_else(|| no_commit(profile))?;
    let asked = known.runs.iter().map(|run| Asked {
        scenario: run.scenario.clone(),
        from: base + run.first,
        to: base + run.first + run.seeds,
    });
    Ok(asked.collect())
}

fn show(judged: &Judged, profile: &str, path: &Path) {
    for claim in &judged.claims {
        let mark = if claim.holds { "  ok  " } else { "FAILS " };
        say(&format!("{mark} {:<76} {}\n", claim.claim, claim.found));
    }
    let broken = judged.claims.iter().filter(|claim| !claim.holds).count();
    let words = match broken {
        0 => format!("OPEN: all {} claims hold", judged.claims.len()),
        _ => format!("CLOSED: {broken} of {} claims do not hold", judged.claims.len()),
    };
    say(&format!("\ngate {profile} of {}: {words}\n", path.display()));
}

fn evidence(
    arguments: &Gate,
    run: &StoredRun,
    judged: Judged,
    (canaries, mutants): (Vec<CanaryShown>, Vec<MutantShown>),
    policy_hash: String,
) -> Result<Evidence, ToolError> {
    let before = arguments.after.as_ref().map(read).transpose()?;
    let tally = run.tally();
    let evidence = Evidence {
        format: EVIDENCE_FORMAT,
        profile: arguments.profile.clone(),
        policy_hash,
        after: before.map(|before| before.digest().to_owned()),
        manifest: run.manifest().clone(),
        conclusion: run.conclusion().clone(),
        claims: judged.claims,
        canaries,
        mutants,
        faults: tally.faults.clone(),
        comparisons: tally.comparisons.clone(),
        marks: tally.marks.clone(),
        excuses: tally.excuses.clone(),
        seeds: seeds(run)?,
        chain: Vec::new(),
    };
    Ok(evidence.chained())
}

/// What became of the planted bugs.
fn canaries(path: &PathBuf) -> Result<Vec<CanaryShown>, ToolError> {
    let text = fs::read_to_string(path).map_err(|error| ToolError::read(path, &error))?;
    let wrong = |error| ToolError::usage(format!("{}: {error}", path.display()));
    CanaryShown::read_all(&text).map_err(wrong)
}

/// What became of the mutants.
fn mutants(path: &PathBuf) -> Result<Vec<MutantShown>, ToolError> {
    let text = fs::read_to_string(path).map_err(|error| ToolError::read(path, &error))?;
    let wrong = |error| ToolError::usage(format!("{}: {error}", path.display()));
    MutantShown::read_all(&text).map_err(wrong)
}

/// Evidence of an earlier gate.
pub(super) fn read(path: &PathBuf) -> Result<Evidence, ToolError> {
    let text = fs::read_to_string(path).map_err(|error| ToolError::read(path, &error))?;
    Evidence::read(&text).map_err(|error| ToolError::usage(format!("{}: {error}", path.display())))
}

/// The traces of the planned seeds. Plans under `regressions/` are no seeds of a scenario, but one
/// may have the number of one: the check then believes either.
fn seeds(run: &StoredRun) -> Result<BTreeMap<String, Vec<SeedTrace>>, ToolError> {
    let mut seeds: BTreeMap<String, Vec<SeedTrace>> = BTreeMap::new();
    run.each_outcome(|outcome| {
        if is_planned(run.manifest(), &outcome.scenario, outcome.seed) {
            let (seed, trace_hash) = (outcome.seed, outcome.trace_hash.clone());
            let trace = SeedTrace { seed, trace_hash };
            seeds.entry(outcome.scenario.clone()).or_default().push(trace);
        }
    })?;
    seeds.values_mut().for_each(|traces| traces.sort());
    Ok(seeds)
}

fn is_planned(manifest: &Manifest, scenario: &str, seed: u64) -> bool {
    let of_scenario = manifest.plan.iter().filter(|plan| plan.scenario == scenario);
    of_scenario.into_iter().any(|plan| (plan.seeds_from..plan.seeds_to).contains(&seed))
}
