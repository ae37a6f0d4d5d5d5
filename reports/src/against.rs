//! A run beside an earlier one, usually that of the last release: what is slower, what fails that
//! did not, and what was tested then and is not any more.

use crate::layout::{count, plural};
use crate::page::escape;
use crate::run::Run;
use billsim_record::Document;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

// Writing into a String cannot fail, hence the dropped results below.

/// The format that this release writes and reads.
pub const BASELINE_FORMAT: u32 = 1;
/// A 99th percentile that grew by more than this share, in percent, is pointed at.
const SLOWER_PERCENT: i64 = 10;

/// What is kept of the earlier run, so that the comparison can be shown again without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// Version of this format.
    pub format: u32,
    /// Its commit, where it is known.
    pub commit: Option<String>,
    /// BLAKE3 of its binary.
    pub binary_hash: String,
    /// Seeds that failed and were not waived.
    pub failures: u64,
    /// Per scenario.
    pub scenarios: BTreeMap<String, Part>,
    /// Ways in which seeds failed, waived ones among them.
    pub causes: BTreeSet<String>,
    /// Oracles that compared something.
    pub compared: BTreeSet<String>,
    /// Marks that were reached.
    pub reached: BTreeSet<String>,
    /// Fault kinds that a node could see.
    pub seen: BTreeSet<String>,
}

/// One scenario of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Seeds that ended.
    pub seeds: u64,
    /// Acknowledged writes.
    pub acknowledged: u64,
    /// Half of the writes were acknowledged within so many simulated microseconds.
    pub p50_us: Option<u64>,
    /// All but 1 %.
    pub p99_us: Option<u64>,
}

impl Document for Baseline {
    const KIND: &'static str = "the earlier run";
    const FORMAT: u32 = BASELINE_FORMAT;
}

impl Baseline {
    /// Of a run.
    pub fn of(run: &Run<'_>) -> Self {
        let tally = run.tally;
        let used = |counts: &BTreeMap<String, u64>| {
            let used = counts.iter().filter(|(_, count)| **count > 0);
            used.map(|(name, _)| name.clone()).collect()
        };
        let seen = tally.faults.iter().map(|(kind, fault)| (kind.clone(), fault.observed));
        let scenarios = tally.scenarios.iter().map(|(name, scenario)| {
            let latency = run.latency.iter().find(|(known, _)| known == name).map(|(_, it)| it);
            let part = Part {
                seeds: scenario.seeds,
                acknowledged: scenario.acknowledged,
                p50_us: latency.map(|it| it.p50),
                p99_us: latency.map(|it| it.p99),
            };
            (name.clone(), part)
        });
        Self {
            format: BASELINE_FORMAT,
            commit: run.manifest.commit.clone(),
            binary_hash: run.manifest.binary_hash.clone(),
            failures: tally.failures(),
            scenarios: scenarios.collect(),
            causes: tally.causes.keys().cloned().collect(),
            compared: used(&tally.comparisons),
            reached: used(&tally.marks),
            seen: used(&seen.collect()),
        }
    }

    /// How people call it.
    fn name(&self) -> String {
        let commit = self.commit.as_deref().unwrap_or(&self.binary_hash);
        commit.chars().take(12).collect()
    }
}

/// What a person should know of the difference, the worst first.
pub(crate) fn notes(then: &Baseline, now: &Baseline) -> Vec<String> {
    let mut notes = Vec::new();
    let mut each = |from: &BTreeSet<String>, but: &BTreeSet<String>, words: &str| {
        notes.extend(from.difference(but).map(|name| words.replace('?', name)));
    };
    let names = |of: &Baseline| of.scenarios.keys().cloned().collect();
    each(&now.causes, &then.causes, "fails now and did not then: ?");
    each(&then.compared, &now.compared, "oracle ? compared something then, nothing now");
    each(&then.seen, &now.seen, "fault ? was seen then, not now");
    each(&then.reached, &now.reached, "mark ? was reached then, not now");
    each(&names(then), &names(now), "scenario ? ran then, not now");
    each(&names(now), &names(then), "scenario ? is new");
    each(&then.causes, &now.causes, "failed then and does not now: ?");
    notes
}

