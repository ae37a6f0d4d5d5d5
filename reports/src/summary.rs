//! The end of a sweep in words: what ran, what held, how much was compared, which faults were
//! seen, what was never reached, and what all that is worth.

use crate::layout::{COLUMNS, count, plural, wrap};
use crate::tally::{Gap, Tally};
use crate::waived;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What the tally does not know.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The promise behind each oracle.
    pub promises: &'a BTreeMap<&'a str, &'a str>,
    /// Wall time in seconds.
    pub wall_seconds: f64,
    /// Seeds that were asked for, where that is a number.
    pub asked: Option<u64>,
    /// Why it ended early, if it did.
    pub ended_early: Option<&'a str>,
    /// Whether a gap in coverage is a failure of this sweep.
    pub coverage_required: bool,
}

/// Tables and verdict of a sweep.
pub fn summary(tally: &Tally, circumstances: Circumstances<'_>) -> String {
    let mut out = String::new();
    scenarios(&mut out, tally);
    oracles(&mut out, tally, circumstances.promises);
    faults(&mut out, tally);
    marks(&mut out, tally);
    verdict(&mut out, tally, circumstances);
    out
}

// Writing into a String cannot fail, hence the dropped results below.

fn scenarios(out: &mut String, tally: &Tally) {
    let _ = writeln!(
        out,
        "{:<30}{:>10}{:>10}{:>14}{:>16}",
        "scenario", "seeds", "held", "simulated s", "acknowledged"
    );
    for (name, scenario) in &tally.scenarios {
        let _ = writeln!(
            out,
            "  {name:<28}{:>10}{:>10}{:>14}{:>16}",
            count(scenario.seeds),
            count(scenario.held),
            count(scenario.simulated_seconds.round() as u64),
            count(scenario.acknowledged),
        );
    }
}

fn oracles(out: &mut String, tally: &Tally, promises: &BTreeMap<&str, &str>) {
    let _ = writeln!(out, "\n{:<66}{:>14}", "oracle", "comparisons");
    for (id, comparisons) in &tally.comparisons {
        let promise = promises.get(id.as_str()).copied().unwrap_or_default();
        let mut lines = wrap(promise, 58).into_iter();
        let first = lines.next().unwrap_or_default();
        let _ = writeln!(out, "  {id:<5}{first:<59}{:>14}", count(*comparisons));
        for line in lines {
            let _ = writeln!(out, "       {line}");
        }
    }
}

fn faults(out: &mut String, tally: &Tally) {
    if tally.faults.is_empty() {
        let _ = writeln!(out, "\nno faults were planned");
        return;
    }
    let _ = writeln!(out, "\n{:<38}{:>14}{:>14}{:>14}", "fault", "armed", "fired", "observed");
    for (kind, fault) in &tally.faults {
        let _ = writeln!(
            out,
            "  {kind:<36}{:>14}{:>14}{:>14}",
            count(fault.armed),
            count(fault.fired),
            count(fault.observed),
        );
    }
}

fn marks(out: &mut String, tally: &Tally) {
    let unreached: Vec<&str> = tally.unreached().collect();
    let known = tally.marks.len();
    if unreached.is_empty() {
        let _ = writeln!(out, "\nmarks: all {known} were reached");
        return;
    }
    let _ = writeln!(out, "\nmarks: {} of {known} never reached", unreached.len());
    for line in wrap(&unreached.join(", "), COLUMNS - 2) {
        let _ = writeln!(out, "  {line}");
    }
}

fn verdict(out: &mut String, tally: &Tally, circumstances: Circumstances<'_>) {
    let seeds = tally.seeds();
    let simulated = tally.simulated_seconds();
    let wall = circumstances.wall_seconds;
    // Nobody timed a single run.
    let speed = if wall > 0.0 {
        let ratio = count((simulated / wall).round() as u64);
        format!(" in {wall:.1} s ({ratio} times as fast)")
    } else {
        String::new()
    };
    let _ = writeln!(
        out,
        "\n{}, {} simulated s{speed}, {} acknowledged",
        plural(seeds, "seed"),
        count(simulated.round() as u64),
        count(tally.acknowledged()),
    );
    if let Some(reason) = circumstances.ended_early {
        let asked = circumstances.asked.map(|n| format!(" of {}", count(n))).unwrap_or_default();
        let _ = writeln!(out, "INCOMPLETE: {reason} after {}{asked}", plural(seeds, "seed"));
    }
    let gaps = tally.gaps();
    for gap in &gaps {
        let weight = if circumstances.coverage_required { "COVERAGE" } else { "note" };
        let _ = writeln!(out, "{weight}: {}", sentence(gap));
    }
    for sentence in waived::sentences(tally) {
        let _ = writeln!(out, "WAIVED: {sentence}");
    }
    if tally.failures() > 0 {
        let causes = tally.counted_causes().count() as u64;
        let failed = plural(tally.failures(), "seed");
        let _ = writeln!(out, "FAILED: {failed} with {}", plural(causes, "distinct cause"));
    } else if circumstances.coverage_required && !gaps.is_empty() {
        let gaps = plural(gaps.len() as u64, "gap");
        let _ = writeln!(out, "NOT PROVEN: every seed held, but with {gaps} in what was tested");
    } else if seeds > 0 {
        let _ = writeln!(out, "HELD: {}", confidence(tally));
    }
}

/// What a gap means, in words.
pub fn sentence(gap: &Gap) -> String {
    match gap {
        Gap::Absent(kind) => format!("fault {kind} is required and no plan had it"),
        Gap::Oracle(id) => format!("oracle {id} compared nothing"),
        Gap::Fault(kind) => format!("fault {kind} was armed and no node could see it"),
    }
}

/// The rule of three: what seeds without a failure say about the failure rate.
pub fn confidence(tally: &Tally) -> String {
    let waived = tally.waived_seeds();
    let seeds = tally.seeds() - waived;
    let but = match waived {
        0 => String::new(),
        _ => format!(", but for {} that waivers let pass", plural(waived, "seed")),
    };
    let bound = (300.0 / seeds.max(1) as f64).min(100.0);
    let shown = plural(seeds, "seed");
    let rate = format!("failure rate < 3/{} ({bound:.2} %) at 95 %", count(seeds));
    format!("no failure in {shown}: {rate}{but}")
}
