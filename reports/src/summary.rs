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

/// Of many seeds what none of them reached, of one what it did.
fn marks(out: &mut String, tally: &Tally) {
    let known = tally.marks.len();
    let (shown, what): (Vec<&str>, _) = match tally.seeds() {
        1 => (tally.reached().collect(), "reached"),
        _ => (tally.unreached().collect(), "never reached"),
    };
    if tally.unreached().next().is_none() {
        let _ = writeln!(out, "\nmarks: all {known} were reached");
        return;
    }
    let _ = writeln!(out, "\nmarks: {} of {known} {what}", shown.len());
    for line in wrap(&shown.join(", "), COLUMNS - 2) {
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
    match circumstances.coverage_required {
        true => failings(out, &gaps),
        false => notes(out, &gaps),
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

/// Gaps that fail the sweep.
fn failings(out: &mut String, gaps: &[Gap]) {
    for gap in gaps {
        let _ = writeln!(out, "COVERAGE: {}", sentence(gap));
    }
}

/// Gaps that fail nothing. One seed has many silent oracles; they share a line.
fn notes(out: &mut String, gaps: &[Gap]) {
    let silent = gaps.iter().filter_map(|gap| match gap {
        Gap::Oracle(id) => Some(id.as_str()),
        Gap::Absent(_) | Gap::Fault(_) => None,
    });
    let silent: Vec<&str> = silent.collect();
    let mut sentences = Vec::new();
    if silent.len() > 1 {
        sentences.push(format!("oracles {} compared nothing", silent.join(", ")));
    }
    let others = gaps.iter().filter(|gap| silent.len() < 2 || !matches!(gap, Gap::Oracle(_)));
    sentences.extend(others.map(sentence));
    for sentence in sentences {
        let lines = wrap(&format!("note: {sentence}"), COLUMNS);
        let _ = writeln!(out, "{}", lines.join("\n      "));
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

/// The rule of three: what seeds without a failure say about the failure rate. Three seeds or
/// fewer say nothing.
pub fn confidence(tally: &Tally) -> String {
    let waived = tally.waived_seeds();
    let seeds = tally.seeds() - waived;
    let but = match waived {
        0 => String::new(),
        _ => format!(", but for {} that waivers let pass", plural(waived, "seed")),
    };
    let rate = match seeds {
        ..=3 => String::new(),
        _ => {
            let bound = 300.0 / seeds as f64;
            format!(": failure rate < 3/{} ({bound:.2} %) at 95 %", count(seeds))
        }
    };
    format!("no failure in {}{rate}{but}", plural(seeds, "seed"))
}
