//! A run that may pass, and each way in which it may not.

use billsim_gate::{
    Asked, Beside, CanaryShown, EVIDENCE_FORMAT, Evidence, EvidenceError, Judged, MutantEnd,
    MutantPolicy, MutantShown, Policies, Policy, SeedTrace, Waivers, judge,
};
use billsim_record::conclusion::CONCLUSION_FORMAT;
use billsim_record::manifest::{MANIFEST_FORMAT, SeedPlan};
use billsim_record::outcome::OUTCOME_FORMAT;
use billsim_record::{Conclusion, ExitCode, FaultTally, Manifest, Outcome, Verdict, Waiver};
use billsim_reports::tally::ScenarioTally;
use billsim_reports::{Cause, Tally};
use std::collections::BTreeMap;

const POLICY: &str = r#"
[smoke]
about = "a test"
committed_tree = true
checked_percent_at_least = 2
acknowledged_at_least = 500
failure_rate_below_ppm = 40_000
excuses_per_thousand_seeds = 100
waivers_allowed = true
canaries_required = false
silent_oracles = { L2 = "no region goes" }
unreached_marks = { rare = "needs a longer run" }
unseen_faults = {}
"#;

struct Stage {
    policy: Policy,
    manifest: Manifest,
    conclusion: Conclusion,
    tally: Tally,
    canaries: Option<Vec<CanaryShown>>,
    mutants: Option<Vec<MutantShown>>,
}

impl Stage {
    fn new() -> Self {
        let policies = Policies::parse("gate.toml", POLICY).expect("it is legal");
        let plan = SeedPlan { scenario: "smoke/steady".to_owned(), seeds_from: 0, seeds_to: 100 };
        let manifest = Manifest {
            format: MANIFEST_FORMAT,
            argv: vec!["billsim".to_owned(), "sweep".to_owned()],
            commit: Some("c0ffee".to_owned()),
            binary_hash: "b1".to_owned(),
            lock_hash: "10c4".to_owned(),
            scenario_hashes: BTreeMap::new(),
            plan: vec![plan],
            canary: None,
            checked_percent: 2,
            waivers: Vec::new(),
            toolchain: "rustc 1.95.0".to_owned(),
            shard: None,
            regressions_hash: String::new(),
        };
        let conclusion = Conclusion {
            format: CONCLUSION_FORMAT,
            asked: 100,
            ended_early: None,
            is_whole: false,
            coverage_required: true,
            wall_seconds: 1.5,
            promises: BTreeMap::new(),
            marks: Vec::new(),
            required: Vec::new(),
        };
        let policy = policies.of("gate.toml", "smoke").expect("it is there").clone();
        Self { policy, manifest, conclusion, tally: tally(), canaries: None, mutants: None }
    }

    fn judge(&self) -> Judged {
        let asked = Asked { scenario: "smoke/steady".to_owned(), from: 0, to: 100 };
        let waivers = Waivers::of_run(&self.manifest.waivers).expect("legal dates");
        let today = jiff::civil::date(2026, 6, 1);
        let canaries = self.canaries.as_deref();
        let planted = ["ack-early".to_owned(), "vote-forgotten".to_owned()];
        let mutants = self.mutants.as_deref();
        let beside = Beside { waivers: &waivers, today, canaries, planted: &planted, mutants };
        judge(&self.policy, &[asked], &self.manifest, &self.conclusion, &self.tally, beside)
    }

    /// What does not hold, and how the gate ends.
    fn broken(&self) -> (Vec<String>, ExitCode) {
        let judged = self.judge();
        let broken = judged.claims.iter().filter(|claim| !claim.holds);
        (broken.map(|claim| claim.found.clone()).collect(), judged.exit_code())
    }
}

fn tally() -> Tally {
    let scenario = ScenarioTally { seeds: 100, held: 100, acknowledged: 600, ..Default::default() };
    let mut tally = Tally::knowing(["D1", "L2"], ["common", "rare"]);
    tally.scenarios.insert("smoke/steady".to_owned(), scenario);
    tally.verdicts.insert(Verdict::Held, 100);
    tally.comparisons.insert("D1".to_owned(), 7);
    (tally.judged_twice, tally.second_comparisons) = (2, 30);
    tally.marks.insert("common".to_owned(), 3);
    tally.faults.insert("kill".to_owned(), FaultTally { armed: 2, fired: 2, observed: 1 });
    tally.excuses.insert("slow".to_owned(), 10);
    tally.require("kill");
    tally
}

