//! The reports of a sweep, as snapshots: page, Markdown, JUnit, Prometheus, percentiles, and the
//! trace of one run.

mod fixture;

use billsim_record::conclusion::CONCLUSION_FORMAT;
use billsim_record::manifest::{MANIFEST_FORMAT, SeedPlan};
use billsim_record::{Conclusion, ExitCode, Manifest};
use billsim_reports::junit::junit;
use billsim_reports::markdown::markdown;
use billsim_reports::percentiles::percentiles;
use billsim_reports::perfetto::perfetto;
use billsim_reports::prometheus::prometheus;
use billsim_reports::report::report;
use billsim_reports::{Baseline, Latency, Run, Stored, Tally};
use fixture::{broken, events, held, without_assets};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

fn manifest() -> Manifest {
    let plan = SeedPlan { scenario: "smoke/crash".to_owned(), seeds_from: 0, seeds_to: 3 };
    Manifest {
        format: MANIFEST_FORMAT,
        argv: ["billsim", "sweep", "smoke/crash"].map(str::to_owned).to_vec(),
        commit: Some("0123456789abcdef".to_owned()),
        binary_hash: "b".repeat(64),
        lock_hash: "c".repeat(64),
        scenario_hashes: BTreeMap::new(),
        plan: vec![plan],
        regressions_hash: String::new(),
        checked_percent: 2,
        waivers: Vec::new(),
        toolchain: "rustc 1.95.0".to_owned(),
        shard: None,
        canary: None,
    }
}

fn conclusion(early: Option<&str>) -> Conclusion {
    let promises = [
        ("D1", "an answer leaves only after its entry is durable on two of three disks"),
        ("D10", "a sync that failed is never taken for one that did not"),
        ("D2", "what was acknowledged is kept"),
    ];
    Conclusion {
        format: CONCLUSION_FORMAT,
        asked: 3,
        ended_early: early.map(str::to_owned),
        is_whole: false,
        coverage_required: false,
        wall_seconds: 1.5,
        promises: promises.map(|(id, promise)| (id.to_owned(), promise.to_owned())).into(),
        marks: vec!["leader-elected".to_owned(), "sync-failed".to_owned()],
        required: Vec::new(),
    }
}