/// A row per scenario of both: acknowledged writes per seed, then half and all but 1 % of the
/// latencies.
fn rows(then: &Baseline, now: &Baseline) -> Vec<(String, [(u64, u64); 3])> {
    let per_seed = |part: &Part| part.acknowledged / part.seeds.max(1);
    let both = now.scenarios.iter().filter_map(|(name, now)| {
        let then = then.scenarios.get(name)?;
        let figures = [
            (per_seed(then), per_seed(now)),
            (then.p50_us.unwrap_or(0), now.p50_us.unwrap_or(0)),
            (then.p99_us.unwrap_or(0), now.p99_us.unwrap_or(0)),
        ];
        Some((name.clone(), figures))
    });
    both.collect()
}

/// In percent, with its sign; `None` where there was nothing.
fn change((then, now): (u64, u64)) -> Option<i64> {
    let (then, now) = (i64::try_from(then).ok()?, i64::try_from(now).ok()?);
    (then > 0).then(|| (now - then) * 100 / then)
}

fn shown(pair: (u64, u64)) -> String {
    let (then, now) = (count(pair.0), count(pair.1));
    match change(pair) {
        _ if pair.0 == pair.1 => now,
        Some(0) | None => format!("{then} → {now}"),
        Some(percent) => format!("{then} → {now} ({percent:+} %)"),
    }
}

fn is_slower(pair: (u64, u64)) -> bool {
    change(pair).is_some_and(|percent| percent > SLOWER_PERCENT)
}

/// The section of the page; nothing where there is no earlier run.
pub(crate) fn html(run: &Run<'_>) -> String {
    let Some(then) = run.against else { return String::new() };
    let now = Baseline::of(run);
    let mut table = String::new();
    for (name, [writes, p50, p99]) in rows(then, &now) {
        let chip = if is_slower(p99) { " <span class=\"chip warn\">slower</span>" } else { "" };
        let _ = writeln!(
            table,
            "<tr><td class=\"id\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>\
             <td class=\"number\">{}{chip}</td></tr>",
            escape(&name),
            shown(writes),
            shown(p50),
            shown(p99),
        );
    }
    let notes = notes(then, &now);
    let items: String = notes.iter().map(|it| format!("<li>{}</li>", escape(it))).collect();
    let lead = lead(then, &now, notes.len());
    format!(
        "<section class=\"card\" id=\"against\">\n<h2>Compared with {}</h2>\n<p>{}</p>\n\
         <ul>{items}</ul>\n<table><thead><tr><th>scenario</th><th class=\"number\">writes per \
         seed</th><th class=\"number\">p50 µs</th><th class=\"number\">p99 µs</th></tr></thead>\n\
         <tbody>{table}</tbody></table>\n</section>\n",
        escape(&then.name()),
        escape(&lead),
    )
}

/// The section of the summary in Markdown; nothing where there is no earlier run.
pub(crate) fn markdown(run: &Run<'_>) -> String {
    let Some(then) = run.against else { return String::new() };
    let now = Baseline::of(run);
    let notes = notes(then, &now);
    let lead = lead(then, &now, notes.len());
    let mut out = format!("\n### Compared with `{}`\n\n{lead}\n\n", then.name());
    for note in &notes {
        let _ = writeln!(out, "- {note}");
    }
    let _ = writeln!(out, "\n| scenario | writes per seed | p50 µs | p99 µs |\n|---|--:|--:|--:|");
    for (name, [writes, p50, p99]) in rows(then, &now) {
        let mark = if is_slower(p99) { " **slower**" } else { "" };
        let (writes, p50, p99) = (shown(writes), shown(p50), shown(p99));
        let _ = writeln!(out, "| `{name}` | {writes} | {p50} | {p99}{mark} |");
    }
    out
}

fn lead(then: &Baseline, now: &Baseline, notes: usize) -> String {
    let rest = if notes == 0 { "; nothing else differs in what was seen" } else { "" };
    format!("{} failed then, {} now{rest}.", plural(then.failures, "seed"), count(now.failures))
}

#[cfg(test)]
mod tests {
    use super::{change, is_slower, shown};

    #[test]
    fn changes_have_a_sign_and_a_threshold() {
        assert_eq!(shown((1_000, 1_000)), "1,000");
        assert_eq!(shown((1_000, 1_500)), "1,000 → 1,500 (+50 %)");
        assert_eq!(shown((1_000, 900)), "1,000 → 900 (-10 %)");
        assert_eq!(shown((0, 5)), "0 → 5");
        assert_eq!(shown((1_000, 999)), "1,000 → 999");
        assert_eq!(change((0, 5)), None);
        assert!(is_slower((100, 111)) && !is_slower((100, 110)) && !is_slower((0, 9)));
    }
}