/// What the gate does not look at.
fn outcome() -> Outcome {
    serde_json::from_value(serde_json::json!({
        "format": OUTCOME_FORMAT, "scenario": "smoke/steady", "seed": 3, "verdict": "safety",
        "trace_hash": "0", "simulated_seconds": 1.0, "acknowledged": 0, "delivered_messages": 0,
        "events": 0, "faults": {}, "comparisons": {}, "marks": {}, "write_latency_us": null,
        "failure": null, "stuck": [],
    }))
    .expect("it is an outcome")
}

#[test]
fn a_run_that_showed_everything_passes() {
    let judged = Stage::new().judge();
    let lines = judged.claims.iter().map(|c| format!("{} {}: {}", c.holds, c.claim, c.found));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    assert_eq!(judged.exit_code(), ExitCode::Held);
}

#[test]
fn each_thing_that_is_missing_closes_the_gate_by_itself() {
    type Change = fn(&mut Stage);
    let changes: [(Change, &str, ExitCode); 15] = [
        (|s| s.manifest.checked_percent = 1, "1 %", ExitCode::Incomplete),
        (|s| s.manifest.canary = Some("ack-early".into()), "ack-early", ExitCode::Incomplete),
        (|s| s.manifest.commit = Some("c0ffee+".into()), "c0ffee+", ExitCode::Incomplete),
        (|s| s.conclusion.ended_early = Some("ctrl-c".into()), "ctrl-c", ExitCode::Incomplete),
        (|s| s.conclusion.asked = 101, "100 seeds", ExitCode::Incomplete),
        (|s| s.manifest.plan[0].seeds_to = 99, "missing: smoke/steady", ExitCode::Incomplete),
        (|s| s.policy.acknowledged_at_least = 601, "600", ExitCode::Incomplete),
        (|s| s.policy.failure_rate_below_ppm = 30_000, "< 30000 ppm", ExitCode::Incomplete),
        (|s| *s.tally.comparisons.get_mut("D1").unwrap() = 0, "D1", ExitCode::Coverage),
        (|s| *s.tally.comparisons.get_mut("L2").unwrap() = 1, "L2", ExitCode::Coverage),
        (|s| s.tally.judged_twice = 0, "0 seeds, 30 comparisons", ExitCode::Coverage),
        (|s| s.tally.second_comparisons = 0, "2 seeds, 0 comparisons", ExitCode::Coverage),
        (|s| *s.tally.marks.get_mut("rare").unwrap() = 1, "rare", ExitCode::Coverage),
        (|s| s.tally.faults.get_mut("kill").unwrap().observed = 0, "kill", ExitCode::Coverage),
        (|s| *s.tally.excuses.get_mut("slow").unwrap() = 11, "11 in 100 seeds", ExitCode::Coverage),
    ];
    for (place, (change, found, code)) in changes.into_iter().enumerate() {
        let mut stage = Stage::new();
        change(&mut stage);
        assert_eq!(stage.broken(), (vec![found.to_owned()], code), "change {place}");
    }
}

#[test]
fn a_failed_seed_ends_the_gate_as_it_ended_the_sweep() {
    let mut stage = Stage::new();
    stage.tally.verdicts.insert(Verdict::Held, 99);
    stage.tally.verdicts.insert(Verdict::Safety, 1);
    let (_, code) = stage.broken();
    assert_eq!(code, ExitCode::Safety);
}

#[test]
fn a_policy_that_cannot_be_used_says_why() {
    let unknown = format!("{POLICY}\nretries = 3\n");
    let without_reason = POLICY.replace("needs a longer run", " ");
    let texts = [unknown.as_str(), without_reason.as_str(), "[smoke]\nabout = 1\n"];
    let errors = texts.map(|text| Policies::parse("gate.toml", text).unwrap_err().to_string());
    let policies = Policies::parse("gate.toml", POLICY).expect("it is legal");
    let absent = policies.of("gate.toml", "night").unwrap_err().to_string();
    insta::assert_snapshot!(format!("{}\n--\n{absent}", errors.join("\n--\n")));
}

