//! What the gate says of a run: claims with the figure that was found beside the one that was
//! demanded. A claim that fails says with which exit code.

use crate::canaries::CanaryShown;
use crate::mutants::{self, MutantShown};
use crate::policy::Policy;
use crate::waivers::Waivers;
use billsim_record::manifest::SeedPlan;
use billsim_record::{Conclusion, ExitCode, Manifest};
use billsim_reports::Tally;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Seeds that a scenario must have run, as the profile demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Name of the scenario.
    pub scenario: String,
    /// First seed.
    pub from: u64,
    /// One past the last seed.
    pub to: u64,
}

/// One thing that must be so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// What must be so.
    pub claim: String,
    /// Whether it is.
    pub holds: bool,
    /// What was found.
    pub found: String,
    /// How the gate ends when it is not so.
    pub otherwise: ExitCode,
}

/// The gate's judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Every claim, whether it holds or not.
    pub claims: Vec<Claim>,
}

impl Judged {
    /// How the gate ends: the worst of what does not hold.
    pub fn exit_code(&self) -> ExitCode {
        let broken = self.claims.iter().filter(|claim| !claim.holds);
        broken.fold(ExitCode::Held, |code, claim| code.worse(claim.otherwise))
    }
}

/// What is known beside the run.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// What the run let pass.
    pub waivers: &'a Waivers,
    /// The day on which they must not be over.
    pub today: Date,
    /// What became of the planted bugs, where that was shown.
    pub canaries: Option<&'a [CanaryShown]>,
    /// Every planted bug that there is.
    pub planted: &'a [String],
    /// What became of the mutants of the node's source, where that was shown.
    pub mutants: Option<&'a [MutantShown]>,
}

/// Judges a run by a policy. `asked` is what its profile runs.
pub fn judge(
    policy: &Policy,
    asked: &[Asked],
    manifest: &Manifest,
    conclusion: &Conclusion,
    tally: &Tally,
    beside: Beside<'_>,
) -> Judged {
    let mut claims = Vec::new();
    let mut claim = |words: &str, holds: bool, found: String, otherwise: ExitCode| {
        claims.push(Claim { claim: words.to_owned(), holds, found, otherwise });
    };
    of_code(policy, manifest, &mut claim);
    of_amount(policy, asked, manifest, conclusion, tally, &mut claim);
    let causes = list(tally.counted_causes().map(|(name, _)| name.as_str()));
    claim("every seed held", tally.failures() == 0, causes, tally.exit_code());
    of_waivers(policy, tally, beside.waivers, beside.today, &mut claim);
    of_canaries(policy, manifest, beside, &mut claim);
    of_second_checker(policy, tally, &mut claim);
    mutants::judge(policy.mutants.as_ref(), manifest, beside.mutants, &mut claim);
    of_sight(policy, tally, &mut claim);
    Judged { claims }
}

pub(crate) type Note<'a> = dyn FnMut(&str, bool, String, ExitCode) + 'a;

fn of_code(policy: &Policy, manifest: &Manifest, claim: &mut Note<'_>) {
    let planted = manifest.canary.clone();
    let found = planted.clone().unwrap_or_else(|| "none".to_owned());
    claim("no bug was planted", planted.is_none(), found, ExitCode::Incomplete);
    if policy.committed_tree {
        let commit = manifest.commit.clone().unwrap_or_else(|| "unknown".to_owned());
        let is_clean = manifest.commit.as_ref().is_some_and(|commit| !commit.ends_with('+'));
        claim("the tree was committed", is_clean, commit, ExitCode::Incomplete);
    }
    let (least, checked) = (policy.checked_percent_at_least, manifest.checked_percent);
    let words = format!("at least {least} % of the seeds ran twice, to one trace");
    claim(&words, checked >= least, format!("{checked} %"), ExitCode::Incomplete);
}

/// That the two judges agree is a verdict of each seed; here stands that there were two.
fn of_second_checker(policy: &Policy, tally: &Tally, claim: &mut Note<'_>) {
    let (seeds, compared) = (tally.judged_twice, tally.second_comparisons);
    let holds = seeds > 0 && compared > 0 || policy.checked_percent_at_least == 0;
    let found = format!("{seeds} seeds, {compared} comparisons");
    claim("the second checker judged seeds, too", holds, found, ExitCode::Coverage);
}

fn of_amount(
    policy: &Policy,
    asked: &[Asked],
    manifest: &Manifest,
    conclusion: &Conclusion,
    tally: &Tally,
    claim: &mut Note<'_>,
) {
    let early = conclusion.ended_early.clone();
    let ended = early.clone().unwrap_or_else(|| format!("{} seeds", tally.seeds()));
    let is_whole = early.is_none() && tally.seeds() >= conclusion.asked;
    claim("the run came to its end", is_whole, ended, ExitCode::Incomplete);
    let is_run = |asked: &&Asked| {
        let covers = |plan: &SeedPlan| {
            plan.scenario == asked.scenario
                && plan.seeds_from <= asked.from
                && plan.seeds_to >= asked.to
        };
        let ended = tally.scenarios.get(&asked.scenario).map_or(0, |scenario| scenario.seeds);
        manifest.plan.iter().any(covers) && ended >= asked.to - asked.from
    };
    let missing = asked.iter().filter(|asked| !is_run(asked)).map(|asked| asked.scenario.as_str());
    let missing: Vec<&str> = missing.collect();
    let found = match missing.as_slice() {
        [] => format!("{} scenarios", asked.len()),
        _ => format!("missing: {}", missing.join(", ")),
    };
    claim("all of the profile was run", missing.is_empty(), found, ExitCode::Incomplete);
    let (least, acknowledged) = (policy.acknowledged_at_least, tally.acknowledged());
    let words = format!("at least {least} transactions were acknowledged");
    claim(&words, acknowledged >= least, acknowledged.to_string(), ExitCode::Incomplete);
    // The rule of three: with no failure in n seeds the rate is below 3/n at 95 %.
    let rate = 3_000_000_u64.checked_div(tally.seeds());
    let words = format!("failure rate < {} ppm at 95 %", policy.failure_rate_below_ppm);
    let is_below = rate.is_some_and(|rate| rate < policy.failure_rate_below_ppm);
    let failures = tally.failures();
    let found = match rate {
        None => "no seed".to_owned(),
        Some(rate) if failures == 0 => format!("< {rate} ppm"),
        Some(_) => format!("not to be said: {failures} failed"),
    };
    claim(&words, is_below && failures == 0, found, ExitCode::Incomplete);
}

