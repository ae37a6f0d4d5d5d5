//! Two runs beside each other: the first event in which they differ, with what happened around it
//! in both, and what they came to.

use crate::explain::seconds;
use crate::layout::count;
use billsim_record::{Happening, Outcome, RunEvent, RunEvents};
use std::fmt::Write;

/// Events that are shown before and behind the first difference.
const AROUND: usize = 10;

// Writing into a String cannot fail, hence the dropped results below.

/// Where two runs part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parting {
    /// Nowhere.
    Never,
    /// At the event with this place in both, from 0; messages do not count.
    At(usize),
}

/// Where two runs part, by what happened and when. Numbers of the trace count too: a difference
/// in what is not told shows itself there first.
pub fn parting(one: &RunEvents, other: &RunEvents) -> Parting {
    let (one, other) = (lasting(one), lasting(other));
    let same = |(a, b): &(&&RunEvent, &&RunEvent)| {
        (a.at_ns, a.event, &a.what) == (b.at_ns, b.event, &b.what)
    };
    let equal = one.iter().zip(&other).take_while(same).count();
    if equal == one.len() && equal == other.len() { Parting::Never } else { Parting::At(equal) }
}

/// Events that both runs must have. Messages are those before the end of each, which is not the
/// same time in both.
fn lasting(events: &RunEvents) -> Vec<&RunEvent> {
    events.events.iter().filter(|event| !event.what.is_message()).collect()
}

/// Both runs around the place where they part, in words.
pub fn divergence(one: &RunEvents, other: &RunEvents) -> String {
    let Parting::At(place) = parting(one, other) else {
        return "the same events at the same times\n".to_owned();
    };
    let (one, other) = (lasting(one), lasting(other));
    let (first, last) = (place.saturating_sub(AROUND), place + AROUND + 1);
    let mut out = format!("the first {} events are the same\n", count(place as u64));
    for event in &one[first..place.min(one.len())] {
        let _ = writeln!(out, "    {}", line(event));
    }
    for (sign, events) in [('-', &one), ('+', &other)] {
        let shown = events.get(place..last.min(events.len())).unwrap_or_default();
        for event in shown {
            let _ = writeln!(out, "  {sign} {}", line(event));
        }
        if shown.is_empty() {
            let _ = writeln!(out, "  {sign} (it had ended)");
        }
    }
    out
}

/// What two runs came to, where that differs.
pub fn outcomes(one: &Outcome, other: &Outcome) -> String {
    let mut out = String::new();
    let mut row = |name: &str, one: &dyn std::fmt::Display, other: &dyn std::fmt::Display| {
        let (one, other) = (one.to_string(), other.to_string());
        let sign = if one == other { ' ' } else { '*' };
        let _ = writeln!(out, "{sign} {name:<18}{one:<34} {other}");
    };
    let named = |outcome: &Outcome| format!("{} {}", outcome.scenario, outcome.seed);
    let broke = |outcome: &Outcome| {
        let failure = outcome.failure.as_ref();
        failure.map_or("nothing".to_owned(), |it| format!("{} {}", it.oracle, it.fingerprint))
    };
    let p99 = |outcome: &Outcome| match outcome.write_latency_us {
        Some([_, p99, ..]) => format!("{:.1} ms", p99 as f64 / 1e3),
        None => "–".to_owned(),
    };
    row("run", &named(one), &named(other));
    row("verdict", &one.verdict.name(), &other.verdict.name());
    row("broke", &broke(one), &broke(other));
    row("trace", &one.trace_hash, &other.trace_hash);
    row("events", &count(one.events), &count(other.events));
    let simulated = |outcome: &Outcome| format!("{:.3} s", outcome.simulated_seconds);
    row("simulated", &simulated(one), &simulated(other));
    row("acknowledged", &count(one.acknowledged), &count(other.acknowledged));
    row("write p99", &p99(one), &p99(other));
    let kinds: std::collections::BTreeSet<&String> =
        one.faults.keys().chain(other.faults.keys()).collect();
    for kind in kinds {
        let fired = |outcome: &Outcome| outcome.faults.get(kind).map_or(0, |tally| tally.fired);
        if fired(one) != fired(other) {
            row(kind, &format!("fired {}", fired(one)), &format!("fired {}", fired(other)));
        }
    }
    out
}

/// An event in a line.
pub fn line(event: &RunEvent) -> String {
    let (who, what) = words(&event.what);
    format!("{:>11}  #{:<6} {who:<12} {what}", seconds(event.at_ns), event.number)
}

/// Who an event is about, and what it says.
fn words(what: &Happening) -> (String, String) {
    let node = |node: &u16| format!("node {node}");
    match what {
        Happening::Phase { phase } => ("run".to_owned(), format!("phase {phase} begins")),
        Happening::FaultBegins { fault, planned } => {
            (format!("fault {fault}"), planned.to_string())
        }
        Happening::FaultEnds { fault } => (format!("fault {fault}"), "is over".to_owned()),
        Happening::NodeUp { node: id } => (node(id), "opened from its disk".to_owned()),
        Happening::NodeDown { node: id, halted } => {
            (node(id), if *halted { "halted by itself" } else { "is down" }.to_owned())
        }
        Happening::Leads { node: id, region, term } => {
            (node(id), format!("leads region {region} in term {term}"))
        }
        Happening::SealAsked { region, node } => {
            ("operator".to_owned(), format!("asks node {node} to seal region {region}"))
        }
        Happening::SealAnswered { region, words, .. } => {
            ("operator".to_owned(), format!("seal of region {region}: {words}"))
        }
        Happening::Invoke { client, op_id, retry, words, .. } => {
            let again = if *retry { "again: " } else { "" };
            let op_id = op_id.as_ref().map(|op_id| format!(" ({op_id})")).unwrap_or_default();
            (format!("client {client}"), format!("asks {again}{words}{op_id}"))
        }
        Happening::Return { client, words, .. } => (format!("client {client}"), words.clone()),
        Happening::Payout { node: id, op_id, words } => {
            let op_id = op_id.as_ref().map(|op_id| format!(" ({op_id})")).unwrap_or_default();
            (id.as_ref().map_or("the bank".to_owned(), node), format!("{words}{op_id}"))
        }
        Happening::Notice { node: id, op_id, words } => {
            (id.as_ref().map_or("the mail service".to_owned(), node), format!("{words} ({op_id})"))
        }
        Happening::Message { node: id, to, words, lost, .. } => {
            let lost = lost.as_ref().map(|why| format!("; lost: {why}")).unwrap_or_default();
            (node(id), format!("to node {to}: {words}{lost}"))
        }
        Happening::Custody { words, .. } => ("transaction".to_owned(), words.clone()),
        Happening::Violation { oracle, detail, .. } => {
            (oracle.clone(), format!("BREAKS: {detail}"))
        }
    }
}