#[test]
fn evidence_is_read_back_and_no_part_can_be_changed() {
    let stage = Stage::new();
    let trace = |seed| SeedTrace { seed, trace_hash: "4804a0eec5681732".to_owned() };
    let evidence = Evidence {
        format: EVIDENCE_FORMAT,
        profile: "smoke".to_owned(),
        policy_hash: "9011c4".to_owned(),
        after: None,
        manifest: stage.manifest.clone(),
        conclusion: stage.conclusion.clone(),
        claims: stage.judge().claims,
        canaries: vec![caught("ack-early")],
        mutants: vec![mutant(7, MutantEnd::Survived)],
        faults: stage.tally.faults.clone(),
        comparisons: stage.tally.comparisons.clone(),
        marks: stage.tally.marks.clone(),
        excuses: stage.tally.excuses,
        seeds: BTreeMap::from([("smoke/steady".to_owned(), vec![trace(0), trace(1)])]),
        chain: Vec::new(),
    };
    let evidence = evidence.chained();
    let text = evidence.pretty();
    assert_eq!(Evidence::read(&text), Ok(evidence));
    let changes = [
        ("\"profile\": \"smoke\"", "\"profile\": \"smokE\"", "header"),
        ("c0ffee", "decaff", "manifest"),
        ("\"wall_seconds\": 1.5", "\"wall_seconds\": 2.5", "conclusion"),
        ("600", "601", "claims"),
        ("\"after_seeds\": 3", "\"after_seeds\": 2", "canaries"),
        ("merge/mod.rs:7", "merge/mod.rs:8", "mutants"),
        ("\"fired\": 2", "\"fired\": 3", "faults"),
        ("\"D1\": 7", "\"D1\": 8", "comparisons"),
        ("\"common\": 3", "\"common\": 4", "marks"),
        ("\"slow\": 10", "\"slow\": 9", "excuses"),
        ("4804a0eec5681732", "4804a0eec5681733", "seeds"),
    ];
    for (from, to, part) in changes {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{part}");
        let part = part.to_owned();
        assert_eq!(Evidence::read(&changed), Err(EvidenceError::Changed { part }));
    }
    let cut = text.replace("\"format\": 3,\n  \"profile\"", "\"format\": 4,\n  \"profile\"");
    assert_eq!(Evidence::read(&cut), Err(EvidenceError::Format { found: 4 }));
}

/// One seed fails, and somebody waived that.
fn waived(expires: &str) -> Stage {
    let mut stage = Stage::new();
    let waiver = Waiver {
        failure: "D1-00c0ffee00c0ffee".to_owned(),
        reason: "the disk firmware is being replaced".to_owned(),
        expires: expires.to_owned(),
    };
    stage.tally.waive(&waiver);
    stage.manifest.waivers.push(waiver.clone());
    stage.tally.verdicts.insert(Verdict::Held, 99);
    stage.tally.verdicts.insert(Verdict::Safety, 1);
    let verdicts = [(Verdict::Safety, 1)].into();
    let first = outcome();
    stage.tally.causes.insert(waiver.failure, Cause { seeds: 1, verdicts, first });
    stage
}

#[test]
fn a_waived_failure_is_named_and_passes_only_where_the_policy_allows_it_and_until_its_day() {
    let named = |stage: &Stage| {
        let named = "D1-00c0ffee00c0ffee (1 seeds)";
        stage.judge().claims.iter().any(|claim| claim.found == named)
    };
    let stage = waived("2026-06-01");
    assert_eq!(stage.broken(), (vec![], ExitCode::Held));
    assert!(named(&stage), "an open gate says what it let pass");
    let mut strict = waived("2026-06-01");
    strict.policy.waivers_allowed = false;
    assert_eq!(strict.broken().1, ExitCode::Safety);
    assert!(named(&strict));
    let over = waived("2026-05-31");
    assert_eq!(over.broken(), (vec!["D1-00c0ffee00c0ffee".to_owned()], ExitCode::Coverage));
}

#[test]
fn a_list_of_waivers_says_all_or_is_refused() {
    let entry =
        |failure: &str, rest: &str| format!("[[waiver]]\nfailure = \"{failure}\"\n{rest}\n");
    let (name, all) = ("D1-00c0ffee00c0ffee", "reason = \"known\"\nexpires = 2026-06-01");
    let list = Waivers::parse("waivers.toml", &entry(name, all)).expect("it is legal");
    let day = |day| jiff::civil::date(2026, 6, day);
    assert_eq!((list.expired(day(1)).count(), list.expired(day(2)).count()), (0, 1));
    assert_eq!(Waivers::parse("w", ""), Ok(Waivers::default()));
    let wrong = [
        (entry(name, "expires = 2026-06-01"), "missing field `reason`"),
        (entry(name, "reason = \"known\""), "missing field `expires`"),
        (entry(name, &format!("{all}\nseeds = 3")), "unknown field `seeds`"),
        (entry(name, "reason = \" \"\nexpires = 2026-06-01"), "says no reason"),
        (entry(name, "reason = \"x\"\nexpires = 2026-06-01T10:00:00"), "expires on no day"),
        (entry("D1", all), "names no failure"),
        (entry("../up-00c0ffee00c0ffee", all), "names no failure"),
        (format!("{0}{0}", entry(name, all)), "stands there twice"),
    ];
    for (text, said) in wrong {
        let error = Waivers::parse("waivers.toml", &text).unwrap_err().to_string();
        assert!(error.starts_with("waivers.toml: ") && error.contains(said), "{error}");
    }
}

