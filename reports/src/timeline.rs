//! `timeline.html`: one run on one page. Lanes of regions, nodes and clients over simulated time,
//! faults as bands, calls as bars, and a jump to the first broken promise.

use crate::explain::{explain, seconds};
use crate::layout::count;
use crate::page::{Head, PAGE_JS, command, escape, fill, script_json};
use billsim_record::{Happening, Outcome, RunEvent, RunEvents, Verdict};
use serde::Serialize;

/// Events that a page shows at most; a browser stays quick with so many.
pub const EVENTS_MAX: usize = 10_000;

const TEMPLATE: &str = include_str!("../templates/timeline.html");
const CSS: &str = include_str!("../templates/timeline.css");
const MODEL_JS: &str = include_str!("../templates/timeline_model.js");
const VIEW_JS: &str = include_str!("../templates/timeline_view.js");

/// What the page's script reads.
#[derive(Serialize)]
struct Data<'a> {
    head: &'a billsim_record::event::EventsHead,
    events: Vec<&'a RunEvent>,
}

/// What stands on the page beside what its events say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// What the failure takes, where it was made small.
    pub takes: Option<&'a str>,
    /// Commands that a person may want now, each with what it does.
    pub next: &'a [(&'a str, &'a str)],
}

/// The page of one run.
pub fn timeline(outcome: &Outcome, events: &RunEvents, beside: Beside<'_>) -> String {
    let shown = thinned(&events.events, EVENTS_MAX);
    let notice = notice(shown.len(), events.events.len());
    let data = Data { head: &events.head, events: shown };
    let json = script_json(&serde_json::to_string(&data).expect("events have text keys only"));
    let verdict = outcome.verdict.name();
    let place = format!("{}, seed {}", outcome.scenario, outcome.seed);
    let headline = headline(outcome);
    let head = Head {
        title: &format!("{verdict}: {place}"),
        css: CSS,
        tone: tone(outcome.verdict),
        verdict,
        headline: &headline,
        lead: &whereabouts(outcome, &place),
    };
    fill(
        TEMPLATE,
        &[
            ("head", &head.html()),
            ("story", &story(outcome, events, beside)),
            ("notice", &notice),
            ("messages", &messages(&data.events)),
            ("data", &json),
            ("model_js", MODEL_JS),
            ("view_js", VIEW_JS),
            ("page_js", PAGE_JS),
            ("footer", &escape(&footer(outcome))),
        ],
    )
}

/// The colour of a verdict.
pub(crate) fn tone(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Held => "good",
        Verdict::Coverage | Verdict::Incomplete => "warn",
        Verdict::Safety | Verdict::Liveness | Verdict::Nondeterminism => "bad",
    }
}

fn headline(outcome: &Outcome) -> String {
    match &outcome.failure {
        Some(failure) => format!("{} broke: {}", failure.oracle, failure.promise),
        None if outcome.verdict == Verdict::Held => "Every promise held".to_owned(),
        None => "No oracle spoke".to_owned(),
    }
}

fn whereabouts(outcome: &Outcome, place: &str) -> String {
    let ran = format!("{:.3} simulated seconds", outcome.simulated_seconds);
    let acknowledged = format!("{} writes acknowledged", count(outcome.acknowledged));
    let canary = outcome.canary.as_ref().map(|name| format!(" · planted bug {name}"));
    let canary = canary.unwrap_or_default();
    match &outcome.failure {
        Some(failure) => {
            let at = seconds(failure.at_ns);
            format!("{place}{canary} · first seen at {at} · {ran} · {acknowledged}")
        }
        None => format!("{place}{canary} · {ran} · {acknowledged}"),
    }
}

/// What broke, the transaction, what took it away, and what to do.
fn story(outcome: &Outcome, events: &RunEvents, beside: Beside<'_>) -> String {
    let mut cards = String::new();
    let mut card = |title: &str, body: &str, more: &str| {
        cards
            .push_str(&format!("<section class=\"card{more}\"><h3>{title}</h3>{body}</section>\n"));
    };
    let paragraph = |text: &str| format!("<p>{}</p>", escape(text));
    if let Some(words) = explain(outcome, Some(events)) {
        card("Who asked for what, and was told", &paragraph(&words.transaction), "");
        card("What happened to it", &paragraph(&words.cause), "");
        card("Why that must not be", &paragraph(&words.why), "");
    }
    let stuck: String = outcome.untold_stuck().take(4).map(paragraph).collect();
    if !stuck.is_empty() {
        card("What did not come to an end", &stuck, " wide");
    }
    if let Some(takes) = beside.takes {
        card("What it takes, as making it small has shown", &paragraph(takes), " wide");
    }
    let commands: String = beside
        .next
        .iter()
        .map(|(what, line)| {
            format!("<div><p class=\"soft\">{}</p>{}</div>", escape(what), command(line))
        })
        .collect();
    if !commands.is_empty() {
        card("What to do next", &format!("<div class=\"pairs\">{commands}</div>"), " wide");
    }
    if cards.is_empty() { cards } else { format!("<div class=\"cards\">\n{cards}</div>\n") }
}

fn notice(shown: usize, all: usize) -> String {
    if shown == all {
        return String::new();
    }
    let (shown, all) = (count(shown as u64), count(all as u64));
    format!(
        "<p class=\"notice\" id=\"notice\">Only {shown} of {all} events are shown here: calls and \
         messages far from the end are left out. All of them are in events.jsonl.</p>"
    )
}

/// Which messages the page can draw.
fn messages(shown: &[&RunEvent]) -> String {
    let mut sent = shown.iter().filter(|event| event.what.is_message());
    let Some(first) = sent.next() else { return String::new() };
    let (all, from) = (count(1 + sent.count() as u64), seconds(first.at_ns));
    format!("<p class=\"legend\">Arrows between nodes: the last {all} messages, from {from} on</p>")
}

fn footer(outcome: &Outcome) -> String {
    let Outcome { trace_hash, events, .. } = outcome;
    format!(
        "billsim · trace {trace_hash} · {} events of the simulated world, of which this page \
         shows those that people ask about",
        count(*events)
    )
}

/// At most so many events, still in order: calls and messages that lie furthest before the end go
/// first, everything else stays as long as it fits.
pub fn thinned(events: &[RunEvent], most: usize) -> Vec<&RunEvent> {
    let is_many = |event: &&RunEvent| {
        let is_call = matches!(event.what, Happening::Invoke { .. } | Happening::Return { .. });
        is_call || event.what.is_message()
    };
    let mut too_many = events.len().saturating_sub(most);
    let many = events.iter().filter(is_many).count();
    let mut others_too_many = too_many.saturating_sub(many);
    let mut kept = Vec::with_capacity(events.len().min(most));
    for event in events {
        let excess = if is_many(&event) { &mut too_many } else { &mut others_too_many };
        if *excess > 0 && !matches!(event.what, Happening::Violation { .. }) {
            *excess -= 1;
        } else {
            kept.push(event);
        }
    }
    kept
}