/// Shows a run of some outcomes.
fn shown<T>(failed: bool, early: Option<&str>, show: impl Fn(&Run<'_>) -> T) -> T {
    compared(failed, early, None, show)
}

/// The same beside an earlier one.
fn compared<T>(
    failed: bool,
    early: Option<&str>,
    against: Option<&Baseline>,
    show: impl Fn(&Run<'_>) -> T,
) -> T {
    let (manifest, conclusion) = (manifest(), conclusion(early));
    let oracles = conclusion.promises.keys().map(String::as_str);
    let mut tally = Tally::knowing(oracles, conclusion.marks.iter().map(String::as_str));
    tally.add(&held("smoke/crash", 0));
    tally.add(&held("smoke/steady", 0));
    let mut excused = held("smoke/crash", 1);
    excused.excuses.insert("finality: a destroyed region is not sealed".to_owned(), 2);
    tally.add(&excused);
    if failed {
        tally.add(&broken("smoke/crash", 2));
    }
    let latency = Latency { count: 3_690, p50: 900, p99: 2_000, p999: 90_000, max: 1_000_000 };
    let latency = [("smoke/crash".to_owned(), latency)];
    let in_it = Stored {
        has_timeline: true,
        told: Some("client 3 sent a payment of 12.50 EUR to node 1, which acknowledged it".into()),
        takes: Some("It takes exactly this: power-cut of node 1 at 4711 ms for 20 ms.".into()),
    };
    let stored = BTreeMap::from([("D2-00c0ffee00c0ffee".to_owned(), in_it)]);
    show(&Run {
        manifest: &manifest,
        conclusion: &conclusion,
        tally: &tally,
        latency: &latency,
        stored: &stored,
        against,
        command: "billsim",
        directory: "runs/7",
    })
}

#[test]
fn the_page_of_a_failed_sweep() {
    insta::assert_snapshot!(shown(true, None, |run| without_assets(&report(run))));
}

#[test]
fn the_markdown_of_a_failed_sweep() {
    insta::assert_snapshot!(shown(true, None, markdown));
}

#[test]
fn the_markdown_of_a_sweep_that_was_stopped() {
    insta::assert_snapshot!(shown(false, Some("interrupted"), markdown));
}

#[test]
fn the_cases_of_a_failed_sweep() {
    insta::assert_snapshot!(shown(true, None, junit));
}

#[test]
fn the_metrics_of_a_failed_sweep() {
    insta::assert_snapshot!(shown(true, None, prometheus));
}

#[test]
fn an_earlier_run_stands_beside_this_one() {
    let same = shown(true, None, Baseline::of);
    let alike = compared(true, None, Some(&same), markdown);
    assert!(alike.contains("1 seed failed then, 1 now; nothing else differs"), "{alike}");
    let mut then = shown(false, None, Baseline::of);
    then.commit = Some("fedcba9876543210".to_owned());
    then.compared.insert("D10".to_owned());
    then.reached.insert("sync-failed".to_owned());
    then.scenarios.get_mut("smoke/crash").unwrap().p99_us = Some(1_500);
    let other = then.scenarios.remove("smoke/steady").unwrap();
    then.scenarios.insert("smoke/old".to_owned(), other);
    insta::assert_snapshot!(compared(true, None, Some(&then), |run| {
        let page = without_assets(&report(run));
        let (_, section) = page.split_once("id=\"against\"").unwrap();
        let (section, _) = section.split_once("</section>").unwrap();
        let summary = markdown(run);
        let (_, rest) = summary.split_once("### Compared").unwrap();
        format!("{section}\n--\n### Compared{rest}")
    }));
}

#[test]
fn what_was_seen_takes_no_more_than_a_few_lines_of_a_list() {
    let mut long = broken("smoke/crash", 2);
    long.failure.as_mut().unwrap().detail = "a payment that nobody resolved; ".repeat(100);
    let (manifest, conclusion, stored) = (manifest(), conclusion(None), BTreeMap::new());
    let mut tally = Tally::default();
    tally.add(&long);
    let run = Run {
        manifest: &manifest,
        conclusion: &conclusion,
        tally: &tally,
        latency: &[],
        stored: &stored,
        against: None,
        command: "billsim",
        directory: "runs/7",
    };
    for text in [markdown(&run), report(&run)] {
        let times = text.matches("a payment that nobody resolved").count();
        assert!((10..=15).contains(&times) && text.contains(" …"), "{times} times: {text}");
    }
}

#[test]
fn every_report_gives_the_same_verdict() {
    for (failed, early, code) in [
        (false, None, ExitCode::Held),
        (false, Some("interrupted"), ExitCode::Incomplete),
        (true, Some("interrupted"), ExitCode::Safety),
    ] {
        let number = code as u8;
        assert_eq!(shown(failed, early, |run| run.exit_code()), code);
        let metrics = shown(failed, early, prometheus);
        assert!(metrics.contains(&format!("\nbillsim_exit_code {number}\n")), "{metrics}");
        let failures = format!("failures=\"{}\" errors", u8::from(failed));
        assert!(shown(failed, early, junit).contains(&failures));
        let page = shown(failed, early, report);
        assert_eq!(page.contains("class=\"chip bad\">safety<"), failed);
        assert_eq!(page.contains("Incomplete: interrupted"), early.is_some());
    }
}

#[test]
fn the_trace_of_a_run_is_json_whose_spans_close() {
    let text = perfetto(&events());
    let trace: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let all = trace["traceEvents"].as_array().expect("it is a list");
    let of = |phase: &str| all.iter().filter(|event| event["ph"] == phase).collect::<Vec<_>>();
    let ids = |phase: &str| {
        let mut ids: Vec<&str> = of(phase).iter().map(|e| e["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids("b"), ids("e"), "what begins also ends");
    assert_eq!(of("b").len(), 5, "three faults and two calls");
    let breaks = of("i").into_iter().find(|event| event["name"] == "D2 breaks").unwrap();
    assert_eq!(breaks["args"]["event"], 4_711);
    let lines: Vec<String> = all.iter().map(serde_json::Value::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn percentiles_are_those_of_the_standard_table() {
    let mut histogram = Histogram::new_with_max(600_000_000, 3).expect("legal bounds");
    (1..=1_000_u64).for_each(|n| histogram.saturating_record(n * 1_000));
    insta::assert_snapshot!(percentiles(&histogram));
}