fn caught(name: &str) -> CanaryShown {
    CanaryShown {
        canary: name.to_owned(),
        caught: true,
        oracle: Some("D1".to_owned()),
        wrong_oracle: None,
        after_seeds: 3,
        allowed_seeds: 20,
        cpu_ms: 40,
        green_without: 3,
        commit: Some("c0ffee".to_owned()),
    }
}

#[test]
fn a_blind_instrument_opens_no_gate_that_asks_for_its_canaries() {
    let mut stage = Stage::new();
    stage.policy.canaries_required = true;
    let words = |text: &str| vec![text.to_owned()];
    assert_eq!(stage.broken(), (words("not shown: give --canaries"), ExitCode::Incomplete));
    let all = || vec![caught("ack-early"), caught("ack-early/D2"), caught("vote-forgotten")];
    stage.canaries = Some(all());
    assert_eq!(stage.broken(), (vec![], ExitCode::Held));
    stage.canaries = Some(all()[..2].to_vec());
    assert_eq!(stage.broken(), (words("vote-forgotten"), ExitCode::CanarySurvived));
    type Change = fn(&mut CanaryShown);
    let changes: [(Change, ExitCode); 3] = [
        (|one| one.caught = false, ExitCode::CanarySurvived),
        (|one| one.green_without = 2, ExitCode::Safety),
        (|one| one.commit = Some("decaff".to_owned()), ExitCode::Incomplete),
    ];
    for (change, code) in changes {
        let mut shown = all();
        change(&mut shown[0]);
        stage.canaries = Some(shown);
        assert_eq!(stage.broken(), (words("ack-early"), code));
    }
}

fn mutant(line: u32, end: MutantEnd) -> MutantShown {
    let mutant = format!("node/core/src/merge/mod.rs:{line}:9: replace < with <= in next");
    let (module, commit) = ("merge".to_owned(), "c0ffee".to_owned());
    MutantShown { mutant, module, end, oracle: None, seeds: 1, commit }
}

#[test]
fn a_gate_that_asks_for_mutants_opens_when_sweeps_kill_enough_of_them() {
    let mut stage = Stage::new();
    stage.mutants = Some(Vec::new());
    assert_eq!(stage.broken(), (vec![], ExitCode::Held), "nobody asks for any");
    stage.mutants = None;
    let tried_at_least = BTreeMap::from([("merge".to_owned(), 4)]);
    stage.policy.mutants = Some(MutantPolicy { tried_at_least, killed_percent_at_least: 75 });
    let (found, code) = stage.broken();
    assert_eq!((found[0].as_str(), code), ("not shown: give --mutants", ExitCode::Incomplete));
    use MutantEnd::{KilledBySweep, KilledByTests};
    let shown = |ends: [MutantEnd; 4]| {
        Some((1..).zip(ends).map(|(line, end)| mutant(line, end)).collect::<Vec<_>>())
    };
    stage.mutants = shown([KilledBySweep, KilledBySweep, KilledBySweep, KilledByTests]);
    assert_eq!(stage.broken(), (vec![], ExitCode::Held));
    stage.mutants.as_mut().unwrap()[0].commit = "decaff".to_owned();
    assert_eq!(stage.broken(), (vec!["1 of another".to_owned()], ExitCode::Incomplete));
    stage.mutants = shown([KilledBySweep, KilledBySweep, KilledByTests, KilledByTests]);
    let few = vec!["50 % (15 to 85 %)".to_owned()];
    assert_eq!(stage.broken(), (few, ExitCode::CanarySurvived));
    stage.mutants.as_mut().unwrap().truncate(2);
    assert_eq!(stage.broken(), (vec!["2".to_owned()], ExitCode::Incomplete));
}

#[test]
fn results_of_canaries_are_read_line_by_line() {
    let line = |one: &CanaryShown| serde_json::to_string(one).unwrap() + "\n";
    let both = [caught("ack-early"), caught("vote-forgotten")];
    let text: String = both.iter().map(line).collect();
    assert_eq!(CanaryShown::read_all(&text), Ok(both.to_vec()));
    let error = CanaryShown::read_all(&(text + "caught\n")).unwrap_err().to_string();
    assert!(error.starts_with("line 3 is no result of `cargo canary"), "{error}");
}
