//! `summary.md`: the sweep for the page of a CI step: the verdict first, then what failed and how
//! to see it again, then what was tested.

use crate::against;
use crate::layout::{SEEN_MAX, count, plural, shortened};
use crate::run::Run;
use crate::summary::sentence;
use crate::waived;
use std::fmt::Write;

// Writing into a String cannot fail, hence the dropped results below.

/// The summary in Markdown.
pub fn markdown(run: &Run<'_>) -> String {
    let tally = run.tally;
    let mut out = format!("## billsim: {}\n\n{}.\n", run.verdict(), run.headline());
    if let Some(why) = &run.conclusion.ended_early {
        let (done, asked) = (count(tally.seeds()), count(run.conclusion.asked));
        let _ = writeln!(out, "\n**Incomplete:** {} after {done} of {asked} seeds.", cell(why));
    }
    failures(&mut out, run);
    let waivers: Vec<String> = waived::sentences(tally).collect();
    if !waivers.is_empty() {
        let _ = writeln!(out, "\n**Waived**\n");
        for sentence in &waivers {
            let _ = writeln!(out, "- {}", cell(sentence));
        }
    }
    out.push_str(&against::markdown(run));
    let _ = writeln!(
        out,
        "\n| scenario | seeds | held | simulated s | acknowledged |\n|---|--:|--:|--:|--:|"
    );
    for (name, scenario) in &tally.scenarios {
        let _ = writeln!(
            out,
            "| `{name}` | {} | {} | {} | {} |",
            count(scenario.seeds),
            count(scenario.held),
            count(scenario.simulated_seconds.round() as u64),
            count(scenario.acknowledged)
        );
    }
    let gaps = tally.gaps();
    if !gaps.is_empty() {
        let weight = if run.conclusion.coverage_required { "Coverage gaps" } else { "Not seen" };
        let _ = writeln!(out, "\n<details><summary>{weight}: {}</summary>\n", gaps.len());
        for gap in &gaps {
            let _ = writeln!(out, "- {}", sentence(gap));
        }
        let _ = writeln!(out, "\n</details>");
    }
    let seconds = run.conclusion.wall_seconds;
    let commit = run.manifest.commit.as_deref().unwrap_or("unknown");
    let _ = writeln!(out, "\n{seconds:.1} s of wall time · commit `{commit}`");
    out
}

fn failures(out: &mut String, run: &Run<'_>) {
    for (name, cause) in run.tally.counted_causes() {
        let first = &cause.first;
        let _ = writeln!(out, "\n### `{name}`: {}\n", plural(cause.seeds, "seed"));
        if let Some(failure) = &first.failure {
            let _ = writeln!(out, "- **promise** {}", cell(&failure.promise));
            let _ = writeln!(out, "- **seen** {}", cell(&shortened(&failure.detail, SEEN_MAX)));
            if let Some(fault) = &failure.last_fault {
                let _ = writeln!(out, "- **last fault** {}", cell(fault));
            }
        }
        let _ = writeln!(out, "- **first** {}, seed {}", first.scenario, first.seed);
        if run.stored.contains_key(name) {
            let _ = writeln!(out, "\n```\n{}\n```", run.replay(name));
        }
    }
}

/// Text that cannot leave its line or become markup.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('<', "&lt;").replace('|', "\\|")
}
