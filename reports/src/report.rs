//! `report.html`: a sweep on one page. What broke and how to see it, what was tested, how much,
//! what held, and whether the instrument could have seen it.

use crate::against;
use crate::layout::{SEEN_MAX, count, plural, shortened};
use crate::page::{Head, PAGE_JS, command, escape, fill};
use crate::run::Run;
use crate::summary::sentence;
use crate::tally::Cause;
use crate::timeline::tone;
use crate::waived;
use billsim_record::ExitCode;
use std::fmt::Write;

const TEMPLATE: &str = include_str!("../templates/report.html");
const CSS: &str = include_str!("../templates/report.css");

// Writing into a String cannot fail, hence the dropped results below.

/// The page.
pub fn report(run: &Run<'_>) -> String {
    let verdict = run.verdict();
    let head = Head {
        title: &format!("billsim: {verdict}"),
        css: CSS,
        tone: tone_of(run.exit_code()),
        verdict,
        headline: &run.headline(),
        lead: &lead(run),
    };
    fill(
        TEMPLATE,
        &[
            ("head", &head.html()),
            ("notice", &notice(run)),
            ("figures", &figures(run)),
            ("failures", &failures(run)),
            ("against", &against::html(run)),
            ("scenarios", &scenarios(run)),
            ("oracles", &oracles(run)),
            ("faults", &faults(run)),
            ("marks", &marks(run)),
            ("excuses", &excuses(run)),
            ("footer", &footer(run)),
            ("page_js", PAGE_JS),
        ],
    )
}

fn tone_of(code: ExitCode) -> &'static str {
    match code {
        ExitCode::Held => "good",
        ExitCode::Coverage | ExitCode::Incomplete => "warn",
        _ => "bad",
    }
}

fn lead(run: &Run<'_>) -> String {
    let scenarios = run.tally.scenarios.len() as u64;
    let seeds = plural(run.tally.seeds(), "seed");
    let canary = run.manifest.canary.as_ref().map(|name| format!(" · planted bug {name}"));
    let canary = canary.unwrap_or_default();
    format!(
        "{seeds} of {}{canary} · each seed is one simulated cluster with its own faults and load",
        plural(scenarios, "scenario")
    )
}

fn notice(run: &Run<'_>) -> String {
    let mut notices = Vec::new();
    if let Some(why) = &run.conclusion.ended_early {
        let (done, asked) = (count(run.tally.seeds()), count(run.conclusion.asked));
        notices.push(format!("Incomplete: {why} after {done} of {asked} seeds."));
    }
    notices.extend(waived::sentences(run.tally).map(|sentence| format!("Waivers: {sentence}")));
    let notices = notices.iter().map(|text| format!("<p class=\"notice\">{}</p>", escape(text)));
    notices.collect()
}

fn figures(run: &Run<'_>) -> String {
    let tally = run.tally;
    let simulated = tally.simulated_seconds();
    let wall = run.conclusion.wall_seconds;
    let ratio = if wall > 0.0 { simulated / wall } else { 0.0 };
    let observed: u64 = tally.faults.values().map(|fault| fault.observed).sum();
    let comparisons: u64 = tally.comparisons.values().sum();
    let figures = [
        (count(tally.seeds()), "seeds ran to their end"),
        (count(tally.failures()), "of them failed"),
        (count(simulated.round() as u64), "simulated seconds"),
        (format!("{}×", count(ratio.round() as u64)), "as fast as real time"),
        (count(tally.acknowledged()), "writes acknowledged"),
        (count(observed), "times a fault was noticed"),
        (count(comparisons), "comparisons"),
    ];
    let figure = |(number, what): &(String, &str)| {
        format!("<div class=\"figure\"><b>{number}</b><span>{what}</span></div>")
    };
    figures.iter().map(figure).collect()
}