/// A waived failure never passes unseen: it is named, and it passes only where the policy says so.
fn of_waivers(
    policy: &Policy,
    tally: &Tally,
    waivers: &Waivers,
    today: Date,
    claim: &mut Note<'_>,
) {
    let used = || tally.waived().filter(|(_, seeds)| *seeds > 0);
    let named: Vec<String> =
        used().map(|(waiver, seeds)| format!("{} ({seeds} seeds)", waiver.failure)).collect();
    let found = list(named.iter().map(String::as_str));
    if policy.waivers_allowed {
        claim("what failed all the same is waived by name", true, found, ExitCode::Held);
    } else {
        let causes = used().filter_map(|(waiver, _)| tally.causes.get(&waiver.failure));
        let verdicts = causes.flat_map(|cause| cause.verdicts.keys());
        let worst = verdicts.fold(ExitCode::Held, |code, one| code.worse(one.exit_code()));
        claim("no failure is waived", named.is_empty(), found, worst);
    }
    let over = list(waivers.expired(today).map(|waiver| waiver.failure.as_str()));
    claim("no waiver is over", over == NONE, over, ExitCode::Coverage);
}

/// A green run is worth something when the same code, with a bug in it, is red.
fn of_canaries(policy: &Policy, manifest: &Manifest, beside: Beside<'_>, claim: &mut Note<'_>) {
    let every = "every planted bug was caught by its oracle";
    let Some(shown) = beside.canaries else {
        if policy.canaries_required {
            claim(every, false, "not shown: give --canaries".to_owned(), ExitCode::Incomplete);
        }
        return;
    };
    let is_caught = |name: &&String| shown.iter().any(|one| one.caught && one.canary == **name);
    let survived = list(beside.planted.iter().filter(|it| !is_caught(it)).map(String::as_str));
    let holds = survived == NONE;
    let found = if holds { format!("all {}", beside.planted.len()) } else { survived };
    claim(every, holds, found, ExitCode::CanarySurvived);
    let red = shown.iter().filter(|one| !one.is_green_without());
    let red = list(red.map(|one| one.canary.as_str()));
    claim("the same seeds hold without them", red == NONE, red, ExitCode::Safety);
    let others = shown.iter().filter(|one| one.commit != manifest.commit);
    let others = list(others.map(|one| one.canary.as_str()));
    let words = "they were planted into the commit that ran";
    claim(words, others == NONE, others, ExitCode::Incomplete);
}

fn of_sight(policy: &Policy, tally: &Tally, claim: &mut Note<'_>) {
    census("every oracle compared something", &policy.silent_oracles, &tally.comparisons, claim);
    census("every mark was reached", &policy.unreached_marks, &tally.marks, claim);
    let armed = tally.faults.iter().filter(|(_, fault)| fault.armed > 0);
    let seen = armed.map(|(kind, fault)| (kind.clone(), fault.observed)).collect();
    census("every fault that was planned was seen by a node", &policy.unseen_faults, &seen, claim);
    let absent = tally.required.iter().filter(|kind| {
        let tally = tally.faults.get(*kind);
        tally.is_none_or(|fault| fault.armed == 0)
    });
    let absent = list(absent.map(String::as_str));
    claim("every required fault was planned", absent == NONE, absent, ExitCode::Coverage);
    let excuses: u64 = tally.excuses.values().sum();
    let (seeds, budget) = (tally.seeds().max(1), policy.excuses_per_thousand_seeds);
    let words = format!("at most {budget} excuses per thousand seeds");
    let found = format!("{excuses} in {seeds} seeds");
    claim(&words, excuses * 1_000 <= budget * seeds, found, ExitCode::Coverage);
}

/// Both ways: what is not exempt must have happened, and what is exempt must not.
fn census(
    words: &str,
    exempt: &BTreeMap<String, String>,
    counts: &BTreeMap<String, u64>,
    claim: &mut Note<'_>,
) {
    let silent = counts.iter().filter(|(name, count)| **count == 0 && !exempt.contains_key(*name));
    let silent = list(silent.map(|(name, _)| name.as_str()));
    let holds = silent == NONE;
    let found = if holds { format!("{} of {}", loud(counts), counts.len()) } else { silent };
    claim(words, holds, found, ExitCode::Coverage);
    let needless = exempt.keys().filter(|name| counts.get(*name).is_none_or(|count| *count > 0));
    let needless = list(needless.map(String::as_str));
    let words = format!("{words}: no needless exemption");
    let holds = needless == NONE;
    let found = if holds { format!("{} exempt", exempt.len()) } else { needless };
    claim(&words, holds, found, ExitCode::Coverage);
}

fn loud(counts: &BTreeMap<String, u64>) -> usize {
    counts.values().filter(|count| **count > 0).count()
}

const NONE: &str = "none";

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { NONE.to_owned() } else { names.join(", ") }
}
