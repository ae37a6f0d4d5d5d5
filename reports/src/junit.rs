//! `junit.xml`: a test suite per scenario, a case per oracle. A case that compared nothing is
//! skipped, never passed; so is one whose failure is waived.

use crate::layout::plural;
use crate::page::escape;
use crate::run::Run;
use crate::tally::{Failed, ScenarioTally};
use crate::waived;
use std::collections::BTreeMap;

/// The whole document.
pub fn junit(run: &Run<'_>) -> String {
    let mut suites = String::new();
    let (mut tests, mut failures, mut skipped) = (0, 0, 0);
    for (name, scenario) in &run.tally.scenarios {
        let cases = cases(run, name, scenario);
        let count = |kind: Kind| cases.iter().filter(|(known, _)| *known == kind).count();
        let (failed, silent) = (count(Kind::Failed), count(Kind::Skipped));
        let name = escape(name);
        suites.push_str(&format!(
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" \
             skipped=\"{silent}\">\n",
            cases.len()
        ));
        suites.extend(cases.iter().map(|(_, text)| text.as_str()));
        suites.push_str("  </testsuite>\n");
        tests += cases.len();
        failures += failed;
        skipped += silent;
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"billsim\" \
         tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">\n\
         {suites}</testsuites>\n"
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Passed,
    Failed,
    Skipped,
}

/// A case per oracle that was known or spoke.
fn cases(run: &Run<'_>, name: &str, scenario: &ScenarioTally) -> Vec<(Kind, String)> {
    let known = run.conclusion.promises.keys().chain(scenario.comparisons.keys());
    let mut oracles: Vec<&String> = known.chain(scenario.failed.keys()).collect();
    oracles.sort();
    oracles.dedup();
    let case = |oracle: &String| {
        let promise = run.conclusion.promises.get(oracle).map_or("", String::as_str);
        let title = format!("{oracle} {promise}");
        let compared = scenario.comparisons.get(oracle).copied().unwrap_or(0);
        let (kind, inside) = match scenario.failed.get(oracle) {
            Some(failed) => (Kind::Failed, failure(run, failed)),
            None if scenario.waived.contains_key(oracle) => {
                (Kind::Skipped, waived(run, &scenario.waived[oracle]))
            }
            None if compared == 0 => {
                (Kind::Skipped, "<skipped message=\"it compared nothing\"/>".to_owned())
            }
            None => (Kind::Passed, format!("<system-out>{compared} comparisons</system-out>")),
        };
        let (class, title) = (escape(name), escape(title.trim()));
        let text =
            format!("    <testcase classname=\"{class}\" name=\"{title}\">{inside}</testcase>\n");
        (kind, text)
    };
    oracles.into_iter().map(case).collect()
}

/// Known failures of an oracle, each with its seeds and terms: neither passed nor failed.
fn waived(run: &Run<'_>, causes: &BTreeMap<String, u64>) -> String {
    let sentence = |(cause, seeds): (&String, &u64)| {
        let terms = run.tally.waivers.get(cause).map(waived::terms).unwrap_or_default();
        format!("{cause}: {}, {terms}", plural(*seeds, "seed"))
    };
    let sentences: Vec<String> = causes.iter().map(sentence).collect();
    format!("<skipped message=\"{}\"/>", escape(&sentences.join("; ")))
}

fn failure(run: &Run<'_>, failed: &Failed) -> String {
    let first = &failed.first;
    let detail = first.failure.as_ref().map(|failure| failure.detail.clone());
    let detail = detail.unwrap_or_else(|| first.stuck.join("; "));
    let cause = crate::tally::cause_of(first).unwrap_or_default();
    let how = if run.stored.contains_key(&cause) { run.replay(&cause) } else { String::new() };
    let kind = first.verdict.name();
    let seeds = failed.seeds;
    format!(
        "<failure type=\"{kind}\" message=\"{}\">seed {} and {} more\n{}\n{}</failure>",
        escape(&detail),
        first.seed,
        seeds - 1,
        escape(&detail),
        escape(&how)
    )
}