/// A card per cause, the worst first.
fn failures(run: &Run<'_>) -> String {
    let severity = |cause: &Cause| cause.first.verdict.exit_code().severity();
    let mut causes: Vec<(&String, &Cause)> = run.tally.causes.iter().collect();
    let counts = |name: &String| !run.tally.waivers.contains_key(name);
    causes.sort_by_key(|(name, cause)| std::cmp::Reverse((counts(name), severity(cause))));
    causes.into_iter().map(|(name, cause)| failure(run, name, cause)).collect()
}

fn failure(run: &Run<'_>, name: &str, cause: &Cause) -> String {
    let first = &cause.first;
    let stored = run.stored.get(name);
    let mut rows = String::new();
    let mut row = |term: &str, text: &str| {
        let _ = write!(rows, "<dt>{term}</dt><dd>{}</dd>", escape(text));
    };
    let mut title = format!("{}: no oracle spoke", first.verdict.name());
    if let Some(failure) = &first.failure {
        title = format!("{} broke: {}", failure.oracle, failure.promise);
        row("seen", &shortened(&failure.detail, SEEN_MAX));
        let told = stored.and_then(|stored| stored.told.as_deref());
        let transaction = told.or(failure.transaction.as_deref());
        row("transaction", transaction.unwrap_or("none is named"));
        row("last fault", failure.last_fault.as_deref().unwrap_or("none before it"));
        if let Some(takes) = stored.and_then(|stored| stored.takes.as_deref()) {
            row("made small", takes);
        }
    }
    for stuck in first.untold_stuck().take(3) {
        row("stuck", stuck);
    }
    let waiver = run.tally.waivers.get(name);
    if let Some(waiver) = waiver {
        row("waived", &waived::terms(waiver));
    }
    row("found by", &plural(cause.seeds, "seed"));
    row("shown", &format!("{}, seed {}", first.scenario, first.seed));
    let mut next = String::new();
    if stored.is_some_and(|stored| stored.has_timeline) {
        let name = escape(name);
        let _ = write!(
            next,
            "<a class=\"open\" href=\"failures/{name}/timeline.html#first-violation\">Open the \
             timeline at the violation</a>"
        );
    }
    if stored.is_some() {
        next.push_str(&command(&run.replay(name)));
    }
    let (mut tone, mut verdict) = (tone(first.verdict), first.verdict.name());
    if waiver.is_some() {
        (tone, verdict) = ("warn", "waived");
    }
    format!(
        "<section class=\"card cause\"><span class=\"chip {tone}\">{verdict}</span> \
         <code class=\"soft\">{}</code>\n<h2>{}</h2>\n<dl>{rows}</dl>{next}</section>\n",
        escape(name),
        escape(&title)
    )
}

fn bar(part: u64, whole: u64) -> String {
    let share = (part * 100).checked_div(whole).unwrap_or(0);
    let tone = if part < whole { " bad" } else { "" };
    format!("<span class=\"bar{tone}\"><i style=\"width:{share}%\"></i></span>")
}

fn scenarios(run: &Run<'_>) -> String {
    let mut rows = String::new();
    for (name, scenario) in &run.tally.scenarios {
        let latency = run.latency.iter().find(|(known, _)| known == name).map(|(_, it)| it);
        let ms =
            |us: Option<u64>| us.map_or("–".to_owned(), |us| format!("{:.1}", us as f64 / 1e3));
        let _ = writeln!(
            rows,
            "<tr><td class=\"id\">{}</td><td class=\"number\">{}</td><td>{} {}</td>\
             <td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>\
             <td class=\"number\">{}</td><td class=\"number\">{}</td></tr>",
            escape(name),
            count(scenario.seeds),
            bar(scenario.held, scenario.seeds),
            count(scenario.held),
            count(scenario.simulated_seconds.round() as u64),
            count(scenario.acknowledged),
            ms(latency.map(|it| it.p50)),
            ms(latency.map(|it| it.p99)),
            ms(latency.map(|it| it.max)),
        );
    }
    rows
}

fn oracles(run: &Run<'_>) -> String {
    let promises = run.promises();
    let broke = |id: &str| {
        let failed = run.tally.scenarios.values().filter_map(|one| one.failed.get(id));
        failed.map(|failed| failed.seeds).sum::<u64>()
    };
    let mut rows = String::new();
    for (id, comparisons) in &run.tally.comparisons {
        let promise = promises.get(id.as_str()).copied().unwrap_or_default();
        let (tone, word) = match (broke(id), comparisons) {
            (0, 0) => ("warn", "not compared".to_owned()),
            (0, _) => ("good", "held".to_owned()),
            (seeds, _) => ("bad", format!("broke in {}", plural(seeds, "seed"))),
        };
        let _ = writeln!(
            rows,
            "<tr><td class=\"id\">{}</td><td>{}</td><td class=\"number\">{}</td>\
             <td class=\"state\"><span class=\"chip {tone}\">{word}</span></td></tr>",
            escape(id),
            escape(promise),
            count(*comparisons)
        );
    }
    rows
}

fn faults(run: &Run<'_>) -> String {
    let mut rows = String::new();
    for (kind, fault) in &run.tally.faults {
        let state = match (fault.armed, fault.observed) {
            (0, _) => "",
            (_, 0) => "<span class=\"chip warn\">nobody could see it</span>",
            _ => "<span class=\"chip good\">seen</span>",
        };
        let _ = writeln!(
            rows,
            "<tr><td class=\"id\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>\
             <td class=\"number\">{}</td><td class=\"state\">{state}</td></tr>",
            escape(kind),
            count(fault.armed),
            count(fault.fired),
            count(fault.observed)
        );
    }
    if rows.is_empty() {
        rows.push_str("<tr><td colspan=\"5\">no faults were planned</td></tr>");
    }
    rows
}

fn marks(run: &Run<'_>) -> String {
    let gaps = run.tally.gaps();
    let mut out = String::new();
    if !gaps.is_empty() {
        let tone = if run.conclusion.coverage_required { "open" } else { "" };
        let items: String =
            gaps.iter().map(|gap| format!("<li>{}</li>", escape(&sentence(gap)))).collect();
        let title = plural(gaps.len() as u64, "gap");
        let _ = writeln!(
            out,
            "<details {tone}><summary>{title} in what was tested</summary>\
             <ul>{items}</ul></details>"
        );
    }
    let unreached: Vec<&str> = run.tally.unreached().collect();
    let known = run.tally.marks.len();
    if unreached.is_empty() {
        let _ = writeln!(out, "<p>All {known} marks in node and engine were reached.</p>");
        return out;
    }
    let items: String =
        unreached.iter().map(|mark| format!("<li><code>{}</code></li>", escape(mark))).collect();
    let _ = writeln!(
        out,
        "<details><summary>{} of {known} marks were never reached</summary>\
         <ul class=\"marks\">{items}</ul></details>",
        unreached.len()
    );
    out
}

fn excuses(run: &Run<'_>) -> String {
    if run.tally.excuses.is_empty() {
        return String::new();
    }
    let item = |(reason, times): (&String, &u64)| {
        format!("<li>{}: {} times</li>", escape(reason), count(*times))
    };
    let items: String = run.tally.excuses.iter().map(item).collect();
    format!("<h3>Not waited for, or not compared</h3><ul>{items}</ul>")
}

fn footer(run: &Run<'_>) -> String {
    let manifest = run.manifest;
    let commit = manifest.commit.as_deref().unwrap_or("unknown");
    format!(
        "<code>{}</code><br>commit {} · binary {} · {:.1} s of wall time · rebuild this page with \
         <code>billsim report {}</code>",
        escape(&manifest.argv.join(" ")),
        escape(commit),
        escape(&manifest.binary_hash.chars().take(16).collect::<String>()),
        run.conclusion.wall_seconds,
        escape(run.directory)
    )
}
